"""``packager get`` against a real server: whole, resumed, verified, and clear about failures."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from clients.sharing import STORED, storage_for

NAMES = [
    "top.txt",
    "obs/a b.txt",
    "obs/+plus%41.txt",
    "obs/#hash&.txt",
    "obs/日本.txt",
    "deep/x/y/z",
]


@pytest.fixture
def shared(registry, request, tmp_path):
    """Return (share link, storage folder, expected bytes by path) of a package of its own."""
    name = f"got-{abs(hash(request.node.name)) % 10**8}"
    storage = tmp_path / "storage"
    expected = {}
    for at, path in enumerate([*NAMES, "big.bin"]):
        file = storage / path
        file.parent.mkdir(parents=True, exist_ok=True)
        data = hashlib.sha256(path.encode()).digest() * (1_000_000 if path == "big.bin" else at + 1)
        file.write_bytes(data)
        expected[path] = data
    services = registry.services
    services.sources.add(name, storage.as_uri())
    draft = services.packages.create(name)
    draft.add(name, [""])
    draft.attach(b"# Read me\n", "README.md")
    draft.publish(now_s=1)
    expected["README.md"] = b"# Read me\n"
    return Shared(registry, name, storage, expected)


class Shared:
    def __init__(self, registry, name, storage, expected):
        self.registry, self.name, self.storage, self.expected = registry, name, storage, expected

    def link(self, **options):
        made = self.registry.services.shares.create(self.name, version=None, owner="a", **options)
        self.id = made.share.id
        token = made.capability and f"{made.token}~{made.capability}"
        return f"{self.registry.url}s/{made.token}/", f"{self.registry.url}s/{token}/"


def get(registry, *arguments, stdin=None, **env):
    return subprocess.run(
        [sys.executable, "-m", "packager_jupyter.cli", "get", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        env=registry.environment(**env),
        timeout=120,
    )


def found(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ".packager" not in file.parts
    }


def test_everything_arrives_and_a_second_run_fetches_nothing(registry, shared, tmp_path):
    link, _ = shared.link()
    done = get(registry, link, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / "out") == shared.expected
    assert json.loads(done.stdout)["files"] == len(shared.expected)
    again = json.loads(get(registry, link, tmp_path / "out", "--json").stdout)
    assert (again["files"], again["present"]) == (0, len(shared.expected))


def test_include_exclude_and_dry_run(registry, shared, tmp_path):
    link, _ = shared.link()
    listed = get(registry, link, tmp_path / "out", "--include", "obs/**", "--dry-run", "--json")
    assert len(json.loads(listed.stdout)["items"]) == 4
    assert not (tmp_path / "out").exists()
    get(registry, link, tmp_path / "out", "--include", "obs/**", "--exclude", "**/+*")
    assert sorted(found(tmp_path / "out")) == ["obs/#hash&.txt", "obs/a b.txt", "obs/日本.txt"]


def test_a_locked_share_opens_by_password_or_capability_only(registry, shared, tmp_path):
    link, capability = shared.link(password="correct horse")
    refused = get(registry, link, tmp_path / "no")
    assert refused.returncode == 1
    assert "password" in refused.stderr
    assert found(tmp_path / "no") == {}
    by_stdin = get(registry, link, tmp_path / "a", "--password-stdin", stdin="correct horse\n")
    by_env = get(registry, link, tmp_path / "b", PACKAGER_SHARE_PASSWORD="correct horse")
    by_link = get(registry, capability, tmp_path / "c")
    for done, folder in ((by_stdin, "a"), (by_env, "b"), (by_link, "c")):
        assert done.returncode == 0, done.stderr
        assert found(tmp_path / folder) == shared.expected
        assert "correct horse" not in done.stdout + done.stderr


def test_a_killed_run_goes_on_where_it_stopped(registry, shared, tmp_path):
    link, _ = shared.link()
    command = [sys.executable, "-m", "packager_jupyter.cli", "get", link, str(tmp_path / "out")]
    run = subprocess.Popen(command, env=registry.environment(), stdout=subprocess.DEVNULL)
    parts = tmp_path / "out" / ".packager" / "parts"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and run.poll() is None:
        if parts.exists() and any(part.stat().st_size for part in parts.iterdir()):
            break
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    run.wait()
    for path, data in found(tmp_path / "out").items():
        assert data == shared.expected[path]
    done = get(registry, link, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / "out") == shared.expected


def test_a_part_of_the_right_content_is_continued_and_not_fetched_again(registry, shared, tmp_path):
    link, _ = shared.link()
    out = tmp_path / "out"
    get(registry, link, out, "--include", "big.bin")
    target = out / "big.bin"
    [row] = [json.loads(line) for line in (out / ".packager/got.jsonl").read_bytes().splitlines()]
    target.rename(out / ".packager" / "parts" / row["part"])
    with (out / ".packager" / "parts" / row["part"]).open("ab") as part:
        part.truncate(len(shared.expected["big.bin"]) // 2)
    before = (registry.folder / "server.log").read_text().count("206 GET")
    assert get(registry, link, out, "--include", "big.bin").returncode == 0
    assert target.read_bytes() == shared.expected["big.bin"]
    assert (registry.folder / "server.log").read_text().count("206 GET") == before + 1


def test_what_cannot_be_had_is_listed_and_everything_else_arrives(registry, shared, tmp_path):
    link, _ = shared.link()
    (shared.storage / "top.txt").write_bytes(b"another content")
    (shared.storage / "obs" / "a b.txt").unlink()
    done = get(registry, link, tmp_path / "out", "--json")
    assert done.returncode == 1
    failed = {row["path"] for row in json.loads(done.stdout)["failed"]}
    assert failed == {"top.txt", "obs/a b.txt"}
    rest = {p: d for p, d in shared.expected.items() if p not in failed}
    assert found(tmp_path / "out") == rest


def test_a_revoked_link_says_so(registry, shared, tmp_path):
    link, _ = shared.link()
    registry.services.shares.revoke(shared.id, owner="a")
    done = get(registry, link, tmp_path / "out")
    assert done.returncode == 1
    assert "new link" in done.stderr
    assert get(registry, "https://example.org/elsewhere", tmp_path / "out").returncode == 1


def test_a_link_in_the_target_folder_never_leads_out(registry, shared, tmp_path):
    link, _ = shared.link()
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "obs").symlink_to(tmp_path / "elsewhere")
    done = get(registry, link, tmp_path / "out")
    assert done.returncode == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_package_of_this_installation_needs_no_server(registry, shared, tmp_path):
    done = get(
        registry,
        shared.name,
        tmp_path / "out",
        "--data-dir",
        registry.folder / "data",
        "--root-dir",
        registry.folder,
    )
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / "out") == shared.expected


def test_a_file_that_get_did_not_bring_is_never_replaced_unasked(registry, shared, tmp_path):
    link, _ = shared.link()
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_bytes(b"my own notes")
    done = get(registry, link, out, "--json")
    assert done.returncode == 1
    [failed] = json.loads(done.stdout)["failed"]
    assert (failed["path"], "--overwrite" in failed["remedy"]) == ("README.md", True)
    assert found(out) == {**shared.expected, "README.md": b"my own notes"}
    assert get(registry, link, out, "--overwrite").returncode == 0
    assert found(out) == shared.expected
    (out / "top.txt").write_bytes(b"edited after it was fetched")
    assert get(registry, link, out).returncode == 1
    assert (out / "top.txt").read_bytes() == b"edited after it was fetched"


def test_a_new_version_replaces_what_the_old_one_brought(registry, shared, tmp_path):
    link, _ = shared.link()
    out = tmp_path / "out"
    assert get(registry, link, out).returncode == 0
    (shared.storage / "top.txt").write_bytes(b"the second version")
    draft = registry.services.packages.draft(shared.name)
    draft.add(shared.name, ["top.txt"])
    draft.attach(b"# Read me again\n", "README.md")
    draft.publish("2", now_s=2)
    time.sleep(2.5)  # the server remembers for two seconds which version is the latest
    done = get(registry, link, out, "--json")
    assert (json.loads(done.stdout)["files"], done.returncode) == (2, 0), done.stdout
    changed = {"top.txt": b"the second version", "README.md": b"# Read me again\n"}
    assert found(out) == shared.expected | changed


def test_changed_names_are_kept_in_a_manifest(registry, shared, tmp_path):
    out = tmp_path / "out"
    (shared.storage / "odd").mkdir()
    for name in ("CON", "a:b.txt", "Same", "same", "dot."):
        (shared.storage / "odd" / name).write_bytes(name.encode())
    draft = registry.services.packages.draft(shared.name)
    draft.add(shared.name, ["odd/"])
    draft.publish("2", now_s=2)
    link, _ = shared.link()
    assert get(registry, link, out, "--portable", "--include", "odd/*").returncode == 0
    lines = (out / ".packager" / "names.jsonl").read_text().splitlines()
    names = {row["path"]: row["name"] for row in map(json.loads, lines)}
    assert names == {
        "odd/CON": "odd/_CON",
        "odd/a:b.txt": "odd/a_b.txt",
        "odd/dot.": "odd/dot_",
        "odd/same": "odd/same~2",
    }
    for path, name in {**names, "odd/Same": "odd/Same"}.items():
        assert (out / name).read_bytes() == path.removeprefix("odd/").encode()


def test_a_share_that_ends_on_the_way_is_not_asked_again_for_the_rest(registry, shared, tmp_path):
    for number in range(300):
        (shared.storage / f"n{number}").write_bytes(b"x")
    draft = registry.services.packages.draft(shared.name)
    draft.add(shared.name, [""])
    draft.publish("2", now_s=2)
    link, _ = shared.link(max_downloads=100)
    log = registry.folder / "server.log"
    before = log.read_text().count("404 ")
    done = get(registry, link, tmp_path / "out", "--json", "--jobs", "2")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["files"] + len(report["failed"]) == len(shared.expected) + 300
    assert report["files"] == len(found(tmp_path / "out")) <= 100
    assert {row["code"] for row in report["failed"]} == {"share_not_found"}
    assert log.read_text().count("404 ") - before < 20


def test_a_password_may_hold_any_character(registry, shared, tmp_path):
    link, _ = shared.link(password="пароль 日本 ñ")
    done = get(registry, link, tmp_path / "out", PACKAGER_SHARE_PASSWORD="пароль 日本 ñ")
    assert done.returncode == 0, done.stderr
    wrong = get(registry, link, tmp_path / "no", PACKAGER_SHARE_PASSWORD="пароль")
    assert (wrong.returncode, "not the password" in wrong.stderr) == (1, True)


def test_a_terminal_is_asked_for_the_password(registry, shared, tmp_path):
    link, _ = shared.link(password="correct horse")
    command = [sys.executable, "-m", "packager_jupyter.cli", "get", link, str(tmp_path / "out")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, command, registry.environment())
    shown = b""
    while b"Password of the share" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, b"correct horse\n")
    with contextlib.suppress(OSError):  # the terminal of a process that ended
        while piece := os.read(terminal, 4096):
            shown += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert found(tmp_path / "out") == shared.expected
    assert b"correct horse" not in shown


def test_the_token_of_an_audience_stays_off_the_storage(registry, request, tmp_path):
    storage = storage_for("rgw", request)  # refuses a signed address that comes with a token
    storage.put("a.csv", b"x,y\n")
    services = registry.services
    services.sources.add("audience", credential=STORED, **storage.connection)
    draft = services.packages.create("audience")
    draft.add("audience", [""])
    draft.publish(now_s=1)
    made = services.shares.create("audience", version=None, owner="a", audience=["user:ann"])
    token = services.tokens.create("ann", scopes=["api:read"]).secret
    link = f"{registry.url}s/{made.token}/"
    done = get(registry, link, tmp_path / "out", "--token-stdin", stdin=token)
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / "out") == {"a.csv": b"x,y\n"}
