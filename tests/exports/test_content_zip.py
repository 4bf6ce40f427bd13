"""The ZIP with content: read by every reader, exact in length, never with other bytes."""

from __future__ import annotations

import io
import shutil
import subprocess
import tracemalloc
import zipfile

import pytest

from exports.contents import PATHS, Contents, pointer
from packager_jupyter.errors import ObjectChangedError, StorageUnreachableError, TooLargeError
from packager_jupyter.exports.content_zip import MAX_ENTRIES, ContentArchive, ContentLimits
from packager_jupyter.exports.reading import read_pointer
from packager_jupyter.packages.pointer_file import parse_pointer_file
from packager_jupyter.sources.base import Entry

BASE = "https://data.example.org/s/abc/"
LIMITS = ContentLimits(total_bytes=10**8, file_bytes=10**7)
ATTACHED = {"README.md": b"# x\n", "big.bin.pointer": b"mine"}
SIZES = [0, 1, 65_534, 65_535, 65_536, 131_070, 200_000]


def data_of(one):
    return (one.path.encode() * (one.size_bytes + 1))[: one.size_bytes]


def read(one):
    data = data_of(one)
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


@pytest.fixture
def contents():
    pointers = [pointer(path, size=SIZES[n % len(SIZES)]) for n, path in enumerate(PATHS)]
    return Contents([*pointers, pointer("big.bin", size=20_000_000)], ATTACHED)


def made(contents, limits=LIMITS):
    archive = ContentArchive(contents, BASE, limits=limits)
    data = b"".join(archive.stream(read))
    assert len(data) == archive.size_bytes
    return data


def test_every_entry_has_its_bytes(contents):
    opened = zipfile.ZipFile(io.BytesIO(made(contents)))
    assert opened.testzip() is None
    found = {name: opened.read(name) for name in opened.namelist()}
    assert len(found) == len(opened.namelist())
    stand_in = parse_pointer_file(found.pop("big.bin~1.pointer"))
    assert (stand_in.pointer.path, stand_in.url) == ("big.bin", BASE + "files/big.bin")
    expected = {one.path: data_of(one) for one in contents.iter_pointers()}
    del expected["big.bin"]
    assert found == expected | ATTACHED


def test_the_same_bytes_each_time(contents):
    assert made(contents) == made(contents)
    assert ContentArchive.etag(contents, BASE, LIMITS) != ContentArchive.etag(
        contents, BASE, ContentLimits(1, 1)
    )


def test_unzip_reads_it(contents, tmp_path, require):
    unzip = require("unzip", package="unzip")
    (tmp_path / "a.zip").write_bytes(made(contents))
    done = subprocess.run([unzip, "-tq", "a.zip"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, b"No errors" in done.stdout) == (0, True), done.stdout


STREAM = """
import java.io.*; import java.util.zip.*;
public class Read { public static void main(String[] a) throws IOException {
  ZipInputStream in = new ZipInputStream(System.in); long bytes = 0; int count = 0;
  for (ZipEntry e; (e = in.getNextEntry()) != null; count++) bytes += in.readAllBytes().length;
  System.out.print(count + " " + bytes); } }
"""


def test_a_reader_that_cannot_seek_reads_it(contents, tmp_path):
    """Java's refuses stored entries with a descriptor."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("java not found")
    (tmp_path / "Read.java").write_text(STREAM)
    done = subprocess.run(
        [java, "Read.java"], cwd=tmp_path, input=made(contents), capture_output=True, check=False,
        timeout=120,
    )  # fmt: skip
    if b"compiler" in done.stderr:
        pytest.skip("this java compiles nothing")
    expected = zipfile.ZipFile(io.BytesIO(made(contents))).infolist()
    total = sum(one.file_size for one in expected)
    assert done.stdout.decode() == f"{len(expected)} {total}", done.stderr


def test_memory_does_not_grow_with_the_bytes():
    many = Contents([pointer(f"f{n:03}", size=1_000_000) for n in range(60)])
    archive = ContentArchive(many, BASE, limits=LIMITS)

    def zeros(one):
        for _ in range(one.size_bytes // 50_000):
            yield bytes(50_000)

    tracemalloc.start()
    sent = sum(len(piece) for piece in archive.stream(zeros))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sent, peak < 2_000_000) == (archive.size_bytes, True), peak


@pytest.mark.parametrize(
    ("count", "size", "limits"),
    [
        (3, 40, ContentLimits(total_bytes=100, file_bytes=50)),
        (1, 1, ContentLimits(total_bytes=0, file_bytes=50)),
        (MAX_ENTRIES + 1, 0, LIMITS),
    ],
)
def test_a_package_over_the_limit_is_refused(count, size, limits):
    contents = Contents([pointer(f"f{n:06}", size=size) for n in range(count)])
    with pytest.raises(TooLargeError):
        ContentArchive(contents, BASE, limits=limits)


def test_files_over_the_limit_do_not_count():
    contents = Contents([pointer("a", size=40), pointer("b", size=60), pointer("c", size=40)])
    data = made(contents, ContentLimits(total_bytes=100, file_bytes=50))
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["a", "b.pointer", "c"]


class Store:
    """A storage whose object is replaced while it is read."""

    def __init__(self, data, *, later=None, etag="abc"):
        self.data, self.later, self.etag = data, later, etag

    def stat(self, key, *, version_id=None):
        return Entry(key, size_bytes=len(self.data), etag=self.etag)

    def read(self, _key, *, start=0, stop=None, version_id=None):
        yield self.data[:2]
        if self.later is not None:
            self.data, self.etag = self.later, "other"
        yield self.data[2:]


@pytest.mark.parametrize(
    ("store", "sums"),
    [
        (Store(b"hello", etag="other"), {}),
        (Store(b"hell"), {}),
        (Store(b"hello", later=b"HELLO"), {}),
        (Store(b"hello", later=b"hel"), {}),
        (Store(b"hello", later=b"hello and more"), {}),
        (Store(b"hello"), {"md5": "0" * 32}),
    ],
)
def test_other_bytes_never_end_well(store, sums):
    contents = Contents([pointer("a", **sums), pointer("b")])
    archive = ContentArchive(contents, BASE, limits=LIMITS)
    sent = []
    pieces = archive.stream(lambda one: read_pointer(one, lambda _name: store))
    with pytest.raises(ObjectChangedError):
        sent.extend(pieces)
    assert sum(map(len, sent)) < archive.size_bytes


def test_a_reader_that_ends_early_is_not_taken_for_whole():
    archive = ContentArchive(Contents([pointer("a", size=9)]), BASE, limits=LIMITS)
    with pytest.raises(StorageUnreachableError):
        list(archive.stream(lambda _one: iter([b"short"])))


def test_the_right_bytes_do():
    store = Store(b"hello")
    one = pointer("a", md5="5d41402abc4b2a76b9719d911017c592")
    assert b"".join(read_pointer(one, lambda _name: store)) == b"hello"
