"""The S3 source on a real Ceph gateway."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

import pytest

from packager_jupyter.errors import (
    BadInputError,
    CredentialMissingError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageCredentialError,
    StorageDeniedError,
    StorageUnreachableError,
)
from packager_jupyter.sources import s3
from packager_jupyter.sources.base import Source
from packager_jupyter.sources.credentials import Credential
from packager_jupyter.sources.s3_client import Profile
from packager_jupyter.sources.spec import SourceOptions, SourceSpec
from peers.process import free_ports
from sources.support import HOSTILE_KEYS, body_of, s3_credential


def get(url, headers=None, method="GET"):
    """Send exactly this request target, as no client that tidies up paths would."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}", headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


@pytest.fixture(scope="module")
def hostile(rgw):
    """A bucket with every hostile key."""
    bucket = rgw.bucket()
    client = rgw.client()
    for key in HOSTILE_KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=body_of(key))
    return bucket


@pytest.fixture(scope="module")
def bucket(rgw):
    """A bucket that tests only read."""
    return filled_bucket(rgw)


@pytest.fixture
def own_bucket(rgw):
    """A bucket that a test may change."""
    return filled_bucket(rgw)


def filled_bucket(rgw):
    name = rgw.bucket()
    client = rgw.client()
    for key, body in {
        "readme.txt": b"0123456789",
        "raw/one.tif": b"one",
        "raw/two.tif": b"two",
        "raw/deep/er/three.tif": b"three",
        "raw/": b"",
        "empty/": b"",
        "rawhide": b"not in raw/",
    }.items():
        client.put_object(Bucket=name, Key=key, Body=body, ContentType="image/tiff")
    return name


def walked(source, prefix=""):
    return [entry.key for batch in source.walk(prefix) for entry in batch]


def test_it_is_a_source(s3_source, bucket):
    source = s3_source(bucket)
    asked = [name for name in vars(Source) if not name.startswith("_")]
    assert "signer" in asked
    assert [name for name in asked if not hasattr(source, name)] == []
    assert source.is_bulk
    assert source.uri("raw/one.tif") == f"s3://{bucket}/raw/one.tif"


def test_every_hostile_key_is_walked_unchanged(s3_source, hostile):
    assert sorted(walked(s3_source(hostile))) == sorted(HOSTILE_KEYS)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_hostile_keys_are_listed_level_by_level(s3_source, hostile, limit):
    source = s3_source(hostile)
    seen, folders = [], [""]
    while folders:
        prefix, cursor = folders.pop(), None
        while True:
            page = source.list_page(prefix, cursor=cursor, limit=limit)
            assert 0 < len(page.entries) <= limit
            folders += [entry.key for entry in page.entries if entry.is_folder]
            seen += [entry.key for entry in page.entries if not entry.is_folder]
            assert all(entry.key.startswith(prefix) for entry in page.entries)
            cursor = page.cursor
            if cursor is None:
                break
    assert sorted(seen) == sorted(HOSTILE_KEYS)


def test_hostile_keys_are_read_looked_up_and_fetched(s3_source, hostile):
    source = s3_source(hostile)
    sign, sign_head = source.signer(ttl_s=60), source.signer(ttl_s=60, method="HEAD")
    for key in HOSTILE_KEYS:
        body = body_of(key)
        assert b"".join(source.read(key)) == body, key
        entry = source.stat(key)
        assert (entry.key, entry.size_bytes) == (key, len(body))
        status, headers, fetched = get(sign(key, filename=key[-60:], media_type="text/x-own"))
        assert (status, fetched) == (200, body), key
        assert headers["Content-Disposition"].startswith('attachment; filename="')
        assert headers["Content-Type"] == "text/x-own"
        status, headers, _ = get(sign_head(key), method="HEAD")
        assert (status, headers["Content-Length"]) == (200, str(len(body))), key


