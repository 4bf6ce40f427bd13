"""git over HTTP: behind the gate, bounded, read-only, ended with its client."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
import zlib
from pathlib import Path

import pytest

from packager_jupyter.server.share import gitserve
from packager_jupyter.server.share.state import share_state
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD, fill

REFS = "repo.git/info/refs?service=git-upload-pack"
PACK = {"Content_Type": "application/x-git-upload-pack-request"}


@pytest.fixture
def state(standalone_server):
    """Return what the server remembers between requests."""
    return share_state(standalone_server.app.settings)


async def git(*arguments, cwd, status=0):
    """Run git in a thread of its own; return what it printed."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_TERMINAL_PROMPT": "0"}
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=cwd,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status, said
    return said.decode()


def is_running(pid):
    return Path(f"/proc/{pid}").exists()


def address(published, segment):
    return f"{published.host.root}s/{segment}/repo.git"


async def test_clone_in_both_protocols(ocean, tmp_path):
    url = address(ocean, ocean.share().segment)
    for protocol in ("0", "2"):
        await git("-c", f"protocol.version={protocol}", "clone", "-q", url, protocol, cwd=tmp_path)
        clone = tmp_path / protocol
        tracked = await git("ls-files", "-z", cwd=clone)
        assert set(tracked.split("\0")) - {""} == {*FILES, *ATTACHMENTS}
        for path, data in ATTACHMENTS.items():
            assert (clone / path).read_bytes() == data
        assert all((clone / path).is_symlink() for path in FILES)
    one, two = [await git("rev-parse", "HEAD", cwd=tmp_path / name) for name in ("0", "2")]
    assert one == two
    remote = await git("ls-remote", "--symref", url, "HEAD", cwd=tmp_path)
    assert "refs/heads/main" in remote


async def test_a_password_by_basic(ocean, tmp_path):
    segment = ocean.share(password=PASSWORD).segment
    url = address(ocean, segment)
    await git("clone", "-q", url, "no", cwd=tmp_path, status=128)
    with_password = url.replace("://", "://anybody:open%20sesame@")
    await git("clone", "-q", with_password, "yes", cwd=tmp_path)
    assert (tmp_path / "yes" / "README.md").read_bytes() == ATTACHMENTS["README.md"]


async def test_it_cannot_be_pushed_to(ocean, tmp_path):
    url = address(ocean, ocean.share().segment)
    await git("clone", "-q", url, "ocean", cwd=tmp_path)
    await git("push", "-q", "origin", "HEAD:refs/heads/mine", cwd=tmp_path / "ocean", status=128)
    answer = await ocean.get(ocean.share().segment, "repo.git/info/refs?service=git-receive-pack")
    assert answer.code == 403
    assert (await ocean.get(ocean.share().segment, "repo.git/info/refs")).code == 403


async def test_keys_lead_to_the_bytes_and_nowhere_else(alone, tmp_path):
    segment = alone.share().segment
    url = address(alone, segment)
    await git("clone", "-q", url, "ocean", cwd=tmp_path)
    key = (tmp_path / "ocean" / "top.bin").readlink().name
    for folders in ("x/y", "f87/4d5"):
        below = f"repo.git/annex/objects/{folders}/{key}/{key}"
        answer = await alone.get(segment, below)
        assert (answer.code, (await alone.follow(answer)).body) == (307, FILES["top.bin"])
        head = await alone.get(segment, below, method="HEAD")
        assert (head.code, head.headers["Content-Length"]) == (200, str(len(FILES["top.bin"])))
    other = key.replace(".bin", ".exe")
    for below in (f"a/b/{other}/{other}", f"a/b/{key}/{other}", key, f"a/b/c/{key}/{key}", "", "x"):
        assert (await alone.get(segment, f"repo.git/annex/objects/{below}")).code == 404
    config = await alone.get(segment, "repo.git/config")
    assert b"uuid = " in config.body
    assert (await alone.get(segment, "repo.git/HEAD")).body == b"ref: refs/heads/main\n"
    assert (await alone.get(segment, "other.git/HEAD")).code == 404


def publish_again(published, version, now_s):
    packages = published.host.services.packages
    draft = packages.draft("ocean-2024")
    draft.remove(["empty.dat"]) if version == "3" else draft.remove(["img/map.png"])
    draft.publish(version, now_s=now_s)


async def test_history_shows_what_the_share_could_show_and_no_more(alone, state, tmp_path):
    now = int(time.time())
    publish_again(alone, "3", now + 10)  # newer than the share, as far as its time tells
    live, pinned = alone.share(version=None).segment, alone.share(version="3").segment
    before = alone.share(version="2").segment
    counts = {}
    for segment in (live, pinned, before):
        await git("clone", "-q", address(alone, segment), segment[:8], cwd=tmp_path)
        log = await git("log", "--format=%s", cwd=tmp_path / segment[:8])
        counts[segment] = log.splitlines()
    assert counts[pinned] == ["ocean-2024 3"]
    assert counts[before] == ["ocean-2024 2"]
    assert counts[live] == ["ocean-2024 3", "ocean-2024 2"]
    publish_again(alone, "4", now + 20)
    await asyncio.sleep(2.1)  # what is the latest is remembered for two seconds
    await git("pull", "-q", "--ff-only", cwd=tmp_path / live[:8])
    log = await git("log", "--format=%s", cwd=tmp_path / live[:8])
    assert log.splitlines() == ["ocean-2024 4", "ocean-2024 3", "ocean-2024 2"]
    # A key of the first version alone is not to be had where that version is not shared.
    key = (await git("show", "HEAD~2:empty.dat", cwd=tmp_path / live[:8])).rpartition("/")[2]
    below = f"repo.git/annex/objects/a/b/{key}/{key}"
    found = [(await alone.get(one, below)).code for one in (live, before, pinned)]
    assert found == [307, 307, 404]
    # A version that was deleted is gone from the history as well.
    alone.host.services.packages.delete_version("ocean-2024", "2", now_s=now)
    for memory in (state.repos, state.pinned):
        memory._values.clear()
    assert (await alone.get(before, REFS)).code == 404
    await git("clone", "-q", address(alone, live), "after", cwd=tmp_path)
    assert "ocean-2024 2" not in await git("log", "--format=%s", cwd=tmp_path / "after")


