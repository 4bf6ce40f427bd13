"""The Azure source on a real Azurite."""

from __future__ import annotations

import base64
import http.client
import time
from urllib.parse import parse_qs, urlsplit

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
from packager_jupyter.sources.base import Source
from packager_jupyter.sources.credentials import Credential
from peers.process import free_ports
from sources.support import HOSTILE_KEYS, body_of

# What Azure's own naming rules or Azurite (a URL that is split as a file path) cannot hold.
# A backslash is a slash to Azure.
UNNAMEABLE = {"a/../b", ".", "..", "./a", "../../etc/passwd", "ctl\x01", "back\\slash"}
BLOBS = [key for key in HOSTILE_KEYS if key not in UNNAMEABLE]


def get(url, headers=None, method="GET"):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}", headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


@pytest.fixture(scope="module")
def hostile(azurite):
    name = azurite.container()
    container = azurite.client().get_container_client(name)
    for key in BLOBS:
        container.upload_blob(key, body_of(key))
    return name


@pytest.fixture
def container(azurite):
    from azure.storage.blob import ContentSettings

    name = azurite.container()
    client = azurite.client().get_container_client(name)
    settings = ContentSettings(content_type="image/tiff")
    for key, body in {
        "readme.txt": b"0123456789",
        "raw/one.tif": b"one",
        "raw/two.tif": b"two",
        "raw/deep/er/three.tif": b"three",
        "raw/": b"",
        "empty/": b"",
        "rawhide": b"not in raw/",
    }.items():
        client.upload_blob(key, body, content_settings=settings)
    return name


def walked(source, prefix=""):
    return [entry.key for batch in source.walk(prefix) for entry in batch]


def key_credential(azurite, **changes):
    variables = {"AZURE_STORAGE_ACCOUNT": azurite.account, "AZURE_STORAGE_KEY": azurite.key}
    return Credential("stored", None, variables | changes)


def container_sas(azurite, container, **changes):
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import generate_container_sas

    options = {
        "account_key": azurite.key,
        "permission": "rl",
        "expiry": datetime.now(UTC) + timedelta(hours=1),
    } | changes
    return generate_container_sas(azurite.account, container, **options)


def test_it_is_a_source(azure_source, azurite, container):
    source = azure_source(container)
    asked = [name for name in vars(Source) if not name.startswith("_")]
    assert [name for name in asked if not hasattr(source, name)] == []
    assert source.uri("raw/one.tif") == f"azure://{azurite.account}/{container}/raw/one.tif"


def test_hostile_names_are_walked_read_and_fetched(azure_source, hostile):
    source = azure_source(hostile)
    assert sorted(walked(source)) == sorted(BLOBS)
    sign = source.signer(ttl_s=60)
    for key in BLOBS:
        body = body_of(key)
        assert b"".join(source.read(key)) == body, key
        assert source.stat(key).size_bytes == len(body)
        status, _, fetched = get(sign(key))
        assert (status, fetched) == (200, body), key
        status, headers, fetched = get(sign(key, filename=f"ö {key[-40:]}", media_type="text/own"))
        assert (status, fetched, headers["content-type"]) == (200, body, "text/own"), key
        assert "filename*=UTF-8''%C3%B6%20" in headers["content-disposition"]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_hostile_names_are_listed_level_by_level(azure_source, hostile, limit):
    source = azure_source(hostile)
    seen, folders = [], [""]
    while folders:
        prefix, cursor = folders.pop(), None
        while True:
            page = source.list_page(prefix, cursor=cursor, limit=limit)
            assert len(page.entries) <= limit
            folders += [entry.key for entry in page.entries if entry.is_folder]
            seen += [entry.key for entry in page.entries if not entry.is_folder]
            cursor = page.cursor
            if cursor is None:
                break
    assert sorted(seen) == sorted(BLOBS)


def test_a_level_is_listed_without_what_is_below(azure_source, container):
    source = azure_source(container)
    page = source.list_page()
    assert [(e.key, e.is_folder) for e in page.entries] == [
        ("empty/", True),
        ("raw/", True),
        ("rawhide", False),
        ("readme.txt", False),
    ]
    assert page.cursor is None
    assert [e.key for e in source.list_page("raw/").entries] == [
        "raw/deep/",
        "raw/one.tif",
        "raw/two.tif",
    ]
    assert source.list_page("empty/").entries == []


def test_the_root_cuts_and_bounds(azure_source, container):
    source = azure_source(container, prefix="raw")
    assert [e.key for e in source.list_page().entries] == ["deep/", "one.tif", "two.tif"]
    assert sorted(walked(source)) == ["deep/er/three.tif", "one.tif", "two.tif"]
    assert get(source.signer(ttl_s=60)("one.tif"))[2] == b"one"