@pytest.fixture
def localhost_names(monkeypatch):
    """Resolve ``*.localhost``, as browsers do (RFC 6761 6.3) and not every C library does."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_hostile_keys_below_a_prefix_in_virtual_host_style(rgw, s3_source, localhost_names):
    name = rgw.bucket()
    for key in HOSTILE_KEYS[:20]:
        rgw.client().put_object(Bucket=name, Key=f"ro ot/é/{key}", Body=body_of(key))
    endpoint = rgw.endpoint_url.replace("127.0.0.1", "localhost")
    source = s3_source(name, prefix="ro ot/é", endpoint_url=endpoint, path_style=False)
    assert sorted(walked(source)) == sorted(HOSTILE_KEYS[:20])
    for key in HOSTILE_KEYS[:20]:
        assert b"".join(source.read(key)) == body_of(key)
        url = source.signer(ttl_s=60)(key)
        assert urlsplit(url).hostname == f"{name}.localhost"
        assert get(url)[2] == body_of(key)


def test_a_level_is_listed_without_what_is_below(s3_source, bucket):
    page = s3_source(bucket).list_page()
    assert [(e.key, e.is_folder) for e in page.entries] == [
        ("empty/", True),
        ("raw/", True),
        ("rawhide", False),
        ("readme.txt", False),
    ]
    assert page.cursor is None


def test_folder_markers_are_not_files_without_a_name(s3_source, bucket):
    source = s3_source(bucket)
    assert [e.key for e in source.list_page("raw/").entries] == [
        "raw/deep/",
        "raw/one.tif",
        "raw/two.tif",
    ]
    assert source.list_page("empty/").entries == []
    assert source.list_page("raw/", limit=1).entries[0].key == "raw/deep/"
    assert sorted(walked(source, "raw/")) == ["raw/deep/er/three.tif", "raw/one.tif", "raw/two.tif"]


def test_the_root_cuts_and_bounds(s3_source, bucket):
    source = s3_source(bucket, prefix="raw")
    assert [e.key for e in source.list_page().entries] == ["deep/", "one.tif", "two.tif"]
    assert sorted(walked(source)) == ["deep/er/three.tif", "one.tif", "two.tif"]
    assert source.uri("one.tif") == f"s3://{bucket}/raw/one.tif"
    with pytest.raises(ObjectNotFoundError):
        source.stat("../readme.txt")


def test_a_first_page_is_one_request(s3_source, bucket, monkeypatch):
    source = s3_source(bucket)
    sent = []
    fetch = source._transport.fetch
    monkeypatch.setattr(
        source._transport, "fetch", lambda *a, **k: sent.append(a) or fetch(*a, **k)
    )
    source.list_page(limit=2)
    assert len(sent) == 1


def test_cursors_belong_to_their_listing(s3_source, bucket):
    source = s3_source(bucket)
    cursor = source.list_page(limit=1).cursor
    for prefix, wrong in (("raw/", cursor), ("", cursor[:-3]), ("", "é"), ("", "W10"), ("", "")):
        with pytest.raises(BadInputError, match="cursor"):
            source.list_page(prefix, cursor=wrong)
    with pytest.raises(BadInputError, match="0 rows"):
        source.list_page(limit=0)


def test_stat_says_what_the_storage_knows(s3_source, bucket):
    entry = s3_source(bucket).stat("raw/one.tif")
    assert entry.size_bytes == 3
    assert entry.media_type == "image/tiff"
    assert abs(entry.modified_s - time.time()) < 600
    assert entry.etag == "f97c5d29941bfb1b2fdab0874906ab82"
    assert entry.checksums == {"md5": "f97c5d29941bfb1b2fdab0874906ab82"}


def test_an_etag_of_parts_is_no_checksum(rgw, s3_source, own_bucket):
    client = rgw.client()
    upload = client.create_multipart_upload(Bucket=own_bucket, Key="big")["UploadId"]
    part = client.upload_part(
        Bucket=own_bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 10
    )
    client.complete_multipart_upload(
        Bucket=own_bucket,
        Key="big",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    entry = s3_source(own_bucket).stat("big")
    assert entry.etag.endswith("-1")
    assert entry.checksums == {}


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 4, b"0123"),
        (3, 5, b"34"),
        (7, None, b"789"),
        (8, 100, b"89"),
        (10, None, b""),
        (50, 60, b""),
        (4, 4, b""),
    ],
)
def test_ranges(s3_source, bucket, start, stop, expected):
    assert b"".join(s3_source(bucket).read("readme.txt", start=start, stop=stop)) == expected


def test_an_empty_object_is_read_as_empty(rgw, s3_source, own_bucket):
    rgw.client().put_object(Bucket=own_bucket, Key="nothing", Body=b"")
    source = s3_source(own_bucket)
    assert b"".join(source.read("nothing")) == b""
    assert b"".join(source.read("nothing", stop=1)) == b""


def test_large_objects_come_in_chunks(rgw, s3_source, own_bucket):
    body = bytes(range(256)) * 4096 * 3
    rgw.client().put_object(Bucket=own_bucket, Key="large", Body=body)
    chunks = list(s3_source(own_bucket).read("large"))
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 1024 * 1024


def test_versions_are_pinned(rgw, s3_source):
    name = rgw.bucket()
    client = rgw.client()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=name, Key="k", Body=b"old")["VersionId"]
    client.put_object(Bucket=name, Key="k", Body=b"new")
    source = s3_source(name)
    newest = source.stat("k")
    assert newest.version_id not in {None, old}
    assert source.stat("k", version_id=old).version_id == old
    assert b"".join(source.read("k", version_id=old)) == b"old"
    assert get(source.signer(ttl_s=60)("k", version_id=old))[2] == b"old"
    client.delete_object(Bucket=name, Key="k")
    with pytest.raises(ObjectNotFoundError):
        source.stat("k")
    assert get(source.signer(ttl_s=60)("k", version_id=newest.version_id))[2] == b"new"
    with pytest.raises(ObjectNotFoundError):
        source.stat("k", version_id=old[:-1] + ("0" if old[-1] != "0" else "1"))


def test_tampered_and_expired_urls_are_refused(s3_source, bucket):
    source = s3_source(bucket)
    url = source.signer(ttl_s=60)("raw/one.tif", filename="a.tif")
    assert get(url)[0] == 200
    last = url[-1]
    for bad in (
        url[:-1] + ("0" if last != "0" else "1"),
        url.replace("raw/one.tif", "raw/two.tif"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=604800"),
        url.replace("a.tif%22", "b.tif%22"),
        url.replace("response-content-disposition", "response-content-type"),
    ):
        assert bad != url
        assert get(bad)[0] == 403, bad
    assert get(url, method="PUT")[0] == 403
    assert get(url, method="DELETE")[0] == 403
    brief = source.signer(ttl_s=1)("raw/one.tif")
    time.sleep(2.1)
    status, _, body = get(brief)
    assert status == 403
    assert b"one" not in body


@pytest.mark.parametrize("ttl_s", [0, -5, 604801])
def test_life_times_have_bounds(s3_source, bucket, ttl_s):
    with pytest.raises(BadInputError, match=str(ttl_s)):
        s3_source(bucket).signer(ttl_s=ttl_s)


def test_readers_may_reach_the_storage_by_another_name(rgw, s3_source, bucket):
    public = rgw.endpoint_url.replace("127.0.0.1", "localhost")
    source = s3_source(bucket, public_endpoint_url=public)
    url = source.signer(ttl_s=60)("raw/one.tif")
    assert url.startswith(f"{public}/{bucket}/raw/one.tif?")
    assert get(url)[2] == b"one"
    assert source.list_page().entries


def failing(source, action):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each test says which one
        action(source)
    error = caught.value
    assert error.remedy
    shown = f"{error} {error.details} {error!r}"
    assert "SKTEST" not in shown
    assert "X-Amz" not in shown
    assert "field-data" in error.message or isinstance(error, ObjectNotFoundError)
    return error


ACTIONS = [
    lambda source: source.list_page(),
    walked,
    lambda source: source.stat("raw/one.tif"),
    lambda source: b"".join(source.read("raw/one.tif")),
]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_wrong_secret(rgw, s3_source, bucket, action):
    source = s3_source(bucket, credential=s3_credential(rgw, AWS_SECRET_ACCESS_KEY="SKTESTwrong"))
    error = failing(source, action)
    assert isinstance(error, StorageCredentialError)
    assert "…TEST" in error.message
    assert "AKTEST" not in str(error)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unknown_key(rgw, s3_source, bucket, action):
    source = s3_source(bucket, credential=s3_credential(rgw, AWS_ACCESS_KEY_ID="AKOTHER3F3F"))
    error = failing(source, action)
    assert isinstance(error, StorageCredentialError)
    assert "…3F3F" in error.message
    assert "AKOTHER" not in str(error)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_bucket_that_is_not_there(s3_source, rgw, action):
    error = failing(s3_source("no-such-bucket-here"), action)
    assert isinstance(error, StorageBucketNotFoundError)
    assert "no-such-bucket-here" in error.message


@pytest.mark.parametrize("action", ACTIONS)
def test_no_server_at_the_endpoint(s3_source, rgw, bucket, action, quick):
    source = s3_source(bucket, endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    error = failing(source, action)
    assert isinstance(error, StorageUnreachableError)
    assert "refused" in error.message
    assert error.retry_after_s


def test_a_host_that_does_not_exist(s3_source, rgw, bucket):
    error = failing(s3_source(bucket, endpoint_url="http://nowhere.invalid"), ACTIONS[0])
    assert isinstance(error, StorageUnreachableError)
    assert "no such host" in error.message


def test_an_object_that_is_not_there(s3_source, bucket):
    for action in (lambda s: s.stat("gone"), lambda s: b"".join(s.read("gone"))):
        error = failing(s3_source(bucket), action)
        assert isinstance(error, ObjectNotFoundError)
        assert "'gone'" in error.message


def test_anonymous_access(rgw, s3_source, own_bucket):
    client = rgw.client()
    client.put_object(Bucket=own_bucket, Key="open.txt", Body=b"open", ACL="public-read")
    source = s3_source(own_bucket, credential=Credential("anonymous"))
    assert b"".join(source.read("open.txt")) == b"open"
    assert source.stat("open.txt").size_bytes == 4
    assert source.signer(ttl_s=60)("open.txt") == f"{rgw.endpoint_url}/{own_bucket}/open.txt"
    error = failing(source, lambda s: s.list_page())
    assert isinstance(error, StorageDeniedError)
    assert "Anonymous access" in error.message
    client.put_bucket_acl(Bucket=own_bucket, ACL="public-read")
    assert "open.txt" in [entry.key for entry in source.list_page().entries]


def test_tls_with_its_own_authority(rgw, s3_source, bucket):
    options = {"endpoint_url": rgw.tls_endpoint_url}
    trusted = s3_source(bucket, ca_bundle=rgw.ca_bundle, **options)
    assert trusted.stat("readme.txt").size_bytes == 10
    error = failing(s3_source(bucket, **options), ACTIONS[0])
    assert isinstance(error, StorageUnreachableError)
    assert "certificate" in error.message
    assert "CA bundle" in error.remedy
    plain = rgw.tls_endpoint_url.replace("https", "http")
    failing(s3_source(bucket, endpoint_url=plain), ACTIONS[0])


def test_a_ca_bundle_that_is_none(rgw, s3_source, bucket, tmp_path):
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        if "empty" in file.name:
            file.write_text("")
        with pytest.raises(BadInputError, match=file.name):
            s3_source(bucket, ca_bundle=str(file))


def test_no_credential_and_no_fallback(rgw, s3_source, bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rgw.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rgw.secret_key)
    for credential in (
        Credential("none"),
        Credential("stored", None, {"AWS_ACCESS_KEY_ID": "x"}),
        Credential("env", "P", {"AWS_SECRET_ACCESS_KEY": "SKTESTx"}),
    ):
        with pytest.raises(CredentialMissingError, match="field-data") as caught:
            s3_source(bucket, credential=credential)
        assert "SKTEST" not in str(caught.value)


@pytest.fixture
def aws_home(monkeypatch, tmp_path):
    """Point at AWS configuration files of our own, with hostile ambient settings around them."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "AMBIENT")
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/")
    return tmp_path


