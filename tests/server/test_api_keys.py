"""Adding by a list of keys over REST, in both hosts."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

LIST = b"key,size,etag\nobs/a.csv,7,aa\nobs/b.csv,8,bb\nnotes/c.txt,9,cc\n"
MANIFEST = (
    b'{"fileSchema": "Key", "fileFormat": "CSV", "sourceBucket": "b",'
    b' "files": [{"key": "x/../../etc/passwd"}]}'
)


@pytest.fixture
def folder(host):
    folder = Path(host.services.settings.root_dir) / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def lake(host, folder):
    """A source whose objects nobody looks at, as their list says everything, and a draft."""
    host.services.sources.add("lake", folder.as_uri())
    host.services.packages.create("lab/ocean")
    return host


def incoming(host):
    folder = Path(host.services.settings.data_dir) / "incoming"
    return list(folder.rglob("*")) if folder.exists() else []


async def left(host):
    """Return what is still there once the job's thread has let go."""
    for _ in range(100):
        if not incoming(host):
            return []
        await asyncio.sleep(0.02)
    return incoming(host)


async def add(host, data, *, status=202, **query):
    path = f"packages/lab%2Focean/keys?{urlencode({'source': 'lake', **query})}"
    if status != 202:
        return await host.api("POST", path, data, status=status)
    return await host.job("POST", path, data)


async def paths(host):
    found = await host.fetch("GET", "api/v1/packages/lab%2Focean/files?match=*")
    return [item["path"] for item in json.loads(found.body)["items"]]


async def test_a_list_is_sent_and_added_without_listing(lake):
    job = await add(lake, LIST, to="in")
    assert job["state"] == "done", job
    assert (job["result"]["files_added"], job["files"], job["bytes"]) == (3, 3, 24)
    assert await paths(lake) == ["in/notes/c.txt", "in/obs/a.csv", "in/obs/b.csv"]
    assert await left(lake) == []


async def test_patterns_choose(lake):
    job = await add(lake, LIST, include="obs/*\n*.txt", exclude="b.*")
    assert job["result"]["files_filtered"] == 1
    assert await paths(lake) == ["notes/c.txt", "obs/a.csv"]


async def test_keys_of_a_whole_bucket_are_cut_to_the_source(lake):
    secret = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "nothing is asked"}
    body = {
        "name": "s3",
        "url": "s3://bucket/obs",
        "credential": {"kind": "stored"},
        "secret": secret,
    }
    await lake.api("POST", "sources", body, status=201)
    job = await add(lake, LIST, source="s3", bucket="bucket")
    assert job["state"] == "done", job
    assert await paths(lake) == ["a.csv", "b.csv"]
    job = await add(lake, LIST, source="s3", bucket="other")
    assert job["error"]["code"] == "bad_input"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"name\nx\n", "no column 'key'"),
        (LIST + b"obs/d,12345678901234567890123,x\n", "row 5"),
        (MANIFEST, "data file"),
    ],
)
async def test_a_damaged_list_adds_nothing_and_says_why(lake, data, words):
    job = await add(lake, data, name="may 2025.csv")
    assert (job["state"], job["error"]["code"]) == ("failed", "bad_input")
    assert words in job["error"]["message"]
    assert "may_2025.csv" in job["error"]["message"]
    assert await paths(lake) == []
    assert await left(lake) == []


async def test_what_cannot_be_is_said_at_once(lake):
    assert (await add(lake, LIST, status=404, source="sea"))["code"] == "source_not_found"
    answer = await lake.fetch("POST", "api/v1/packages/none/keys?source=lake", LIST)
    assert answer.code == 404
    answer = await lake.fetch("POST", "api/v1/packages/lab%2Focean/keys", LIST)
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "bad_input")
    assert await left(lake) == []


async def test_strangers_leave_nothing(lake, anonymous):
    answer = await anonymous("POST", "api/v1/packages/lab%2Focean/keys?source=lake", LIST)
    assert answer.code in (401, 403)
    assert incoming(lake) == []


@pytest.mark.parametrize("packager_config", [{"max_key_list_bytes": 50}])
async def test_a_list_that_is_too_large_is_refused(lake, folder):
    assert (await add(lake, LIST, status=413))["code"] == "too_large"
    (folder / "list.csv").write_bytes(LIST)
    body = {"source": "lake", "list_source": "lake", "list_key": "list.csv"}
    job = await lake.job("POST", "packages/lab%2Focean/keys/stored", body)
    assert job["error"]["code"] == "too_large"
    assert await left(lake) == []


