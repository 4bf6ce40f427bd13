"""``package.zip?content=all`` over HTTP: from real storages, bounded, refused when changed."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import zipfile

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.version import Version
from packager_jupyter.server.share.state import share_state
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD, Published, publish
from server.share.storages import S3, STORED, Azure

ALL = "package.zip?content=all"


@pytest.fixture(params=["s3", "s3-versioned", "azure"])
def stored(request, standalone_host):
    """Return the package with its files in a real storage, and that storage."""
    if request.param == "azure":
        storage = Azure(request.getfixturevalue("azurite"))
    else:
        storage = S3(request.getfixturevalue("rgw"), is_versioned=request.param != "s3")
    for path, data in FILES.items():
        storage.put(path, data)
    standalone_host.services.sources.add("lake", credential=STORED, **storage.connection)
    publish(standalone_host.services, "lake")
    return Published(standalone_host, None), storage


def entries(data):
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    return {name: opened.read(name) for name in opened.namelist()}


async def test_everything_is_in_it(stored):
    published, _ = stored
    segment = published.share().segment
    answer = await published.get(segment, ALL)
    assert entries(answer.body) == {**FILES, **ATTACHMENTS}
    head = await published.get(segment, ALL, method="HEAD")
    assert (head.code, head.headers["Content-Length"]) == (200, str(len(answer.body)))
    assert head.headers["Accept-Ranges"] == "none"
    part = await published.get(segment, ALL, Range="bytes=5-")
    assert (part.code, part.body) == (200, answer.body)
    tag = answer.headers["ETag"]
    assert (await published.get(segment, ALL, If_None_Match=tag)).code == 304
    pointers = await published.get(segment, "package.zip")
    assert pointers.headers["ETag"] != tag


async def test_what_has_changed_is_said_and_not_sent(stored):
    published, storage = stored
    segment = published.share().segment
    storage.put("obs/%41.txt", b"ENCODED")  # the same size
    answer = await published.get(segment, ALL)
    if answer.code == 200:
        # A storage with versions still has the published bytes.
        assert entries(answer.body)["obs/%41.txt"] == FILES["obs/%41.txt"]
    else:
        assert (answer.code, json.loads(answer.body)["code"]) == (409, "object_changed")
        assert "obs/%41.txt" in json.loads(answer.body)["message"]


async def test_what_changes_meanwhile_cuts_it_off(alone, monkeypatch):
    source = type(alone.host.services.sources.open("lake"))
    read = source.read

    def changed(self, key, **options):
        for chunk in read(self, key, **options):
            yield chunk.swapcase() if key == "top.bin" else chunk

        if key == "top.bin":
            (alone.folder / key).write_bytes(FILES[key].swapcase())

    monkeypatch.setattr(source, "read", changed)
    segment = alone.share().segment
    with pytest.raises(HTTPStreamClosedError):
        await alone.get(segment, ALL)


@pytest.mark.parametrize("packager_config", [{"zip_content_bytes": 1000}], ids=["small"])
async def test_a_package_over_the_limit_is_refused(ocean):
    answer = await ocean.get(ocean.share().segment, ALL)
    assert (answer.code, json.loads(answer.body)["code"]) == (413, "too_large")


@pytest.mark.parametrize("packager_config", [{"zip_content_file_bytes": 1000}], ids=["small"])
async def test_a_file_over_the_limit_stays_a_pointer(ocean):
    answer = await ocean.get(ocean.share().segment, ALL)
    found = entries(answer.body)
    assert b"pointer: packager/v1" in found.pop("top.bin.pointer")
    expected = {**FILES, **ATTACHMENTS}
    del expected["top.bin"]
    assert found == expected


async def test_an_unknown_content_is_an_error(ocean):
    answer = await ocean.get(ocean.share().segment, "package.zip?content=some")
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "bad_input")


async def test_a_locked_share_gives_nothing(ocean):
    answer = await ocean.get(ocean.share(password=PASSWORD).segment, ALL)
    assert answer.code == 401


async def test_only_so_many_at_a_time(alone, standalone_server):
    state = share_state(standalone_server.app.settings)
    state.content_zips.update(range(4))
    segment = alone.share().segment
    busy = await alone.get(segment, ALL)
    assert (busy.code, json.loads(busy.body)["code"]) == (503, "busy")
    state.content_zips.clear()
    assert (await alone.get(segment, ALL)).code == 200
    for _ in range(100):
        if not state.content_zips:
            break
        await asyncio.sleep(0.02)
    assert not state.content_zips


async def test_a_million_entries_left_half_way_leave_nothing_running(alone, monkeypatch):
    """The reader of the pointers is closed, and no thread goes on."""
    told = {"open": 0, "rows": 0}

    def million(_self, files, start=""):
        told["open"] += 1
        try:
            for first in range(0, 1_000_000, 250):
                told["rows"] += 250
                paths = [f"f{n // 1000:04}/x{n:07}" for n in range(first, first + 250)]
                written = [
                    files.write(Pointer(path, "lake", path, f"file:///{path}", 5)) for path in paths
                ]
                yield [f"{path}.pointer".encode() for path in paths], written
        finally:
            told["open"] -= 1

    monkeypatch.setattr(Version, "iter_written", million)
    monkeypatch.setattr(Version, "outline", lambda _self: None)
    segment = alone.share().segment
    host = alone.host.root.partition("//")[2].strip("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"GET /s/{segment}/package.zip HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    headers = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 120)
    assert int(headers.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) > 200_000_000
    planned = told["rows"]
    await reader.readexactly(10_000_000)
    assert (told["open"], planned >= 1_000_000) == (1, True)
    writer.transport.abort()
    for _ in range(400):
        if not told["open"]:
            break
        await asyncio.sleep(0.05)
    assert told["open"] == 0
    rows, threads = told["rows"], threading.active_count()
    assert rows < 1_900_000
    await asyncio.sleep(0.5)
    assert (told["rows"], threading.active_count()) == (rows, threads)
    assert (await alone.get(segment, "files/top.bin")).code == 307
