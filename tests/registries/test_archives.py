"""Uploaded archives: honest ones are read as their own tools read them, hostile ones refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.registries.archives.checks import ArchiveError
from packager_jupyter.registries.archives.tarscan import scan_tar
from packager_jupyter.registries.archives.zipdir import read_member, read_members


def make_zip(members, *, method=zipfile.ZIP_DEFLATED, stream=False):
    buffer = io.BytesIO()
    target = _Unseekable(buffer) if stream else buffer
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


class _Unseekable(io.RawIOBase):
    """Makes zipfile write data descriptors, as streaming tools do."""

    def __init__(self, buffer):
        self._buffer = buffer

    def writable(self):
        return True

    def write(self, data):
        return self._buffer.write(data)


def make_tar(members, *, fmt=tarfile.PAX_FORMAT, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=fmt) as archive:
        for info, data in members:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def tar_entry(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


HONEST = [("pkg/__init__.py", b""), ("pkg/données.txt", b"x" * 5000), ("dir/", b""), ("M", b"m")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("stream", [False, True])
def test_an_honest_zip_is_read_as_zipfile_reads_it(method, stream):
    data = make_zip(HONEST, method=method, stream=stream)
    members = read_members(io.BytesIO(data))
    assert [member.name for member in members] == [name for name, _ in HONEST]
    for member, (_, content) in zip(members, HONEST, strict=True):
        assert read_member(io.BytesIO(data), member) == content


def test_zip64_fields_are_understood():
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open("big", "w", force_zip64=True) as file,
    ):
        file.write(b"content")
    [member] = read_members(buffer)
    assert read_member(buffer, member) == b"content"


def _symlink():
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def _patched(data, old, new, count=-1):
    assert old in data
    return data.replace(old, new, count)


def _two_ends():
    first, second = make_zip([("a", b"1")]), make_zip([("a", b"2")])
    return first + second


def _hidden_before():
    return b"#!/bin/sh\n" + make_zip([("a", b"1")])


def _lies_about_length():
    data = make_zip([("a", b"x" * 100)])
    return _patched(data, struct.pack("<L", 100), struct.pack("<L", 99))


HOSTILE_ZIPS = {
    "empty": lambda: b"",
    "html": lambda: b"<html></html>" * 10,
    "cut off": lambda: make_zip(HONEST)[:-30],
    "data behind": lambda: make_zip(HONEST) + b"tail",
    "data before": _hidden_before,
    "two archives": _two_ends,
    "duplicate": lambda: _patched(make_zip([("aa", b"1"), ("ab", b"2")]), b"ab", b"aa"),
    "file and folder": lambda: make_zip([("a", b"1"), ("a/b", b"2")]),
    "parent": lambda: make_zip([("../evil", b"")]),
    "inner parent": lambda: make_zip([("a/../../evil", b"")]),
    "absolute": lambda: make_zip([("/etc/passwd", b"")]),
    "drive": lambda: make_zip([("C:/evil", b"")]),
    "backslash": lambda: _patched(make_zip([("a/b", b"")]), b"a/b", b"a\\b"),
    "nul": lambda: _patched(make_zip([("a_b", b"")]), b"a_b", b"a\0b"),
    "newline": lambda: _patched(make_zip([("a_b", b"")]), b"a_b", b"a\nb"),
    "symlink": lambda: make_zip([(_symlink(), b"/etc/passwd")]),
    "local name differs": lambda: _patched(make_zip([("name", b"x")]), b"name", b"evil", 1),
    "two lengths": lambda: _patched(
        make_zip([("a", b"x" * 100)], method=zipfile.ZIP_STORED),
        struct.pack("<2L", 100, 100),
        struct.pack("<2L", 100, 99),
        1,
    ),
    "encrypted": lambda: _patched(
        make_zip([("a", b"x")]),
        b"PK\x01\x02\x14\x03\x14\x00\x00",
        b"PK\x01\x02\x14\x03\x14\x00\x01",
    ),
    "bzip2": lambda: make_zip([("a", b"x")], method=zipfile.ZIP_BZIP2),
    "too many": lambda: make_zip([(f"f{n}", b"") for n in range(1001)]),
    "invalid utf-8": lambda: _patched(make_zip([("é", b"")]), "é".encode(), b"\xff\xff"),
}


@pytest.mark.parametrize("name", HOSTILE_ZIPS)
def test_a_hostile_zip_is_refused(name):
    with pytest.raises(ArchiveError, match="The archive is refused"):
        read_members(io.BytesIO(HOSTILE_ZIPS[name]()), max_entries=1000)


@pytest.mark.parametrize(
    ("content", "limit"), [(b"\0" * 2_000_000, 10_000_000), (b"x" * 2000, 1000)]
)
def test_a_member_over_ratio_or_limit_is_refused(content, limit):
    data = io.BytesIO(make_zip([("METADATA", content)]))
    [member] = read_members(data)
    with pytest.raises(ArchiveError):
        read_member(data, member, max_bytes=limit)


def test_a_member_whose_bytes_differ_from_its_checksum_is_refused():
    data = make_zip([("a", b"content")], method=zipfile.ZIP_STORED)
    flipped = io.BytesIO(_patched(data, b"content", b"c0ntent"))
    [member] = read_members(flipped)
    with pytest.raises(ArchiveError, match="checksum"):
        read_member(flipped, member)


@given(st.integers(0, 400), st.integers(0, 255))
def test_one_changed_byte_never_escapes_as_another_error(position, value):
    data = bytearray(make_zip([("pkg/a.txt", b"hello" * 20), ("b", b"x")]))
    data[position % len(data)] = value
    file = io.BytesIO(bytes(data))
    with contextlib.suppress(ArchiveError):
        for member in read_members(file):
            read_member(file, member)


@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_honest_tar_is_read_as_tarfile_reads_it(fmt, mode):
    long = "p-1/" + "d" * 60 + "/" + "e" * 60 + ".txt"
    members = [
        (tar_entry("p-1", tarfile.DIRTYPE), b""),
        ("p-1/PKG-INFO", b"Name: p\n"),
        (long, b"y" * 3000),
        (tar_entry("p-1/link", tarfile.SYMTYPE, "PKG-INFO"), b""),
    ]
    scan = scan_tar(io.BytesIO(make_tar(members, fmt=fmt, mode=mode)), want=lambda n: n != long)
    assert [m.name for m in scan.members] == ["p-1/", "p-1/PKG-INFO", long, "p-1/link"]
    assert scan.contents == {"p-1/PKG-INFO": b"Name: p\n"}


HOSTILE_TARS = {
    "empty": lambda: b"",
    "html": lambda: b"<html></html>" * 100,
    "cut off": lambda: make_tar([("a", b"x" * 2000)], mode="w")[:1000],
    "cut gzip": lambda: make_tar([("a", b"x" * 2000)])[:-9],
    "data behind": lambda: make_tar([("a", b"")], mode="w") + b"evil",
    "data behind gzip": lambda: make_tar([("a", b"")]) + b"evil",
    "second gzip": lambda: make_tar([("a", b"")]) + gzip.compress(b"evil"),
    "parent": lambda: make_tar([("../evil", b"")]),
    "absolute": lambda: make_tar([("/etc/passwd", b"")]),
    "duplicate": lambda: make_tar([("a", b"1"), ("a", b"2")]),
    "link out": lambda: make_tar([(tar_entry("p/l", tarfile.SYMTYPE, "../../etc/passwd"), b"")]),
    "link absolute": lambda: make_tar([(tar_entry("l", tarfile.SYMTYPE, "/etc/passwd"), b"")]),
    "hard link out": lambda: make_tar([(tar_entry("p/l", tarfile.LNKTYPE, "../x"), b"")]),
    "device": lambda: make_tar([(tar_entry("d", tarfile.CHRTYPE), b"")]),
    "fifo": lambda: make_tar([(tar_entry("d", tarfile.FIFOTYPE), b"")]),
    "bomb": lambda: make_tar([("zeros", bytes(80 * 1024 * 1024))]),
    "too many": lambda: make_tar([(f"f{n}", b"") for n in range(1001)]),
    "wanted too large": lambda: make_tar([("PKG-INFO", b"x" * 1_100_000)]),
}


@pytest.mark.parametrize("name", HOSTILE_TARS)
def test_a_hostile_tar_is_refused(name):
    with pytest.raises(ArchiveError, match="The archive is refused"):
        scan_tar(io.BytesIO(HOSTILE_TARS[name]()), want=lambda n: n == "PKG-INFO", max_entries=1000)


@given(st.integers(0, 2047), st.integers(0, 255))
def test_one_changed_tar_byte_never_escapes_as_another_error(position, value):
    data = bytearray(make_tar([("PKG-INFO", b"hello"), ("b" * 120, b"x")], mode="w"))
    data[position] = value
    with contextlib.suppress(ArchiveError):
        scan_tar(io.BytesIO(bytes(data)), want=lambda _: True)
