"""A share of part of a package: no route, path or trick yields anything of the rest."""

from __future__ import annotations

import ast
import random
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest

import packager_jupyter
from packager_jupyter.errors import BadInputError
from packager_jupyter.server.share import SHARE_ROUTES
from server.share.ocean import ATTACHMENTS, BROWSER, FILES, below_share, encoded

PART = ["obs/day 1", "notes.txt", "*.bin"]
INSIDE = {"obs/day 1/a.csv", "obs/day 1/b+c#d%e&f.csv", "notes.txt", "top.bin"}
OUTSIDE = sorted({*FILES, *ATTACHMENTS} - INSIDE)
GATED = [route for route in SHARE_ROUTES if "{share}" in route.path]


def names_of(paths):
    """Return what of a path tells of it: whole, percent-encoded and its last segment."""
    for path in paths:
        name = path.rpartition("/")[2]
        if len(name) > 4 and name != "README.md":
            yield from (name, quote(name))


def addresses(route):
    below = below_share(route)
    paths = ["", "obs/", *OUTSIDE, *INSIDE] if "{path}" in below else [""]
    for path in paths:
        yield below.replace("{path}", encoded(path)).replace("{ticket}", "-")
    for query in ("?path=obs", "?match=*", "?match=txt", "?sort=size&descending=1"):
        yield below.replace("{path}", "") + query


async def test_no_route_tells_of_anything_outside(ocean):
    segment = ocean.share(paths=PART).segment
    for route in GATED:
        for address in addresses(route):
            for headers in ({}, BROWSER, {"Origin": "https://elsewhere.example.org"}):
                answer = await ocean.get(segment, address, **headers)
                asked = {
                    name for name in names_of(OUTSIDE) if name in address or quote(name) in address
                }
                text = answer.body.decode("utf-8", "replace") + answer.headers.get("Location", "")
                told = [name for name in names_of(OUTSIDE) if name in text and name not in asked]
                assert not told, (address, answer.code, told)


async def test_what_is_outside_is_not_found(ocean):
    segment = ocean.share(paths=PART).segment
    for path in OUTSIDE:
        for way in ("files", "attachments", "view"):
            answer = await ocean.get(segment, f"{way}/{encoded(path)}")
            assert answer.code == 404, (way, path)


async def test_what_is_inside_works_everywhere(ocean):
    whole, part = ocean.share(), ocean.share(paths=PART)
    for path in ("top.bin", "obs/day 1/a.csv"):
        answer = await ocean.get(part.segment, f"files/{encoded(path)}")
        assert answer.code == 307
        assert (await ocean.follow(answer)).body == FILES[path]
    assert (await ocean.get(part.segment, "attachments/notes.txt")).body == ATTACHMENTS["notes.txt"]
    urls = (await ocean.get(part.segment, "urls.txt")).body.decode().split()
    assert sorted(urls) == sorted(
        f"{ocean.host.root}s/{part.segment}/files/{encoded(path)}" for path in INSIDE
    )
    archive = await ocean.get(part.segment, "package.zip")
    names = zipfile.ZipFile(BytesIO(archive.body)).namelist()
    assert {name.removesuffix(".pointer") for name in names} == INSIDE
    other = await ocean.get(whole.segment, "package.zip")
    assert other.headers["ETag"] != archive.headers["ETag"]
    page = (await ocean.get(part.segment, **BROWSER)).body.decode()
    assert "3 files" in page
    assert "1 attachment" in page
    # The whole has not been narrowed with it.
    assert (await ocean.get(whole.segment, f"files/{encoded('obs/-rf')}")).code == 307


async def test_one_memory_serves_both_without_mixing_them_up(ocean):
    whole, part = ocean.share(), ocean.share(paths=PART)
    for _ in range(3):
        assert (await ocean.get(whole.segment, "files/obs/-rf")).code == 307
        assert (await ocean.get(part.segment, "files/obs/-rf")).code == 404


async def test_ten_thousand_tricks_presign_nothing_foreign(alone):
    """Random segments and paths: whatever is signed is a file of the part."""
    segment = alone.share(paths=PART).segment
    secret = alone.folder.parent / "secret.txt"
    secret.write_text("not shared")
    dice = random.Random(20_261_129)
    pieces = [
        *OUTSIDE,
        *INSIDE,
        "..",
        ".",
        "",
        "%2e%2e",
        "%2f",
        "..%2f",
        "%5c",
        "\\",
        "%00",
        "secret.txt",
        "obs",
        "day 1",
        "*",
        "~",
        "%252e%252e",
        "\u2024\u2024",
        ";",
        "?",
        "#",
        "lake",
    ]
    signed = 0
    for number in range(10_000):
        path = dice.choice(("/", "", "/../", "//", "%2F")).join(
            dice.choices(pieces, k=dice.randint(1, 4))
        )
        known = dice.random() < 0.9
        asked = segment if known else "".join(dice.choices("abcdefghijklmnop-_~", k=32))
        safe = "/%" if number % 2 else "/"
        answer = await alone.get(asked, f"files/{quote(path, safe=safe)}")
        assert answer.code in {200, 301, 307, 400, 404}, (path, answer.code)
        assert known or answer.code in {400, 404}
        if answer.code == 307:
            signed += 1
            body = (await alone.follow(answer)).body
            assert body in {FILES[inside] for inside in INSIDE if inside in FILES}
        assert b"not shared" not in answer.body
    assert signed > 20


async def test_a_filter_that_matches_nothing_is_refused(ocean):
    with pytest.raises(BadInputError, match="imges"):
        ocean.share(paths=["obs", "imges"])


def test_share_handlers_get_versions_from_their_ground_only():
    """Whoever opens a version by themselves forgets the filter."""
    folder = Path(packager_jupyter.__file__).parent / "server" / "share"
    for file in folder.rglob("*.py"):
        if file.name == "base.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "version":
                assert "packages" not in ast.unparse(node.value), f"{file.name}:{node.lineno}"
