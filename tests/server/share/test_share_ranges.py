"""Ranges, If-Range and file names in headers, against the rules of their RFCs."""

from __future__ import annotations

import email.message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.server.share.names import content_disposition, media_type_header
from packager_jupyter.server.share.ranges import (
    UnsatisfiableRangeError,
    http_date,
    is_same_whole,
    requested_part,
)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=10-500", (10, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=99-", (99, 100)),
    ],
)
def test_one_range_is_its_part(header, part):
    found = requested_part(header, 100)
    assert (found.start, found.stop) == part
    assert found.content_range == f"bytes {part[0]}-{part[1] - 1}/100"


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "lines=1-2", "bytes=5-2", "bytes=1-2,5-6", "bytes=a-b", "0-1"],
)
def test_everything_else_is_the_whole(header):
    assert requested_part(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=5000-"])
def test_ranges_without_a_byte_are_unsatisfiable(header):
    with pytest.raises(UnsatisfiableRangeError):
        requested_part(header, 100)


def test_no_range_of_nothing_can_be_met():
    for header in ("bytes=0-", "bytes=-5"):
        with pytest.raises(UnsatisfiableRangeError):
            requested_part(header, 0)


@given(st.text(max_size=40), st.integers(0, 10**6))
def test_any_text_is_a_part_the_whole_or_unsatisfiable(text, size):
    try:
        part = requested_part("bytes=" + text, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.start < part.stop <= size


def test_if_range_wants_exactly_this():
    at_s = 1_700_000_000
    date = http_date(at_s)
    assert date == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert is_same_whole(None, etag=None, modified_s=None)
    assert is_same_whole('"abc"', etag="abc", modified_s=at_s)
    assert is_same_whole(date, etag="abc", modified_s=at_s)
    assert not is_same_whole('W/"abc"', etag="abc", modified_s=at_s)
    assert not is_same_whole('"abd"', etag="abc", modified_s=at_s)
    assert not is_same_whole('"abc"', etag=None, modified_s=at_s)
    assert not is_same_whole(http_date(at_s + 1), etag="abc", modified_s=at_s)
    assert not is_same_whole(date, etag="abc", modified_s=None)
    assert not is_same_whole("abc", etag="abc", modified_s=at_s)


HOSTILE = [
    "日本.ipynb",
    'a"b.txt',
    "a\r\nSet-Cookie: x=1.txt",
    "nul\0.txt",
    "emoji \U0001f600.csv",
    "\u202egnp.exe",
    "x" * 300,
    "a;b=c.txt",
    "100%.txt",
    "back\\slash",
    " blanks ",
    "'single'",
    "é NFC.txt",
    "e\u0301 NFD.txt",
    "tab\there",
    "filename*=UTF-8''evil",
    "..",
    "~",
    "a,b",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_round_trip(name):
    value = content_disposition(name)
    assert value.isascii()
    assert value.isprintable()
    message = email.message.Message()
    message["Content-Disposition"] = value
    _, params = value.split("; ", 1)
    exact = params.rpartition("filename*=UTF-8''")[2]
    assert unquote(exact) == name
    assert message.get_content_disposition() == "attachment"
    fallback = params.split('"')[1]
    assert "%" not in fallback
    assert "/" not in fallback


def test_media_types_cannot_carry_headers():
    assert media_type_header("text/csv; charset=utf-8") == "text/csv; charset=utf-8"
    for bad in (None, "", "a\r\nX: y", "é/x", " ", "x" * 400):
        assert media_type_header(bad) == "application/octet-stream"
