"""The share world is what its description says, so that the tests of other tools mean something."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

import httpx

from clients.world import SHA256_OF


def test_every_file_is_had_through_every_link(world):
    with httpx.Client(follow_redirects=True) as client:
        for path, data in world.files.items():
            answer = client.get(f"{world.open_url}files/{quote(path)}")
            assert (answer.status_code, answer.content) == (200, data), path
        readme = "files/README.md"
        assert client.get(world.capability_url + readme).status_code == 200
        assert client.get(world.locked_url + readme).status_code == 401
        opened = client.get(world.locked_url + readme, headers={"X-Share-Token": world.password})
        assert opened.content == world.files["README.md"]


def test_its_checksums_are_known_and_unknown_as_it_says(world):
    lines = httpx.get(f"{world.open_url}manifest.jsonl").text.splitlines()
    rows = {row["path"]: row for row in map(json.loads, lines)}
    assert rows.keys() == world.files.keys()
    known = {path: rows[path].get("checksums", {}) for path in world.pointers}
    assert {path for path in known if not known[path]} == set(world.unknown)
    assert {path for path in known if "sha256" in known[path]} == set(SHA256_OF)
    assert "parts/large.bin" in world.unknown
    assert world.kind == "s3" or known["top.bin"].keys() == {"md5"}
    for path, checksums in known.items():
        for algorithm, digest in checksums.items():
            assert hashlib.new(algorithm, world.files[path]).hexdigest() == digest
