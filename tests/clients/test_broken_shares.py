"""What goes wrong behind a share while it is read: it ends, its objects change, its storage falls
silent, its client says too much. Nobody ever gets other bytes than those that were published."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from sqlalchemy import update

from clients.sharing import found_in
from clients.world import PACKAGE, SOURCE, make_share, serving, share_world
from faults.proxy import Fault, FaultProxy
from packager_jupyter.config import Settings
from packager_jupyter.fetch import patience
from packager_jupyter.fetch.download import Downloader
from packager_jupyter.fetch.share import ShareOrigin
from packager_jupyter.services import Services
from packager_jupyter.store.schema import share as share_table
from server.share.storages import S3

BIG = "parts/big.bin"
BODY = hashlib.sha256(b"big").digest() * 300_000
SMALL = {f"obs/{number:02d}.csv": b"%05d\n" % number for number in range(40)}


CHANGED = ("obs/00.csv", "obs/07.csv")


@pytest.fixture(scope="module")
def behind(rgw, tmp_path_factory):
    """Return a world and the proxy between it and its storage."""
    with FaultProxy(rgw.endpoint_url, keeps_host=True) as proxy:
        storage = S3(rgw, endpoint=proxy.url)
        options = {"unhashed": {BIG: BODY}, "attachments": {}, "sha256": ()}
        folder = tmp_path_factory.mktemp("behind")
        with share_world(folder, storage, files=SMALL, **options) as world:
            yield world, proxy


@pytest.fixture
def proxied(behind):
    """Return the world with a share of this test's own; what it changed is put back."""
    world, proxy = behind
    yield replace(world, open_url=world.share().url), proxy
    proxy.rule = lambda _seen: None
    for path in CHANGED:
        world.storage.put(path, SMALL[path])
    world.storage.put_in_parts(BIG, BODY)


def get(world, folder, *arguments):
    command = [sys.executable, "-m", "packager_jupyter.cli", "get", world.open_url]
    command += [str(folder), "--json", *arguments]
    done = world.run(command, world.folder, PYTHONPATH=os.pathsep.join(sys.path))
    report = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    return done.returncode, report


def answer_when_noticed(url):
    """Return the answer once the server has forgotten how the storage was some seconds ago."""
    deadline = time.monotonic() + 60
    while (answer := httpx.get(url, timeout=60)).status_code == 307:
        assert time.monotonic() < deadline, "the change is never noticed"
        time.sleep(0.2)
    return answer


def on_first_read(key, then, **fault):
    """Return a rule that calls `then` when `key` is read for the first time."""
    left = [True]

    def rule(seen):
        is_it = unquote(urlsplit(seen.path).path).endswith(f"/{key}")
        if not (left[0] and is_it and seen.method == "GET"):
            return None
        left[0] = False
        then()
        return Fault(**fault) if fault else None

    return rule


def _revoke(services, share_id):
    services.shares.revoke(share_id, owner="ann")


def _expire(services, share_id):
    ended = {"expires_s": int(time.time()) - 1}
    with services.db.begin() as connection:
        connection.execute(update(share_table).where(share_table.c.id == share_id).values(ended))


