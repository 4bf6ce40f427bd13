"""Signed addresses of a whole package: every one is fetched from its own storage."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from packager_jupyter.sources.catalog import CredentialRef, SourceOptions

PARTS = ("plain", "with space", "a+b", "c#d", "50%25", "e&f", "été", "日本", "x=y;z", "q?r", "'\"")
S3_FILES, AZURE_FILES = 1000, 200
STORED = CredentialRef("stored")


@pytest.fixture(scope="module")
def storages(rgw, azurite):
    """A bucket and a container with awkward names, and what each object holds."""
    bucket, container = rgw.bucket(), azurite.container()
    client = rgw.client()
    blobs = azurite.client().get_container_client(container)
    s3 = {f"obs/{PARTS[n % 11]}/{n:05d} {PARTS[n // 11 % 11]}": b"s%d" % n for n in range(S3_FILES)}
    azure = {f"az/{PARTS[n % 11]}/{n:05d}": b"a%d" % n for n in range(AZURE_FILES)}
    with ThreadPoolExecutor(12) as pool:
        puts = [
            pool.submit(client.put_object, Bucket=bucket, Key=key, Body=data)
            for key, data in s3.items()
        ] + [pool.submit(blobs.upload_blob, key, data) for key, data in azure.items()]
        for put in puts:
            put.result()
    return bucket, container, s3, azure


def connect(services, rgw, azurite, bucket, container):
    services.sources.add(
        "lake",
        f"s3://{bucket}",
        options=SourceOptions(endpoint_url=rgw.endpoint_url, region=rgw.region),
        credential=STORED,
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key},
    )
    services.sources.add(
        "blobs",
        f"azure://{azurite.account}/{container}",
        options=SourceOptions(endpoint_url=azurite.endpoint),
        credential=STORED,
        secret={
            "AZURE_STORAGE_ACCOUNT": azurite.account,
            "AZURE_STORAGE_KEY": azurite.key,
        },
    )


def rows_of(kind, body):
    text = body.decode()
    if kind == "ndjson":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.timeout(400)
async def test_every_address_reads_its_object(rgw, azurite, storages, standalone_host):
    host = standalone_host
    bucket, container, s3, azure = storages
    connect(host.services, rgw, azurite, bucket, container)
    draft = host.services.packages.create("lab/all")
    draft.add("lake", ["obs/"])
    draft.add("blobs", ["az/"])
    draft.publish(now_s=1)

    path = "api/v1/packages/lab%2Fall/urls?version=1&ttl_s=600"
    answer = await host.fetch("GET", f"{path}&format=ndjson")
    assert answer.code == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    rows = rows_of("ndjson", answer.body)
    content = s3 | azure
    assert sorted(row["path"] for row in rows) == sorted(content)
    wrong = []

    async def check(client, gate, row):
        async with gate:
            got = await client.get(row["url"])
        if got.status_code != 200 or got.content != content[row["key"]]:
            wrong.append((row["key"], got.status_code, got.text[:200]))

    gate = asyncio.Semaphore(16)
    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(check(client, gate, row) for row in rows))
    assert wrong == []

    in_csv = rows_of("csv", (await host.fetch("GET", f"{path}&format=csv")).body)
    assert [(row["path"], row["source"], row["key"]) for row in in_csv] == [
        (row["path"], row["source"], row["key"]) for row in rows
    ]
    text = (await host.fetch("GET", path)).body.decode().splitlines()
    assert len(text) == len(rows)
    assert all(
        url.partition("?")[0] == row["url"].partition("?")[0]
        for url, row in zip(text, rows, strict=True)
    )


@pytest.fixture
def keyed(host):
    """A package of 900 pointers into a bucket that nobody has to ask."""
    from packager_jupyter.packages.index import PointerIndex
    from packager_jupyter.packages.pointer import Pointer

    host.services.sources.add(
        "lake",
        "s3://bucket/raw",
        credential=STORED,
        secret={"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret-1"},
    )
    draft = host.services.packages.create("keyed")
    index = PointerIndex(draft.folder / ".packager" / "pointers.sqlite")
    index.add(
        Pointer(f"d{n % 3}/k{n:04}.nc", "lake", f"k{n:04}", f"s3://bucket/raw/k{n:04}", n)
        for n in range(900)
    )
    index.close()
    return draft


@pytest.mark.parametrize(
    ("match", "files"),
    [("*.nc", 900), ("d1/*", 300), ("K0001", 1), ("d2/", 300), ("**/k000?.nc", 10), ("nothing", 0)],
)
async def test_the_filter_is_that_of_the_list_of_files(host, keyed, match, files):
    listed = await host.api("GET", f"packages/keyed/files?limit=5000&match={quote(match)}")
    answer = await host.fetch(
        "GET", f"api/v1/packages/keyed/urls?format=ndjson&match={quote(match)}"
    )
    rows = rows_of("ndjson", answer.body)
    assert len(rows) == files
    assert {row["path"] for row in rows} == {row["path"] for row in listed["items"]}


async def test_others_are_answered_while_a_list_is_made(host, keyed):
    listing = asyncio.ensure_future(host.fetch("GET", "api/v1/packages/keyed/urls"))
    status = await host.fetch("GET", "api/v1/status")
    assert status.code == 200
    assert len((await listing).body.splitlines()) == 900


async def test_who_may_not_sign_gets_nothing(host, keyed, anonymous):
    assert (await anonymous("GET", "api/v1/packages/keyed/urls")).code in {401, 403}
    for query, status in (
        ("ttl_s=0", 400),
        ("ttl_s=99999999", 400),
        ("format=xml", 400),
        ("version=7", 404),
    ):
        answer = await host.fetch("GET", f"api/v1/packages/keyed/urls?{query}")
        assert (answer.code, b"X-Amz" in answer.body) == (status, False), query


async def test_a_source_that_is_gone_is_an_error_and_no_short_list(host, keyed):
    host.services.sources.remove("lake")
    answer = await host.fetch("GET", "api/v1/packages/keyed/urls")
    assert answer.code == 404
    assert json.loads(answer.body)["code"] == "source_not_found"
