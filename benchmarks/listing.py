"""Keys listed per second, beside the vendors' own libraries.

Another process replays prepared pages, so that only the client's work is measured.
"""

from __future__ import annotations

import multiprocessing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from harness import Case, Suite, main

from packager_jupyter.sources import azure, s3
from packager_jupyter.sources.credentials import Credential
from packager_jupyter.sources.spec import SourceOptions, SourceSpec

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

S3_PAGE = 1000
AZURE_PAGE = 5000
KINDS = {"ASCII": "raw/2024/observations", "url-encoded": "raw/2024/M%C3%A4rz+eins"}
NEXT = "<!-- next -->"
AZURE_KEY = "YmVuY2htYXJr"


DISTINCT_PAGES = 100
"""A long listing shows these over and over: the client's work does not depend on it."""


def s3_page(kind: str, number: int) -> list[bytes]:
    """Return what stands around the way to the next page."""
    items = "".join(
        f"<Contents><Key>{KINDS[kind]}/station_{key % 400:04d}/measurement-{key:07d}.nc</Key>"
        f"<LastModified>2024-0{1 + key % 9}-11T10:11:{key % 60:02d}.000Z</LastModified>"
        f"<ETag>&quot;{key:032x}&quot;</ETag><Size>{key * 997}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key in range(number * S3_PAGE, (number + 1) * S3_PAGE)
    )
    return (
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data</Name>'
            f"<Prefix></Prefix>{NEXT}<KeyCount>{S3_PAGE}</KeyCount>"
            f"<MaxKeys>{S3_PAGE}</MaxKeys><EncodingType>url</EncodingType>{items}</ListBucketResult>"
        )
        .encode()
        .split(NEXT.encode())
    )


def s3_next(number: int | None) -> str:
    if number is None:
        return "<IsTruncated>false</IsTruncated>"
    token = f"<NextContinuationToken>{number}</NextContinuationToken>"
    return f"{token}<IsTruncated>true</IsTruncated>"


def azure_next(number: int | None) -> str:
    return "<NextMarker />" if number is None else f"<NextMarker>{number}</NextMarker>"


def azure_page(number: int) -> list[bytes]:
    """Return what stands around the way to the next page."""
    items = "".join(
        f"<Blob><Name>{KINDS['ASCII']}/measurement-{key:07d}.nc</Name><Properties>"
        "<Creation-Time>Tue, 02 Jan 2024 03:04:00 GMT</Creation-Time>"
        f"<Last-Modified>Tue, 02 Jan 2024 03:04:{key % 60:02d} GMT</Last-Modified>"
        f"<Etag>0x8DC0B{key:09X}</Etag><Content-Length>{key * 997}</Content-Length>"
        "<Content-Type>application/x-netcdf</Content-Type><Content-Encoding /><Content-Language />"
        "<Content-CRC64 /><Content-MD5>+XxdKZQb+xsv2rCHSQarbA==</Content-MD5><Cache-Control />"
        "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
        "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
        "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>"
        "<OrMetadata /></Blob>"
        for key in range(number * AZURE_PAGE, (number + 1) * AZURE_PAGE)
    )
    return (
        (
            '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x" '
            f'ContainerName="data"><Blobs>{items}</Blobs>{NEXT}</EnumerationResults>'
        )
        .encode()
        .split(NEXT.encode())
    )


def serve(port: Connection, pages: dict[str, list[list[bytes]]], counts: dict[str, int]) -> None:
    """Answer ``/<suite>/…?continuation-token|marker=N`` with page N, until ended."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            number = query.get("continuation-token") or query.get("marker") or ["0"]
            kind, at = parts.path.split("/")[1], int(number[0])
            write = azure_next if kind == "azure" else s3_next
            text = write(at + 1 if at + 1 < counts[kind] else None)
            body = text.encode().join(pages[kind][at % len(pages[kind])])
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


def replay(pages: dict[str, list[list[bytes]]], counts: dict[str, int]) -> str:
    """Start the server in a process of its own, which ends with this one."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(theirs, pages, counts), daemon=True).start()
    return f"http://127.0.0.1:{ours.recv()}"


def s3_suite(kind: str, url: str, count: int) -> Suite:
    import boto3
    from botocore.config import Config

    options = SourceOptions(endpoint_url=f"{url}/{kind}", path_style=True)
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret-of-the-benchmark"}
    source = s3.open_source(
        SourceSpec("bench", "s3", "s3://data", options),
        Credential("stored", None, keys),
        local_key=b"",
    )
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"{url}/{kind}",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret-of-the-benchmark",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def ours() -> None:
        assert sum(len(batch) for batch in source.walk()) == count

    def peer() -> None:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="data")
        assert sum(len(page["Contents"]) for page in pages) == count

    return Suite(
        f"S3, pages of 1,000, {kind} keys",
        "key",
        [Case("boto3 paginator", count, peer), Case("packager", count, ours)],
    )


def azure_suite(url: str, count: int) -> Suite:
    from azure.storage.blob import ContainerClient

    endpoint = f"{url}/azure"
    source = azure.open_source(
        SourceSpec("bench", "azure", "azure://azure/data", SourceOptions(endpoint_url=endpoint)),
        Credential("stored", None, {"AZURE_STORAGE_KEY": AZURE_KEY}),
        local_key=b"",
    )
    client = ContainerClient(
        endpoint, "data", credential={"account_name": "azure", "account_key": AZURE_KEY}
    )

    def ours() -> None:
        assert sum(len(batch) for batch in source.walk()) == count

    def peer() -> None:
        assert sum(1 for _ in client.list_blobs()) == count

    return Suite(
        "Azure, pages of 5,000",
        "key",
        [Case("ContainerClient.list_blobs", count, peer), Case("packager", count, ours)],
    )


def build(size: int) -> list[Suite]:
    s3_count = max(size // S3_PAGE, 1)
    azure_count = max(size // 2 // AZURE_PAGE, 1)
    distinct = range(min(s3_count, DISTINCT_PAGES))
    pages = {kind: [s3_page(kind, number) for number in distinct] for kind in KINDS}
    pages["azure"] = [azure_page(number) for number in range(min(azure_count, DISTINCT_PAGES // 5))]
    url = replay(pages, {**dict.fromkeys(KINDS, s3_count), "azure": azure_count})
    return [
        *(s3_suite(kind, url, s3_count * S3_PAGE) for kind in KINDS),
        azure_suite(url, azure_count * AZURE_PAGE),
    ]


if __name__ == "__main__":
    main(build, size=20_000, doc=__doc__)