def test_a_named_profile(rgw, s3_source, bucket, aws_home):
    (aws_home / "credentials").write_text(
        f"[lab]\naws_access_key_id = {rgw.access_key}\n"
        f"aws_secret_access_key = {rgw.secret_key}\n"
        "[other]\naws_access_key_id = WRONG\naws_secret_access_key = WRONG\n"
    )
    (aws_home / "config").write_text(
        f"[profile lab]\nregion = eu-lab-1\nendpoint_url = {rgw.endpoint_url}\n[profile bare]\n"
    )
    source = s3_source(bucket, credential=Credential("profile", "lab"), endpoint_url=None)
    assert source.stat("readme.txt").size_bytes == 10
    assert "eu-lab-1" in source.signer(ttl_s=60)("k")
    (aws_home / "credentials").write_text(
        "[lab]\naws_access_key_id = AKROTATED9999\naws_secret_access_key = x\n"
    )
    assert "AKROTATED9999" in source.signer(ttl_s=60)("k")
    for name in ("bare", "missing"):
        with pytest.raises(CredentialMissingError, match=name):
            Profile(name).settings()


def test_a_profile_does_not_ask_the_machine(aws_home, misbehaving, monkeypatch):
    """Neither the instance's metadata nor the container's agent stands behind a profile."""
    (aws_home / "config").write_text("[profile bare]\nregion = eu-lab-1\n")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", misbehaving.url)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{misbehaving.url}/role")
    with pytest.raises(CredentialMissingError, match="no keys"):
        Profile("bare").settings()
    assert misbehaving.requests == []


