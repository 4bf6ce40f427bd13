"""Pointer files made from an index: as those that are made one by one, and as long as foretold."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packager_jupyter.errors import StoreCorruptError
from packager_jupyter.packages import outline, pointer_rows
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.outline import Outline, outline_of
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_file import pointer_file
from packager_jupyter.packages.pointer_files import PointerFiles
from packager_jupyter.packages.pointer_rows import iter_written

BASES = ["https://data.example.org:8888/s/a/files/", "http://[::1]/s/a~b/", "b"]
MD5 = "635b434187cea0bb4d320073e536fe6d"
HEX = ["0" * 32, "1e" * 16, "b" * 32, MD5.upper()]
ETAGS = [None, MD5, *HEX, f"{MD5}-3", f"{'1' * 32}-2", "W/x"]
VERSIONS = [
    None,
    "3HL4kqtJlcpXroDTDmJ",
    "null",
    "0" * 31 + "a",
    "2023-01-01T00:00:00Z",
    'a"b\\',
    "",
]
SUMS = [{}, {"md5": MD5}, {"md5": "0" * 32}, {"sha256": "ab" * 32}, {"crc64nvme": "ab" * 8}]
NAMES = ["file-0001.nc", "b", "7", "sp ace.csv", "tilde~", "données", "x" * 200, "yes", "e1"]


@st.composite
def pointers(draw):
    folder = draw(st.sampled_from(["", "obs/", "obs/deep/", "a b/", "8/"]))
    name = draw(st.sampled_from(NAMES) | st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True))
    name = name.rstrip(".") or "dot"
    key = draw(st.sampled_from([folder, folder, "raw/", "", "8/"])) + name
    root = draw(st.sampled_from(["s3://bucket/raw/", "s3://bucket/raw/", "s 3:", "azure://a/b/"]))
    etag = draw(st.sampled_from(ETAGS))
    sums = dict(draw(st.sampled_from([{}, *SUMS])))
    if draw(st.booleans()):
        sums |= draw(st.sampled_from(SUMS))
    if etag == MD5 and draw(st.booleans()):
        sums["md5"] = etag
    return Pointer(
        path=folder + name,
        source=draw(st.sampled_from(["lake", "lake", "on"])),
        key=key,
        uri=root + key,
        size_bytes=draw(st.integers(0, 2**53 - 1)),
        modified_s=draw(st.none() | st.just(1_700_000_000) | st.integers(-(10**9), 10**10)),
        etag=etag,
        version_id=draw(st.none() | st.sampled_from(VERSIONS)),
        checksums=sums,
        media_type=draw(st.sampled_from([None, None, None, "image/tiff"])),
    )


def plain(number, folder="obs/", **more):
    key = f"{folder}file-{number:05}.nc"
    return Pointer(key, "lake", key, f"s3://bucket/{key}", number, **({"etag": MD5} | more))


def index_of(folder, found):
    """Return an index of the pointers, of those with one path the first."""
    index = PointerIndex(Path(folder) / "pointers.sqlite")
    by_path = {}
    for one in found:
        by_path.setdefault(one.path, one)
    index.add(by_path.values())
    return index


def writer(base):
    return PointerFiles(package="team/mix", version="3", url_of=lambda path: base + quote(path))


def alone(pointer, base):
    url = base + quote(pointer.path)
    return pointer_file(pointer, package="team/mix", version="3", url=url)


@settings(max_examples=80, deadline=None)
@given(st.lists(pointers(), min_size=1, max_size=12), st.sampled_from(BASES))
@example([plain(n, version_id="v1", checksums={"md5": MD5}) for n in range(3)], BASES[0])
@example([plain(n, folder="", checksums={"sha256": "ab" * 32}) for n in range(3)], BASES[0])
@example([plain(1, etag="0" * 32), plain(2, etag="1e" * 16)], BASES[0])
def test_files_from_rows_are_those_made_alone(found, base):
    with tempfile.TemporaryDirectory() as folder:
        index = index_of(folder, found)
        with index.read() as connection:
            batches = list(iter_written(connection, writer(base)))
            foretold = outline_of(connection)
        expected = list(index.iter_sorted())
        index.close()
    names = [name for batch, _ in batches for name in batch]
    files = [file for _, batch in batches for file in batch]
    assert names == [f"{one.path}.pointer".encode() for one in expected]
    assert files == [alone(one, base) for one in expected]
    extra = foretold.extra_bytes(writer(base))
    if base == BASES[0]:
        [stretch] = foretold.stretches
        assert (stretch.first, stretch.files) == (expected[0].path, len(expected))
        assert stretch.path_bytes == sum(len(one.path.encode()) for one in expected)
        assert stretch.file_bytes + extra * len(files) == sum(map(len, files))
    else:
        assert extra is None  # an address that needs quotes: lengths differ from file to file


def test_usual_rows_are_not_made_one_by_one(tmp_path, monkeypatch):
    usual = [plain(n, modified_s=n * 86_399) for n in range(600)]
    usual += [plain(n, "v/", version_id=f"{n:031}x") for n in range(20)]
    usual += [plain(n, "s/", checksums={"sha256": "ab" * 32, "md5": MD5}) for n in range(20)]
    index = index_of(tmp_path, usual)
    monkeypatch.setattr(pointer_rows, "unpack_rows", lambda *_: pytest.fail("one by one"))
    with index.read() as connection:
        batches = [files for _, files in iter_written(connection, writer(BASES[0]))]
    assert [len(files) for files in batches] == [256, 256, 88, 20, 20]
    assert batches[0][5] == alone(usual[5], BASES[0])
    with index.read() as connection, pytest.raises(pytest.fail.Exception):
        list(iter_written(connection, writer(BASES[1])))
    index.close()


def test_a_file_at_which_to_begin_comes_first(tmp_path):
    index = index_of(tmp_path, [plain(n, f"f{n % 3}/") for n in range(900)])
    with index.read() as connection:
        every = [name for names, _ in iter_written(connection, writer(BASES[0])) for name in names]
        for number in (0, 1, 255, 256, 299, 300, 899):
            path = every[number].decode().removesuffix(".pointer")
            rest = iter_written(connection, writer(BASES[0]), path)
            first, _ = next(rest)
            assert first == [every[number]]
            assert (
                list(itertools.chain.from_iterable(names for names, _ in rest))
                == (every[number + 1 :])
            )
    index.close()


def test_an_outline_comes_back_or_is_refused(tmp_path, monkeypatch):
    index = index_of(tmp_path, [plain(n, f"f{n // 1000}/") for n in range(2500)])
    with index.read() as connection:
        found = outline_of(connection)
    index.close()
    assert [(one.first, one.files) for one in found.stretches] == [
        ("f0/file-00000.nc", 1256),
        ("f1/file-01256.nc", 1244),
    ]
    data = found.to_bytes()
    assert Outline.from_bytes(data, files=2500) == found
    cut, other = data[:-1], data.replace(b"1256", b"1257")
    for bad in (b"", b"{}", cut, other):
        with pytest.raises(StoreCorruptError):
            Outline.from_bytes(bad, files=2500)
    with pytest.raises(StoreCorruptError):
        Outline.from_bytes(data, files=2499)
    monkeypatch.setattr(outline, "FORMAT", "outline-next")
    with pytest.raises(StoreCorruptError):
        Outline.from_bytes(data, files=2500)


def test_a_file_that_the_address_makes_too_long_has_no_foretold_length(tmp_path):
    index = index_of(tmp_path, [plain(1, version_id="v" * 15_900)])
    with index.read() as connection:
        found = outline_of(connection)
    index.close()
    assert found.extra_bytes(writer(BASES[0])) is not None
    assert found.extra_bytes(writer("https://data.example.org/" + "long" * 100 + "/")) is None