async def test_a_part_shows_nothing_outside_it(alone, tmp_path):
    segment = alone.share(paths=["obs/日本"]).segment
    await git("clone", "-q", address(alone, segment), "part", cwd=tmp_path)
    tracked = (await git("ls-files", "-z", cwd=tmp_path / "part")).split("\0")
    assert tracked[:-1] == ["obs/日本/データ.txt"]
    everything = await git("log", "--all", "-p", cwd=tmp_path / "part")
    assert "top.bin" not in everything
    whole = alone.share().segment
    await git("clone", "-q", address(alone, whole), "whole", cwd=tmp_path)
    key = (tmp_path / "whole" / "top.bin").readlink().name
    assert (await alone.get(segment, f"repo.git/annex/objects/a/b/{key}/{key}")).code == 404


async def test_downloads_are_counted(alone, tmp_path):
    created = alone.share(max_downloads=1)
    await git("clone", "-q", address(alone, created.segment), "one", cwd=tmp_path)
    assert alone.shares.get(created.share.id, "ann").uses == 1
    await git("clone", "-q", address(alone, created.segment), "two", cwd=tmp_path, status=128)


async def test_bad_requests(ocean):
    segment = ocean.share().segment
    path = "repo.git/git-upload-pack"

    async def post(body, **headers):
        answer = await ocean.get(segment, path, method="POST", body=body, **{**PACK, **headers})
        return answer.code

    assert await post(b"0000", Content_Type="text/plain") == 400
    assert await post(b"0000", Content_Encoding="br") == 400
    assert await post(b"no gzip", Content_Encoding="gzip") == 400
    assert await post(gzip.compress(b"0000")[:-9], Content_Encoding="gzip") == 400
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join([*(bomb.compress(bytes(1 << 20)) for _ in range(100)), bomb.flush()])
    assert await post(zeros, Content_Encoding="gzip") == 413
    assert await post(bytes(gitserve.MAX_BODY_BYTES + 1)) == 413
    # What git itself cannot read ends without anything of the repository.
    answer = await ocean.get(segment, path, method="POST", body=b"xxxxrubbish", **PACK)
    assert answer.code >= 400 or b"PACK" not in answer.body
    hostile = await ocean.get(segment, REFS, Git_Protocol="version=2:--upload-pack=touch /tmp/x")
    assert hostile.code == 200


async def test_without_git_it_says_so(alone, monkeypatch, tmp_path):
    segment = alone.share().segment
    assert (await alone.get(segment, REFS)).code == 200
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = await alone.get(segment, REFS)
    assert answer.code == 501
    assert b"git is not installed" in answer.body


async def test_a_client_that_goes_ends_what_runs_for_it(alone, monkeypatch, tmp_path):
    segment = alone.share().segment
    assert (await alone.get(segment, REFS)).code == 200
    pids = tmp_path / "pids"
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\necho $$ >> {pids}\necho begun\nsleep 300 &\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host, port = alone.host.root.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = alone.host.root.split("/", 3)[3]
    writer.write(
        f"POST /{path}s/{segment}/repo.git/git-upload-pack HTTP/1.1\r\nHost: {host}:{port}\r\n"
        "Content-Type: application/x-git-upload-pack-request\r\nContent-Length: 4\r\n\r\n"
        "0000".encode()
    )
    await reader.readuntil(b"begun")
    pid = int(pids.read_text())
    assert is_running(pid)
    writer.close()
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline, "it goes on without its client"
        await asyncio.sleep(0.05)


async def test_too_many_at_once_are_told_to_come_back(alone, state, monkeypatch):
    segment = alone.share().segment
    assert (await alone.get(segment, REFS)).code == 200
    monkeypatch.setattr(state.upload_packs, "_free", asyncio.Semaphore(0))
    monkeypatch.setattr(gitserve, "MAX_WAITING", 0)
    answer = await alone.get(segment, REFS)
    assert (answer.code, answer.headers["Retry-After"]) == (503, "60")


async def test_the_storage_changed_under_a_key(alone, tmp_path):
    segment = alone.share().segment
    await git("clone", "-q", address(alone, segment), "ocean", cwd=tmp_path)
    key = (tmp_path / "ocean" / "top.bin").readlink().name
    fill(alone.folder, {"top.bin": b"other"})
    answer = await alone.get(segment, f"repo.git/annex/objects/a/b/{key}/{key}")
    assert answer.code == 409
