"""``repo.git`` with git, git-annex (Debian's and PyPI's) and DataLad."""

from __future__ import annotations

import re
import time

import pytest

from clients.gitshares import (
    ATTACHMENTS,
    PASSWORD,
    REFUSED,
    UNHASHED,
    files_in,
    git_environment,
    make_share,
    run,
)
from faults.proxy import Fault, FaultProxy


@pytest.fixture(scope="module", params=["s3", "azure"])
def shared(request, registry):
    return make_share(registry, request.param, request)


@pytest.fixture(scope="module", params=["debian", "pypi"])
def env(request, registry, require, require_tools):
    """Return the variables with which the one or the other git-annex is found."""
    require("git", package="git")
    found = git_environment(registry.environment())
    if request.param == "debian":
        require("git-annex", package="git-annex")
        return found
    return found | {"PATH": f"{require_tools('annex')}:{found['PATH']}"}


def present(folder):
    """Return the files of a clone whose bytes are there."""
    found = files_in(folder)
    left_out = found.pop("LEFT-OUT.txt").decode()
    return found, left_out


def test_clone_and_get(shared, env, tmp_path):
    url = shared.url()
    run(["git", "clone", "-q", f"{url}repo.git", "ocean"], cwd=tmp_path, env=env)
    ocean = tmp_path / "ocean"
    run(["git", "annex", "get", "."], cwd=ocean, env=env)
    found, left_out = present(ocean)
    assert found == shared.files | ATTACHMENTS
    assert set(re.findall(r'^"(.*)"\t', left_out, re.MULTILINE)) == {
        path.replace("\u200c", "\\u200c") for path in REFUSED
    }
    assert not list(tmp_path.rglob("pwned"))
    run(["git", "annex", "fsck", "--quiet"], cwd=ocean, env=env)
    run(["git", "fsck", "--strict"], cwd=ocean, env=env)
    keys = run(["git", "annex", "find", "--format=${backend} ${file}\\n"], cwd=ocean, env=env)
    backends = dict(reversed(line.split(" ", 1)) for line in keys.splitlines())
    assert {path: backends[path] for path in UNHASHED} == dict.fromkeys(UNHASHED, "WORM")
    assert (backends["top.bin"], backends["obs/100%.txt"]) == ("SHA256E", "MD5E")
    run(["git", "annex", "drop", "top.bin"], cwd=ocean, env=env)
    assert not (ocean / "top.bin").exists()


@pytest.mark.parametrize("way", ["capability", "header"])
def test_a_password(shared, env, tmp_path, way):
    url = shared.url(password=PASSWORD)
    if way == "header":
        url = f"{shared.registry.url}s/{shared.created.segment}/"
        refused = ["git", "clone", "-q", f"{url}repo.git", "no"]
        run(refused, cwd=tmp_path, env=env, is_ok=False)
    settings = [] if way == "capability" else ["-c", f"http.extraHeader=X-Share-Token: {PASSWORD}"]
    run(["git", *settings, "clone", "-q", f"{url}repo.git", "ocean"], cwd=tmp_path, env=env)
    annex = settings and [*settings, "-c", f"annex.http-headers=X-Share-Token: {PASSWORD}"]
    run(["git", *annex, "annex", "get", "."], cwd=tmp_path / "ocean", env=env)
    assert present(tmp_path / "ocean")[0] == shared.files | ATTACHMENTS
    everything = run(["git", "log", "--all", "-p", "--text"], cwd=tmp_path / "ocean", env=env)
    assert url not in everything
    assert shared.created.capability not in everything


def test_datalad(shared, registry, require_tools, tmp_path):
    env = git_environment(registry.environment())
    env["PATH"] = f"{require_tools('annex')}:{env['PATH']}"
    run(["datalad", "clone", f"{shared.url()}repo.git", "ocean"], cwd=tmp_path, env=env)
    run(["datalad", "get", "."], cwd=tmp_path / "ocean", env=env)
    assert present(tmp_path / "ocean")[0] == shared.files | ATTACHMENTS


@pytest.fixture(scope="module")
def plain(request, registry, require):
    """Return a package of its own and Debian's git-annex, for what changes the package."""
    require("git-annex", package="git-annex")
    return make_share(registry, "s3", request), git_environment(registry.environment())


