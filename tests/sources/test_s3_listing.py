"""Listings: fast, equal to a real parser, and never partial."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import StorageNotUnderstoodError
from packager_jupyter.sources import s3_listing
from packager_jupyter.sources.base import Entry
from packager_jupyter.sources.s3_listing import parse_listing

FRAME = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult'
    ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>{prefix}</Prefix>'
    "{token}<EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>{items}"
    "</ListBucketResult>"
)
ONE = (
    "<Contents><Key>a</Key><LastModified>2024-01-02T03:04:05.678Z</LastModified>"
    "<ETag>&quot;abc&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
ENTRY = Entry("a", size_bytes=7, modified_s=1704164645, etag="abc", storage_class="STANDARD")


def listing(items="", *, prefix="", truncated="false", token=""):
    return FRAME.format(items=items, prefix=prefix, truncated=truncated, token=token).encode()


@pytest.fixture(params=["usual", "any"])
def parse(request, monkeypatch):
    """Both ways of parsing must agree; each is made the only one."""
    if request.param == "any":
        monkeypatch.setattr(s3_listing, "_parse_usual", lambda *_: None)
    else:

        def never(*_):
            raise AssertionError("the usual way does not cover this page")

        monkeypatch.setattr(s3_listing, "_parse_any", never)
    return parse_listing


def test_a_long_page_is_read_in_pieces_that_lose_nothing(parse, monkeypatch):
    lengths = []
    find = s3_listing._find_contents

    def told(text, start, end=2**31):
        lengths.append(min(end, len(text)) - start)
        return find(text, start, end)

    monkeypatch.setattr(s3_listing, "_find_contents", told)
    items = [ONE.replace("<Key>a", f"<Key>{n:0{n % 90 + 3}}") for n in range(1000)]
    page = parse(listing("".join(items)))
    assert [one.key for one in page.entries] == [f"{n:0{n % 90 + 3}}" for n in range(1000)]
    assert not lengths or max(lengths) < 34 * 1024 < sum(lengths)


@pytest.mark.parametrize(
    "item",
    [
        ONE,
        ONE.replace("&quot;", '"'),
        ONE.replace("><", ">\n  <"),
        ONE.replace("<Size>", "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>"),
        ONE.replace("</Contents>", "<Type>Normal</Type></Contents>"),
        ONE.replace(
            "<StorageClass>", "<Owner><ID>i</ID><DisplayName>d</DisplayName></Owner><StorageClass>"
        ),
        ONE.replace("</Contents>", "<Owner><ID>i</ID></Owner><Type>Normal</Type></Contents>"),
        ONE.replace("05.678Z", "05Z"),
    ],
)
def test_the_shapes_that_servers_send(parse, item):
    page = parse(listing(item))
    assert page.entries == [ENTRY]
    assert page.token is None


def test_keys_are_decoded_and_cut(parse):
    items = ONE.replace("<Key>a<", "<Key>raw/a%2Bb+c%26%3C%2F%25.%C3%BC%0A<")
    items += "<CommonPrefixes><Prefix>raw/d+e/</Prefix></CommonPrefixes>"
    page = parse(listing(items, prefix="raw/"), prefix="raw/", cut=4)
    assert [entry.key for entry in page.entries] == ["a+b c&</%.ü\n", "d e/"]
    assert [entry.is_folder for entry in page.entries] == [False, True]


def test_without_url_encoding_a_plus_is_a_plus(parse):
    body = listing(ONE.replace("<Key>a<", "<Key>a+%20&amp;&lt;&#10;<"))
    body = body.replace(b"<EncodingType>url</EncodingType>", b"")
    assert parse(body).entries[0].key == "a+%20&<\n"


def test_a_token_may_hold_what_xml_forbids():
    """Ceph's token is the last key, with control characters as references."""
    token = "<NextContinuationToken>ctl&#x01;&amp;&#13;</NextContinuationToken>"
    assert parse_listing(listing(ONE, truncated="true", token=token)).token == "ctl\x01&\r"


def test_unusual_pages_are_still_read():
    swapped = (
        "<Contents><Size>7</Size><ETag>abc</ETag><StorageClass>STANDARD</StorageClass>"
        "<LastModified>2024-01-02T03:04:05Z</LastModified><Key>a</Key></Contents>"
    )
    assert parse_listing(listing(swapped + ONE)).entries == [ENTRY, ENTRY]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Please log in</body></html>",
        b"<!DOCTYPE html><html></html>",
        b'{"ok": true}',
        b"\xff\xfe",
        listing(ONE)[:-1],
        listing(ONE)[:300],
        listing(ONE).replace(b"</ListBucketResult>", b""),
        listing(ONE).replace(b"<IsTruncated>false</IsTruncated>", b""),
        listing(ONE).replace(b"<Name>b</Name>", b""),
        listing(ONE, truncated="true"),
        listing(ONE, truncated="maybe"),
        listing(ONE.replace("<Size>7</Size>", "")),
        listing(ONE.replace("<Size>7<", "<Size>seven<")),
        listing(ONE.replace("<Key>a</Key>", "")),
        listing(ONE.replace("2024-01-02T", "yesterday")),
        listing(ONE.replace("<Key>a<", "<Key>%FF<")),
        listing(ONE.replace("</Contents>", "")),
        listing(ONE, prefix="other/"),
        listing(ONE).replace(b"?>", b'?><!DOCTYPE x [<!ENTITY e "e">]>'),
        b"<ListAllMyBucketsResult></ListAllMyBucketsResult>",
        b"<Error><Code>InternalError</Code></Error>",
    ],
)
def test_what_is_no_whole_listing_is_refused(body):
    with pytest.raises(StorageNotUnderstoodError):
        parse_listing(body)
