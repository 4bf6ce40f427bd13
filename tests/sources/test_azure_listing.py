"""Azure listings: read whatever order and spacing, never partial."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import StorageNotUnderstoodError
from packager_jupyter.sources.azure_listing import parse_blobs
from packager_jupyter.sources.base import Entry

BLOB = (
    "<Blob><Name>a</Name><Properties><Creation-Time>Tue, 02 Jan 2024 03:04:00 GMT</Creation-Time>"
    "<Last-Modified>Tue, 02 Jan 2024 03:04:05 GMT</Last-Modified><Etag>0x8D</Etag>"
    "<Content-Length>7</Content-Length><Content-Type>text/plain</Content-Type>"
    "<Content-Encoding/><Content-MD5>+XxdKZQb+xsv2rCHSQarbA==</Content-MD5>"
    "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
    "</Properties><OrMetadata/></Blob>"
)
ENTRY = Entry(
    "a",
    size_bytes=7,
    modified_s=1704164645,
    etag="0x8D",
    checksums={"md5": "f97c5d29941bfb1b2fdab0874906ab6c"},
    media_type="text/plain",
    storage_class="Hot",
)


def listing(items=BLOB, *, marker="<NextMarker />"):
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x" '
        f'ContainerName="c"><Prefix>p</Prefix><Blobs>{items}</Blobs>{marker}</EnumerationResults>'
    ).encode()


def test_a_blob_is_read():
    page = parse_blobs(listing())
    assert page.entries == [ENTRY]
    assert page.token is None


@pytest.mark.parametrize(
    "item",
    [
        BLOB.replace("0x8D", '"0x8D"'),
        BLOB.replace("<Properties>", "<Properties>\n  <X-New>1</X-New>"),
        BLOB.replace("<Name>", "\n<Name>"),
        BLOB.replace("<AccessTier>", "<AccessTierInferred>true</AccessTierInferred><AccessTier>"),
        BLOB.replace("<OrMetadata/>", "<Metadata><Name>b</Name><Etag>no</Etag></Metadata>"),
    ],
)
def test_the_shapes_that_servers_send(item):
    assert parse_blobs(listing(item)).entries == [ENTRY]


def test_names_folders_and_markers():
    items = (
        BLOB.replace("<Name>a<", '<Name Encoded="true">raw/a%01%25b<')
        + BLOB.replace("<Name>a<", "<Name>raw/a%01&amp;&lt;Blob&gt;<")
        + "<BlobPrefix><Name>raw/d e/</Name></BlobPrefix>"
    )
    page = parse_blobs(listing(items, marker="<NextMarker>2!8!&amp;</NextMarker>"), cut=4)
    assert [entry.key for entry in page.entries] == ["a\x01%b", "a%01&<Blob>", "d e/"]
    assert [entry.is_folder for entry in page.entries] == [False, False, True]
    assert page.token == "2!8!&"


def test_an_empty_container():
    body = listing("").replace(b"<Blobs></Blobs>", b"<Blobs />")
    assert parse_blobs(body).entries == []


def test_directories_of_hierarchical_accounts_are_no_files():
    item = BLOB.replace("<AccessTier>", "<ResourceType>directory</ResourceType><AccessTier>")
    assert parse_blobs(listing(item + BLOB)).entries == [ENTRY]


def test_a_checksum_that_is_none_is_left_out():
    for text in ("", "not base64!", "AAAA"):
        item = BLOB.replace("+XxdKZQb+xsv2rCHSQarbA==", text)
        assert parse_blobs(listing(item)).entries[0].checksums == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"<!DOCTYPE html><html></html>",
        b"\xff\xfe",
        listing()[:-1],
        listing()[:400],
        listing(marker=""),
        listing(BLOB.replace("</Blob>", "")),
        listing(BLOB.replace("<Name>a</Name>", "")),
        listing(BLOB.replace("<Content-Length>7</Content-Length>", "")),
        listing(BLOB.replace("<Content-Length>7<", "<Content-Length>x<")),
        listing(BLOB.replace("Tue, 02 Jan 2024 03:04:05 GMT", "yesterday")),
        listing(BLOB.replace("Tue, 02 Jan 2024 03:04:05 GMT", "Tue, 42 Jan 2024 03:04:05 GMT")),
        listing(BLOB.replace("<Name>a<", '<Name Encoded="true">%FF<')),
        listing().replace(b"?>", b'?><!DOCTYPE x [<!ENTITY e "e">]>'),
    ],
)
def test_what_is_no_whole_listing_is_refused(body):
    with pytest.raises(StorageNotUnderstoodError):
        parse_blobs(body)
