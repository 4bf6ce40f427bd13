"""``packager get`` against a real server: whole, resumed, verified, and clear about failures."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time

import pytest

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