async def test_a_sender_that_goes_away_leaves_nothing(lake):
    host, port = lake.root.removeprefix("http://").split("/")[0].split(":")
    prefix = "/" + lake.root.split("/", 3)[3]
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {prefix}api/v1/packages/lab%2Focean/keys?source=lake HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {lake.token}\r\nContent-Length: 1000\r\n\r\n"
    )
    writer.write(head.encode() + LIST)
    await writer.drain()
    for _ in range(100):
        if any(path.is_file() for path in incoming(lake)):
            break
        await asyncio.sleep(0.02)
    assert incoming(lake)
    writer.close()
    await writer.wait_closed()
    assert await left(lake) == []
    assert await paths(lake) == []
    del reader


async def test_a_list_in_a_source(lake, folder):
    (folder / "lists").mkdir()
    (folder / "lists" / "may.csv").write_bytes(LIST)
    body = {"source": "lake", "list_source": "lake", "list_key": "lists/may.csv", "to": "in"}
    job = await lake.job("POST", "packages/lab%2Focean/keys/stored", body)
    assert job["state"] == "done", job
    assert await paths(lake) == ["in/notes/c.txt", "in/obs/a.csv", "in/obs/b.csv"]
    gone = await lake.job("POST", "packages/lab%2Focean/keys/stored", body | {"list_key": "x"})
    assert gone["error"]["code"] == "object_not_found"
    assert await left(lake) == []


def put_inventory(folder, *, top):
    """Write an inventory into a folder as S3 lays it out in a bucket."""
    data = b'"bucket","obs/a%2Bb.csv","7"\n"bucket","obs/c.csv","8"\n'
    other = b'"bucket","elsewhere","9"\n'
    files = []
    (folder / top / "conf" / "data").mkdir(parents=True)
    for name, text in (("1.csv", data), ("2.csv", other)):
        (folder / top / "conf" / "data" / name).write_bytes(text)
        md5 = hashlib.md5(text).hexdigest()
        key = f"inv/{top}/conf/data/{name}"
        files.append({"key": key, "size": len(text), "MD5checksum": md5})
    manifest = folder / top / "conf" / "2025-08-01T00-00Z" / "manifest.json"
    manifest.parent.mkdir()
    value = {"sourceBucket": "bucket", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size"}
    manifest.write_text(json.dumps({**value, "files": files}))
    return manifest.relative_to(folder).as_posix()


async def test_an_inventory_in_a_source_brings_its_data(lake, folder):
    key = put_inventory(folder, top="bucket")
    secret = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "nothing is asked"}
    source = {"name": "s3", "url": "s3://bucket/obs", "credential": {"kind": "stored"}}
    await lake.api("POST", "sources", {**source, "secret": secret}, status=201)
    body = {"source": "s3", "list_source": "lake", "list_key": key}
    job = await lake.job("POST", "packages/lab%2Focean/keys/stored", body)
    assert job["state"] == "done", job
    assert await paths(lake) == ["a+b.csv", "c.csv"]
    (folder / "bucket/conf/data/2.csv").write_bytes(b"cut")
    cut = await lake.job("POST", "packages/lab%2Focean/keys/stored", body)
    assert "instead of" in cut["error"]["message"]
    (folder / "bucket/conf/data/2.csv").unlink()
    gone = await lake.job("POST", "packages/lab%2Focean/keys/stored", body)
    assert "2.csv is neither beside it" in gone["error"]["message"]
    assert await left(lake) == []


async def test_a_job_that_is_cancelled_adds_nothing(lake):
    rows = b"".join(b"obs/%d,1\n" % number for number in range(400_000))
    path = f"packages/lab%2Focean/keys?source={quote('lake')}"
    job = await lake.api("POST", path, b"key,size\n" + rows, status=202)
    await lake.api("DELETE", f"jobs/{job['id']}")
    for _ in range(1000):
        job = await lake.api("GET", f"jobs/{job['id']}")
        if job["state"] != "running":
            break
        await asyncio.sleep(0.02)
    assert job["state"] == "cancelled"
    assert await paths(lake) == []
    assert await left(lake) == []
