"""``packager stage --as dvc`` into a DVC project that is there, with DVC itself."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clients.gitshares import (
    PASSWORD,
    dvc_environment,
    files_in,
    make_share,
    pulled_by_dvc,
    run,
)
from clients.test_stage import stage


@pytest.fixture(scope="module")
def shared(request, registry):
    return make_share(registry, "s3", request)


@pytest.fixture(scope="module")
def env(registry, require_tools):
    return dvc_environment(registry.environment(), require_tools("dvc"))


@pytest.fixture
def mine(tmp_path, env):
    """Return a project with a default remote and a file of the user's own."""
    folder = tmp_path / "mine"
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    run(["dvc", "init", "-q"], cwd=folder, env=env)
    run(["dvc", "remote", "add", "-q", "-d", "own", str(tmp_path / "own")], cwd=folder, env=env)
    (folder / ".dvc" / "config").open("a").write("# my own remark\n")
    (folder / ".gitignore").write_text("*.md\n")
    run(["git", "add", "-A"], cwd=folder, env=env)
    run(["git", "commit", "-q", "-m", "mine"], cwd=folder, env=env)
    return folder


def git(folder, env, *arguments):
    return run(["git", *arguments], cwd=folder, env=env)


def state(folder, env):
    """Return everything that a stage that fails must leave alone."""
    files = {p: d for p, d in files_in(folder).items() if not p.startswith(".dvc/tmp/")}
    folders = {str(p) for p in folder.iterdir()}
    modes = {str(p): p.stat().st_mode for p in (folder / ".dvc").iterdir() if p.is_file()}
    return (
        files,
        folders,
        modes,
        git(folder, env, "status", "--porcelain"),
        git(folder, env, "log", "-1"),
    )


def data_in(folder):
    own = (".dvc", ".gitignore", "LEFT-OUT.txt")
    return {path: data for path, data in files_in(folder).items() if not path.endswith(own)}


def test_a_part_of_a_project(shared, env, mine, tmp_path):
    (mine / "notes.txt").write_text("in the working tree alone")
    before = (mine / ".dvc" / "config").read_text()
    value, _ = stage(mine, env, shared.url(), "in/ocean", "--as", "dvc")
    assert (value["is_new"], value["repository"]) == (False, str(mine))
    ocean = mine / "in" / "ocean"
    assert value["next"] == [f"cd {ocean}", "dvc pull -R ."]
    assert (mine / ".dvc" / "config").read_text().startswith(before)
    assert git(mine, env, "status", "--porcelain") == "?? notes.txt\n"
    assert "in/ocean/README.md" in git(mine, env, "show", "--stat=200", "HEAD")
    run(["dvc", "pull", "-q", "-R", "."], cwd=ocean, env=env)
    assert data_in(ocean) == pulled_by_dvc(shared)
    assert git(mine, env, "status", "--porcelain") == "?? notes.txt\n"
    assert not list(tmp_path.rglob("pwned"))
    # The user's own file goes to the user's own remote, and nothing of the share does.
    (mine / "own.bin").write_bytes(b"my own")
    run(["dvc", "add", "-q", "own.bin"], cwd=mine, env=env)
    run(["dvc", "push", "-q"], cwd=mine, env=env)
    assert list(files_in(tmp_path / "own").values()) == [b"my own"]
    # Not what was changed of it either: the share takes nothing, and the rest is not asked for it.
    (ocean / "data" / "obs" / "same.csv").write_bytes(b"changed by me")
    run(["dvc", "commit", "-q", "-f", "in/ocean/data.dvc"], cwd=mine, env=env)
    run(["dvc", "push", "-q"], cwd=mine, env=env)
    assert list(files_in(tmp_path / "own").values()) == [b"my own"]
    git(mine, env, "checkout", "-q", "in/ocean/data.dvc")
    # A clone that has nothing else: the user's file from their remote, the share's from the share.
    git(mine, env, "add", "-A")
    git(mine, env, "commit", "-q", "-m", "more")
    git(tmp_path, env, "clone", "-q", "mine", "again")
    run(["dvc", "pull", "-q"], cwd=tmp_path / "again", env=env)
    assert (tmp_path / "again" / "own.bin").read_bytes() == b"my own"
    assert data_in(tmp_path / "again" / "in" / "ocean") == pulled_by_dvc(shared)


