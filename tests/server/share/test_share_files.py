"""Files of a share: redirects that lead to the bytes, HEAD that tells the truth, plain indexes."""

from __future__ import annotations

import html
import os
import re
import shutil
from urllib.parse import unquote, urljoin

import pytest

from server.share.ocean import ATTACHMENTS, BROWSER, FILES, encoded


async def test_every_file_arrives_through_a_redirect(ocean):
    segment = ocean.share(slug="ocean").segment
    for path, data in FILES.items():
        response = await ocean.get(segment, f"files/{encoded(path)}")
        assert response.code == 307, (path, response.body)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.body == b""
        bytes_ = await ocean.follow(response)
        assert (bytes_.code, bytes_.body) == (200, data), path
        name = bytes_.headers["Content-Disposition"].rpartition("UTF-8''")[2]
        assert unquote(name) == path.rpartition("/")[2]
        assert bytes_.headers["X-Content-Type-Options"] == "nosniff"


async def test_head_tells_size_type_and_tag_without_a_redirect(ocean):
    segment = ocean.share().segment
    for path, data in FILES.items():
        response = await ocean.get(segment, f"files/{encoded(path)}", method="HEAD")
        assert response.code == 200, path
        assert response.headers["Content-Length"] == str(len(data))
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["ETag"].startswith('"')
        assert "Location" not in response.headers
        assert "html" not in response.headers["Content-Type"]
        assert response.headers["Last-Modified"].endswith("GMT")
    csv = await ocean.get(segment, "files/obs/day%201/a.csv", method="HEAD")
    assert csv.headers["Content-Type"].startswith("text/csv")


async def test_ranges_of_a_local_file(alone):
    segment = alone.share().segment
    redirect = await alone.get(segment, "files/top.bin")
    data = FILES["top.bin"]
    whole = await alone.follow(redirect)
    tag = whole.headers["ETag"]
    cases = [
        ({"Range": "bytes=0-99"}, 206, data[:100]),
        ({"Range": "bytes=255990-"}, 206, data[-10:]),
        ({"Range": "bytes=-5"}, 206, data[-5:]),
        ({"Range": "bytes=5-6", "If_Range": tag}, 206, data[5:7]),
        ({"Range": "bytes=5-6", "If_Range": '"other"'}, 200, data),
        ({"Range": "bytes=999999-"}, 416, b""),
        ({"If_None_Match": tag}, 304, b""),
    ]
    for headers, code, body in cases:
        response = await alone.follow(redirect, **headers)
        assert (response.code, response.body) == (code, body), headers
        if code == 206:
            assert response.headers["Content-Range"].endswith("/256000")
            assert response.headers["Content-Length"] == str(len(body))
        if code == 416:
            assert response.headers["Content-Range"] == "bytes */256000"


async def test_an_altered_or_foreign_local_address_opens_nothing(alone):
    redirect = await alone.get(alone.share().segment, "files/top.bin")
    token = redirect.headers["Location"].rpartition("/")[2]
    for bad in (token[:-2] + "AA", "A" + token[1:], token + "A", "x", "a.b", "%00", token * 3):
        response = await alone.host.fetch("GET", f"local/{bad}", is_anonymous=True)
        assert response.code == 403, bad
        assert b"lake" not in response.body


async def test_indexes_link_every_file_and_only_relatively(ocean):
    segment = ocean.share().segment
    found, todo = set(), [""]
    while todo:
        folder = todo.pop()
        response = await ocean.get(segment, f"files/{folder}")
        assert response.code == 200, folder
        for href in re.findall(r'href="(\./[^"]*)"', response.body.decode()):
            path = urljoin(folder, html.unescape(href).removeprefix("./"))
            if path.endswith("/"):
                todo.append(path)
            else:
                found.add(unquote(path))
    assert found == {*FILES, *ATTACHMENTS}


async def test_attachments_stand_among_the_files(ocean):
    segment = ocean.share().segment
    for path, data in ATTACHMENTS.items():
        for route in ("files", "attachments"):
            response = await ocean.get(segment, f"{route}/{encoded(path)}")
            assert (response.code, response.body) == (200, data)
            assert response.headers["Content-Disposition"].startswith("attachment; ")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response.headers["Content-Security-Policy"]
    part = await ocean.get(segment, "files/notes.txt", Range="bytes=5-9")
    assert (part.code, part.body) == (206, b"notes")


async def test_a_folder_without_its_slash_leads_to_it(ocean):
    segment = ocean.share().segment
    response = await ocean.get(segment, "files/obs/day%201")
    assert (response.code, response.headers["Location"]) == (301, "./day%201/")
    entrance = await ocean.host.fetch("GET", f"s/{segment}", is_anonymous=True)
    assert (entrance.code, entrance.headers["Location"]) == (301, f"./{segment}/")


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "obs/day%201/a.csv/",
        "obs/day%201/a.csv/more",
        "..%2f..%2fpackager.sqlite",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "//top.bin",
        "./top.bin",
        "obs/../top.bin",
        "top.bin%00",
        "top.bin%0d%0aX:%20y",
        "TOP.BIN",
        "top.bi",
        "package.yaml",
        ".packager/pointers.sqlite",
        "%ff",
    ],
)
async def test_paths_that_are_not_in_the_package_sign_nothing(alone, path):
    response = await alone.get(alone.share().segment, f"files/{path}")
    assert response.code in {400, 404}, response.body
    assert "Location" not in response.headers


async def test_an_object_that_changed_is_refused(ocean):
    segment = ocean.share().segment
    (ocean.folder / "top.bin").write_bytes(b"other bytes")
    for method in ("GET", "HEAD"):
        response = await ocean.get(segment, "files/top.bin", method=method)
        assert response.code == 409
        assert "Location" not in response.headers
    told = await ocean.get(segment, "files/top.bin")
    assert b'"object_changed"' in told.body
    page = await ocean.get(segment, "files/top.bin", **BROWSER)
    assert b"has changed in the storage" in page.body


async def test_the_same_size_and_other_bytes_are_noticed(ocean):
    target = ocean.folder / "obs/day 1/a.csv"
    data = target.read_bytes()
    target.write_bytes(data[::-1])
    os.utime(target, ns=(1, 1))
    response = await ocean.get(ocean.share().segment, "files/obs/day%201/a.csv")
    assert response.code == 409


async def test_an_object_that_vanished_is_named(ocean):
    (ocean.folder / "top.bin").unlink()
    response = await ocean.get(ocean.share().segment, "files/top.bin")
    assert response.code == 404
    assert b"the storage has it no longer" in response.body


async def test_a_storage_that_is_gone_is_no_empty_folder(ocean):
    segment = ocean.share().segment
    shutil.rmtree(ocean.folder)
    response = await ocean.get(segment, "files/top.bin")
    assert response.code in {502, 503}
    assert int(response.headers["Retry-After"]) > 0
    assert str(ocean.folder).encode() not in response.body
    assert b"lake" not in response.body
    page = await ocean.get(segment)
    assert page.code == 200  # what the package holds is still known


async def test_a_source_that_was_removed_does_not_show_its_name(ocean):
    ocean.host.services.sources.remove("lake")
    response = await ocean.get(ocean.share().segment, "files/top.bin")
    assert response.code == 502
    assert b"lake" not in response.body
