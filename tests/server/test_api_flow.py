"""The main job over REST, in both hosts: connect, curate, publish, share, fetch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest

NAMES = [
    "a b.txt",
    "plus+hash#.csv",
    "per%25cent.bin",
    "ünï/日本.txt",
    "deep/er/file&x.dat",
    "q?.txt",
]


@pytest.fixture
def folder(host):
    """A folder of files below the root, which is where the API may connect folders."""
    folder = Path(host.services.settings.root_dir) / "bucket"
    for name in NAMES:
        path = folder / "obs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {name}".encode() * 7)
    (folder / "top.csv").write_text("x,y\n1,2\n")
    return folder


async def connect(host, folder, name="lake"):
    body = {"name": name, "url": folder.as_uri()}
    return await host.api("POST", "sources", body, status=201)


async def curate(host, folder, package="ocean"):
    await connect(host, folder)
    await host.api("POST", "packages", {"name": package, "title": "Ocean"}, status=201)
    job = await host.job(
        "POST",
        f"packages/{quote(package, safe='')}/files",
        {
            "source": "lake",
            "keys": ["obs/"],
        },
    )
    assert job["state"] == "done", job
    return job


async def test_from_source_to_bytes(host, folder, anonymous):
    job = await curate(host, folder)
    assert job["result"]["files_added"] == len(NAMES)
    readme = await host.fetch(
        "PUT", "api/v1/packages/ocean/attachments?path=README.md", b"# Ocean\n"
    )
    assert readme.code == 200, readme.body
    await host.job(
        "POST",
        "packages/ocean/files",
        {"source": "lake", "keys": ["top.csv"], "to": "tables", "rename": "top.csv"},
    )
    whole = await host.api("GET", "packages/ocean")
    assert whole["metadata"]["title"] == "Ocean"
    assert [one["path"] for one in whole["attachments"]] == ["README.md"]
    assert whole["draft"]["files"] == len(NAMES) + 1
    assert whole["folder"] == ("packages/ocean" if host.kind == "jupyter" else None)

    published = await host.api("POST", "packages/ocean/versions", {}, status=201)
    again = await host.api("POST", "packages/ocean/versions", {}, status=200)
    assert published["version"] == "1"
    assert (again["digest"], again["is_new"]) == (published["digest"], False)

    created = await host.api("POST", "shares", {"package": "ocean", "version": "1"}, status=201)
    assert created["url"].startswith(host.root)
    share = created["url"].removeprefix(host.root)
    listing = await anonymous("GET", f"{share}manifest.jsonl")
    paths = [json.loads(line)["path"] for line in listing.body.splitlines()]
    assert len(paths) >= len(NAMES) + 1
    for name in NAMES:
        path = next(path for path in paths if path.endswith(name))
        response = await anonymous("GET", f"{share}files/{quote(path)}", follow_redirects=True)
        assert response.code == 200, (path, response.body)
        expected = (folder / "obs" / name).read_bytes()
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(expected).digest()

    await host.api("DELETE", f"shares/{created['share']['id']}", status=204)
    assert (await anonymous("GET", f"{share}manifest.jsonl")).code == 404


async def test_a_publish_may_be_a_job(host, folder):
    await curate(host, folder)
    job = await host.job("POST", "packages/ocean/versions", {"async": True, "version": "v1.0"})
    assert job["state"] == "done"
    assert job["result"]["version"] == "v1.0"
    versions = await host.api("GET", "packages/ocean/versions")
    assert [one["version"] for one in versions["items"]] == ["v1.0"]
    rows = await host.api("GET", "packages")
    assert rows["items"][0]["latest"]["digest"] == job["result"]["digest"]


async def test_a_name_with_a_namespace_is_one_segment_or_two(host, folder):
    await curate(host, folder, package="lab/ocean")
    one = await host.api("GET", "packages/lab%2Focean")
    two = await host.api("GET", "packages/lab/ocean")
    assert one == two
    assert one["name"] == "lab/ocean"
    assert (await host.api("GET", "packages/lab/ocean/files"))["totals"]["files"] == len(NAMES)
    assert (await host.api("GET", "packages/lab%2Focean/status"))["files"] == len(NAMES)


async def test_files_are_paged_sorted_and_searched(host, folder):
    await curate(host, folder)
    first = await host.api("GET", "packages/ocean/files?path=obs&limit=2")
    rows = first["items"]
    cursor = first["cursor"]
    while cursor:
        page = await host.api(
            "GET", f"packages/ocean/files?path=obs&limit=2&cursor={quote(cursor)}"
        )
        rows += page["items"]
        cursor = page["cursor"]
    assert len(rows) == len({row["path"] for row in rows}) == 6  # two folders, four files
    assert first["totals"]["files"] == len(NAMES)
    found = await host.api("GET", "packages/ocean/files?match=file%26x")
    assert [row["name"] for row in found["items"]] == ["file&x.dat"]
    sized = await host.api("GET", "packages/ocean/files?path=obs&sort=size&descending=true")
    sizes = [row["size_bytes"] for row in sized["items"] if not row["is_folder"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=%D9%A3", "limit"),
        ("sort=colour", "sort"),
        ("descending=maybe", "descending"),
        ("cursor=nonsense", "cursor"),
        ("path=%FF", "UTF-8"),
        ("path=a&path=b", "twice"),
    ],
)
async def test_a_wrong_query_says_which_parameter(host, folder, query, word):
    await curate(host, folder)
    failed = await host.api("GET", f"packages/ocean/files?{query}", status=400)
    assert word in failed["message"] + failed["remedy"]


async def test_a_huge_limit_is_the_largest_page(host, folder):
    await curate(host, folder)
    page = await host.api("GET", "packages/ocean/files?path=obs&limit=999999999")
    assert len(page["items"]) == 6
    entries = await host.api("GET", "sources/lake/entries?prefix=obs/&limit=999999999")
    assert len(entries["items"]) == 6


async def test_a_listing_says_keys_exactly(host, folder):
    strange = folder / "odd"
    strange.mkdir()
    for name in [" lead", "trail ", "tab\there", "line\nbreak", "é", "e\u0301"]:
        (strange / name).write_bytes(b"x")
    await connect(host, folder)
    page = await host.api("GET", "sources/lake/entries?prefix=odd/")
    keys = {row["key"] for row in page["items"]}
    assert keys == {f"odd/{path.name}" for path in strange.iterdir()}
    for key in keys:
        found = await host.api("GET", f"sources/lake/entries?prefix={quote(key)}")
        assert key in [row["key"] for row in found["items"]]
        signed = await host.api("POST", "sources/lake/presign", {"key": key})
        assert key not in signed["url"] or key == "é"


async def test_moving_and_removing(host, folder):
    await curate(host, folder)
    before = await host.api("GET", "packages/ocean/files?path=obs")
    path = next(row["path"] for row in before["items"] if row["name"] == "a b.txt")
    await host.api("POST", "packages/ocean/move", {"from": path, "to": "renamed.txt"})
    removed = await host.api("DELETE", "packages/ocean/files", {"paths": ["renamed.txt"]})
    assert removed["files_removed"] == 1
    missing = await host.api(
        "DELETE", "packages/ocean/files", {"paths": ["renamed.txt"]}, status=404
    )
    assert missing["code"] == "path_not_found"
    assert (await host.api("GET", "packages/ocean/status"))["files"] == len(NAMES) - 1


async def test_metadata_changes_one_field_at_a_time(host):
    await host.api("POST", "packages", {"name": "meta", "title": "One"}, status=201)
    changed = await host.api("PATCH", "packages/meta", {"license": "CC-BY-4.0", "authors": ["Ann"]})
    assert changed["metadata"] == {
        "title": "One",
        "description": "",
        "license": "CC-BY-4.0",
        "authors": ["Ann"],
        "keywords": [],
    }
    cleared = await host.api("PATCH", "packages/meta", {"title": None})
    assert cleared["metadata"]["title"] == ""
    wrong = await host.api("PATCH", "packages/meta", {"titel": "x"}, status=400)
    assert "titel" in wrong["message"]


async def test_an_attachment_comes_back_to_be_saved_only(host):
    await host.api("POST", "packages", {"name": "notes"}, status=201)
    data = b"<script>alert(1)</script>"
    path = quote("docs/page.html")
    put = await host.fetch("PUT", f"api/v1/packages/notes/attachments?path={path}", data)
    assert json.loads(put.body)["size_bytes"] == len(data)
    got = await host.fetch("GET", f"api/v1/packages/notes/attachments?path={path}")
    assert got.body == data
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    gone = await host.fetch("DELETE", f"api/v1/packages/notes/attachments?path={path}")
    assert gone.code == 204
    assert (await host.api("GET", "packages/notes"))["attachments"] == []


async def test_a_large_attachment_is_refused_and_a_small_one_is_not(host):
    await host.api("POST", "packages", {"name": "big"}, status=201)
    host.services.settings.max_attachment_bytes = 1_500_000
    fits = await host.fetch("PUT", "api/v1/packages/big/attachments?path=a.bin", b"x" * 1_500_000)
    assert fits.code == 200, fits.body
    over = await host.fetch("PUT", "api/v1/packages/big/attachments?path=b.bin", b"x" * 1_500_001)
    assert over.code == 413
    assert json.loads(over.body)["code"] == "too_large"


@pytest.mark.parametrize(
    ("request_line", "body", "status", "code"),
    [
        ("GET packages/nothing", None, 404, "package_not_found"),
        ("GET packages/nothing/files", None, 404, "package_not_found"),
        ("GET packages/nothing/versions", None, 404, "package_not_found"),
        ("GET packages/nothing/status", None, 404, "package_not_found"),
        ("POST packages/nothing/versions", {"async": True}, 404, "package_not_found"),
        ("POST packages/nothing/files", {"source": "s", "keys": ["a"]}, 404, None),
        ("DELETE packages/nothing", None, 404, "package_not_found"),
        ("POST packages", {"name": "../up"}, 400, "bad_input"),
        ("POST packages", {"name": "A B"}, 400, "bad_input"),
        ("POST packages", {}, 400, "bad_input"),
        ("GET sources/nothing", None, 404, "source_not_found"),
        ("GET sources/nothing/entries", None, 404, "source_not_found"),
        ("POST sources/nothing/presign", {"key": "a"}, 404, "source_not_found"),
        ("DELETE sources/nothing", None, 404, "source_not_found"),
        ("POST sources", {"name": "x", "url": "gopher://x"}, 400, "bad_input"),
        ("POST sources", {"name": "../x", "url": "s3://bucket"}, 400, "bad_input"),
        ("POST shares", {"package": "nothing"}, 404, "package_not_found"),
        ("POST shares", {"package": "nothing", "expires_in_s": 1}, 400, "bad_input"),
        ("GET shares/sh_000", None, 404, "share_not_found"),
        ("GET shares/sh_000/link", None, 404, "share_not_found"),
        ("DELETE shares/sh_000", None, 404, "share_not_found"),
    ],
)
async def test_bad_input_has_one_clear_answer(host, request_line, body, status, code):
    method, path = request_line.split()
    failed = await host.api(method, path, body, status=status)
    assert code is None or failed["code"] == code
    assert failed["message"]
    assert failed["remedy"]
    assert "Traceback" not in str(failed)


async def test_a_second_package_or_source_of_a_name_is_a_conflict(host, folder):
    await curate(host, folder)
    for path, body in (
        ("packages", {"name": "ocean"}),
        ("sources", {"name": "lake", "url": folder.as_uri()}),
    ):
        failed = await host.api("POST", path, body, status=409)
        assert failed["remedy"]


async def test_a_failed_add_changes_nothing(host, folder):
    await curate(host, folder)
    before = await host.api("GET", "packages/ocean/status")
    job = await host.job(
        "POST", "packages/ocean/files", {"source": "lake", "keys": ["top.csv", "no/such/file"]}
    )
    assert job["state"] == "failed"
    assert job["error"]["remedy"]
    assert await host.api("GET", "packages/ocean/status") == before