def test_a_capability_stays_out_of_what_is_committed(shared, env, mine):
    link = shared.url(password=PASSWORD)
    secret = shared.created.capability
    ignored = mine / ".dvc" / ".gitignore"
    whole = ignored.read_text()
    ignored.write_text(whole.replace("/config.local\n", ""))
    git(mine, env, "commit", "-q", "-a", "-m", "without")
    said, text = stage(mine, env, link, "ocean", "--as", "dvc", code=1)
    assert "/config.local" in said["remedy"]
    assert secret not in text
    ignored.write_text(whole)
    git(mine, env, "commit", "-q", "-a", "-m", "with")
    local = mine / ".dvc" / "config.local"
    local.write_text("[cache]\n    type = copy")
    _, text = stage(mine, env, link, "ocean", "--as", "dvc")
    assert secret not in text
    assert secret in local.read_text()
    assert local.stat().st_mode & 0o077 == 0
    assert git(mine, env, "status", "--porcelain") == ""
    found = subprocess.run(
        ["git", "grep", "-F", "-e", secret, "HEAD"], cwd=mine, env=env, check=False
    )
    assert found.returncode == 1
    assert secret not in git(mine, env, "log", "-p", "--all")
    run(["dvc", "pull", "-q", "-R", "ocean"], cwd=mine, env=env)
    assert data_in(mine / "ocean") == pulled_by_dvc(shared)
    # Once more, and with another secret: the same remotes, and one address for each.
    config = (mine / ".dvc" / "config").read_text()
    stage(mine, env, link, "twice", "--as", "dvc")
    assert (mine / ".dvc" / "config").read_text() == config
    assert local.read_text().count(secret) == 2
    assert "type = copy\n" in local.read_text()


def test_a_password(shared, env, mine):
    shared.url(password=PASSWORD)
    url = f"{shared.registry.url}s/{shared.created.segment}/"
    stage(mine, env, url, "ocean", "--as", "dvc", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert PASSWORD not in git(mine, env, "log", "-p", "--all")
    remotes = run(["dvc", "remote", "list"], cwd=mine, env=env).split()
    for name in (one for one in remotes if one.startswith("packager-")):
        secret = ["dvc", "remote", "modify", "--local", name, "password", PASSWORD]
        run(secret, cwd=mine, env=env)
    run(["dvc", "pull", "-q", "-R", "ocean"], cwd=mine, env=env)
    assert data_in(mine / "ocean") == pulled_by_dvc(shared)


def test_what_fails_changes_nothing(shared, env, mine):
    link = shared.url(password=PASSWORD)
    (mine / ".dvc" / "config.local").write_text("[cache]\n    type = copy\n")
    before = state(mine, env)
    hook = mine / ".git" / "hooks" / "pre-commit"  # the commit, the last step, fails
    hook.write_text("#!/bin/sh\nls in/ocean >&2\nexit 1\n")
    hook.chmod(0o755)
    _, said = stage(mine, env, link, "in/ocean", "--as", "dvc", code=1)
    hook.unlink()
    assert "data.dvc" in said
    assert shared.created.capability not in said
    assert state(mine, env) == before
    _, said = stage(mine, env, link.replace("~", "~x"), "ocean", "--as", "dvc", code=1)
    assert shared.created.capability not in said
    assert state(mine, env) == before
    (mine / ".dvc" / "config").open("a").write("# not committed\n")
    said, _ = stage(mine, env, link, "ocean", "--as", "dvc", code=1)
    assert "has changes" in said["message"]
    git(mine, env, "commit", "-q", "-a", "-m", "remark")
    (mine / ".gitignore").write_text("/out\n")
    git(mine, env, "add", ".gitignore")
    said, _ = stage(mine, env, link, "ocean", "--as", "dvc", code=1)
    assert "staged changes" in said["message"]
    git(mine, env, "commit", "-q", "-m", "ignore")
    said, _ = stage(mine, env, link, "out/ocean", "--as", "dvc", code=1)
    assert "git ignores" in said["message"]
    assert sorted(path.name for path in mine.iterdir()) == [
        ".dvc", ".dvcignore", ".git", ".gitignore",
    ]  # fmt: skip


def test_a_project_without_git(shared, env, tmp_path):
    (tmp_path / "mine").mkdir()
    run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path / "mine", env=env)
    value, _ = stage(tmp_path / "mine", env, shared.url(), "ocean", "--as", "dvc")
    assert value["repository"] == str(tmp_path / "mine")
    run(["dvc", "pull", "-q", "ocean/data.dvc"], cwd=tmp_path / "mine", env=env)
    found = (tmp_path / "mine" / "ocean" / "data" / "top.bin").read_bytes()
    assert found == shared.files["top.bin"]


OUTPUT = "outs:\n- md5: {0}.dir\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: {1}\n"
IMPORT = (
    'frozen: true\ndeps:\n- path: {0}\n  checksum: "\\"tag\\""\n  size: 1\n'
    "  hash: checksum\nouts:\n- path: {1}\n  hash: md5\n"
)


def list_of(*paths):
    return json.dumps([{"md5": "0" * 32, "relpath": path} for path in paths]).encode()


def md5_of(text):
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


