"""Bulk SAS tokens are the vendor's own bytes, or made by the vendor's library."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import UserDelegationKey, generate_blob_sas

from packager_jupyter.errors import CredentialMissingError, StorageDeniedError
from packager_jupyter.sources.azure_auth import AzurePlace, SasAuth, TokenAuth
from packager_jupyter.sources.azure_sas import BulkSas, sas_signer
from packager_jupyter.sources.quoting import attachment_disposition, quote_path
from sources.support import HOSTILE_KEYS

BASE = "https://account.blob.core.windows.net/data"
NOW = datetime(2026, 3, 29, 1, 2, 3, tzinfo=UTC)
ACCOUNT_KEY = base64.b64encode(bytes(range(64))).decode()
EXTRAS = [
    {},
    {"filename": 'Größe "x"/\r\n.csv'},
    {"media_type": "text/csv; charset=utf-8"},
    {"filename": "a.csv", "media_type": "image/tiff"},
    {"version_id": "2024-01-02T03:04:05.1234567Z"},
    {"version_id": "snapshot:2024-01-02T03:04:05.1234567Z"},
    {"version_id": "2024-01-02T03:04:05.1234567Z", "filename": "é", "media_type": "x/y"},
]


def delegation_key():
    key = UserDelegationKey()
    key.signed_oid = "00000000-0000-0000-0000-000000000001"
    key.signed_tid = "00000000-0000-0000-0000-000000000002"
    key.signed_start = "2026-03-29T00:00:00Z"
    key.signed_expiry = "2026-04-05T00:00:00Z"
    key.signed_service = "b"
    key.signed_version = "2024-11-04"
    key.value = base64.b64encode(b"delegation-key-of-thirty-two-byt").decode()
    return key


def library(calls=None, **options):
    def sign(name, *, sts_hook, **extra):
        if calls is not None:
            calls.append(name)
        return generate_blob_sas(
            "account",
            "data",
            name,
            permission="r",
            start=NOW,
            expiry=NOW + timedelta(hours=1),
            sts_hook=sts_hook,
            **extra,
            **options,
        )

    return sign


def expected(sign, name, *, version_id=None, filename=None, media_type=None):
    pin = version_id or ""
    snapshot = pin.removeprefix("snapshot:") if pin.startswith("snapshot:") else None
    version = pin if pin and snapshot is None else None
    token = sign(
        name,
        snapshot=snapshot,
        version_id=version,
        content_disposition=attachment_disposition(filename) if filename else None,
        content_type=media_type,
        sts_hook=None,
    )
    written = f"snapshot={snapshot}&" if snapshot else f"versionid={version}&" if version else ""
    return f"{BASE}/{quote_path(name)}?{written.replace(':', '%3A')}{token}"


@pytest.mark.parametrize("protocol", ["https", "https,http"])
@pytest.mark.parametrize("kind", ["account", "delegation"])
def test_tokens_equal_the_librarys(kind, protocol):
    key = delegation_key() if kind == "delegation" else ACCOUNT_KEY
    options = {"user_delegation_key": key} if kind == "delegation" else {"account_key": key}
    calls = []
    sign = library(calls, protocol=protocol, **options)
    bulk = BulkSas(sign, key.value if kind == "delegation" else key)
    for prefix in ("", "ra w/é/../"):
        ours = sas_signer(bulk, base_url=BASE, prefix=prefix)
        urls = [
            (ours(name, **extra), prefix + name, extra)
            for name, extra in itertools.product(HOSTILE_KEYS, EXTRAS)
        ]
        # Two calls for each combination of options: one to learn, one to prove.
        assert len(calls) <= 2 * len(EXTRAS)
        asked = len(calls)
        differ = [url for url, name, extra in urls if url != expected(sign, name, **extra)]
        assert differ == []
        del calls[asked:]


@pytest.mark.parametrize(
    "twist",
    [
        lambda token, _sts, _hook: f"{token}&new=1",
        lambda token, _sts, _hook: token.replace("&sig=", "&zzz=1&sig="),
    ],
)
def test_tokens_of_a_new_format_still_equal_the_librarys(twist):
    sign = library(account_key=ACCOUNT_KEY)

    def newer(name, *, sts_hook, **extra):
        return twist(sign(name, sts_hook=sts_hook, **extra), None, sts_hook)

    bulk = BulkSas(newer, ACCOUNT_KEY)
    for name in HOSTILE_KEYS:
        assert sas_signer(bulk, base_url=BASE, prefix="")(name) == expected(newer, name)


def test_a_library_that_does_not_tell_signs_itself():
    sign = library(account_key=ACCOUNT_KEY)

    def silent(name, *, sts_hook, **extra):
        del sts_hook
        return sign(name, sts_hook=None, **extra)

    check_falls_back(silent)


def test_a_library_that_signs_otherwise_signs_itself():
    """Here the name is normalised before signing, which one sentinel name does not show."""
    sign = library(account_key=ACCOUNT_KEY)

    def other(name, **extra):
        return sign(name.replace("//", "/"), **extra)

    check_falls_back(other)


def test_a_library_that_writes_the_name_into_the_token_signs_itself():
    sign = library(account_key=ACCOUNT_KEY)

    def other(name, **extra):
        return f"name={quote_path(name)}&{sign(name, **extra)}"

    check_falls_back(other)


def check_falls_back(sign):
    bulk = BulkSas(sign, ACCOUNT_KEY)
    ours = sas_signer(bulk, base_url=BASE, prefix="p/")
    for name, extra in itertools.product(HOSTILE_KEYS[:12], EXTRAS):
        assert ours(name, **extra) == expected(sign, f"p/{name}", **extra)
    assert bulk.plain("p/") is None


class Identity:
    """An identity as azure-identity would give it, without a cloud."""

    def __init__(self, error=None):
        self.asked = []
        self.error = error

    def get_token(self, *scopes, **_options):
        self.asked.append(scopes)
        if self.error:
            raise self.error
        return type("Token", (), {"token": "bearer-canary", "expires_on": 2**31})()


def test_an_identity_signs_by_delegation_and_asks_once(monkeypatch):
    asked = []

    class Service:
        def __init__(self, url, **_options):
            asked.append(url)

        def __enter__(self):
            return self

        def __exit__(self, *_exception):
            pass

        def get_user_delegation_key(self, start, expiry):
            assert expiry - start > timedelta(days=1)
            return delegation_key()

    monkeypatch.setattr("azure.storage.blob.BlobServiceClient", Service)
    auth = TokenAuth(AzurePlace("account", "data", BASE, BASE), Identity())
    urls = [sas_signer(auth.sas(ttl_s=60), base_url=BASE, prefix="")("k") for _ in range(3)]
    assert all("&skoid=00000000-0000-0000-0000-000000000001&" in url for url in urls)
    assert all("sr=b&" in url and "sp=r&" in url and "spr=https&" in url for url in urls)
    assert asked == ["https://account.blob.core.windows.net"]
    assert auth.headers() == {"Authorization": "Bearer bearer-canary"}
    assert auth.query() == ""


def test_an_identity_that_fails_is_told():
    auth = TokenAuth(
        AzurePlace("account", "data", BASE, BASE), Identity(ClientAuthenticationError("x"))
    )
    with pytest.raises(CredentialMissingError, match="no identity"):
        auth.headers()
    with pytest.raises(StorageDeniedError, match="delegation key"):
        auth.sas(ttl_s=60)


@pytest.mark.parametrize(
    ("end", "has_ended"),
    [
        ("&se=2020-01-01T00:00:00Z", True),
        ("&se=2020-01-01", True),
        ("&se=2999-01-01T00:00:00Z", False),
        ("", False),
        ("&se=nonsense", False),
    ],
)
def test_a_sas_knows_its_end(end, has_ended):
    assert SasAuth(f"sv=2024-11-04&sig=x{end}").has_ended is has_ended
