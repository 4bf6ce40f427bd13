"""Lists and the archive over HTTP: exact, resumable, never silently short; the loop stays free."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile
from urllib.parse import quote, unquote

import pytest

from packager_jupyter.errors import StoreCorruptError
from packager_jupyter.packages.pointer_file import parse_pointer_file
from packager_jupyter.packages.version import Version
from server.share.ocean import ATTACHMENTS, FILES, fill


async def test_lists_name_every_file_under_the_address_that_was_asked(ocean):
    segment = ocean.share(slug="ocean").segment
    base = f"{ocean.host.root}s/{segment}/files/"
    urls = await ocean.get(segment, "urls.txt")
    assert urls.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = urls.body.decode().splitlines()
    assert {unquote(line.removeprefix(base)) for line in lines} == {*FILES, *ATTACHMENTS}
    manifest = await ocean.get(segment, "manifest.jsonl")
    records = [json.loads(line) for line in manifest.body.splitlines()]
    assert {r["path"]: r["size"] for r in records} == {
        path: len(data) for path, data in {**FILES, **ATTACHMENTS}.items()
    }
    assert sorted(r["url"] for r in records) == sorted(lines)
    for record in records:
        below = record["url"].removeprefix(ocean.host.root)
        answer = await ocean.host.fetch("GET", below, is_anonymous=True, follow_redirects=True)
        assert answer.body == {**FILES, **ATTACHMENTS}[record["path"]]


async def test_lists_and_archives_are_told_apart_and_kept_by_their_tags(ocean):
    segment, other = ocean.share().segment, ocean.share().segment
    tags = set()
    for share in (segment, other):
        for below in ("urls.txt", "manifest.jsonl", "package.zip"):
            first = await ocean.get(share, below)
            tag = first.headers["ETag"]
            again = await ocean.get(share, below, If_None_Match=tag)
            assert (again.code, again.body) == (304, b"")
            tags.add(tag)
    assert len(tags) == 6


async def test_the_archive_is_exact_and_resumable(ocean):
    segment = ocean.share().segment
    whole = await ocean.get(segment, "package.zip")
    assert whole.headers["Content-Length"] == str(len(whole.body))
    assert whole.headers["Content-Disposition"].startswith(
        'attachment; filename="ocean-2024-2.zip"'
    )
    opened = zipfile.ZipFile(io.BytesIO(whole.body))
    assert opened.testzip() is None
    assert opened.read("README.md") == ATTACHMENTS["README.md"]
    for path in FILES:
        url = parse_pointer_file(opened.read(f"{path}.pointer")).url
        assert url == f"{ocean.host.root}s/{segment}/files/{quote(path)}"
    head = await ocean.get(segment, "package.zip", method="HEAD")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    tag = whole.headers["ETag"]
    for start in (0, 1, 1000, len(whole.body) - 1):
        part = await ocean.get(segment, "package.zip", Range=f"bytes={start}-", If_Range=tag)
        assert (part.code, part.body) == (206, whole.body[start:])
    changed = await ocean.get(segment, "package.zip", Range="bytes=5-", If_Range='"other"')
    assert (changed.code, changed.body) == (200, whole.body)
    behind = await ocean.get(segment, "package.zip", Range=f"bytes={len(whole.body)}-")
    assert behind.code == 416


@pytest.fixture
def many(alone):
    """Add twenty thousand pointers to the package and publish it as version 3."""
    fill(alone.folder, {f"many/f{n:05}.dat": b"" for n in range(20_000)})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["many/"])
    draft.publish("3", now_s=int(time.time()))
    return alone


async def test_others_are_answered_while_a_large_archive_is_sent(many):
    segment = many.share().segment
    slow = asyncio.ensure_future(many.get(segment, "package.zip"))
    answered = 0
    while not slow.done():
        assert (await many.host.fetch("GET", "healthz", is_anonymous=True)).code == 200
        answered += 1
    assert answered > 20
    assert len(zipfile.ZipFile(io.BytesIO(slow.result().body)).namelist()) == 20_018


async def raw(published, segment, below):
    """Send a request and return everything that comes until the connection ends."""
    address = published.host.root.partition("//")[2]
    host, _, path = address.partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"GET /{path}s/{segment}/{below} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(-1), 30)
    finally:
        writer.close()


@pytest.mark.parametrize("below", ["urls.txt", "manifest.jsonl", "package.zip", "files/many/"])
async def test_what_breaks_on_the_way_is_cut_off_and_never_ends_well(many, below, monkeypatch):
    segment = many.share().segment
    if below == "package.zip":
        await many.get(segment, below, method="HEAD")  # the plan is made before it breaks

    def break_after(function, count):
        def broken(*args, **options):
            for number, item in enumerate(function(*args, **options)):
                if number == count:
                    raise StoreCorruptError("A blob is damaged.", remedy="Restore it.")
                yield item

        return broken

    page, pages = Version.page, []

    def broken_page(self, *args, **options):
        pages.append(1)
        if len(pages) == 3:
            raise StoreCorruptError("A blob is damaged.", remedy="Restore it.")
        return page(self, *args, **options)

    monkeypatch.setattr(Version, "iter_pointers", break_after(Version.iter_pointers, 10_000))
    monkeypatch.setattr(Version, "iter_written", break_after(Version.iter_written, 40))
    monkeypatch.setattr(Version, "page", broken_page)
    received = await raw(many, segment, below)
    headers, _, body = received.partition(b"\r\n\r\n")
    assert b" 200 OK" in headers
    assert len(body) > 10_000
    if b"chunked" in headers.lower():
        assert not body.endswith(b"0\r\n\r\n")
    else:
        length = int(headers.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert len(body) < length


async def test_what_breaks_at_once_is_an_error(alone, monkeypatch):
    def broken(_self):
        raise StoreCorruptError("A blob is damaged.", remedy="Restore it.")

    monkeypatch.setattr(Version, "iter_pointers", broken)
    answer = await alone.get(alone.share().segment, "urls.txt")
    assert answer.code == 500
    assert b'"store_corrupt"' in answer.body


async def test_a_client_that_goes_away_stops_the_work(many):
    segment = many.share().segment
    await many.get(segment, "package.zip", method="HEAD")
    host = many.host.root.partition("//")[2].partition("/")[0]
    name, _, port = host.partition(":")
    for _ in range(5):
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(f"GET /s/{segment}/package.zip HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await reader.readexactly(1000)
        writer.transport.abort()
    assert (await many.get(segment, "urls.txt")).code == 200


async def test_a_file_that_shrinks_while_it_is_sent_is_cut_off(alone):
    segment = alone.share().segment
    redirect = await alone.get(segment, "files/top.bin")
    below = redirect.headers["Location"].removeprefix(alone.host.root)
    source = alone.host.services.sources.open("lake")
    read = type(source).read

    def short(self, key, *, start=0, stop=None, version_id=None):
        return read(self, key, start=start, stop=min(stop, 100_000), version_id=version_id)

    type(source).read = short
    try:
        host = alone.host.root.partition("//")[2].partition("/")[0]
        name, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(f"GET /{below} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        received = await asyncio.wait_for(reader.read(-1), 30)
        writer.close()
    finally:
        type(source).read = read
    headers, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Length: 256000" in headers
    assert len(body) == 100_000
