"""The ZIP writer: read by every reader at hand, exact in length, equal in any range."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tracemalloc
import zipfile
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager_jupyter.errors import StoreCorruptError, TooLargeError
from packager_jupyter.exports.zip import ZipPlan, stream

NAMES = [
    "README.md",
    "日本/データ.csv.pointer",
    "sp ace/+#%&'\".txt",
    "e\u0301.txt",
    "deep/" * 50 + "x",
]


def batches(pairs, length=7):
    remaining = iter(pairs)
    while batch := list(islice(remaining, length)):
        names, values = zip(*batch, strict=True)
        yield [name.encode() for name in names], list(values)


class Pairs:
    """Entries held in a list; the two passes cut it up differently, as they may."""

    def __init__(self, pairs):
        self.pairs = pairs

    def sizes(self):
        yield [], []
        yield from batches((name, len(data)) for name, data in self.pairs)

    def read(self, start, first):
        assert self.pairs[start][0] == first
        yield from batches(self.pairs[start:], 5)
        yield [], []


class Many:
    """Entries made up on the way, so that nothing but the writer can hold memory."""

    def __init__(self, count, size_bytes=245):
        self.count = count
        self.size_bytes = size_bytes

    def _name(self, n):
        return f"folder{n // 1000:05}/file{n:08}.csv.pointer"

    def sizes(self):
        return batches(((self._name(n), self.size_bytes) for n in range(self.count)), 256)

    def read(self, start, first):
        assert first == self._name(start)
        pairs = ((self._name(n), b"%0*d" % (self.size_bytes, n)) for n in range(start, self.count))
        return batches(pairs, 256)


def archive(entries):
    plan = ZipPlan.of(entries)
    data = b"".join(stream(entries, plan))
    assert len(data) == plan.size_bytes
    return data, plan


def test_zipfile_reads_names_and_bytes():
    pairs = [(name, name.encode() * 3) for name in NAMES] + [("empty", b"")]
    data, _ = archive(Pairs(pairs))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert [(i.filename, opened.read(i)) for i in opened.infolist()] == pairs
        assert opened.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
        assert opened.infolist()[0].external_attr >> 16 == 0o100644


def test_an_empty_archive_is_one(tmp_path):
    data, _ = archive(Pairs([]))
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == []


@pytest.mark.skipif(
    not shutil.which("unzip"), reason="unzip not found: install the Debian package unzip"
)
def test_unzip_agrees(tmp_path):
    data, _ = archive(Pairs([(name, b"x" * 1000) for name in NAMES]))
    (tmp_path / "a.zip").write_bytes(data)
    subprocess.run(["unzip", "-tq", "a.zip"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["unzip", "-q", "a.zip"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "日本/データ.csv.pointer").read_bytes() == b"x" * 1000


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 300), max_size=30),
    cuts=st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 12_000)), max_size=20),
)
def test_every_range_is_a_slice_of_the_whole(sizes, cuts):
    entries = Pairs([(f"n{n}", bytes([n]) * size) for n, size in enumerate(sizes)])
    data, plan = archive(entries)
    for start, stop in cuts:
        assert b"".join(stream(entries, plan, start=start, stop=stop)) == data[start:stop]


def test_ranges_across_check_points_and_the_zip64_directory():
    entries = Many(70_000, size_bytes=20)
    data, plan = archive(entries)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == 70_000
        assert opened.read("folder00069/file00069999.csv.pointer") == b"%020d" % 69_999
    chance = random.Random(7)
    starts = [chance.randrange(plan.size_bytes) for _ in range(60)]
    starts += [plan.directory_offset - 1, plan.directory_offset, plan.size_bytes - 1]
    for start in starts:
        piece = b"".join(stream(entries, plan, start=start, stop=start + 500))
        assert piece == data[start : start + 500]


def test_archives_beyond_four_gib_have_64_bit_offsets(tmp_path):
    # 70 entries of 64 MiB: written sparsely from the ends of the archive alone.
    big = bytes(64 * 1024 * 1024)

    class Big:
        def sizes(self):
            return batches((f"f{n}", len(big)) for n in range(70))

        def read(self, start, first):
            assert first == f"f{start}"
            return batches((f"f{n}", big) for n in range(start, 70))

    plan = ZipPlan.of(Big())
    file = tmp_path / "big.zip"
    with file.open("wb") as target:
        target.truncate(plan.size_bytes)
        target.seek(plan.directory_offset)
        for chunk in stream(Big(), plan, start=plan.directory_offset):
            target.write(chunk)
        assert target.tell() == plan.size_bytes
    with zipfile.ZipFile(file) as opened:
        offsets = [info.header_offset for info in opened.infolist()]
    sizes = [30 + len(f"f{n}") + len(big) for n in range(70)]
    assert offsets == [sum(sizes[:n]) for n in range(70)]
    assert offsets[-1] > 2**32


def test_memory_does_not_grow_with_the_archive():
    def peak(count):
        entries = Many(count)
        plan = ZipPlan.of(entries)
        tracemalloc.start()
        for _ in stream(entries, plan):
            pass
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    # Both are longer than what is held of the directory.
    assert peak(60_000) < peak(12_000) + 200_000


def test_entries_that_change_under_way_are_noticed():
    pairs = [("a", b"1"), ("b", b"2")]
    plan = ZipPlan.of(Pairs(pairs))
    with pytest.raises(StoreCorruptError):
        list(stream(Pairs(pairs[:1]), plan))


def test_a_reader_that_goes_away_leaves_nothing_running():
    chunks = stream(Many(50_000), ZipPlan.of(Many(50_000)))
    next(chunks)
    chunks.close()
    with pytest.raises(StopIteration):
        next(chunks)


def test_an_entry_beyond_four_gib_is_refused():
    class Huge:
        def sizes(self):
            return iter([([b"small", b"huge"], [1, 2**32])])

    with pytest.raises(TooLargeError, match="huge"):
        ZipPlan.of(Huge())
