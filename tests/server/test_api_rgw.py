"""The main job over REST inside jupyter_server, against a real gateway with 5,000 keys.

A stranger with the capability link gets every byte from the gateway; our server only redirects.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import pytest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

PASSWORD = "canary-password-77ab"
PARTS = ("plain", "with space", "a+b", "c#d", "50%25", "e&f", "été", "日本", "x=y;z", "q?r")


@pytest.fixture(scope="module")
def bucket(rgw):
    """A bucket of 5,000 objects: two folders, a rest that stays out, one file at the top."""
    objects = {
        f"obs/{n % 30:02d}/{PARTS[n % 10]}/{n:05d} {PARTS[n // 10 % 10]}.csv": b"%d\n" % n
        for n in range(2500)
    }
    objects |= {f"raw data/{PARTS[n % 10]}/{n:05d}.bin": b"%d\n" % -n for n in range(1500)}
    objects |= {f"left out/{n:04d}.txt": b"x" for n in range(999)}
    objects["top #1.json"] = b"{}"
    assert len(objects) == 5000
    name, client = rgw.bucket(), rgw.client()
    with ThreadPoolExecutor(12) as pool:
        puts = (
            pool.submit(client.put_object, Bucket=name, Key=key, Body=data)
            for key, data in objects.items()
        )
        for put in list(puts):
            put.result()
    return name, objects


def source_body(rgw, bucket):
    return {
        "name": "lake",
        "url": f"s3://{bucket}",
        "options": {"endpoint_url": rgw.endpoint_url, "region": rgw.region},
        "credential": {"kind": "stored"},
        "secret": {
            "AWS_ACCESS_KEY_ID": rgw.access_key,
            "AWS_SECRET_ACCESS_KEY": rgw.secret_key,
        },
    }


async def list_level(host, prefix):
    rows, cursor = [], None
    while True:
        more = f"&cursor={quote(cursor)}" if cursor else ""
        page = await host.api("GET", f"sources/lake/entries?prefix={quote(prefix)}&limit=700{more}")
        rows += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            return rows


def requests_by_status(numbers: str, route: str) -> dict[str, int]:
    pattern = rf'packager_requests_total\{{method="(\w+)",route="{re.escape(route)}",status="(\d+)"'
    found = {}
    for line in numbers.splitlines():
        match = re.match(pattern, line)
        if match:
            found[f"{match[1]} {match[2]}"] = int(float(line.rpartition(" ")[2]))
    return found


@pytest.mark.parametrize("packager_config", [{"endpoint_hosts": ["127.0.0.1"]}])
@pytest.mark.timeout(600)
async def test_the_main_job(rgw, bucket, packager_config, jupyter_host):
    host = jupyter_host
    name, objects = bucket
    spec = await host.api("POST", "sources", source_body(rgw, name), status=201)
    assert rgw.secret_key not in json.dumps(spec)
    report = await host.api("POST", "sources/lake/test")
    assert report["is_ok"], report

    top = await list_level(host, "")
    assert [row["key"] for row in top] == ["left out/", "obs/", "raw data/", "top #1.json"]
    flat = await list_level(host, "left out/")
    assert len(flat) == len({row["key"] for row in flat}) == 999

    await host.api("POST", "packages", {"name": "lab/flow", "title": "Flow"}, status=201)
    job = await host.job(
        "POST", "packages/lab%2Fflow/files", {"source": "lake", "keys": ["obs/", "raw data/"]}
    )
    assert job["state"] == "done", job
    assert job["result"]["files_added"] == job["files"] == 4000
    job = await host.job(
        "POST",
        "packages/lab%2Fflow/files",
        {"source": "lake", "keys": ["top #1.json"], "to": "about", "rename": "the summary.json"},
    )
    assert job["result"]["files_added"] == 1
    for path, data in (("README.md", b"# Flow\n"), ("look.ipynb", b'{"cells": []}')):
        attached = await host.fetch(
            "PUT", f"api/v1/packages/lab%2Fflow/attachments?path={path}", data
        )
        assert attached.code == 200, attached.body
    published = await host.api("POST", "packages/lab%2Fflow/versions", {}, status=201)
    assert (published["version"], published["files"]) == ("1", 4001)
    body = {"package": "lab/flow", "version": "1", "password": PASSWORD, "expires_in_s": 3600}
    share = await host.api("POST", "shares", body, status=201)

    locked = await host.fetch(
        "GET", share["url"].removeprefix(host.root) + "manifest.jsonl", is_anonymous=True
    )
    assert locked.code == 401
    assert b"obs" not in locked.body
    open_root = share["capability_url"].removeprefix(host.root)
    manifest = await host.fetch("GET", open_root + "manifest.jsonl", is_anonymous=True)
    rows = [json.loads(line) for line in manifest.body.splitlines()]
    pointers = {row["path"]: row["x-key"] for row in rows if "x-key" in row}
    assert len(pointers) == 4001

    client = SimpleAsyncHTTPClient(force_instance=True, max_clients=24)
    hosts, turns = set(), asyncio.Semaphore(24)

    async def fetch(path: str, key: str) -> bool:
        async with turns:
            return await fetch_now(f"{host.root}{open_root}files/{quote(path)}", path, key)

    async def fetch_now(url: str, path: str, key: str) -> bool:
        redirect = await client.fetch(
            url, follow_redirects=False, raise_error=False, request_timeout=120
        )
        assert redirect.code == 307, (path, redirect.body)
        assert "no-store" in redirect.headers["Cache-Control"]
        location = redirect.headers["Location"]
        hosts.add(urlsplit(location).netloc)
        got = await client.fetch(location, request_timeout=120)
        return hashlib.sha256(got.body).digest() == hashlib.sha256(objects[key]).digest()

    same = await asyncio.gather(*(fetch(path, key) for path, key in pointers.items()))
    client.close()
    assert all(same)
    assert hosts == {urlsplit(rgw.endpoint_url).netloc}
    numbers = (await host.fetch("GET", "metrics")).body.decode()
    assert requests_by_status(numbers, "s/{share}/files/{path}") == {"GET 307": 4001}


@pytest.mark.parametrize("packager_config", [{"endpoint_hosts": ["127.0.0.1"]}])
async def test_a_storage_that_refuses_is_explained(rgw, bucket, packager_config, host):
    name, _objects = bucket
    wrong = source_body(rgw, name)
    wrong["secret"]["AWS_SECRET_ACCESS_KEY"] = "CANARY-wrong"
    cases = {
        "denied": wrong,
        "nobucket": {**source_body(rgw, "no-such-bucket-77"), "name": "nobucket"},
        "nohost": {
            **source_body(rgw, name),
            "options": {"endpoint_url": "http://127.0.0.1:9", "region": rgw.region},
        },
    }
    for case, body in cases.items():
        await host.api("POST", "sources", {**body, "name": case}, status=201)
        response = await host.fetch("GET", f"api/v1/sources/{case}/entries")
        assert response.code in {502, 503}, (case, response.body)
        failed = json.loads(response.body)
        assert failed["remedy"]
        assert "CANARY" not in response.body.decode()
        assert "X-Amz" not in response.body.decode()
        report = await host.api("POST", f"sources/{case}/test")
        assert report["is_ok"] is False
