"""``addresses``: what the redirects of many files would say, in one answer, by the same rules."""

from __future__ import annotations

import json

import httpx
import pytest

from packager_jupyter.sources.catalog import SourceOptions
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD, Published, publish
from server.share.storages import S3, STORED

JSON = "application/json"


async def ask(published, segment, paths, *, content_type=JSON, **headers):
    body = json.dumps({"paths": list(paths)}).encode()
    return await published.get(
        segment, "addresses", method="POST", body=body, Content_Type=content_type, **headers
    )


def rows_of(answer):
    assert answer.code == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    return [json.loads(line) for line in answer.body.splitlines()]


@pytest.fixture
def bucket(standalone_host, rgw):
    """Return the package with its files in a bucket that keeps no versions, and the bucket."""
    storage = S3(rgw)
    for path, data in FILES.items():
        storage.put(path, data)
    standalone_host.services.sources.add("lake", credential=STORED, **storage.connection)
    publish(standalone_host.services, "lake")
    return Published(standalone_host, None), storage


async def test_each_path_has_its_address_in_the_same_order(ocean):
    segment = ocean.share().segment
    asked = [*FILES, *ATTACHMENTS, "README.md"]
    rows = rows_of(await ask(ocean, segment, asked))
    assert [row["path"] for row in rows] == asked
    for row in rows:
        assert row.keys() == {"path", "url"}
        body = (await ocean.host.fetch("GET", row["url"].removeprefix(ocean.host.root))).body
        assert body == {**FILES, **ATTACHMENTS}[row["path"]]


async def test_nobody_gets_one_without_access(ocean):
    created = ocean.share(password=PASSWORD)
    for headers in ({}, {"X_Share_Token": "wrong"}, {"Cookie": "packager_share=x"}):
        answer = await ask(ocean, created.segment, FILES, **headers)
        assert answer.code == 401
        assert b"local/" not in answer.body
    for segment, headers in (
        (created.segment, {"X_Share_Token": PASSWORD}),
        (created.capability_segment, {}),
    ):
        assert len(rows_of(await ask(ocean, segment, FILES, **headers))) == len(FILES)
    ocean.shares.revoke(created.share.id, owner="ann")
    assert (await ask(ocean, created.capability_segment, FILES)).code == 404
    assert (await ask(ocean, "n" * 32, FILES)).code == 404


async def test_only_files_of_the_package_are_signed(ocean):
    (ocean.folder / "secret.txt").write_bytes(b"not in the package")
    segment = ocean.share().segment
    tricks = [
        "secret.txt",
        "../secret.txt",
        "obs/../secret.txt",
        "/etc/passwd",
        "obs",
        "obs/",
        "\0",
    ]
    for row in rows_of(await ask(ocean, segment, tricks)):
        below = row["url"].removeprefix(ocean.host.root)
        assert below.startswith(f"s/{segment}/files/")
        assert b"not in the package" not in (await ocean.host.fetch("GET", below)).body


async def test_a_part_of_a_package_is_all_that_its_share_signs(ocean):
    created = ocean.share(paths=["obs/day 1"])
    rows = rows_of(await ask(ocean, created.segment, ["obs/day 1/a.csv", "top.bin"]))
    assert "/local/" in rows[0]["url"]
    assert "/local/" not in rows[1]["url"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"paths": ["top.bin"]}', "text/plain"),
        (b'{"paths": ["top.bin"]}', "application/x-www-form-urlencoded"),
        (b'{"paths": []}', JSON),
        (b'{"paths": "top.bin"}', JSON),
        (b'{"paths": ["top.bin", 7]}', JSON),
        (b'{"paths": [""]}', JSON),
        (b"[]", JSON),
        (b"{", JSON),
        (json.dumps({"paths": ["top.bin"] * 1001}).encode(), JSON),
    ],
)
async def test_what_is_no_list_of_paths_is_refused(alone, body, content_type):
    answer = await alone.get(
        alone.share().segment, "addresses", method="POST", body=body, Content_Type=content_type
    )
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "bad_input")


async def test_a_body_of_megabytes_is_not_read(alone):
    answer = await alone.get(
        alone.share().segment, "addresses", method="POST", body=b" " * 300_000, Content_Type=JSON
    )
    assert answer.code == 413


async def test_each_address_counts_and_the_maximum_holds(alone):
    free, limited = alone.share(), alone.share(max_downloads=3)
    rows_of(await ask(alone, free.segment, FILES))
    [counted] = [info for info in alone.shares.list("ann") if info.id == free.share.id]
    assert counted.uses == len(FILES)
    rows = rows_of(await ask(alone, limited.segment, [*FILES][:5]))
    assert [row.get("status") for row in rows] == [None, None, None, 404, 404]
    assert rows[3]["error"]["code"] == "share_not_found"
    assert not any("url" in row for row in rows[3:])
    assert (await ask(alone, limited.segment, FILES)).code == 404


async def test_it_stands_in_the_audit(alone):
    created = alone.share()
    rows_of(await ask(alone, created.segment, FILES))
    audit = alone.host.services.audit
    audit.flush()
    [(_, row)] = audit.rows(object=created.share.id)
    assert (row.action, row.result) == ("share.addresses", f"ok {len(FILES)}")


async def test_a_changed_or_missing_object_has_none(bucket):
    published, storage = bucket
    storage.put("top.bin", b"something else altogether")
    storage.delete("obs/100%.txt")
    rows = {
        row["path"]: row for row in rows_of(await ask(published, published.share().segment, FILES))
    }
    assert (rows["top.bin"]["status"], rows["top.bin"]["error"]["code"]) == (409, "object_changed")
    assert rows["obs/100%.txt"]["status"] == 404
    assert sum("url" in row for row in rows.values()) == len(FILES) - 2


async def test_an_address_bears_the_condition_that_finds_a_later_change(bucket):
    """Between signing and reading the object may change: ``If-Match`` is what `get` sends."""
    published, storage = bucket
    version = published.host.services.packages.version("ocean-2024")
    etag = version.get("top.bin").etag
    [row] = rows_of(await ask(published, published.share().segment, ["top.bin"]))
    async with httpx.AsyncClient(headers={"If-Match": f'"{etag}"'}) as client:
        assert (await client.get(row["url"])).content == FILES["top.bin"]
        storage.put("top.bin", bytes(len(FILES["top.bin"])))
        assert (await client.get(row["url"])).status_code == 412


async def test_a_storage_that_is_down_is_told_for_each_file(bucket):
    published, storage = bucket
    published.host.services.sources.update(
        "lake",
        options=SourceOptions(endpoint_url="http://127.0.0.1:9", region="us-east-1"),
        credential=STORED,
        secret=storage.connection["secret"],
    )
    rows = rows_of(await ask(published, published.share().segment, list(FILES) * 90))
    assert {row["status"] for row in rows} <= {502, 503}
    assert all(row["retry_after_s"] > 0 for row in rows)
    assert storage.bucket not in json.dumps(rows)