def test_listing_and_stat_agree(azure_source, container):
    source = azure_source(container)
    listed = next(e for e in source.list_page("raw/").entries if e.key == "raw/one.tif")
    looked_up = source.stat("raw/one.tif")
    for entry in (listed, looked_up):
        assert entry.size_bytes == 3
        assert entry.media_type == "image/tiff"
        assert entry.checksums == {"md5": "f97c5d29941bfb1b2fdab0874906ab82"}
        assert abs(entry.modified_s - time.time()) < 600
    assert listed.etag == looked_up.etag


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, None, b"0123456789"), (3, 5, b"34"), (8, 100, b"89"), (50, 60, b""), (4, 4, b"")],
)
def test_ranges(azure_source, container, start, stop, expected):
    assert b"".join(azure_source(container).read("readme.txt", start=start, stop=stop)) == expected


def test_snapshots_are_pinned(azure_source, azurite, container):
    blob = azurite.client().get_blob_client(container, "raw/one.tif")
    pin = f"snapshot:{blob.create_snapshot()['snapshot']}"
    blob.upload_blob(b"changed", overwrite=True)
    source = azure_source(container)
    assert b"".join(source.read("raw/one.tif", version_id=pin)) == b"one"
    assert source.stat("raw/one.tif", version_id=pin).size_bytes == 3
    url = source.signer(ttl_s=60)("raw/one.tif", version_id=pin)
    assert "&sr=bs&" in url
    assert get(url)[2] == b"one"
    assert get(source.signer(ttl_s=60)("raw/one.tif"))[2] == b"changed"
    assert get(url.replace("snapshot=", "x="))[0] == 403


