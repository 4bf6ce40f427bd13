"""Hostile and broken uploads to a running server: refused at once, nothing kept, memory flat."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from registries.pypi.distributions import sdist, wheel
from registries.pypi.hostile import CORPUS

MAX_GROWTH_BYTES = 50 * 2**20
MAX_CPU_S = 2.0  # of one upload; the reference says one second on a quiet machine


@pytest.fixture(scope="module")
def feed(registry):
    registry.services.feeds.create("pypi/hostile")
    token = registry.token("pypi/hostile:publish")
    with httpx.Client(
        base_url=f"{registry.url}pypi/hostile/",
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ) as client:
        yield client


def upload(client, filename, data, **fields):
    filetype = "bdist_wheel" if filename.endswith(".whl") else "sdist"
    form = {":action": "file_upload", "name": "demo", "version": "1.0", "filetype": filetype}
    return client.post(
        "legacy/", data=form | fields, files={"content": (filename, data, "application/zip")}
    )


def files(registry):
    """Return every file below the server's folder, but for its log and its database."""
    skipped = ("server.log", "packager.sqlite")
    paths = [path for path in registry.folder.rglob("*") if path.is_file()]
    return {path for path in paths if not path.name.startswith(skipped)}


class Process:
    """The server's process, as the kernel sees it."""

    def __init__(self, registry):
        self.folder = Path(f"/proc/{registry.pid}")

    def forget_peak(self):
        (self.folder / "clear_refs").write_text("5")

    def memory(self, name):
        [line] = [
            line
            for line in (self.folder / "status").read_text().splitlines()
            if line.startswith(f"{name}:")
        ]
        return int(line.split()[1]) * 1024

    def cpu_s(self):
        tasks = (self.folder / "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def test_the_corpus_is_refused_quickly_and_leaves_nothing(registry, feed):
    assert upload(feed, *wheel("demo", "0.1"), name="demo", version="0.1").status_code == 200
    process = Process(registry)
    before = files(registry)
    process.forget_peak()
    resident = process.memory("VmRSS")
    for name, (filename, make) in CORPUS.items():
        data = make()
        spent = process.cpu_s()
        answer = upload(feed, filename, data)
        spent = process.cpu_s() - spent
        assert answer.status_code == 400, (name, answer.status_code, answer.text)
        assert answer.json()["code"] in {"bad_archive", "bad_input"}, name
        assert "\n" not in answer.reason_phrase
        assert spent < MAX_CPU_S, (name, spent)
    growth = process.memory("VmHWM") - resident
    print(f"{len(CORPUS)} files, peak memory {growth / 2**20:.0f} MiB above the start")
    assert growth < MAX_GROWTH_BYTES
    assert files(registry) == before
    assert upload(feed, *sdist()).status_code == 200  # the name is still free


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256_digest": "0" * 64},
        {"md5_digest": "0" * 32},
        {"blake2_256_digest": "0" * 64},
    ],
)
def test_a_digest_that_is_not_that_of_the_bytes_is_named(feed, fields):
    answer = upload(feed, *wheel("demo", "2.0"), version="2.0", **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch")
    assert "sha256" in answer.text or "md5" in answer.text or "blake2" in answer.text


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_client_that_goes_away_leaves_nothing(registry, feed, share):
    version = f"3.{int(share * 100)}"
    name, data = wheel("demo", version)
    request = feed.build_request(
        "POST",
        "legacy/",
        data={":action": "file_upload", "name": "demo", "version": version},
        files={"content": (name, data)},
    )
    body = request.read()
    before = files(registry)
    address = urlsplit(registry.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in request.headers.items())
        connection.sendall(head.encode() + b"\r\n" + body[: int(len(body) * share)])
    for _ in range(200):
        incoming = list((registry.folder / "data" / "incoming").iterdir())
        if not incoming:
            break
        time.sleep(0.05)
    assert incoming == []
    assert files(registry) == before
    assert upload(feed, name, data, version=version).status_code == 200
    got = feed.get(f"files/demo/{name}")
    assert hashlib.sha256(got.content).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({":action": "submit"}, 410),
        ({":action": "doc_upload"}, 410),
        ({":action": "verify"}, 410),
        ({":action": "eat"}, 400),
        ({"protocol_version": "9"}, 400),
        ({"filetype": "bdist_egg"}, 400),
        ({"name": "other"}, 400),
        ({"name": "../demo"}, 400),
        ({"version": "1.1"}, 400),
        ({"version": "not a version"}, 400),
        ({"attestations": "[]"}, 400),
        ({"attestations": "{"}, 400),
    ],
)
def test_a_form_that_does_not_agree_is_refused(feed, fields, status):
    name, data = wheel("demo", "4.0")
    answer = upload(feed, name, data, **{"version": "4.0", **fields})
    assert answer.status_code == status
    assert feed.get(f"files/demo/{name}").status_code == 404


def test_a_form_with_no_file_or_two_is_refused(feed):
    form = {":action": "file_upload", "name": "demo", "version": "1.0"}
    name, data = wheel()
    assert feed.post("legacy/", data=form, files={"other": (name, data)}).status_code == 400
    two = [("content", (name, data)), ("content", (name, data))]
    assert feed.post("legacy/", data=form, files=two).status_code == 400
    assert feed.post("legacy/", data=form).status_code == 400
