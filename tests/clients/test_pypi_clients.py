"""pip, uv and twine against a real server: publish, resolve, install, yank, keep out."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from registries.pypi.distributions import sdist, wheel

FEEDS = count()


@pytest.fixture
def feed(registry):
    name = f"feed-{next(FEEDS)}"
    registry.services.feeds.create(f"pypi/{name}")
    return name


@pytest.fixture
def token(registry, feed):
    return registry.token(f"pypi/{feed}:publish")


@pytest.fixture
def client(registry, feed, token, tmp_path):
    return Client(registry, feed, token, tmp_path)


class Client:
    """The command-line clients, told about one feed and nothing else."""

    def __init__(self, registry, feed, token, folder):
        self.registry, self.feed, self.token, self.folder = registry, feed, token, folder
        self.url = f"{registry.url}pypi/{feed}/"

    @property
    def index(self):
        return self.url.replace("://", f"://__token__:{self.token}@") + "simple/"

    def run(self, *command, check=True, **env):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            check=False,
            env=self.registry.environment(**env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def file(self, distribution):
        name, data = distribution
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def twine(self, *distributions, check=True):
        files = [self.file(each) for each in distributions]
        return self.run(
            "twine",
            "upload",
            "--non-interactive",
            "--disable-progress-bar",
            *files,
            check=check,
            TWINE_REPOSITORY_URL=f"{self.url}legacy/",
            TWINE_USERNAME="__token__",
            TWINE_PASSWORD=self.token,
        )

    def uv_publish(self, *distributions, check=True):
        files = [self.file(each) for each in distributions]
        return self.run(
            "uv",
            "publish",
            "--publish-url",
            f"{self.url}legacy/",
            *files,
            check=check,
            UV_PUBLISH_TOKEN=self.token,
        )

    def pip_report(self, *requirements, check=True):
        done = self.run(
            "pip",
            "install",
            "--isolated",
            "--dry-run",
            "--ignore-installed",
            "--no-cache-dir",
            "--quiet",
            "--report",
            "-",
            "--index-url",
            self.index,
            *requirements,
            check=check,
        )
        return json.loads(done.stdout) if done.returncode == 0 else done

    def uv_install(self, *arguments, check=True):
        return self.run(
            "uv",
            "pip",
            "install",
            "--no-cache",
            "--no-config",
            "--target",
            str(self.folder / "site"),
            "--default-index",
            self.index,
            *arguments,
            check=check,
        )


def resolved(report):
    return {row["metadata"]["name"]: row["metadata"]["version"] for row in report["install"]}


def test_twine_publishes_and_pip_installs_exactly_these_bytes(client):
    filename, data = wheel("Demo.Pkg", "1.0", requires_python=">=3.9")
    client.twine((filename, data), sdist("Demo.Pkg", "1.0"))
    client.run(
        "pip", "download", "--isolated", "--no-cache-dir", "--no-deps", "--dest", "got",
        "--index-url", client.index, "demo-pkg",
    )  # fmt: skip
    assert (client.folder / "got" / filename).read_bytes() == data


def test_uploading_again_is_fine_and_other_bytes_are_refused(client):
    client.twine(wheel())
    client.twine(wheel())
    refused = client.twine(wheel(summary="another"), check=False)
    assert refused.returncode != 0
    assert "already exists" in refused.stdout + refused.stderr
    client.uv_publish(wheel())
    refused = client.uv_publish(wheel(summary="another"), check=False)
    assert refused.returncode != 0


def test_resolution_reads_metadata_and_not_wheels(client, registry):
    client.uv_publish(wheel("leaf", "1.0"), wheel("demo", "1.0", requires_dist="leaf>=1"))
    (client.folder / "req.in").write_text("demo\n")
    done = client.run(
        "uv", "pip", "compile", "--no-cache", "--no-config", "--no-annotate", "--no-header",
        "--default-index", client.index, "req.in",
    )  # fmt: skip
    assert done.stdout.split() == ["demo==1.0", "leaf==1.0"]
    log = (registry.folder / "server.log").read_text()
    assert f"/pypi/{client.feed}/files/demo/demo-1.0-py3-none-any.whl.metadata" in log
    assert f"/pypi/{client.feed}/files/demo/demo-1.0-py3-none-any.whl " not in log
    assert client.token not in log


def test_uv_installs(client):
    client.uv_publish(wheel("demo", "1.0+local.1"))
    client.uv_install("demo")
    assert (client.folder / "site" / "demo" / "__init__.py").exists()


def test_a_yanked_release_is_only_taken_when_pinned(client):
    client.twine(wheel(version="1.0"), wheel(version="2.0"))
    answer = httpx.post(
        f"{client.url}manage/demo",
        json={"action": "yank", "filename": "demo-2.0-py3-none-any.whl", "reason": "broken"},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert answer.status_code == 204
    assert resolved(client.pip_report("demo")) == {"demo": "1.0"}
    assert resolved(client.pip_report("demo==2.0")) == {"demo": "2.0"}


def test_exclude_newer_sees_the_upload_times(client):
    client.uv_publish(wheel(version="1.0"))
    past = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    future = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    refused = client.uv_install("--exclude-newer", past, "demo", check=False)
    assert refused.returncode != 0
    client.uv_install("--exclude-newer", future, "demo")


def test_required_hashes_are_those_of_the_index(client):
    filename, data = wheel()
    client.twine((filename, data))
    [row] = httpx.get(
        f"{client.url}simple/demo/",
        headers={
            "Accept": "application/vnd.pypi.simple.v1+json",
            "Authorization": f"Bearer {client.token}",
        },
    ).json()["files"]
    (client.folder / "req.txt").write_text(f"demo==1.0 --hash=sha256:{row['hashes']['sha256']}\n")
    assert resolved(client.pip_report("--require-hashes", "-r", "req.txt")) == {"demo": "1.0"}
    (client.folder / "req.txt").write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    assert client.pip_report("--require-hashes", "-r", "req.txt", check=False).returncode != 0


def test_a_stranger_is_asked_for_a_token_and_never_sent_to_another_index(client):
    client.twine(wheel())
    answer = httpx.get(f"{client.url}simple/demo/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    client.token = "wrong"
    refused = client.uv_install("demo", check=False)
    assert refused.returncode != 0
    assert "401" in refused.stderr


def test_tokens_do_what_their_scopes_say(client, registry):
    client.twine(wheel())
    cases = [
        (f"pypi/{client.feed}:read", "GET", 200),
        (f"pypi/{client.feed}/demo:read", "GET", 200),
        (f"pypi/{client.feed}/other:read", "GET", 403),
        ("pypi/elsewhere:read", "GET", 403),
        ("api", "GET", 403),
        (f"pypi/{client.feed}:read", "POST", 403),
        (f"pypi/{client.feed}/other:publish", "POST", 403),
    ]
    for scope, method, status in cases:
        headers = {"Authorization": f"Bearer {registry.token(scope)}"}
        path = "simple/demo/" if method == "GET" else "manage/demo"
        body = {"action": "yank", "filename": "demo-1.0-py3-none-any.whl"}
        answer = httpx.request(
            method, client.url + path, headers=headers, json=body if method == "POST" else None
        )
        assert answer.status_code == status, (scope, method, answer.text)


def test_another_process_ends_a_token_or_a_feed_and_the_next_request_knows(client, registry):
    client.twine(wheel())
    created = registry.services.tokens.create("alice", scopes=(f"pypi/{client.feed}:read",))
    auth = {"Authorization": f"Bearer {created.secret}"}
    for _warm in range(3):
        assert httpx.get(f"{client.url}simple/demo/", headers=auth).status_code == 200
    registry.services.tokens.revoke(created.info.id, owner="alice")
    assert httpx.get(f"{client.url}simple/demo/", headers=auth).status_code == 401
    auth = {"Authorization": f"Bearer {client.token}"}
    for _warm in range(3):
        assert httpx.get(f"{client.url}simple/demo/", headers=auth).status_code == 200
    registry.services.feeds.remove(f"pypi/{client.feed}")
    assert httpx.get(f"{client.url}simple/demo/", headers=auth).status_code == 404


def test_an_open_feed_is_read_by_everybody_and_written_by_none(registry, tmp_path):
    name = f"feed-{next(FEEDS)}"
    registry.services.feeds.create(f"pypi/{name}", is_anonymous_read=True)
    writer = Client(registry, name, registry.token(f"pypi/{name}:publish"), tmp_path)
    writer.twine(wheel())
    answer = httpx.get(f"{writer.url}simple/demo/", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Encoding"] == "gzip"
    again = httpx.get(
        f"{writer.url}simple/demo/",
        headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304
    part = httpx.get(
        f"{writer.url}files/demo/demo-1.0-py3-none-any.whl", headers={"Range": "bytes=0-3"}
    )
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")
    head = httpx.head(f"{writer.url}files/demo/demo-1.0-py3-none-any.whl")
    assert int(head.headers["Content-Length"]) == len(wheel()[1])
    assert httpx.post(f"{writer.url}legacy/").status_code == 401


def test_spellings_of_a_name_lead_to_one_page(client):
    client.twine(wheel("Demo.Pkg", "1.0"))
    auth = {"Authorization": f"Bearer {client.token}"}
    moved = httpx.get(f"{client.url}simple/Demo_Pkg/", headers=auth)
    assert moved.status_code == 308
    assert moved.headers["Location"].endswith("/simple/demo-pkg/")
    info = httpx.get(f"{client.url}pypi/demo-pkg/json", headers=auth).json()
    assert (info["info"]["name"], info["info"]["version"]) == ("Demo.Pkg", "1.0")
    assert httpx.get(f"{client.url}simple/unknown/", headers=auth).status_code == 404


def test_a_cut_off_upload_leaves_nothing(client, registry):
    auth = {"Authorization": f"Bearer {client.token}"}
    boundary = "multipart/form-data; boundary=x"
    body = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a.whl"\r\n\r\nPK'
    answer = httpx.post(
        f"{client.url}legacy/", content=body, headers=auth | {"Content-Type": boundary}
    )
    assert answer.status_code == 400
    assert registry.services.feeds.pypi(client.feed).feed.projects() == []
    incoming = registry.folder / "data" / "incoming"
    assert list(incoming.iterdir()) == []