@pytest.mark.parametrize("end", [_revoke, _expire])
def test_a_share_that_ends_in_the_middle_of_a_download(proxied, tmp_path, end):
    world, proxy = proxied
    share = world.share()
    proxy.rule = on_first_read(BIG, lambda: end(world.services, share.id), cut_after=len(BODY) // 2)
    code, report = get(replace(world, open_url=share.url), tmp_path / "out")
    assert code == 1
    failed = {row["path"]: row["code"] for row in report["failed"]}
    assert failed[BIG] == "share_not_found"
    assert set(failed.values()) == {"share_not_found"}
    found = found_in(tmp_path / "out", without=[".packager"])
    assert found == {path: data for path, data in SMALL.items() if path not in failed}
    assert len(found) + len(failed) == len(world.files)


@pytest.mark.parametrize("arguments", [(), ("--include", "obs/00.csv")])
def test_an_object_that_changes_after_its_address_was_signed(proxied, tmp_path, arguments):
    """With many addresses at once, and with the redirect of a single file."""
    world, proxy = proxied
    path = "obs/00.csv"
    other = b"other"[: len(SMALL[path])].ljust(len(SMALL[path]), b"!")
    proxy.rule = on_first_read(path, lambda: world.storage.put(path, other))
    code, report = get(world, tmp_path / "out", *arguments)
    assert code == 1
    assert [(row["path"], row["code"]) for row in report["failed"]] == [(path, "object_changed")]
    assert path not in found_in(tmp_path / "out")
    assert other not in found_in(tmp_path / "out").values()


def test_an_object_that_changes_in_the_middle_of_its_download(proxied, tmp_path):
    world, proxy = proxied
    proxy.rule = on_first_read(
        BIG, lambda: world.storage.put(BIG, bytes(len(BODY))), cut_after=len(BODY) // 2
    )
    code, report = get(world, tmp_path / "out")
    assert code == 1
    # The proxy may have fetched the old object or already the new one: neither becomes a file.
    assert [(row["path"], row["code"]) for row in report["failed"]] == [(BIG, "object_changed")]
    assert found_in(tmp_path / "out", without=[".packager"]) == SMALL


def test_a_changed_object_is_refused_to_every_client(proxied, tmp_path, require):
    world, _ = proxied
    path = "obs/07.csv"
    world.storage.put(path, b"other")
    url = f"{world.open_url}files/{path}"
    answer = answer_when_noticed(url)
    assert (answer.status_code, answer.json()["code"]) == (409, "object_changed")
    assert "Location" not in answer.headers
    for command in (["wget", "-q", url], ["curl", "-sfLO", url], ["aria2c", "-q", url]):
        require(command[0], package=command[0].removesuffix("c"))
        folder = tmp_path / command[0]
        folder.mkdir()
        assert world.run(command, folder).returncode != 0
        assert found_in(folder) == {}


def test_a_storage_that_comes_back_while_get_waits(proxied, tmp_path):
    world, proxy = proxied
    left = [3]

    def rule(_seen):
        left[0] -= 1
        return Fault(status=503, headers={"Retry-After": "1"}) if left[0] >= 0 else None

    proxy.rule = rule
    code, report = get(world, tmp_path / "out")
    assert (code, report["failed"]) == (0, [])
    assert found_in(tmp_path / "out", without=[".packager"]) == world.files


def test_a_storage_that_is_down(proxied, tmp_path, monkeypatch):
    """The share says when to come back; `get` waits for one round, then lists the rest soon."""
    world, proxy = proxied
    proxy.rule = lambda _seen: Fault(cut_after=-1)
    answer = answer_when_noticed(f"{world.open_url}files/obs/01.csv")
    assert answer.status_code in {502, 503}
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in answer.text
    waited = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    monkeypatch.setattr(patience, "ATTEMPTS", 2)
    origin = ShareOrigin(world.open_url)
    report = Downloader(origin, tmp_path / "out", jobs=2).run()
    origin.close()
    assert {one.path for one in report.failed} == world.files.keys()
    assert {one.error.code for one in report.failed} <= {"storage_unreachable", "storage_error"}
    assert found_in(tmp_path / "out", without=[".packager"]) == {}
    assert 0 < sum(waited) < 2 * patience.ATTEMPTS * patience.MAX_WAIT_S


def test_a_password_sent_on_to_the_storage_is_refused_there(world, tmp_path, require):
    """R3 of the tools' rules: nothing is saved, and the two ways that we document work."""
    require("curl", package="curl")
    path = "obs/day 1/a.csv"
    below = "files/obs/day%201/a.csv"
    login = ["-u", f"x:{world.password}"]
    told = ["curl", "-sS", "-f", "-L", "-o", "out", "--location-trusted"]
    refused = world.run([*told, *login, world.locked_url + below], tmp_path)
    if world.kind == "azure" and refused.returncode == 0:  # Azurite minds only the signature
        assert (tmp_path / "out").read_bytes() == world.files[path]
    else:
        assert refused.returncode == 22, refused.stdout
        assert "400" in refused.stdout
        assert not (tmp_path / "out").exists()
    for options, url in (
        (["-H", f"X-Share-Token: {world.password}"], world.locked_url),
        ([], world.capability_url),
    ):
        done = world.run([*told, *options, url + below], tmp_path)
        assert (done.returncode, (tmp_path / "out").read_bytes()) == (0, world.files[path])
        (tmp_path / "out").unlink()


def test_a_signal_lets_running_downloads_end(tmp_path):
    """Twenty slow readers of a file that the server itself sends; none gets a part of it."""
    storage = tmp_path / "storage"
    storage.mkdir()
    data = hashlib.sha256(b"drain").digest() * 400_000
    (storage / "big.bin").write_bytes(data)
    settings = Settings(data_dir=str(tmp_path / "data"), root_dir=str(tmp_path))
    with Services.open(settings) as services, contextlib.ExitStack() as stack:
        services.sources.add(SOURCE, storage.as_uri())
        draft = services.packages.create(PACKAGE)
        draft.add(SOURCE, [""])
        draft.publish("1", now_s=1)
        url = make_share(services, stack.enter_context(serving(tmp_path))).url
        limits = httpx.Limits(max_connections=None)
        client = stack.enter_context(httpx.Client(follow_redirects=True, timeout=60, limits=limits))
        opened = [
            stack.enter_context(client.stream("GET", f"{url}files/big.bin")) for _ in range(20)
        ]
        readers = [each.iter_bytes(64 * 1024) for each in opened]
        got = [next(reader) for reader in readers]
        announced = json.loads((tmp_path / "data" / "server.json").read_text())
        os.kill(announced["pid"], signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(httpx.HTTPError):
            httpx.get(url, timeout=5)
        for reader, first in zip(readers, got, strict=True):
            assert first + b"".join(reader) == data
