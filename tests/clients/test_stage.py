"""``packager stage`` with the real tools: a clone, or a part of a repository that is there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from clients.gitshares import (
    ATTACHMENTS,
    PASSWORD,
    REFUSED,
    files_in,
    git_environment,
    make_share,
    run,
)
from faults.proxy import Fault, FaultProxy


@pytest.fixture(scope="module")
def shared(request, registry):
    return make_share(registry, "s3", request)


@pytest.fixture(scope="module")
def env(registry, require):
    require("git-annex", package="git-annex")
    return git_environment(registry.environment())


def stage(cwd, env, *arguments, code=0, stdin=""):
    done = subprocess.run(
        [sys.executable, "-m", "packager_jupyter.cli", "stage", "--json", *arguments],
        cwd=cwd,
        env={**env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout if code == 0 else done.stderr), done.stdout + done.stderr


def found_in(folder):
    found = files_in(folder)
    found.pop("LEFT-OUT.txt")
    return found


def test_a_clone_for_git_annex(shared, env, tmp_path):
    value, _ = stage(tmp_path, env, shared.url(), "-ocean", "--as", "git-annex", code=2)
    value, _ = stage(tmp_path, env, "--as", "git-annex", "--", shared.url(), "-ocean")
    assert value["is_new"] is True
    run(["git", "annex", "get", "-q", "."], cwd=tmp_path / "-ocean", env=env)
    assert found_in(tmp_path / "-ocean") == shared.files | ATTACHMENTS


def test_a_part_of_a_repository(shared, env, tmp_path):
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    mine = tmp_path / "mine"
    url = shared.url()
    said, _ = stage(mine, env, url, "data/ocean", "--as", "git-annex", code=1)
    assert "git annex init" in said["remedy"]
    run(["git", "annex", "init", "-q"], cwd=mine, env=env)
    (mine / "own.txt").write_text("mine")
    run(["git", "add", "own.txt"], cwd=mine, env=env)
    said, _ = stage(mine, env, url, "data/ocean", "--as", "git-annex", code=1)
    assert "staged changes" in said["message"]
    run(["git", "commit", "-q", "-m", "mine"], cwd=mine, env=env)
    (mine / "own.txt").write_text("edited")
    value, _ = stage(mine, env, url, "data/ocean", "--as", "git-annex")
    assert (value["is_new"], value["repository"]) == (False, str(mine))
    assert run(["git", "status", "--porcelain"], cwd=mine, env=env) == " M own.txt\n"
    run(["git", "annex", "get", "-q", "data"], cwd=mine, env=env)
    assert found_in(mine / "data" / "ocean") == shared.files | ATTACHMENTS
    run(["git", "annex", "fsck", "-q"], cwd=mine, env=env)
    said, _ = stage(mine, env, url, "data/ocean", "--as", "git-annex", code=1)
    assert "not empty" in said["message"]


def test_what_fails_changes_nothing_and_tells_no_secret(shared, env, tmp_path):
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    mine = tmp_path / "mine"
    run(["git", "annex", "init", "-q"], cwd=mine, env=env)
    link = shared.url(password=PASSWORD)
    hook = {**env, "GIT_COMMITTER_DATE": "no date at all"}  # the commit, the last step, fails
    _, said = stage(mine, hook, link, "ocean", "--as", "git-annex", code=1)
    assert shared.created.capability not in said
    assert not (mine / "ocean").exists()
    assert run(["git", "status", "--porcelain"], cwd=mine, env=env) == ""
    gone = link.replace("~", "~x")
    _, said = stage(tmp_path, env, gone, "clone", "--as", "git-annex", code=1)
    assert shared.created.capability not in said
    assert not (tmp_path / "clone").exists()


def test_a_password(shared, env, tmp_path):
    shared.url(password=PASSWORD)
    url = f"{shared.registry.url}s/{shared.created.segment}/"
    stage(tmp_path, env, url, "no", "--as", "git-annex", code=1)
    arguments = (url, "ocean", "--as", "git-annex", "--password-stdin")
    stage(tmp_path, env, *arguments, stdin=f"{PASSWORD}\n")
    assert (tmp_path / "ocean" / "README.md").read_bytes() == ATTACHMENTS["README.md"]
    assert PASSWORD not in (tmp_path / "ocean" / ".git" / "config").read_text()


def test_dvc(shared, env, tmp_path, require_tools):
    value, _ = stage(tmp_path, env, shared.url(), "ocean", "--as", "dvc")
    assert value["next"][-1] == "dvc pull"
    with_dvc = env | {"PATH": f"{require_tools('dvc')}:{env['PATH']}"}
    run(["dvc", "pull", "-q", "data/top.bin"], cwd=tmp_path / "ocean", env=with_dvc)
    assert (tmp_path / "ocean" / "data" / "top.bin").read_bytes() == shared.files["top.bin"]
    run(["git", "init", "-q", "plain"], cwd=tmp_path, env=env)
    said, _ = stage(tmp_path / "plain", env, shared.url(), "in", "--as", "dvc", code=1)
    assert "dvc init" in said["remedy"]
    assert [path.name for path in (tmp_path / "plain").iterdir()] == [".git"]


def test_files(shared, env, tmp_path):
    stage(tmp_path, env, shared.url(), "ocean", "--as", "files")
    found = {
        path: data
        for path, data in files_in(tmp_path / "ocean").items()
        if not path.startswith(".packager")
    }
    # Plain files are no repository, so what git refuses is among them.
    wanted = shared.files | ATTACHMENTS | {p: d for p, d in REFUSED.items() if ".git" not in p}
    assert {path: found.get(path) for path in wanted if "x/" not in path} == {
        path: data for path, data in wanted.items() if "x/" not in path
    }


def test_a_bag_and_a_crate(shared, env, tmp_path, require_tools):
    value, _ = stage(tmp_path, env, shared.url(), "bag", "--as", "bagit")
    with_bdbag = env | {"PATH": f"{require_tools('bagit')}:{env['PATH']}"}
    assert value["next"] == [f"bdbag --resolve-fetch all {tmp_path}/bag"]
    tags = {path.name for path in (tmp_path / "bag").iterdir()}
    assert {"bagit.txt", "fetch.txt", "excluded.txt", "data"} <= tags
    # It decodes "%25" in names, so that it misses one file of this hostile package in the end.
    command = ["bdbag", "--resolve-fetch", "all", "bag"]
    subprocess.run(command, cwd=tmp_path, env=with_bdbag, check=False, capture_output=True)
    for path in ("top.bin", "obs/day 1/a.csv", "obs/日本/データ.txt", "README.md"):
        data = (shared.files | ATTACHMENTS)[path]
        assert (tmp_path / "bag" / "data" / path).read_bytes() == data
    stage(tmp_path, env, shared.url(), "crate", "--as", "ro-crate")
    crate = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_bytes())
    assert crate["@graph"]
    said, _ = stage(tmp_path, env, shared.url(), "bag", "--as", "bagit", code=1)
    assert "not empty" in said["message"]


def _tar(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    return out.getvalue()


@pytest.mark.parametrize(
    "tar",
    [
        b"no tar at all",
        _tar(("bag/other.txt", tarfile.REGTYPE)),
        _tar(("bag/bagit.txt", tarfile.REGTYPE), ("bag/../../out", tarfile.REGTYPE)),
        _tar(("bag/bagit.txt", tarfile.REGTYPE), ("bag//etc/out", tarfile.REGTYPE)),
        _tar(("bag/bagit.txt", tarfile.REGTYPE), ("bag/link", tarfile.SYMTYPE)),
        _tar(("bag/bagit.txt", tarfile.REGTYPE), ("bag/hard", tarfile.LNKTYPE)),
        _tar(("bag/bagit.txt", tarfile.REGTYPE), ("bag/pipe", tarfile.FIFOTYPE)),
    ],
)
def test_a_hostile_bag_leaves_nothing(tar, env, tmp_path):
    with FaultProxy() as proxy:
        proxy.rule = lambda _seen: Fault(status=200, body=tar)
        said, _ = stage(tmp_path, env, f"{proxy.url}/s/abc/", "bag", "--as", "bagit", code=1)
    assert "no bag" in said["message"]
    assert [path.name for path in tmp_path.iterdir()] == []
