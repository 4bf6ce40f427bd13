"""Downloads that break off in the middle, and go on when their address has expired meanwhile.

The share lies on Ceph behind a proxy that holds the first answer until its address has expired, and
then cuts it: so whoever tries the same address again is refused by the storage itself, and whoever
comes back to the share gets a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from urllib.parse import unquote, urlsplit

import pytest

from clients.sharing import found_in
from clients.world import PACKAGE, share_world
from faults.proxy import Fault, FaultProxy
from peers.pytools import tool_environment
from server.share.storages import S3

TTL_S = 4
BIG = "parts/big.bin"
SMALL = {f"obs/{number:02d} é.csv": b"%d\n" % number for number in range(20)}
BODY = hashlib.sha256(b"big").digest() * 300_000  # 9.6 MB
HALF = len(BODY) // 2


class Torn:
    """A world on a storage that breaks the transfers that a test says.

    Attributes
    ----------
    seen : list of tuple
        Of each read of an object: its key, query, Range, and the status of the answer.
    """

    def __init__(self, world, proxy):
        self.world, self.proxy = world, proxy
        self.seen = []
        self._lock = threading.Lock()
        self._breaks = {}
        proxy.rule = self._rule

    def break_once(self, key, *, cut_after, hold_s=TTL_S + 1.0):
        """Hold the next answer for `key` longer than its address lives, then cut it."""
        self.seen.clear()
        self._breaks = {key: (cut_after, hold_s)}

    def reads(self, key):
        """Return what was asked and answered for one object."""
        return [entry[1:] for entry in self.seen if entry[0] == key]

    def statuses(self, key):
        return [status for _query, _range, status in self.reads(key)]

    def _rule(self, seen):
        parts = urlsplit(seen.path)
        key = unquote(parts.path).partition("/")[2].partition("/")[2]
        if seen.method != "GET" or "X-Amz-Signature" not in parts.query:
            return None
        with self._lock:
            cut_after, hold_s = self._breaks.pop(key, (None, 0.0))

        def edit(status, headers, body):
            self.seen.append((key, parts.query, seen.headers.get("Range"), status))
            time.sleep(hold_s)
            return status, headers, body

        return Fault(edit=edit, cut_after=cut_after)


@pytest.fixture(scope="module")
def torn(rgw, tmp_path_factory):
    """Return a world whose addresses live some seconds, behind a proxy."""
    with FaultProxy(rgw.endpoint_url, keeps_host=True) as proxy:
        storage = S3(rgw, endpoint=proxy.url)
        with share_world(
            tmp_path_factory.mktemp("torn"),
            storage,
            files=SMALL,
            unhashed={BIG: BODY},
            attachments={"README.md": b"# Torn\n"},
            sha256=(),
            hurried_s=TTL_S,
        ) as world:
            yield Torn(world, proxy)


def get(torn, folder, *arguments):
    command = [sys.executable, "-m", "packager_jupyter.cli", "get", torn.world.open_url]
    command += [str(folder), "--json", *arguments]
    return torn.world.run(command, torn.world.folder, PYTHONPATH=os.pathsep.join(sys.path))


def test_get_renews_the_address_and_goes_on_where_it_was(torn, tmp_path):
    torn.break_once(BIG, cut_after=HALF)
    done = get(torn, tmp_path / "out")
    assert done.returncode == 0, done.stdout
    assert found_in(tmp_path / "out", without=[".packager"]) == torn.world.files
    first, second = torn.reads(BIG)
    assert (first[1:], second[1:]) == ((None, 200), (f"bytes={HALF}-", 206))
    assert first[0] != second[0]
    assert torn.statuses("obs/00 é.csv") == [200]


def test_get_replaces_addresses_that_expired_before_their_turn(torn, tmp_path):
    keys = sorted(SMALL)
    torn.break_once(keys[0], cut_after=None)
    done = get(torn, tmp_path / "out", "--jobs", "1", "--include", "obs/*")
    assert done.returncode == 0, done.stdout
    assert found_in(tmp_path / "out", without=[".packager"]) == SMALL
    assert torn.statuses(keys[0]) == [200]
    for key in keys[1:]:
        assert torn.statuses(key) == [403, 200], key


def test_wget_goes_on_when_it_is_run_again(torn, tmp_path, require):
    """wget tries the expired address again; the loop that we document comes back to the share."""
    require("wget", package="wget")
    torn.break_once(BIG, cut_after=HALF)
    listed = f"{torn.world.open_url}urls.txt"
    line = f"curl -sf {listed} | wget -q -c -x -nH --cut-dirs=3 -P out -i -"
    script = f"n=0; until {line}; do n=$((n+1)); test $n -lt 4 || exit 9; sleep 0.2; done; echo $n"
    done = torn.world.run(["bash", "-c", script], tmp_path)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["1"]), done.stdout
    assert found_in(tmp_path / "out") == torn.world.files
    first, *between, last = torn.reads(BIG)
    assert (first[1:], last[1:]) == ((None, 200), (f"bytes={HALF}-", 206))
    assert {(query == first[0], status) for query, _, status in between} == {(True, 403)}


@pytest.mark.parametrize("connections", [1, 4])
def test_aria2(torn, tmp_path, require, connections):
    """With one connection it comes back by itself; with more it is run again and goes on."""
    require("aria2c", package="aria2")
    torn.break_once(BIG, cut_after=HALF // connections)
    lines = f"{torn.world.open_url}files/{BIG}\n"
    command = ["aria2c", "-q", "-c", "-k", "1M", "-x", connections, "-s", connections]
    command += ["--retry-wait=1", "-d", "out", "-i", "-"]
    done = torn.world.run(command, tmp_path, stdin=lines)
    if connections > 1 and done.returncode:
        assert 403 in torn.statuses(BIG), done.stdout
        done = torn.world.run(command, tmp_path, stdin=lines)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "out" / "big.bin").read_bytes() == BODY
    assert not (tmp_path / "out" / "big.bin.aria2").exists()
    assert torn.statuses(BIG).count(200) <= 1  # never again from its beginning
    assert torn.statuses(BIG)[-1] == 206


@pytest.mark.parametrize("version", ["debian", "pypi"])
@pytest.mark.parametrize("how", ["addurl", "registerurl"])
def test_git_annex(torn, tmp_path, request, version, how):
    """From the share's own addresses, added one by one or registered for keys that are known."""
    env = {}
    if version == "pypi":
        bin_folder = request.getfixturevalue("require_tools")("annex")
        env = {"PATH": tool_environment(bin_folder, home=tmp_path / "home")["PATH"]}
    else:
        request.getfixturevalue("require")("git-annex", package="git-annex")
    url = f"{torn.world.open_url}files/{BIG}"
    key = f"SHA256E-s{len(BODY)}--{hashlib.sha256(BODY).hexdigest()}.bin"
    added = {
        "addurl": [["git", "annex", "addurl", "--fast", "--file=big.bin", url]],
        "registerurl": [
            ["git", "annex", "fromkey", "--force", key, "big.bin"],
            ["git", "annex", "registerurl", key, url],
        ],
    }
    identity = [["git", "config", f"user.{name}", "a@example.org"] for name in ("name", "email")]
    commands = [
        ["git", "init", "-q"],
        *identity,
        ["git", "config", "annex.security.allowed-ip-addresses", "127.0.0.1"],
        ["git", "annex", "init", "-q"],
        *added[how],
    ]
    repository = tmp_path / "annex"
    repository.mkdir()
    for command in commands:
        done = torn.world.run(command, repository, **env)
        assert done.returncode == 0, (command, done.stdout)
    torn.break_once(BIG, cut_after=HALF)
    done = torn.world.run(["git", "annex", "get", "big.bin"], repository, **env)
    assert done.returncode == 0, done.stdout
    assert (repository / "big.bin").read_bytes() == BODY
    first, *_, last = torn.reads(BIG)
    assert (first[1:], last[1:]) == ((None, 200), (f"bytes={HALF}-", 206))
    assert first[0] != last[0]
    fsck = torn.world.run(["git", "annex", "fsck", "--json", "big.bin"], repository, **env)
    assert json.loads(fsck.stdout.splitlines()[-1])["success"], fsck.stdout
    torn.world.run(["chmod", "-R", "u+w", "."], repository)  # so that pytest can remove it


def test_the_storage_itself_refuses_an_expired_address(torn):
    """What the tests above rest on: the address is dead, and not only our idea of it."""
    import httpx

    address = httpx.get(f"{torn.world.open_url}files/{BIG}").headers["Location"]
    assert httpx.head(address).status_code in {200, 403}
    assert httpx.get(address).content == BODY
    time.sleep(TTL_S + 1)
    assert httpx.get(address).status_code == 403
    assert PACKAGE not in address
