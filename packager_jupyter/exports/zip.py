"""Our own ZIP writer: stored, deterministic, seekable, in constant memory.

A library keeps a record of each entry until the central directory; this writer puts the finished
directory aside as it goes, in a file without a name once it is longer than 512 KiB. A first pass
over names and sizes alone gives the exact length of the archive and check points into it, so that
any byte range can be produced without what stands before it; such a range reads the entries of its
part of the directory a second time.

Entries come and go in batches, and what is done for each of them is done by functions in C over a
whole batch: an archive has a million of them.

The format is that of APPNOTE.TXT 6.3.10: sections 4.3.7 (local header), 4.3.12 (central
directory), 4.3.14 and 4.3.15 (ZIP64 end), 4.3.16 (end); names are UTF-8 (flag bit 11, 4.4.4). All
entries carry the date 1980-01-01, the format's zero: an archive has no date of its own.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat
from operator import add
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, NamedTuple, Protocol
from zlib import crc32

from packager_jupyter.errors import StoreCorruptError, TooLargeError
from packager_jupyter.io import explain_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import IO

CHECKPOINT_EVERY = 1024
CHUNK_BYTES = 64 * 1024
SPOOL_BYTES = 512 * 1024
_UINT16_MAX = 0xFFFF
UINT32_MAX = 0xFFFFFFFF
VERSION = 20
VERSION_ZIP64 = 45
UNIX = 3 << 8
UTF8 = 0x0800
DATE = (1 << 5) | 1  # 1980-01-01
_MODE = 0o100644 << 16

LOCAL = struct.Struct("<14sIIIHH")
LOCAL_HEAD = struct.pack("<IHHHHH", 0x04034B50, VERSION, UTF8, 0, 0, DATE)
CENTRAL = struct.Struct("<16sIIIHH10sI")
CENTRAL_TAIL = struct.pack("<HHHI", 0, 0, 0, _MODE)
OFFSET64 = struct.Struct("<HHQ")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")


class Entries(Protocol):
    """What goes into an archive; gives the same entries in the same order every time.

    They come in batches of any length: the names in UTF-8, and as many sizes or contents. A batch
    of contents is held in memory.
    """

    def sizes(self) -> Iterator[tuple[Sequence[bytes], Sequence[int]]]:
        """Yield names and sizes in bytes, without reading contents where that is cheaper."""
        ...

    def read(self, start: int, first: str) -> Iterator[tuple[Sequence[bytes], Sequence[bytes]]]:
        """Yield names and contents from entry number `start` on; its name is `first`."""
        ...


@dataclass(frozen=True, slots=True)
class CheckPoint:
    """Where entry number `index` begins, in the file and in the central directory."""

    index: int
    name: str
    local_offset: int
    central_offset: int


class Run(NamedTuple):
    """Some entries in a row: what is known of them without looking at each.

    Attributes
    ----------
    first : bytes
        Name of the first one.
    entries, name_bytes, content_bytes : int
    sizes : callable
        Returns all names and sizes; asked only where offsets outgrow 32 bits.
    """

    first: bytes
    entries: int
    name_bytes: int
    content_bytes: int
    sizes: Callable[[], tuple[Sequence[bytes], Sequence[int]]]

    @classmethod
    def of(cls, names: Sequence[bytes], sizes: Sequence[int]) -> Run:
        """Return what is to be known of these entries.

        Raises
        ------
        TooLargeError
            One of them has 4 GiB or more.
        """
        if max(sizes) >= UINT32_MAX:
            raise _too_large(names, sizes)
        both = names, sizes
        return cls(names[0], len(names), sum(map(len, names)), sum(sizes), lambda: both)


@dataclass(frozen=True, slots=True)
class ZipPlan:
    """The outline of an archive: enough to produce any part of it.

    Attributes
    ----------
    size_bytes : int
        Exact length of the archive.
    count : int
        Number of entries.
    """

    size_bytes: int
    count: int
    directory_offset: int
    directory_bytes: int
    checkpoints: list[CheckPoint] = field(repr=False)

    @classmethod
    def of(cls, entries: Entries) -> ZipPlan:
        """Make the plan in one pass over names and sizes.

        Raises
        ------
        TooLargeError
            One entry has 4 GiB or more.
        """
        return cls.of_runs(Run.of(*batch) for batch in entries.sizes() if batch[0])

    @classmethod
    def of_runs(cls, runs: Iterable[Run]) -> ZipPlan:
        """Make the plan from entries that were counted before."""
        local = central = count = 0
        checkpoints: list[CheckPoint] = []
        for run in runs:
            if not checkpoints or count - checkpoints[-1].index >= CHECKPOINT_EVERY:
                checkpoints.append(CheckPoint(count, run.first.decode(), local, central))
            central += CENTRAL.size * run.entries + run.name_bytes
            end = local + LOCAL.size * run.entries + run.name_bytes + run.content_bytes
            if local >= UINT32_MAX:
                central += OFFSET64.size * run.entries
            elif end > UINT32_MAX:
                names, sizes = run.sizes()
                *offsets, _ = _offsets(local, names, sizes)
                central += OFFSET64.size * sum(offset >= UINT32_MAX for offset in offsets)
            local = end
            count += run.entries
        end = len(end_record(count, local, central))
        return cls(local + central + end, count, local, central, checkpoints)


def stream(
    entries: Entries, plan: ZipPlan, *, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Yield the bytes ``[start, stop)`` of the archive in chunks of some 64 KiB.

    Raises
    ------
    StoreCorruptError
        The entries are not those that `plan` was made from.
    """
    stop = plan.size_bytes if stop is None else min(stop, plan.size_bytes)
    position, chunks = _chunks_from(entries, plan, start)
    for chunk in chunks:
        if position >= stop:
            break
        piece = chunk[max(0, start - position) : stop - position]
        position += len(chunk)
        if piece:
            yield piece
    if position < stop:
        raise StoreCorruptError(
            "The package's content changed while the archive was written.",
            remedy="Start the download again.",
        )


