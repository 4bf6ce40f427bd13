"""Our own ZIP writer: stored, deterministic, seekable, in constant memory.

A library keeps a record of each entry until the central directory; this writer reads the entries a
second time instead. A first pass over names and sizes alone gives the exact length of the archive
and check points into it, so that any byte range can be produced without what stands before it.

The format is that of APPNOTE.TXT 6.3.10: sections 4.3.7 (local header), 4.3.12 (central
directory), 4.3.14 and 4.3.15 (ZIP64 end), 4.3.16 (end); names are UTF-8 (flag bit 11, 4.4.4). All
entries carry the date 1980-01-01, the format's zero: an archive has no date of its own.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from packager_jupyter.errors import StoreCorruptError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKPOINT_EVERY = 1024
CHUNK_BYTES = 64 * 1024
DIRECTORY_BATCH = 512
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
    """What goes into an archive; gives the same pairs in the same order every time."""

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield name and size in bytes of every entry, without its bytes where that is cheaper."""
        ...

    def read(self, start: int, first: str) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of the entries from number `start` on; its name is `first`."""
        ...


@dataclass(frozen=True, slots=True)
class CheckPoint:
    """Where entry number `index` begins, in the file and in the central directory."""

    index: int
    name: str
    local_offset: int
    central_offset: int


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
        local = central = count = 0
        checkpoints = []
        for name, size_bytes in entries.sizes():
            if count % CHECKPOINT_EVERY == 0:
                checkpoints.append(CheckPoint(count, name, local, central))
            if size_bytes >= UINT32_MAX:
                raise TooLargeError(
                    f"{name} has {size_bytes} bytes; an entry of the ZIP holds less than 4 GiB.",
                    remedy="Download that file by itself.",
                )
            name_bytes = len(name.encode())
            central += CENTRAL.size + name_bytes
            if local >= UINT32_MAX:
                central += OFFSET64.size
            local += LOCAL.size + name_bytes + size_bytes
            count += 1
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
    yield from _locals_from(entries, point)
    yield from _directory_from(entries, plan, plan.checkpoints[0])


def _locals_from(entries: Entries, point: CheckPoint) -> Iterator[bytes]:
    # This loop and the next one run a million times per archive: no call that can be spared.
    pack, head, waiting, waiting_bytes = LOCAL.pack, LOCAL_HEAD, list[bytes](), 0
    for name, data in entries.read(point.index, point.name):
        encoded = name.encode()
        size = len(data)
        waiting += (pack(head, crc32(data), size, size, len(encoded), 0), encoded, data)
        waiting_bytes += size
        if waiting_bytes >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, waiting_bytes = [], 0
    yield b"".join(waiting)


def _directory_from(entries: Entries, plan: ZipPlan, point: CheckPoint) -> Iterator[bytes]:
    pack, near, far = CENTRAL.pack, _central_head(VERSION), _central_head(VERSION_ZIP64)
    tail, waiting, offset, waiting_from = CENTRAL_TAIL, list[bytes](), point.local_offset, 0
    for name, data in entries.read(point.index, point.name):
        encoded = name.encode()
        size, name_bytes = len(data), len(encoded)
        if offset < UINT32_MAX:
            fixed = pack(near, crc32(data), size, size, name_bytes, 0, tail, offset)
            waiting += (fixed, encoded)
        else:
            extra = OFFSET64.pack(1, 8, offset)
            fixed = pack(far, crc32(data), size, size, name_bytes, len(extra), tail, UINT32_MAX)
            waiting += (fixed, encoded, extra)
        offset += LOCAL.size + name_bytes + size
        waiting_from += 1
        if waiting_from == DIRECTORY_BATCH:
            yield b"".join(waiting)
            waiting, waiting_from = [], 0
    yield b"".join(waiting) + _end_of(plan)


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
