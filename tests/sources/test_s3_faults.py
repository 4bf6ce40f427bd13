"""What the S3 source makes of a storage that fails, lies or is something else."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from packager_jupyter.errors import (
    ObjectChangedError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageBusyError,
    StorageCredentialError,
    StorageDeniedError,
    StorageError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)
from packager_jupyter.sources import transport
from sources.support import Reply

PAGE = (
    "<ListBucketResult><Name>data</Name><Prefix></Prefix><IsTruncated>{}</IsTruncated>{}"
    "<Contents><Key>{}</Key><LastModified>2024-01-02T03:04:05Z</LastModified><ETag>e</ETag>"
    "<Size>3</Size></Contents></ListBucketResult>"
)
TOKEN = "<NextContinuationToken>t</NextContinuationToken>"
LAST = Reply(200, PAGE.format("false", "", "last"))
FIRST = Reply(200, PAGE.format("true", TOKEN, "first"))
FAULTS = [
    Reply.s3_error(503, "SlowDown"),
    Reply.s3_error(500, "InternalError"),
    Reply.s3_error(200, "InternalError"),
    Reply(429, "slow down"),
    Reply(502, "<html>bad gateway</html>"),
    Reply(close=True),
    Reply(200, PAGE.format("false", "", "last"), cut=100),
]


def walked(source):
    return [entry.key for batch in source.walk() for entry in batch]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_not_noticed(fake_s3, misbehaving, fault):
    misbehaving.script = [FIRST, fault, fault, LAST]
    assert walked(fake_s3) == ["first", "last"]
    assert len(misbehaving.requests) == 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_an_error_and_no_short_listing(fake_s3, misbehaving, fault):
    misbehaving.script = [FIRST, fault]
    with pytest.raises(StorageError) as caught:
        walked(fake_s3)
    error = caught.value
    assert isinstance(error, (StorageBusyError, StorageUnreachableError))
    assert error.status == 503
    assert error.retry_after_s
    assert error.remedy
    assert len(misbehaving.requests) == 1 + transport.ATTEMPTS


def test_the_storage_may_ask_to_wait_but_not_for_ever(fake_s3, misbehaving, monkeypatch):
    slept = []
    monkeypatch.setattr(transport.time, "sleep", slept.append)
    misbehaving.script = [Reply(503, headers={"Retry-After": "2"}), LAST]
    assert walked(fake_s3) == ["last"]
    assert slept == [2.0]
    misbehaving.script = [Reply(503, headers={"Retry-After": "3600"})]
    with pytest.raises(StorageBusyError):
        walked(fake_s3)
    assert slept == [2.0]


def test_a_storage_that_hangs_is_given_up_in_time(fake_s3, misbehaving, monkeypatch):
    monkeypatch.setattr(transport, "READ_S", 0.2)
    monkeypatch.setattr(transport, "DEADLINE_S", 0.5)
    misbehaving.script = [Reply(200, hang_s=30)]
    start = time.monotonic()
    with pytest.raises(StorageUnreachableError, match="did not answer in time"):
        fake_s3.list_page()
    assert time.monotonic() - start < 10
    assert len(misbehaving.requests) <= 4


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<html><body>Log in</body></html>", {"Content-Type": "text/html"}),
        Reply(200, "<!DOCTYPE html><html><head><title>x</title></head></html>"),
        Reply(200, ""),
        Reply(200, "{}"),
        Reply(404, "<html>no such page</html>"),
        Reply(403, "<html>forbidden by the proxy</html>"),
        Reply(401, "<html>log in</html>"),
        Reply(200, PAGE.format("true", "", "first")),
    ],
)
def test_what_is_not_s3_is_said_to_be_not_s3(fake_s3, misbehaving, reply):
    misbehaving.script = [reply]
    with pytest.raises(StorageNotUnderstoodError) as caught:
        fake_s3.list_page()
    assert "endpoint" in caught.value.remedy
    assert not fake_s3.test().is_ok


def test_a_listing_that_goes_round_in_circles(fake_s3, misbehaving):
    misbehaving.script = [FIRST]
    with pytest.raises(StorageNotUnderstoodError) as caught:
        walked(fake_s3)
    assert "advance" in caught.value.details


@pytest.mark.parametrize(
    ("status", "code", "expected", "word"),
    [
        (400, "ExpiredToken", StorageCredentialError, "expired"),
        (403, "ExpiredToken", StorageCredentialError, "expired"),
        (400, "InvalidToken", StorageCredentialError, "expired"),
        (403, "InvalidAccessKeyId", StorageCredentialError, "know"),
        (403, "SignatureDoesNotMatch", StorageCredentialError, "secret key"),
        (403, "AccessDenied", StorageDeniedError, "may not"),
        (404, "NoSuchBucket", StorageBucketNotFoundError, "data"),
        (301, "PermanentRedirect", StorageError, "region"),
        (307, "TemporaryRedirect", StorageError, "region"),
        (400, "AuthorizationHeaderMalformed", StorageError, "region"),
        (400, "AuthorizationQueryParametersError", StorageError, "region"),
        (418, "Unheard", StorageError, "Unheard"),
    ],
)
def test_error_codes_become_sentences(fake_s3, misbehaving, *, status, code, expected, word):
    misbehaving.script = [Reply.s3_error(status, code)]
    with pytest.raises(expected, match=word) as caught:
        fake_s3.list_page()
    error = caught.value
    assert type(error) is expected
    assert error.details == f"HTTP {status}, {code}"
    assert "canary" not in f"{error}{error.details}".lower().replace("…nary", "")
    if expected is StorageError and word == "region":
        assert "eu-north-1" in error.remedy
    assert len(misbehaving.requests) == 1


@pytest.mark.parametrize("seconds", [-1200, 1200])
def test_a_wrong_clock_is_told(fake_s3, misbehaving, monkeypatch, seconds):
    monkeypatch.setattr(
        "http.server.BaseHTTPRequestHandler.date_time_string",
        lambda _self: formatdate(time.time() + seconds, usegmt=True),
    )
    for code in ("RequestTimeTooSkewed", "AccessDenied", "SignatureDoesNotMatch"):
        misbehaving.script = [Reply.s3_error(403, code)]
        with pytest.raises(StorageDeniedError, match="clock") as caught:
            fake_s3.list_page()
        assert ("behind" if seconds > 0 else "ahead") in caught.value.message


def test_nobody_is_sent_to_another_host(fake_s3, misbehaving, other_host):
    for status in (301, 302, 303, 307, 308):
        misbehaving.script = [Reply(status, headers={"Location": f"{other_host.url}/data/k"})]
        for action in (
            fake_s3.list_page,
            lambda: fake_s3.stat("k"),
            lambda: b"".join(fake_s3.read("k")),
        ):
            with pytest.raises(StorageNotUnderstoodError):
                action()
    assert other_host.requests == []


def test_a_server_without_head_is_asked_by_get(fake_s3, misbehaving):
    misbehaving.script = [
        Reply(405),
        Reply(206, "0", {"Content-Range": "bytes 0-0/77", "ETag": '"abc"'}),
    ]
    entry = fake_s3.stat("k")
    assert (entry.size_bytes, entry.etag, entry.modified_s) == (77, "abc", None)


def test_head_errors_are_explained_by_get(fake_s3, misbehaving):
    misbehaving.script = [Reply(404), Reply.s3_error(404, "NoSuchKey")]
    with pytest.raises(ObjectNotFoundError):
        fake_s3.stat("k")
    misbehaving.script = [Reply(404), Reply.s3_error(404, "NoSuchBucket")]
    with pytest.raises(StorageBucketNotFoundError):
        fake_s3.stat("k")


def test_an_archived_object_is_said_to_be_archived(fake_s3, misbehaving):
    misbehaving.script = [Reply.s3_error(403, "InvalidObjectState")]
    with pytest.raises(StorageError, match="archived"):
        b"".join(fake_s3.read("k"))


def body(data, start=0, *, etag='"e"', cut=None):
    headers = {"ETag": etag}
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return Reply(206 if start else 200, data[start:], headers, cut=cut)


def test_a_read_that_breaks_off_goes_on_where_it_was(fake_s3, misbehaving):
    data = bytes(range(256)) * 20
    misbehaving.script = [
        body(data, cut=1000),
        Reply.s3_error(503, "SlowDown"),
        body(data, 1000, cut=1),
        body(data, 1001),
    ]
    assert b"".join(fake_s3.read("k")) == data
    sent = [headers for _, _, headers in misbehaving.requests]
    assert [headers.get("Range") for headers in sent] == [
        None,
        "bytes=1000-",
        "bytes=1000-",
        "bytes=1001-",
    ]
    assert [headers.get("If-Match") for headers in sent] == [None, '"e"', '"e"', '"e"']


def test_a_read_that_gets_on_is_not_given_up(fake_s3, misbehaving):
    data = b"0123456789" * 2
    breaks = [body(data, at, cut=1) for at in range(len(data) - 1)]
    misbehaving.script = [*breaks, body(data, len(data) - 1)]
    assert b"".join(fake_s3.read("k")) == data


def test_a_read_does_not_mix_two_objects(fake_s3, misbehaving):
    misbehaving.script = [body(b"x" * 5000, cut=1000), Reply.s3_error(412, "PreconditionFailed")]
    with pytest.raises(ObjectChangedError):
        b"".join(fake_s3.read("k"))


def test_a_read_that_always_breaks_off_is_given_up(fake_s3, misbehaving):
    misbehaving.script = [body(b"x" * 5000, cut=0)]
    with pytest.raises(StorageUnreachableError):
        b"".join(fake_s3.read("k"))
    assert len(misbehaving.requests) == 5


def test_a_server_that_ignores_ranges_is_told(fake_s3, misbehaving):
    misbehaving.script = [body(b"0123456789")]
    with pytest.raises(StorageNotUnderstoodError, match="ranges"):
        b"".join(fake_s3.read("k", start=5))
    misbehaving.script = [
        Reply(206, b"01234", {"Content-Range": "bytes 0-4/10"}),
    ]
    with pytest.raises(StorageNotUnderstoodError, match="ranges"):
        b"".join(fake_s3.read("k", start=5))


def test_compressed_objects_are_given_as_they_are_stored(fake_s3, misbehaving):
    misbehaving.script = [Reply(200, b"\x1f\x8bnot really", {"Content-Encoding": "gzip"})]
    assert b"".join(fake_s3.read("k")) == b"\x1f\x8bnot really"


def test_an_answer_without_end_is_refused(fake_s3, misbehaving, monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    misbehaving.script = [Reply(200, b"x" * 5000)]
    with pytest.raises(StorageNotUnderstoodError, match="more than"):
        fake_s3.list_page()


def test_checksums_are_taken_only_when_they_are_of_the_bytes(fake_s3, misbehaving):
    md5 = "d41d8cd98f00b204e9800998ecf8427e"
    sha = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    for headers, expected in (
        ({"ETag": f'"{md5}"'}, {"md5": md5}),
        ({"ETag": f'"{md5}"', "x-amz-server-side-encryption": "AES256"}, {"md5": md5}),
        ({"ETag": f'"{md5}"', "x-amz-server-side-encryption": "aws:kms"}, {}),
        ({"ETag": f'"{md5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, {}),
        ({"ETag": f'"{md5}-2"'}, {}),
        ({"x-amz-checksum-sha256": f"{sha}-2"}, {}),
        ({"x-amz-checksum-sha256": sha, "x-amz-checksum-type": "COMPOSITE"}, {}),
        ({"x-amz-checksum-sha256": "not base64!"}, {}),
        (
            {"x-amz-checksum-sha256": sha, "x-amz-checksum-type": "FULL_OBJECT"},
            {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        ),
    ):
        misbehaving.script = [Reply(200, headers=headers)]
        assert fake_s3.stat("k").checksums == expected, headers


def test_a_proxy_of_the_environment_is_used(fake_s3, misbehaving, other_host, monkeypatch):
    from packager_jupyter.sources.transport import Transport

    monkeypatch.setenv("http_proxy", other_host.url)
    other_host.script = [Reply(200, b"by proxy")]
    through = Transport("x")
    assert through.fetch("GET", "http://storage.example.org/a").body == b"by proxy"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    misbehaving.script = [Reply(200, b"direct")]
    assert through.fetch("GET", f"{misbehaving.url}/a").body == b"direct"
    through.close()