def test_the_report_of_a_good_source(s3_source, bucket):
    report = s3_source(bucket).test()
    assert report.is_ok
    assert [check.what for check in report.checks] == [
        "reach",
        "credential",
        "list",
        "read",
        "presign",
    ]


def test_the_report_says_what_fails_first(rgw, s3_source, bucket, quick):
    wrong = s3_source(bucket, credential=s3_credential(rgw, AWS_SECRET_ACCESS_KEY="x")).test()
    closed = s3_source(bucket, endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}").test()
    missing = s3_source("no-such-bucket-here").test()
    for report, what in ((wrong, "credential"), (closed, "reach"), (missing, "list")):
        assert not report.is_ok
        last = report.checks[-1]
        assert (last.what, last.is_ok) == (what, False)
        assert last.remedy
        assert all(check.is_ok for check in report.checks[:-1])


def test_the_report_of_an_empty_bucket(rgw, s3_source):
    report = s3_source(rgw.bucket()).test()
    assert report.is_ok
    assert "No file" in report.checks[-1].message


def test_the_report_tries_what_visitors_do(s3_source, bucket, quick):
    public = f"http://127.0.0.1:{free_ports(1)[0]}"
    report = s3_source(bucket, public_endpoint_url=public).test()
    assert not report.is_ok
    assert [check.what for check in report.checks if not check.is_ok] == ["presign"]


def test_nothing_secret_is_shown_or_logged(rgw, s3_source, bucket, caplog):
    caplog.set_level("DEBUG")
    credential = s3_credential(rgw)
    source = s3_source(bucket, credential=credential)
    source.list_page()
    source.stat("readme.txt")
    b"".join(source.read("readme.txt"))
    url = source.signer(ttl_s=60)("readme.txt")
    signature = url.rpartition("=")[2]
    wrong = s3_credential(rgw, AWS_SECRET_ACCESS_KEY="CANARYsecret", AWS_SESSION_TOKEN="CANARYtok")
    failing(s3_source(bucket, credential=wrong), ACTIONS[0])
    shown = caplog.text + repr(source) + repr(credential) + repr(source._accesses)
    for secret in (rgw.secret_key, "CANARY", signature):
        assert secret not in shown
    for record in caplog.records:
        if "X-Amz-Signature" in record.getMessage():
            assert "X-Amz-Signature=[secret]" in record.getMessage()


def test_an_address_that_is_none():
    spec = SourceSpec("field-data", "s3", "s3://", SourceOptions())
    with pytest.raises(BadInputError):
        s3.open_source(spec, Credential("anonymous"), local_key=b"")
