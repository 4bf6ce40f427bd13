"""Presigned URLs per second, beside the vendors' own libraries."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness import Case, Suite, main

if TYPE_CHECKING:
    from collections.abc import Callable

PATTERNS = {
    "ASCII": "raw/2024/observations/station_{:04d}/measurement-{:07d}.nc",
    "unicode": "roh/2024/Messwerte März/Station {:04d}/größe-{:07d}.parquet",
}
PEER_SHARE = 40  # the peer is so much slower: it signs so many fewer URLs
REGION = "eu-central-1"
BUCKET = "data-bucket"


def keys_of(kind: str, count: int) -> list[str]:
    return [PATTERNS[kind].format(number % 400, number) for number in range(count)]


def floor(keys: list[str]) -> None:
    """Do what no signer in Python can leave out: one SHA-256 and one HMAC."""
    key = b"k" * 32
    for name in keys:
        digest = hashlib.sha256(name.encode()).hexdigest()
        hmac.digest(key, digest.encode(), "sha256")


def suite(
    title: str,
    size: int,
    kind: str,
    *,
    peer: tuple[str, Callable[[list[str]], None]],
    ours: Callable[[list[str]], None],
) -> Suite:
    keys = keys_of(kind, size)
    few = keys[: max(size // PEER_SHARE, 50)]
    return Suite(
        title,
        "URL",
        [
            Case(peer[0], len(few), lambda: peer[1](few)),
            Case("packager", size, lambda: ours(keys)),
            Case("floor: SHA-256 + HMAC", size, lambda: floor(keys)),
        ],
    )


def s3_suites(size: int) -> list[Suite]:
    import boto3
    from botocore.config import Config

    from packager_jupyter.sources.s3_client import S3Access, S3Place
    from packager_jupyter.sources.sigv4 import S3Keys

    keys = S3Keys("AKIDEXAMPLE", "secret-of-the-benchmark")
    access = S3Access(S3Place(BUCKET, REGION, None, None), keys)
    client = boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(signature_version="s3v4"),
    )

    def ours(names: list[str]) -> None:
        sign = access.signer(ttl_s=3600, method="GET", prefix="")
        for name in names:
            sign(name)

    def peer(names: list[str]) -> None:
        for name in names:
            client.generate_presigned_url(
                "get_object", Params={"Bucket": BUCKET, "Key": name}, ExpiresIn=3600
            )

    return [
        suite(f"S3 GET, {kind} keys", size, kind, peer=("boto3, one client", peer), ours=ours)
        for kind in PATTERNS
    ]


def azure_suites(size: int) -> list[Suite]:
    from azure.storage.blob import generate_blob_sas

    from packager_jupyter.sources.azure_auth import AzurePlace, KeyAuth
    from packager_jupyter.sources.azure_sas import sas_signer

    account_key = base64.b64encode(bytes(64)).decode()
    base_url = "https://account.blob.core.windows.net/data"
    auth = KeyAuth(AzurePlace("account", "data", base_url, base_url), account_key)
    start = datetime.now(UTC)
    expiry = start + timedelta(hours=1)

    def ours(names: list[str]) -> None:
        sign = sas_signer(auth.sas(ttl_s=3600), base_url=base_url, prefix="")
        for name in names:
            sign(name)

    def peer(names: list[str]) -> None:
        for name in names:
            token = generate_blob_sas(
                "account",
                "data",
                name,
                account_key=account_key,
                permission="r",
                start=start,
                expiry=expiry,
                protocol="https",
            )
            f"{base_url}/{quote(name, safe='~/')}?{token}"

    return [
        suite(
            f"Azure blob SAS, {kind} names",
            size,
            kind,
            peer=("generate_blob_sas, account key", peer),
            ours=ours,
        )
        for kind in PATTERNS
    ]


def build(size: int) -> list[Suite]:
    return [*s3_suites(size), *azure_suites(size)]


if __name__ == "__main__":
    main(build, size=20_000, doc=__doc__)