def _chunks_from(entries: Entries, plan: ZipPlan, start: int) -> tuple[int, Iterator[bytes]]:
    """Return an iterator over chunks of the archive and where its first one begins (≤ `start`)."""
    offset = plan.directory_offset
    if start < offset:
        point = _before(plan, "local_offset", start)
        return point.local_offset, _all_from(entries, plan, point)
    in_directory = start - offset
    if in_directory < plan.directory_bytes:
        point = _before(plan, "central_offset", in_directory)
        return offset + point.central_offset, _directory_from(entries, plan, point)
    return offset + plan.directory_bytes, iter([_end_of(plan)])


def _before(plan: ZipPlan, what: str, offset: int) -> CheckPoint:
    number = bisect_right(plan.checkpoints, offset, key=lambda point: getattr(point, what))
    return plan.checkpoints[number - 1]


def _all_from(entries: Entries, plan: ZipPlan, point: CheckPoint) -> Iterator[bytes]:
    with SpooledTemporaryFile(max_size=SPOOL_BYTES) as directory:
        # Whoever begins in the middle mostly wants little of it, and not the directory.
        is_whole = point.index == 0
        yield from _locals_from(entries, point, directory if is_whole else None)
        if not is_whole:
            yield from _directory_from(entries, plan, plan.checkpoints[0])
            return
        directory.seek(0)
        while chunk := directory.read(CHUNK_BYTES):
            yield chunk
    yield _end_of(plan)


