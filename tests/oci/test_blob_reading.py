"""How a layout reads a blob for a server: what lies in memory at once, the rest in a thread."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from faults.strace import needs_strace, run
from packager_jupyter.errors import StoreCorruptError
from packager_jupyter.io import WRITEBACK_BYTES, fsync_dir
from packager_jupyter.oci.layout import LayoutStore

MIB = 1024 * 1024
DATA = os.urandom(5 * MIB + 3)


@pytest.fixture
def layout(tmp_path):
    return LayoutStore(tmp_path)


@pytest.fixture
def digest(layout):
    return layout.push_blob("a", DATA).digest


@pytest.fixture
def known(layout, digest):
    """A blob that was read whole, and so is known to be sound."""
    assert b"".join(layout.read_blob("a", digest)) == DATA
    return digest


def at_hand(chunks):
    found = []
    while piece := chunks.at_hand():
        found.append(bytes(piece))
    return b"".join(found)


def test_what_is_not_checked_yet_is_never_at_hand(layout, digest):
    chunks = layout.read_blob("a", digest)
    assert not chunks.at_hand()  # not even opened
    first = next(chunks)
    assert not chunks.at_hand()
    assert first + b"".join(chunks) == DATA


@pytest.mark.parametrize(("start", "stop"), [(0, None), (1, None), (7, 3 * MIB), (5 * MIB, None)])
def test_the_rest_is_at_hand(layout, known, start, stop):
    chunks = layout.read_blob("a", known, start=start, stop=stop)
    got = next(chunks)
    assert len(got) <= MIB
    got += at_hand(chunks)
    assert got == DATA[start:stop]
    assert next(chunks, None) is None
    assert not chunks.at_hand()


def test_a_part_needs_no_check(layout, digest):
    chunks = layout.read_blob("a", digest, start=1)
    assert next(chunks) + at_hand(chunks) == DATA[1:]


def test_what_is_on_the_disk_only_is_not_at_hand(layout, known):
    path = layout.blobs("a").path(known)
    chunks = layout.read_blob("a", known)
    first = next(chunks)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    rest = at_hand(chunks)
    if len(rest) == len(DATA) - len(first):
        pytest.skip("this file system keeps what it was told to forget")
    assert first + rest + b"".join(chunks) == DATA


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EIO, errno.EAGAIN])
def test_where_nobody_can_tell_it_is_read_as_ever(layout, known, monkeypatch, code):
    asked = []

    def refuse(*_arguments):
        asked.append(1)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "preadv", refuse)
    chunks = layout.read_blob("a", known)
    got = b""
    for chunk in chunks:
        got += chunk
        assert not chunks.at_hand()
    assert got == DATA
    # Only what may come later is asked for again.
    assert len(asked) == (5 if code == errno.EAGAIN else 1)


def test_a_file_that_shrinks_is_damaged(layout, known):
    chunks = layout.read_blob("a", known)
    next(chunks)
    os.truncate(layout.blobs("a").path(known), 2 * MIB)
    assert len(at_hand(chunks)) == MIB
    with pytest.raises(StoreCorruptError):
        next(chunks)
    assert next(chunks, None) is None


def test_a_reader_that_stops_lets_go(layout, known):
    def held():
        return [one for one in Path("/proc/self/fd").iterdir() if is_blob(one)]

    def is_blob(one):
        try:
            return str(one.readlink()).endswith(known.partition(":")[2])
        except FileNotFoundError:
            return False

    chunks = layout.read_blob("a", known)
    next(chunks)
    assert held()
    chunks.close()
    assert not held()
    assert next(chunks, None) is None
    chunks = layout.read_blob("a", known)
    next(chunks)
    del chunks
    assert not held()


@needs_strace
def test_a_large_blob_is_written_to_the_disk_while_it_comes(layout):
    fsync_dir(layout.root)

    def push():
        layout.push_blob("a", (bytes(MIB) for _ in range(40)))

    outcome = run(push, "-e", "trace=fadvise64,fsync,rename")
    assert outcome.is_acknowledged
    lines = [line for line in outcome.log.splitlines() if "fadvise64" in line or "ingest" in line]
    begun = [line for line in lines if "fadvise64" in line]
    assert len(begun) == 40 * MIB // WRITEBACK_BYTES - 1
    assert all("POSIX_FADV_DONTNEED" in line and "= 0" in line for line in begun)
    # It is a hint: the file is synced all the same, before it gets its name.
    after = "\n".join(lines[len(begun) :])
    assert "fsync" in after
    assert after.index("fsync") < after.index("rename")
