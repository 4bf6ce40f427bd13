"""``lfs.git`` with Debian's git-lfs."""

from __future__ import annotations

import pytest

from clients.gitshares import (
    ATTACHMENTS,
    ONLY,
    PASSWORD,
    UNHASHED,
    files_in,
    git_environment,
    make_share,
    run,
)


@pytest.fixture(scope="module", params=["s3", "azure"])
def shared(request, registry):
    return make_share(registry, request.param, request)


@pytest.fixture(scope="module")
def env(registry, require):
    """Return variables with git-lfs set up for a user."""
    require("git-lfs", package="git-lfs")
    found = git_environment(registry.environment())
    run(["git", "lfs", "install", "--skip-repo"], cwd=registry.folder, env=found)
    return found


def expected(shared):
    return ATTACHMENTS | {
        path: data
        for path, data in shared.files.items()
        if path not in UNHASHED and ONLY.get(path) != "md5"
    }


def checked_out(folder):
    found = files_in(folder)
    left_out = found.pop("LEFT-OUT.txt").decode()
    assert "its SHA-256 is not known" in left_out
    return {path: data for path, data in found.items() if path != ".lfsconfig"}


def without_attributes(found):
    return {path: data for path, data in found.items() if path != ".gitattributes"}


def test_clone(shared, env, tmp_path):
    run(["git", "clone", "-q", f"{shared.url()}lfs.git", "ocean"], cwd=tmp_path, env=env)
    ocean = tmp_path / "ocean"
    assert without_attributes(checked_out(ocean)) == expected(shared)
    assert not run(["git", "status", "--porcelain"], cwd=ocean, env=env)
    run(["git", "lfs", "fsck"], cwd=ocean, env=env)
    assert not list(tmp_path.rglob("pwned"))


def test_part_of_it(shared, env, tmp_path):
    skip = env | {"GIT_LFS_SKIP_SMUDGE": "1"}
    run(["git", "clone", "-q", f"{shared.url()}lfs.git", "ocean"], cwd=tmp_path, env=skip)
    ocean = tmp_path / "ocean"
    pointer = (ocean / "top.bin").read_bytes()
    assert pointer.startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    run(["git", "lfs", "pointer", "--check", "--strict", "--file", "top.bin"], cwd=ocean, env=env)
    run(["git", "lfs", "pull", "-I", "obs"], cwd=ocean, env=env)
    assert (ocean / "obs/same.csv").read_bytes() == shared.files["obs/same.csv"]
    assert (ocean / "top.bin").read_bytes() == pointer


def test_a_password_by_basic(shared, env, tmp_path):
    shared.url(password=PASSWORD)
    host = shared.registry.url.removeprefix("http://")
    with_password = f"http://me:{PASSWORD.replace(' ', '%20')}@{host}"
    url = f"{with_password}s/{shared.created.segment}/lfs.git"
    run(["git", "clone", "-q", url, "ocean"], cwd=tmp_path, env=env)
    assert without_attributes(checked_out(tmp_path / "ocean")) == expected(shared)
    url = f"{shared.registry.url}s/{shared.created.capability_segment}/lfs.git"
    run(["git", "clone", "-q", url, "again"], cwd=tmp_path, env=env)
    assert without_attributes(checked_out(tmp_path / "again")) == expected(shared)


def test_other_bytes_are_refused(shared, env, tmp_path):
    skip = env | {"GIT_LFS_SKIP_SMUDGE": "1"}
    run(["git", "clone", "-q", f"{shared.url()}lfs.git", "ocean"], cwd=tmp_path, env=skip)
    shared.storage.put("top.bin", bytes(len(shared.files["top.bin"])))
    try:
        run(["git", "lfs", "pull"], cwd=tmp_path / "ocean", env=env, is_ok=False)
        # Refused by us, or by git-lfs while we still remember what the storage said before.
        assert (tmp_path / "ocean" / "top.bin").read_bytes().startswith(b"version https://")
    finally:
        shared.storage.put("top.bin", shared.files["top.bin"])
