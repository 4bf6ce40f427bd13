"""``packager stage`` of a package of one's own: through one of its shares, or through a new one."""

from __future__ import annotations

import getpass
import json
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from clients.gitshares import ATTACHMENTS, git_environment, make_share, run
from clients.test_stage import found_in, stage

ME = getpass.getuser()
KINDS = ["git-annex", "dvc", "bagit", "ro-crate"]


@pytest.fixture(scope="module")
def shared(request, registry):
    return make_share(registry, "s3", request)


@pytest.fixture(scope="module")
def env(registry, require):
    require("git-annex", package="git-annex")
    own = {"PACKAGER_DATA_DIR": registry.services.settings.data_dir}
    return git_environment(registry.environment(**own))


@pytest.fixture
def shares(registry):
    """Return my shares, none of which is active when a test begins."""
    found = registry.services.shares
    for info in found.list(ME):
        found.revoke(info.id, ME)
    return found


def active(shares):
    return [info for info in shares.list(ME) if info.state == "active"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_share_it_says_how_to_have_one(shared, shares, env, tmp_path, kind):
    arguments = (shared.name, "in", "--as", kind)
    said, _ = stage(tmp_path, env, *arguments, code=1)
    assert said["remedy"].endswith(f"packager stage {shared.name} DIR --as {kind} --new-share")
    shares.create(shared.name, owner=ME, paths=["top.bin"])
    shares.create(shared.name, owner=ME, version="1")
    shares.create(shared.name, owner=ME, audience=["signed-in"])
    assert "--new-share" in stage(tmp_path, env, *arguments, code=1)[0]["remedy"]
    whole = shares.create(shared.name, owner=ME).share.id
    assert stage(tmp_path, env, *arguments, code=1)[0]["remedy"].endswith(f"--share {whole}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_through_a_new_share(shared, shares, env, tmp_path, kind):
    value, _ = stage(tmp_path, env, shared.name, "in", "--as", kind, "--new-share")
    (made,) = active(shares)
    assert (made.package, made.version, made.audience.is_anyone) == (shared.name, None, True)
    assert value["share"] == made.id
    link = f"{shared.registry.url}s/{shares.link(made.id, ME)}/"
    staged = tmp_path / "in"
    if kind == "git-annex":
        run(["git", "annex", "get", "-q", "."], cwd=staged, env=env)
        assert found_in(staged) == shared.files | ATTACHMENTS
    where = {
        "git-annex": ".git/config",
        "dvc": ".git/config",
        "bagit": "fetch.txt",
        "ro-crate": "ro-crate-metadata.json",
    }
    assert link in (staged / where[kind]).read_text()
    assert value["is_new"] is True


def test_through_a_share_that_is_there(shared, shares, env, tmp_path):
    made = shares.create(shared.name, owner=ME, version="1").share.id
    options = ("--as", "bagit", "--share", made)
    said, _ = stage(tmp_path, env, shared.name, "no", *options, code=1)
    assert f"is of {shared.name}@1, and active" in said["message"]
    stage(tmp_path, env, f"{shared.name}@1", "in", *options)
    assert shares.link(made, ME) in (tmp_path / "in/fetch.txt").read_text()
    shares.revoke(made, ME)
    said, _ = stage(tmp_path, env, f"{shared.name}@1", "no", *options, code=1)
    assert "revoked" in said["message"]
    stage(tmp_path, env, shared.name, "no", "--as", "bagit", "--share", "sh_000", code=1)
    assert not (tmp_path / "no").exists()


def test_into_a_repository_that_is_there(shared, shares, env, tmp_path):
    made = shares.create(shared.name, owner=ME).share.id
    run(["git", "init", "-q", "mine"], cwd=tmp_path, env=env)
    mine = tmp_path / "mine"
    run(["git", "annex", "init", "-q"], cwd=mine, env=env)
    value, _ = stage(mine, env, shared.name, "a b/ocean", "--as", "git-annex", "--share", made)
    assert (value["is_new"], value["repository"]) == (False, str(mine))
    assert value["next"][0] == f"cd '{mine}/a b/ocean'"
    run(["git", "annex", "get", "-q", "a b"], cwd=mine, env=env)
    assert found_in(mine / "a b/ocean") == shared.files | ATTACHMENTS


def test_a_new_share_ends_when_nothing_comes_of_it(shared, shares, env, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/mine.txt").touch()
    said, _ = stage(tmp_path, env, shared.name, "in", "--as", "dvc", "--new-share", code=1)
    assert "not empty" in said["message"]
    assert active(shares) == []
    newest = shares.list(ME)[0].id
    rows = shared.registry.services.audit.rows(object=newest)
    done = [row.action for _, row in rows if row.action in {"share.create", "share.revoke"}]
    assert done == ["share.revoke", "share.create"]


def test_without_a_server_no_share_is_made(cli_home, env, tmp_path):
    said, _ = stage(tmp_path, cli_home, "p", "in", "--as", "bagit", "--new-share", code=1)
    assert "packager serve" in said["remedy"]
    listed = run(
        [sys.executable, "-m", "packager_jupyter.cli", "shares", "ls", "--all", "--json"],
        cwd=tmp_path,
        env=cli_home,
    )
    assert json.loads(listed)["items"] == []


@pytest.fixture
def cli_home(env, tmp_path_factory):
    """Return an environment with a published package and no server."""
    home = tmp_path_factory.mktemp("alone")
    (home / "files").mkdir()
    (home / "files/a.txt").write_text("a")
    own = {**env, "PACKAGER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home)}
    for line in (
        f"source add s {(home / 'files').as_uri()}",
        "new p",
        "add p s:",
        "publish p",
    ):
        run([sys.executable, "-m", "packager_jupyter.cli", *line.split()], cwd=home, env=own)
    return own


@pytest.mark.parametrize("kind", KINDS)
def test_tools_of_repositories_get_no_token(shared, shares, env, tmp_path, kind):
    made = shares.create(shared.name, owner=ME, audience=["signed-in"])
    token = shared.registry.token("api:read")
    options = ("--as", kind, "--share", made.share.id, "--token-stdin")
    is_document = kind in {"bagit", "ro-crate"}
    said, output = stage(
        tmp_path, env, shared.name, "in", *options, code=0 if is_document else 1, stdin=token
    )
    assert (tmp_path / "in").exists() == is_document
    assert token not in output
    if not is_document:
        assert "--as files" in said["remedy"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def open_web(tmp_path):
    """Return a web server's address, its folder, and what its files are."""
    folder = tmp_path / "web"
    files = {"obs/day 1.csv": b"x,y\n1,2\n", "obs/a+b é.txt": b"plus", "top.bin": bytes(1000)}
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", files
    server.shutdown()
    server.server_close()


def test_a_bag_by_the_objects_own_addresses(open_web, cli_home, tmp_path, require_tools):
    address, files = open_web
    (tmp_path / "urls.txt").write_text("".join(f"{address}{quote(path)}\n" for path in files))

    def packager(*arguments, is_ok=True):
        command = [sys.executable, "-m", "packager_jupyter.cli", *arguments]
        return run(command, cwd=tmp_path, env=cli_home, is_ok=is_ok)

    packager("source", "add", "web", f"list:{tmp_path}/urls.txt")
    packager("new", "open")
    packager("add", "open", "web:")
    (tmp_path / "README.md").write_text("# Open\n")
    packager("attach", "open", "README.md")
    packager("hash", "open")
    packager("publish", "open")
    value, _ = stage(tmp_path, cli_home, "open", "bag", "--as", "bagit", "--public")
    assert value["share"] is None
    assert (tmp_path / "bag/fetch.txt").read_text().count(f"{address}") == len(files)
    bdbag = str(require_tools("bagit") / "bdbag")
    run([bdbag, "--resolve-fetch", "all", "bag"], cwd=tmp_path, env=cli_home)
    run([bdbag, "--validate", "full", "bag"], cwd=tmp_path, env=cli_home)
    named = {path.rpartition("/")[2]: data for path, data in files.items()}
    found = {path.name: path.read_bytes() for path in (tmp_path / "bag/data").rglob("*.*")}
    assert found == {**named, "README.md": b"# Open\n"}
    said, _ = stage(tmp_path, cli_home, "p", "no", "--as", "bagit", "--public", code=1)
    assert "source s is not one that anybody may read" in said["message"]
    assert "--new-share" in said["remedy"]
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ocean", "in", "--as", "dvc", "--public"),
        ("ocean", "in", "--as", "bagit", "--public", "--new-share"),
        ("https://data.example.org/s/abc/", "in", "--as", "bagit", "--public"),
        ("ocean", "in", "--new-share"),
        ("ocean", "in", "--as", "dvc", "--new-share", "--share", "sh_1"),
        ("https://data.example.org/s/abc/", "in", "--as", "dvc", "--new-share"),
        ("https://data.example.org/s/abc/", "in", "--as", "dvc", "--share", "sh_1"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(env, tmp_path, arguments):
    stage(tmp_path, env, *arguments, code=2)
