"""Whatever is sent: an answer in the one shape, never a fault of ours, never a hang."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from urllib.parse import quote

import pytest

from packager_jupyter.server.routes import routes

STRANGE = [
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "a/../b",
    "//x",
    "a\nb",
    "a\0b",
    "\x7f",
    "é",
    "e\u0301",
    "日本",
    "\u202egpj.exe",
    "%",
    "%2e%2e%2f",
    "%00",
    "a" * 300,
    "a" * 5000,
    "'; DROP TABLE source; --",
    "<svg onload=alert(1)>",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "CON",
    "a:b",
    "-rf",
    "*",
    "[",
    "sha256:" + "0" * 64,
    "latest",
    "lake",
    "ocean",
    "obs/",
]
VALUES = [
    *STRANGE,
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**70,
    1e308,
    [],
    {},
    [[]],
    [""],
    [None],
    {"": ""},
]
FIELDS = [
    "name", "url", "options", "credential", "secret", "key", "ttl_s", "source", "keys", "to",
    "rename", "include", "exclude", "paths", "from", "version", "async", "package", "password",
    "expires_in_s", "description", "slug", "max_downloads", "title", "authors", "unknown",
]  # fmt: skip
QUERIES = ["prefix", "cursor", "limit", "path", "version", "sort", "descending", "match", "x"]
API = [route for route in routes() if route.path.startswith("api/v1/")]
# What a storage or folder that cannot be read answers with is no fault of ours.
OURS = {500}
RAW = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\r\n\r\n",
    b"POST /api/v1/sources HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/sources HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"POST /api/v1/sources HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /api/v1/sources HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/v1/sources HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"FOO /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/status HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /s/%00%0d%0aX:y/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /s/x/files/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /local/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 100,
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
]


# Bodies that are right but for what is changed in them.
RIGHT = {
    "POST api/v1/sources": {"name": "new", "url": "s3://bucket", "options": {}, "secret": None},
    "PATCH api/v1/sources/{source}": {"url": "s3://bucket"},
    "POST api/v1/sources/{source}/presign": {"key": "obs/a.csv", "ttl_s": 60},
    "POST api/v1/packages": {"name": "new", "title": "New"},
    "PATCH api/v1/packages/{package}": {"title": "Ocean", "authors": ["Ann"]},
    "POST api/v1/packages/{package}/files": {"source": "lake", "keys": ["obs/"], "to": ""},
    "DELETE api/v1/packages/{package}/files": {"paths": ["obs"]},
    "POST api/v1/packages/{package}/move": {"from": "obs", "to": "seen"},
    "POST api/v1/packages/{package}/versions": {"version": "1", "async": False},
    "POST api/v1/shares": {"package": "ocean", "expires_in_s": 60, "slug": "a"},
}


def request(random_: random.Random, route):
    verb = random_.choice(sorted(route.verbs))
    path = route.path
    for name in route.parameters:
        known = {"package": "ocean", "source": "lake"}.get(name, "x")
        chosen = known if random_.random() < 0.7 else random_.choice(STRANGE) or "x"
        path = path.replace("{" + name + "}", quote(chosen, safe=""))
    pairs = [
        f"{random_.choice(QUERIES)}={quote(random_.choice(STRANGE))}"
        for _ in range(random_.randrange(4))
    ]
    body = None
    if verb not in {"GET", "HEAD"}:
        value = dict(RIGHT.get(f"{verb} {route.path}", {}))
        changed = random_.sample([*value, random_.choice(FIELDS)], random_.randrange(3) % 2)
        value |= {field: random_.choice(VALUES) for field in changed}
        body = json.dumps(value).encode()
        if random_.random() < 0.2:
            body = random_.choice([b"", b"null", b"[]", b"{", b"\xff", b'{"a": NaN}', body[:-1]])
    return verb, f"{path}?{'&'.join(pairs)}", body


@pytest.fixture
def data(host):
    folder = Path(host.services.settings.root_dir) / "bucket"
    (folder / "obs").mkdir(parents=True)
    (folder / "obs" / "a.csv").write_text("a")
    return folder


async def test_no_request_is_a_fault_of_ours(host, data, caplog):
    await host.api("POST", "sources", {"name": "lake", "url": data.as_uri()}, status=201)
    await host.api("POST", "packages", {"name": "ocean"}, status=201)
    random_ = random.Random(20)
    faults, seen = [], set()
    for number in range(500):
        verb, path, body = request(random_, API[number % len(API)])
        if verb == "DELETE" and path.startswith(("api/v1/sources/lake?", "api/v1/packages/ocean?")):
            continue  # the others need them
        response = await asyncio.wait_for(host.fetch(verb, path, body), 30)
        seen.add(response.code)
        if response.code in OURS:
            faults.append(f"{verb} {path[:120]!a} {body!r:.200} -> {response.body!r:.300}")
        elif response.code >= 400:
            told = json.loads(response.body)
            assert {"code", "message", "remedy"} <= told.keys(), (verb, path)
            assert "Traceback" not in told["message"]
    assert not faults, "\n".join(faults)
    assert "Traceback" not in caplog.text
    assert [path.name for path in data.rglob("*")] == ["obs", "a.csv"]
    assert seen >= {200, 201, 202, 400, 404}  # the requests got somewhere


async def test_malformed_requests_are_answered_or_closed(standalone_server):
    host, port = standalone_server.url.split("/")[2].split(":")
    for raw in RAW * 3:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        writer.write_eof()
        try:
            answer = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            answer = b""
        writer.close()
        assert not answer.startswith(b"HTTP/1.1 5"), raw[:80]
        assert b"root:" not in answer
    response = await asyncio.open_connection(host, int(port))
    response[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await asyncio.wait_for(response[0].read(), 5)).endswith(b"ok\n")