def test_urls_open_one_blob_for_reading_and_no_longer_than_asked(azure_source, container):
    url = azure_source(container).signer(ttl_s=300)("raw/one.tif")
    values = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    assert (values["sr"], values["sp"]) == ("b", "r")
    assert not values.keys() & {"ss", "srt"}
    end = time.mktime(time.strptime(values["se"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    start = time.mktime(time.strptime(values["st"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(end - time.time() - 300) < 30
    assert abs(start - time.time() + 300) < 30


def test_urls_are_for_https_where_the_endpoint_is(azure_source, azurite, container):
    source = azure_source(container, public_endpoint_url="https://account.example.org")
    url = source.signer(ttl_s=60)("k")
    assert url.startswith(f"https://account.example.org/{container}/k?")
    assert "&spr=https&" in url
    real = azure_source(container, endpoint_url="https://a.blob.core.windows.net")
    assert "&spr=https&" in real.signer(ttl_s=60)("k")


def test_tampered_and_expired_urls_are_refused(azure_source, container):
    source = azure_source(container)
    url = source.signer(ttl_s=60)("raw/one.tif")
    assert get(url)[0] == 200
    sign, _, sig = url.partition("sig=")
    for bad in (
        f"{sign}sig={'A' if sig[0] != 'A' else 'B'}{sig[1:]}",
        url.replace("raw/one.tif", "raw/two.tif"),
        url.replace("se=20", "se=21"),
        url.replace("sp=r", "sp=rw"),
        url.replace("sr=b", "sr=c"),
    ):
        assert bad != url
        assert get(bad)[0] == 403, bad
    assert get(url, method="PUT", headers={"x-ms-blob-type": "BlockBlob"})[0] == 403
    assert get(url, method="DELETE")[0] == 403
    brief = source.signer(ttl_s=1)("raw/one.tif")
    time.sleep(2.1)
    assert get(brief)[0] == 403


@pytest.mark.parametrize("form", ["key", "connection string", "both"])
def test_forms_of_the_account_key(azure_source, azurite, container, form):
    variables = {}
    if form != "key":
        variables["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    if form != "connection string":
        variables["AZURE_STORAGE_KEY"] = azurite.key
    source = azure_source(container, credential=Credential("stored", None, variables))
    assert source.stat("readme.txt").size_bytes == 10
    assert source.test().is_ok


def test_the_endpoint_may_come_from_the_connection_string(azure_source, azurite, container):
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    source = azure_source(
        container, credential=Credential("stored", None, variables), endpoint_url=None
    )
    assert source.stat("readme.txt").size_bytes == 10


def test_an_emulators_address_may_lack_the_account(azure_source, azurite, container):
    bare = azurite.endpoint.removesuffix(f"/{azurite.account}")
    assert azure_source(container, endpoint_url=bare).stat("readme.txt").size_bytes == 10


def test_a_sas_reads_but_is_not_passed_on(azure_source, azurite, container):
    token = container_sas(azurite, container)
    for given in (token, f"?{token}"):
        variables = {"AZURE_STORAGE_SAS_TOKEN": given}
        source = azure_source(container, credential=Credential("stored", None, variables))
        assert source.stat("readme.txt").size_bytes == 10
        assert "readme.txt" in [entry.key for entry in source.list_page().entries]
        with pytest.raises(CredentialMissingError, match="single files"):
            source.signer(ttl_s=60)
        report = source.test()
        assert [check.what for check in report.checks if not check.is_ok] == ["presign"]


def test_an_anonymous_container(azure_source, azurite, container):
    source = azure_source(container, credential=Credential("anonymous"))
    with pytest.raises((StorageDeniedError, StorageBucketNotFoundError)):
        source.list_page()
    azurite.client().get_container_client(container).set_container_access_policy(
        signed_identifiers={}, public_access="container"
    )
    assert source.stat("readme.txt").size_bytes == 10
    assert "readme.txt" in [entry.key for entry in source.list_page().entries]
    url = source.signer(ttl_s=60)("readme.txt")
    assert url == f"{azurite.endpoint}/{container}/readme.txt"
    assert get(url)[2] == b"0123456789"


def failing(action, source):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each test says which one
        action(source)
    error = caught.value
    assert error.remedy
    shown = f"{error} {error.details} {error!r}"
    for secret in ("Eby8vdM02", "sig=", "CANARY"):
        assert secret not in shown
    return error


ACTIONS = [
    lambda source: source.list_page(),
    walked,
    lambda source: source.stat("raw/one.tif"),
    lambda source: b"".join(source.read("raw/one.tif")),
]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_wrong_key(azure_source, azurite, container, action):
    wrong = base64.b64encode(b"CANARY").decode()
    source = azure_source(container, credential=key_credential(azurite, AZURE_STORAGE_KEY=wrong))
    # Azurite says AuthorizationFailure, Azure itself AuthenticationFailed.
    error = failing(action, source)
    assert isinstance(error, StorageDeniedError)
    assert "or is wrong" in error.message


@pytest.mark.parametrize("action", ACTIONS)
def test_an_expired_sas(azure_source, azurite, container, action):
    from datetime import UTC, datetime

    token = container_sas(azurite, container, expiry=datetime(2020, 1, 1, tzinfo=UTC))
    variables = {"AZURE_STORAGE_SAS_TOKEN": token}
    source = azure_source(container, credential=Credential("stored", None, variables))
    error = failing(action, source)
    assert isinstance(error, StorageCredentialError)
    assert "2020-01-01" in error.message


def test_a_sas_without_permission(azure_source, azurite, container):
    variables = {"AZURE_STORAGE_SAS_TOKEN": container_sas(azurite, container, permission="r")}
    source = azure_source(container, credential=Credential("stored", None, variables))
    error = failing(ACTIONS[0], source)
    assert type(error) is StorageDeniedError
    assert "may not list" in error.message


@pytest.mark.parametrize("action", ACTIONS)
def test_a_container_that_is_not_there(azure_source, azurite, action):
    error = failing(action, azure_source("no-such-container"))
    assert isinstance(error, (StorageBucketNotFoundError, ObjectNotFoundError))
    assert "no-such-container" in error.message


@pytest.mark.parametrize("action", ACTIONS)
def test_no_server_at_the_endpoint(azure_source, azurite, container, action, quick):
    url = f"http://127.0.0.1:{free_ports(1)[0]}/{azurite.account}"
    assert isinstance(
        failing(action, azure_source(container, endpoint_url=url)), StorageUnreachableError
    )


def test_a_blob_that_is_not_there(azure_source, container):
    for action in (lambda s: s.stat("gone"), lambda s: b"".join(s.read("gone"))):
        error = failing(action, azure_source(container))
        assert isinstance(error, ObjectNotFoundError)
        assert "'gone'" in error.message


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AZURE_STORAGE_KEY": "not base64!"},
        {"AZURE_STORAGE_SAS_TOKEN": "sv=2024&CANARY=1"},
        {"AZURE_STORAGE_ACCOUNT": "someoneelse", "AZURE_STORAGE_KEY": "a2V5"},
        {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=someoneelse;AccountKey=a2V5"},
        {"AZURE_STORAGE_CONNECTION_STRING": "CANARY"},
        {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "CANARY"},
    ],
)
def test_credentials_that_are_none(azure_source, azurite, container, variables, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.key)
    with pytest.raises(CredentialMissingError) as caught:
        azure_source(container, credential=Credential("stored", None, variables))
    assert "CANARY" not in str(caught.value)


def test_an_identity_is_not_sent_without_tls(azure_source, container):
    with pytest.raises(CredentialMissingError, match="https"):
        azure_source(container, credential=Credential("azure-default"))


@pytest.mark.parametrize("endpoint", ["account.blob", "ftp://a.test", "https://"])
def test_an_endpoint_that_is_no_address(azure_source, container, endpoint):
    with pytest.raises(BadInputError, match="endpoint"):
        azure_source(container, endpoint_url=endpoint)


def test_nothing_secret_is_shown_or_logged(azure_source, azurite, container, caplog):
    caplog.set_level("DEBUG")
    source = azure_source(container)
    source.list_page()
    source.stat("readme.txt")
    signature = source.signer(ttl_s=60)("readme.txt").partition("sig=")[2]
    own = source._auth.query().partition("sig=")[2]
    shown = caplog.text + repr(source) + repr(source._auth)
    for secret in (azurite.key, signature, own):
        assert secret not in shown
