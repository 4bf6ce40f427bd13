"""Shares of what lies in S3 (Ceph) and Azure (Azurite): redirects that the storage accepts as they
are, and refuses as anything else."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from packager_jupyter.sources.catalog import SourceOptions
from server.share.ocean import BROWSER, FILES, PASSWORD, Published, encoded, publish
from server.share.storages import S3, STORED, Azure


@pytest.fixture(params=["s3", "s3-versioned", "azure"])
def stored(request, standalone_host):
    """Return the package with its files in a real storage, and that storage."""
    if request.param == "azure":
        storage = Azure(request.getfixturevalue("azurite"))
    else:
        storage = S3(request.getfixturevalue("rgw"), is_versioned=request.param != "s3")
    for path, data in FILES.items():
        storage.put(path, data)
    services = standalone_host.services
    services.sources.add("lake", credential=STORED, **storage.connection)
    publish(services, "lake")
    return Published(standalone_host, None), storage


async def test_every_file_comes_straight_from_the_storage(stored):
    published, storage = stored
    segment = published.share().segment
    async with httpx.AsyncClient() as client:
        for path, data in FILES.items():
            head = await published.get(segment, f"files/{encoded(path)}", method="HEAD")
            assert (head.code, head.headers["Content-Length"]) == (200, str(len(data))), path
            answer = await published.get(segment, f"files/{encoded(path)}")
            assert answer.code == 307, (path, answer.body)
            location = answer.headers["Location"]
            assert location.startswith(storage.endpoint)
            found = await client.get(location)
            assert (found.status_code, found.content) == (200, data), path
            disposition = found.headers["Content-Disposition"]
            name = unquote(disposition.rpartition("UTF-8''")[2])
            wanted = path.rpartition("/")[2].replace('"', "_")  # no system takes quotes well
            assert wanted in {name, disposition.split('"')[1]}


async def test_an_altered_or_expired_address_is_refused_by_the_storage(stored):
    published, _ = stored
    segment = published.share(expires_in_s=60).segment
    answer = await published.get(segment, "files/top.bin")
    location = answer.headers["Location"]
    altered = [
        location.replace("top.bin", "empty.dat", 1),
        location.replace("X-Amz-Expires=", "X-Amz-Expires=9").replace("se=20", "se=21"),
        location[:-4] + ("AAAA" if not location.endswith("AAAA") else "BBBB"),
        location.partition("?")[0],
    ]
    async with httpx.AsyncClient() as client:
        for address in altered:
            assert address != location
            refused = await client.get(address)
            assert refused.status_code in {400, 401, 403, 404, 409}, address
        for method in ("PUT", "DELETE"):
            assert (await client.request(method, location)).status_code >= 400
        assert (await client.get(location)).content == FILES["top.bin"]


async def test_an_address_lives_no_longer_than_the_share(stored):
    published, _ = stored
    for expires_in_s, longest in ((100, 100), (None, 3600)):
        segment = published.share(expires_in_s=expires_in_s).segment
        answer = await published.get(segment, "files/top.bin")
        query = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        if "X-Amz-Expires" in query:
            assert 0 < int(query["X-Amz-Expires"]) <= longest
        else:
            end = time.strptime(query["se"], "%Y-%m-%dT%H:%M:%SZ")
            assert 0 < time.mktime(end) - time.mktime(time.gmtime()) <= longest + 1
            assert (query["sr"], query["sp"]) == ("b", "r")
            assert not {"ss", "srt"} & set(query)


async def test_what_was_published_or_nothing(stored):
    published, storage = stored
    segment = published.share().segment
    storage.put("top.bin", b"something else altogether")
    storage.put("obs/%41.txt", b"ENCODED")  # the same size
    answers = [await published.get(segment, f"files/{p}") for p in ("top.bin", "obs/%2541.txt")]
    if all(answer.code == 307 for answer in answers):
        # A storage with versions still has the published bytes, and the address names them.
        async with httpx.AsyncClient() as client:
            found = [(await client.get(a.headers["Location"])).content for a in answers]
        assert found == [FILES["top.bin"], FILES["obs/%41.txt"]]
    else:
        assert [answer.code for answer in answers] == [409, 409]
    storage.delete("empty.dat")
    gone = await published.get(segment, "files/empty.dat")
    assert gone.code in {307, 404}


async def test_an_unversioned_storage_cannot_give_other_bytes(standalone_host, rgw):
    storage = S3(rgw, is_versioned=False)
    storage.put("a.txt", b"one")
    services = standalone_host.services
    services.sources.add("lake", credential=STORED, **storage.connection)
    publish(services, "lake")
    published = Published(standalone_host, None)
    segment = published.share().segment
    assert (await published.get(segment, "files/a.txt")).code == 307
    storage.put("a.txt", b"two")
    deadline = time.monotonic() + 30
    while (await published.get(segment, "files/a.txt")).code != 409:
        assert time.monotonic() < deadline, "the change is never noticed"
        await asyncio.sleep(0.2)


async def test_nothing_of_the_credential_is_ever_shown(stored):
    published, storage = stored
    created = published.share(password=PASSWORD)
    segment = created.capability_segment
    for below in ("", "files/", "urls.txt", "manifest.jsonl", "package.zip", "files/nothing"):
        for accept in ({}, BROWSER):
            answer = await published.get(segment, below, **accept)
            text = answer.body + str(dict(answer.headers)).encode()
            for secret in storage.secrets:
                assert secret.encode() not in text
            assert b"X-Amz-" not in text
            assert b"sig=" not in text


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://127.0.0.1:1/x"])
async def test_a_storage_that_is_down(standalone_host, rgw, endpoint):
    storage = S3(rgw, is_versioned=False)
    storage.put("a.txt", b"one")
    services = standalone_host.services
    services.sources.add("lake", credential=STORED, **storage.connection)
    publish(services, "lake")
    published = Published(standalone_host, None)
    services.sources.update(
        "lake",
        options=SourceOptions(endpoint_url=endpoint, region="us-east-1"),
        credential=STORED,
        secret=storage.connection["secret"],
    )
    segment = published.share().segment
    for accept in ({}, BROWSER):
        answer = await published.get(segment, "files/a.txt", **accept)
        assert answer.code in {502, 503}
        assert int(answer.headers["Retry-After"]) > 0
        assert b"127.0.0.1" not in answer.body
        assert storage.bucket.encode() not in answer.body
