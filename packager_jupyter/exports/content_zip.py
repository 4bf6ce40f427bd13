"""``package.zip?content=all``: a small package with the real bytes of its files.

The bytes of the files pass through this server, which is why limits bound it. Their CRC is known
only after their last byte, so each file stands as DEFLATE of stored blocks (RFC 1951 3.2.4) with a
data descriptor behind it (APPNOTE.TXT 4.3.9): its length is known beforehand, nothing is
compressed, and readers that do not seek find its end, as they could not with a stored entry.
Attachments, and the pointer files that stand for what is over the limit, are stored. The archive
has an exact length and the same bytes each time, but no ranges: its middle cannot be made without
reading what is before.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from packager_jupyter.errors import StorageUnreachableError, TooLargeError
from packager_jupyter.exports import zip as plain
from packager_jupyter.exports.base import file_url
from packager_jupyter.packages.pointer_file import ENDING, pointer_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.packages.pointer import Pointer

FORMAT = "zip-content-1"
MAX_ENTRIES = 10_000
BLOCK_BYTES = 0xFFFF
MAX_FILE_BYTES = 4_000_000_000
"""Sizes of an entry, its blocks included, stay below 4 GiB: no ZIP64 in its descriptor."""

_DEFLATED = 8
_DESCRIPTOR_FLAG = 0x0008
_BLOCK_HEAD = struct.Struct("<BHH")
_DESCRIPTOR = struct.Struct("<IIII")
_DESCRIPTOR_MARK = 0x08074B50


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """What may pass through the server for one archive.

    Attributes
    ----------
    total_bytes : int
        Of all files together; 0 allows none.
    file_bytes : int
        Larger files are pointer files.
    """

    total_bytes: int
    file_bytes: int

    def holds(self, pointer: Pointer) -> bool:
        """Return whether the bytes of this file go in."""
        return pointer.size_bytes <= min(self.file_bytes, MAX_FILE_BYTES)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry: bytes that are at hand when they are asked for, or a file to read."""

    name: str
    size_bytes: int
    pointer: Pointer | None
    is_content: bool

    @property
    def packed_bytes(self) -> int:
        if not self.is_content:
            return self.size_bytes
        return self.size_bytes + _BLOCK_HEAD.size * max(1, -(-self.size_bytes // BLOCK_BYTES))


class ContentArchive:
    """The archive of one version as seen under one share address.

    Parameters
    ----------
    contents : Exportable
    base_url : str
        Address of the share, ending in ``/``; stands in the pointer files.
    limits : ContentLimits

    Raises
    ------
    TooLargeError
        The package has more files or bytes than the limits allow.
    """

    def __init__(self, contents: Exportable, base_url: str, *, limits: ContentLimits) -> None:
        self._contents = contents
        self._base_url = base_url
        self._limits = limits
        self._entries = self._collect()
        self.size_bytes = self._size()

    @staticmethod
    def etag(contents: Exportable, base_url: str, limits: ContentLimits) -> str:
        """Return the entity tag, without quotes: the same exactly when the bytes are the same."""
        text = f"{FORMAT} {contents.digest} {contents.name}@{contents.version} {base_url} {limits}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def pointers(self) -> list[Pointer]:
        """The files whose bytes go in."""
        return [one.pointer for one in self._entries if one.is_content and one.pointer is not None]

    def stream(self, read: Callable[[Pointer], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield the archive.

        Parameters
        ----------
        read : callable
            Yields the bytes of a pointer's object, exactly as many as its size, or raises.
        """
        offset = 0
        central = []
        for entry in self._entries:
            length = 0
            crc = 0
            for piece, crc in self._local(entry, read):  # noqa: B007  # the last one counts
                length += len(piece)
                yield piece
            central.append(_central(entry, crc, offset))
            offset += length
        directory = b"".join(central)
        yield directory + plain.end_record(len(central), offset, len(directory))

    def _collect(self) -> list[_Entry]:
        attachments = sorted(self._contents.attachments(), key=lambda one: one.path.encode())
        entries = [_Entry(one.path, one.size_bytes, None, is_content=False) for one in attachments]
        pointers: list[Pointer] = []
        total_bytes = 0
        for pointer in self._contents.iter_pointers():
            pointers.append(pointer)
            total_bytes += pointer.size_bytes if self._limits.holds(pointer) else 0
            if total_bytes > self._limits.total_bytes or len(pointers) > MAX_ENTRIES:
                raise self._too_large()
        taken = {one.name for one in entries} | {one.path for one in pointers}
        entries += [self._entry(pointer, taken) for pointer in pointers]
        return entries

    def _entry(self, pointer: Pointer, taken: set[str]) -> _Entry:
        if self._limits.holds(pointer):
            return _Entry(pointer.path, pointer.size_bytes, pointer, is_content=True)
        name, number = pointer.path + ENDING, 0
        while name in taken:
            number += 1
            name = f"{pointer.path}~{number}{ENDING}"
        taken.add(name)
        return _Entry(name, len(self._pointer_file(pointer)), pointer, is_content=False)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            "This package is too large to be handed out as one ZIP with all its content: at most "
            f"{MAX_ENTRIES:,} files and {self._limits.total_bytes:,} bytes are.",
            remedy="Take the ZIP without content, or fetch the files with one of the other ways "
            "that the share's page shows.",
        )

    def _size(self) -> int:
        local = central = 0
        for entry in self._entries:
            name_bytes = len(entry.name.encode())
            extra = plain.OFFSET64.size if local >= plain.UINT32_MAX else 0
            central += plain.CENTRAL.size + name_bytes + extra
            local += plain.LOCAL.size + name_bytes + entry.packed_bytes
            local += _DESCRIPTOR.size if entry.is_content else 0
        return local + central + len(plain.end_record(len(self._entries), local, central))

    def _local(
        self, entry: _Entry, read: Callable[[Pointer], Iterator[bytes]]
    ) -> Iterator[tuple[bytes, int]]:
        """Yield the pieces of one entry with the CRC of what came so far."""
        name = entry.name.encode()
        if not entry.is_content:
            data = (
                self._contents.read_attachment(entry.name)
                if entry.pointer is None
                else self._pointer_file(entry.pointer)
            )
            crc = crc32(data)
            head = plain.LOCAL.pack(plain.LOCAL_HEAD, crc, len(data), len(data), len(name), 0)
            yield head + name + data, crc
            return
        if entry.pointer is None:  # pragma: no cover  # only pointers are content
            return
        yield plain.LOCAL.pack(_local_head(), 0, 0, 0, len(name), 0) + name, 0
        crc = 0
        for block, crc in _blocks(read(entry.pointer), entry.size_bytes):
            yield block, crc
        yield (
            _DESCRIPTOR.pack(_DESCRIPTOR_MARK, crc, entry.packed_bytes, entry.size_bytes),
            crc,
        )

    def _pointer_file(self, pointer: Pointer) -> bytes:
        return pointer_file(
            pointer,
            package=self._contents.name,
            version=self._contents.version,
            url=file_url(self._base_url, pointer.path),
        )


def _blocks(chunks: Iterator[bytes], size_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Yield DEFLATE blocks of exactly `size_bytes` from `chunks`, with the CRC so far.

    The chunks are read to their end before the last block is given out, as that is where their
    reader says whether they were right.
    """
    waiting, left, crc = bytearray(), size_bytes, 0
    for chunk in chunks:
        waiting += chunk
        crc = crc32(chunk, crc)
        while len(waiting) >= BLOCK_BYTES and left > BLOCK_BYTES:
            yield _block(waiting[:BLOCK_BYTES], is_last=False), crc
            del waiting[:BLOCK_BYTES]
            left -= BLOCK_BYTES
    if len(waiting) != left:
        raise StorageUnreachableError(
            "A file ended before its end.", remedy="Start the download again."
        )
    yield _block(waiting, is_last=True), crc


def _block(data: bytes | bytearray, *, is_last: bool) -> bytes:
    return _BLOCK_HEAD.pack(int(is_last), len(data), len(data) ^ 0xFFFF) + data


def _local_head() -> bytes:
    flags = plain.UTF8 | _DESCRIPTOR_FLAG
    return struct.pack("<IHHHHH", 0x04034B50, plain.VERSION, flags, _DEFLATED, 0, plain.DATE)


def _central(entry: _Entry, crc: int, offset: int) -> bytes:
    name = entry.name.encode()
    is_far = offset >= plain.UINT32_MAX
    version = plain.VERSION_ZIP64 if is_far else plain.VERSION
    flags = plain.UTF8 | (_DESCRIPTOR_FLAG if entry.is_content else 0)
    head = struct.pack(
        "<IHHHHHH",
        0x02014B50,
        plain.UNIX | version,
        version,
        flags,
        _DEFLATED if entry.is_content else 0,
        0,
        plain.DATE,
    )
    extra = plain.OFFSET64.pack(1, 8, offset) if is_far else b""
    fixed = plain.CENTRAL.pack(
        head,
        crc,
        entry.packed_bytes,
        entry.size_bytes,
        len(name),
        len(extra),
        plain.CENTRAL_TAIL,
        plain.UINT32_MAX if is_far else offset,
    )
    return fixed + name + extra