def _locals_from(
    entries: Entries, point: CheckPoint, directory: IO[bytes] | None
) -> Iterator[bytes]:
    """Yield headers and contents from `point` on; what the directory says goes to `directory`."""
    offset, waiting, waiting_bytes = point.local_offset, list[bytes](), 0
    for names, contents in entries.read(point.index, point.name):
        crcs, sizes = list(map(crc32, contents)), list(map(len, contents))
        lengths = map(len, names)
        heads = map(LOCAL.pack, repeat(LOCAL_HEAD), crcs, sizes, sizes, lengths, repeat(0))
        data = b"".join(chain.from_iterable(zip(heads, names, contents, strict=True)))
        if directory is not None:
            with explain_disk_full("the directory of an archive"):
                directory.write(_records(names, sizes, crcs, offset))
        offset += len(data)
        waiting.append(data)
        waiting_bytes += len(data)
        if waiting_bytes >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, waiting_bytes = [], 0
    yield b"".join(waiting)


def _directory_from(entries: Entries, plan: ZipPlan, point: CheckPoint) -> Iterator[bytes]:
    offset = point.local_offset
    for names, contents in entries.read(point.index, point.name):
        sizes = list(map(len, contents))
        yield _records(names, sizes, list(map(crc32, contents)), offset)
        offset += LOCAL.size * len(names) + sum(map(len, names)) + sum(sizes)
    yield _end_of(plan)


def _records(
    names: Sequence[bytes], sizes: Sequence[int], crcs: Sequence[int], offset: int
) -> bytes:
    """Return what the directory says of a batch whose first entry stands at `offset`."""
    *offsets, end = _offsets(offset, names, sizes)
    near, tail = _central_head(VERSION), repeat(CENTRAL_TAIL)
    if end <= UINT32_MAX:
        lengths = map(len, names)
        fixed = map(
            CENTRAL.pack, repeat(near), crcs, sizes, sizes, lengths, repeat(0), tail, offsets
        )
        return b"".join(chain.from_iterable(zip(fixed, names, strict=True)))
    far, pieces = _central_head(VERSION_ZIP64), list[bytes]()
    for name, size, crc, place in zip(names, sizes, crcs, offsets, strict=True):
        is_far = place >= UINT32_MAX
        extra = OFFSET64.pack(1, 8, place) if is_far else b""
        head, short = (far, UINT32_MAX) if is_far else (near, place)
        pieces += (
            CENTRAL.pack(head, crc, size, size, len(name), len(extra), CENTRAL_TAIL, short),
            name,
            extra,
        )
    return b"".join(pieces)


def _offsets(start: int, names: Sequence[bytes], sizes: Sequence[int]) -> Iterator[int]:
    """Yield where each entry of a batch begins, and where the last one ends."""
    lengths = map(add, map(len, names), map(add, repeat(LOCAL.size), sizes))
    return accumulate(lengths, initial=start)


def _too_large(names: Sequence[bytes], sizes: Sequence[int]) -> TooLargeError:
    size_bytes, name = max(zip(sizes, names, strict=True))
    return TooLargeError(
        f"{name.decode()} has {size_bytes} bytes; an entry of the ZIP holds less than 4 GiB.",
        remedy="Download that file by itself.",
    )


def _central_head(version: int) -> bytes:
    return struct.pack("<IHHHHHH", 0x02014B50, UNIX | version, version, UTF8, 0, 0, DATE)


def _end_of(plan: ZipPlan) -> bytes:
    return end_record(plan.count, plan.directory_offset, plan.directory_bytes)


def end_record(count: int, offset: int, size: int) -> bytes:
    """Return what ends an archive whose directory of `size` bytes stands at `offset`."""
    tail = _END.pack(
        0x06054B50,
        0,
        0,
        min(count, _UINT16_MAX),
        min(count, _UINT16_MAX),
        min(size, UINT32_MAX),
        min(offset, UINT32_MAX),
        0,
    )
    if count < _UINT16_MAX and size < UINT32_MAX and offset < UINT32_MAX:
        return tail
    end64 = _END64.pack(
        0x06064B50,
        _END64.size - 12,
        UNIX | VERSION_ZIP64,
        VERSION_ZIP64,
        0,
        0,
        count,
        count,
        size,
        offset,
    )
    return end64 + _LOCATOR64.pack(0x07064B50, 0, offset + size, 1) + tail