def test_a_new_version_is_a_new_commit_on_top(plain, tmp_path):
    shared, env = plain
    url = shared.url()
    run(["git", "clone", "-q", f"{url}repo.git", "ocean"], cwd=tmp_path, env=env)
    ocean = tmp_path / "ocean"
    run(["git", "annex", "get", "-q", "top.bin"], cwd=ocean, env=env)
    before = run(["git", "rev-parse", "HEAD"], cwd=ocean, env=env)
    shared.storage.delete("obs/-rf")
    shared.storage.put("new/file.csv", b"new")
    shared.files = {**shared.files, "new/file.csv": b"new"}
    del shared.files["obs/-rf"]
    shared.publish(now_s=2_000_000_000)
    for _ in range(50):  # which version is the latest is remembered for two seconds
        said = run(["git", "ls-remote", "-q", "origin", "main"], cwd=ocean, env=env)
        if not said.startswith(before.strip()):
            break
        time.sleep(0.2)
    run(["git", "annex", "sync", "-q", "--no-push", "--no-commit"], cwd=ocean, env=env)
    run(["git", "annex", "get", "."], cwd=ocean, env=env)
    assert present(ocean)[0] == shared.files | ATTACHMENTS
    assert run(["git", "rev-parse", "HEAD^"], cwd=ocean, env=env) == before
    run(["git", "clone", "-q", "--depth", "1", f"{url}repo.git", "shallow"], cwd=tmp_path, env=env)
    log = run(["git", "log", "--oneline"], cwd=tmp_path / "shallow", env=env)
    assert len(log.splitlines()) == 1


def test_into_a_repository_that_is_there(plain, tmp_path):
    shared, env = plain
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    mine = tmp_path / "mine"
    run(["git", "annex", "init", "-q"], cwd=mine, env=env)
    (mine / "own.txt").write_text("mine")
    run(["git", "add", "own.txt"], cwd=mine, env=env)
    run(["git", "commit", "-q", "-m", "mine"], cwd=mine, env=env)
    run(["git", "remote", "add", "ocean", f"{shared.url()}repo.git"], cwd=mine, env=env)
    run(["git", "fetch", "-q", "ocean"], cwd=mine, env=env)
    run(["git", "read-tree", "--prefix=data/ocean/", "-u", "ocean/main"], cwd=mine, env=env)
    run(["git", "annex", "fix", "-q"], cwd=mine, env=env)
    run(["git", "commit", "-q", "-n", "-m", "ocean"], cwd=mine, env=env)
    run(["git", "annex", "get", "."], cwd=mine, env=env)
    found = files_in(mine / "data" / "ocean")
    found.pop("LEFT-OUT.txt")
    assert found == shared.files | ATTACHMENTS


def test_changed_bytes_are_refused(plain, tmp_path):
    shared, env = plain
    run(["git", "clone", "-q", f"{shared.url()}repo.git", "ocean"], cwd=tmp_path, env=env)
    shared.storage.put("top.bin", b"other")
    said = run(["git", "annex", "get", "top.bin"], cwd=tmp_path / "ocean", env=env, is_ok=False)
    assert "top.bin" in said
    assert not (tmp_path / "ocean" / "top.bin").exists()
    shared.storage.put("top.bin", shared.files["top.bin"])


@pytest.mark.parametrize("which", ["debian", "pypi"])
def test_what_broke_off_goes_on_with_a_fresh_address(plain, tmp_path, which, require_tools):
    shared, env = plain
    if which == "pypi":
        env = env | {"PATH": f"{require_tools('annex')}:{env['PATH']}"}
    path, [data] = next(iter(UNHASHED)), UNHASHED.values()
    kept = 2_000_000
    with (
        FaultProxy(shared.storage.endpoint) as storage,
        FaultProxy(shared.registry.url.rstrip("/")) as share,
    ):

        def through_the_proxy(status, headers, body):
            there = headers.get("Location", "")
            if there:
                there = there.replace(shared.storage.endpoint, storage.url)
            return status, headers | ({"Location": there} if there else {}), body

        def break_off_once(seen):
            is_first = len(storage.paths("GET")) == 1
            return Fault(cut_after=kept) if seen.method == "GET" and is_first else None

        share.rule = lambda _seen: Fault(edit=through_the_proxy)
        storage.rule = break_off_once
        url = shared.url().replace(shared.registry.url, f"{share.url}/")
        run(["git", "clone", "-q", f"{url}repo.git", "ocean"], cwd=tmp_path, env=env)
        run(["git", "annex", "get", path], cwd=tmp_path / "ocean", env=env)
        assert (tmp_path / "ocean" / path).read_bytes() == data
        # Each try began at the share, so an address that has expired meanwhile is never used again.
        key = (tmp_path / "ocean" / path).readlink().name
        asked = [one for one in share.paths("GET") if one.endswith(f"/{key}")]
        tries = [one.headers.get("Range") for one in storage.seen if one.method == "GET"]
        assert tries == [None, f"bytes={kept}-"]
        assert len(asked) >= len(tries)