ELSEWHERE, OF_GIT, NO_LIST = list_of("a", "../../pwned"), list_of("x/.git/config"), b"{}}"
LISTS = {md5_of(text): text for text in (list_of("a"), ELSEWHERE, OF_GIT, NO_LIST)}
MD5 = md5_of(list_of("a"))
LISTS["f" * 32] = list_of("a")
GOOD = {
    ".dvc/config": "[core]\n",
    ".dvcignore": "",
    ".gitignore": "/data\n",
    "README.md": "read",
    "data.dvc": OUTPUT.format(MD5, "data"),
    "unhashed/.gitignore": "*\n",
    "unhashed/a b.dvc": IMPORT.format('"remote://files/a%20b"', '"a b"'),
}


@contextmanager
def strange_share(folder, env, files, links):
    """Serve a repository with any content as the ``dvc.git`` of a share."""
    work = folder / "work"
    work.mkdir()
    git(work, env, "init", "-q")
    for path, text in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
    for path, target in links.items():
        (work / path).symlink_to(target)
    git(work, env, "add", "-A", "-f")
    git(work, env, "commit", "-q", "-m", "strange")
    git(folder, env, "clone", "-q", "--bare", "work", "served/s/abc/dvc.git")
    git(folder / "served/s/abc/dvc.git", env, "update-server-info")
    for md5, text in LISTS.items():
        place = folder / "served/s/abc/dvc/files/md5" / md5[:2] / f"{md5[2:]}.dir"
        place.parent.mkdir(parents=True)
        place.write_bytes(text)
    (folder / "served/s/abc/manifest.jsonl").touch()  # which is asked for first: may it be read?
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/s/abc/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


STRANGE = {
    "a pipeline": {"dvc.yaml": "stages:\n  x:\n    cmd: touch pwned\n"},
    "a pipeline below": {"sub/dvc.yaml": "stages:\n  x:\n    cmd: touch pwned\n"},
    "a file that git obeys": {"sub/.gitattributes": "* filter=lfs\n"},
    "a file that DVC obeys": {"sub/.dvcignore": "*\n"},
    "a command": {"data.dvc": "cmd: touch pwned\n" + GOOD["data.dvc"]},
    "an output elsewhere": {"data.dvc": OUTPUT.format(MD5, "../../own")},
    "a list of files elsewhere": {"data.dvc": OUTPUT.format(md5_of(ELSEWHERE), "data")},
    "a list of files of git": {"data.dvc": OUTPUT.format(md5_of(OF_GIT), "data")},
    "no list": {"data.dvc": OUTPUT.format(md5_of(NO_LIST), "data")},
    "another list": {"data.dvc": OUTPUT.format("f" * 32, "data")},
    "another output": {"data.dvc": OUTPUT.format(MD5, "README.md")},
    "an import to elsewhere": {"unhashed/a.dvc": IMPORT.format('"remote://files/a"', '"../../a"')},
    "an import of a file here": {"unhashed/a.dvc": IMPORT.format('"/etc/passwd"', '"a"')},
    "an import of another file": {"unhashed/a.dvc": IMPORT.format('"remote://files/b"', '"a"')},
    "no settings": {".dvc/config": None},
    "a link": {"link": "->/etc/passwd"},
    "a link for a folder": {".dvc/config": None, ".dvc": "->/etc"},
    "a link for a list": {"unhashed/.gitignore": "->../../../.gitignore"},
}


@pytest.fixture(scope="module")
def project(env, tmp_path_factory):
    """Return a project that nothing may change."""
    folder = tmp_path_factory.mktemp("projects") / "mine"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n")
    git(folder, env, "init", "-q")
    git(folder, env, "add", "-A")
    git(folder, env, "commit", "-q", "-m", "mine")
    return folder


@pytest.mark.parametrize("what", STRANGE)
def test_a_strange_repository_changes_nothing(what, env, project, tmp_path):
    files = {path: text for path, text in {**GOOD, **STRANGE[what]}.items() if text is not None}
    links = {path: text[2:] for path, text in files.items() if text.startswith("->")}
    before = state(project, env)
    with strange_share(tmp_path, env, {p: files[p] for p in files if p not in links}, links) as url:
        said, _ = stage(project, env, url, "ocean", "--as", "dvc", code=1)
    assert "must not get" in said["message"]
    assert state(project, env) == before
    assert list((project / ".dvc" / "tmp").iterdir()) == []


def test_the_same_repository_without_the_strange(env, mine, tmp_path):
    (tmp_path / "far").mkdir()
    with strange_share(tmp_path / "far", env, GOOD, {}) as url:
        stage(mine, env, url, "ocean", "--as", "dvc")
    remotes = run(["dvc", "remote", "list"], cwd=mine, env=env).splitlines()
    assert [line.split()[1] for line in remotes if line.startswith("packager-")] == [
        f"{url}dvc",
        f"{url}files",
    ]
    assert (mine / "ocean" / "unhashed" / ".gitignore").read_text().endswith("!.gitignore\n")
