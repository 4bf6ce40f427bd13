"""ZIP archives (wheels, provider and module zips, nupkg): one reading, or none.

The container is parsed from its end (APPNOTE.TXT 4.3) and held against itself: one end record at
the very end, a central directory that touches it, local headers that agree with the central ones,
and entries that follow each other without a gap. That leaves no room for a second reading by
another tool, which is what ZIP confusion attacks live on.
"""

from __future__ import annotations

import stat
import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from packager_jupyter.registries.archives.checks import (
    MAX_ENTRIES,
    MAX_MEMBER_BYTES,
    ArchiveError,
    Member,
    check_name,
    check_ratio,
    check_unique,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_ESCAPED = 0xFFFFFFFF
_ESCAPED_COUNT = 0xFFFF
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_ALLOWED_FLAGS = _DESCRIPTOR | _UTF8 | 0x6  # 0x6: deflate level hints
_UNIX = 3
_MAX_DESCRIPTOR_BYTES = 24
_MAX_COMMENT = 65_535
_PIECE_BYTES = 1024 * 1024


class _End(NamedTuple):
    entries: int
    directory_bytes: int
    directory_offset: int
    starts_at: int


class _Central(NamedTuple):
    member: Member
    flags: int
    raw_name: bytes


def read_members(file: BinaryIO, *, max_entries: int = MAX_ENTRIES) -> list[Member]:
    """Return the members of a seekable ZIP file in the order of its directory.

    Parameters
    ----------
    file : BinaryIO
        Open for reading, seekable; the position is moved.
    max_entries : int, default 50,000

    Raises
    ------
    ArchiveError
        No ZIP, damaged, split, encrypted, an unknown method, a name that could leave its folder,
        duplicates, links or devices, or anything that two readers could read differently.
    """
    size = file.seek(0, 2)
    end = _find_end(file, size)
    if end.entries > max_entries:
        raise ArchiveError(f"it has more than {max_entries:,} members")
    if end.directory_offset + end.directory_bytes != end.starts_at:
        raise ArchiveError("its directory does not end where its end record starts")
    file.seek(end.directory_offset)
    directory = file.read(end.directory_bytes)
    central = _parse_directory(directory, end.entries)
    members = [row.member for row in central]
    check_unique(member.name for member in members)
    _check_locals(file, central, end.directory_offset)
    return members


def read_member(file: BinaryIO, member: Member, *, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
    """Return the content of one member of `read_members`, at most `max_bytes` long.

    Raises
    ------
    ArchiveError
        Longer than `max_bytes`, unpacks to more than 100 times its stored length, or its length
        or CRC-32 is not what the directory states.
    """
    if member.size_bytes > max_bytes:
        raise ArchiveError(f"{member.name[:80]!r} is larger than {max_bytes:,} bytes")
    check_ratio(member.size_bytes, member.stored_bytes, member.name)
    file.seek(member.offset)
    header = _LOCAL.unpack(_read_exactly(file, _LOCAL.size))
    file.seek(header[9] + header[10], 1)
    stored = _read_exactly(file, member.stored_bytes)
    if member.method == _STORED:
        data = stored
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(stored, member.size_bytes + 1)
        except zlib.error:
            raise ArchiveError(f"{member.name[:80]!r} is damaged") from None
        if inflater.unused_data or not (inflater.eof or len(data) > member.size_bytes):
            raise ArchiveError(f"{member.name[:80]!r} is cut off or followed by other data")
    if len(data) != member.size_bytes or zlib.crc32(data) != member.crc32:
        raise ArchiveError(f"{member.name[:80]!r} has another length or checksum than stated")
    return data


def iter_member(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield the content of one member of `read_members` in pieces, however long it is.

    Raises
    ------
    ArchiveError
        It unpacks to more than 100 times its stored length, or its length or CRC-32 is not what
        the directory states; raised before the last piece at the latest.
    """
    check_ratio(member.size_bytes, member.stored_bytes, member.name)
    file.seek(member.offset)
    header = _LOCAL.unpack(_read_exactly(file, _LOCAL.size))
    file.seek(header[9] + header[10], 1)
    inflater = None if member.method == _STORED else zlib.decompressobj(-zlib.MAX_WBITS)
    left, size, crc = member.stored_bytes, 0, 0
    while left:
        data = _read_exactly(file, min(left, _PIECE_BYTES))
        left -= len(data)
        while data:
            piece, data = _inflate(inflater, data, member)
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            if size > member.size_bytes:
                raise ArchiveError(f"{member.name[:80]!r} is longer than stated")
            yield piece
    is_whole = inflater is None or inflater.eof
    if not is_whole or size != member.size_bytes or crc != member.crc32:
        raise ArchiveError(f"{member.name[:80]!r} has another length or checksum than stated")


def _inflate(inflater: Any, data: bytes, member: Member) -> tuple[bytes, bytes]:
    """Return one bounded piece, and the stored bytes that it did not use."""
    if inflater is None:
        return data, b""
    try:
        piece = inflater.decompress(data, _PIECE_BYTES)
    except zlib.error:
        raise ArchiveError(f"{member.name[:80]!r} is damaged") from None
    if inflater.unused_data:
        raise ArchiveError(f"{member.name[:80]!r} is followed by other data")
    return piece, inflater.unconsumed_tail


def _find_end(file: BinaryIO, size: int) -> _End:
    tail_at = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveError("it is no ZIP file or is cut off")
    _, disk, cd_disk, here, entries, cd_bytes, cd_offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise ArchiveError("data follows its end record")
    starts_at = tail_at + at
    if disk or cd_disk or here != entries:
        raise ArchiveError("it is split over several files")
    if entries == _ESCAPED_COUNT or _ESCAPED in (cd_bytes, cd_offset):
        return _find_end64(file, starts_at)
    return _End(entries, cd_bytes, cd_offset, starts_at)


def _find_end64(file: BinaryIO, end_at: int) -> _End:
    locator_at = end_at - _LOCATOR64.size
    if locator_at < _END64.size:
        raise ArchiveError("its ZIP64 locator is missing")
    file.seek(locator_at)
    magic, disk, at, disks = _LOCATOR64.unpack(_read_exactly(file, _LOCATOR64.size))
    if magic != b"PK\x06\x07" or disk or disks != 1 or at + _END64.size != locator_at:
        raise ArchiveError("its ZIP64 end record is not where it is said to be")
    file.seek(at)
    fields = _END64.unpack(_read_exactly(file, _END64.size))
    magic, length, _, _, disk, cd_disk, here, entries, cd_bytes, cd_offset = fields
    if magic != b"PK\x06\x06" or length != _END64.size - 12 or disk or cd_disk or here != entries:
        raise ArchiveError("its ZIP64 end record is damaged")
    return _End(entries, cd_bytes, cd_offset, at)


def _parse_directory(directory: bytes, entries: int) -> list[_Central]:
    rows, at = [], 0
    for _ in range(entries):
        if at + _CENTRAL.size > len(directory):
            raise ArchiveError("its directory is cut off")
        fields = _CENTRAL.unpack_from(directory, at)
        name_at = at + _CENTRAL.size
        extra_at = name_at + fields[10]
        at = extra_at + fields[11] + fields[12]
        if fields[0] != b"PK\x01\x02" or at > len(directory):
            raise ArchiveError("its directory is damaged")
        extra = directory[extra_at : extra_at + fields[11]]
        rows.append(_parse_central(fields, directory[name_at:extra_at], extra))
    if at != len(directory):
        raise ArchiveError("its directory holds more than its members")
    return rows


def _parse_central(fields: Sequence[int], raw_name: bytes, extra: bytes) -> _Central:
    made_by, flags, method, crc = fields[1], fields[3], fields[4], fields[7]
    stored, size, offset = fields[8], fields[9], fields[16]
    name = check_name(_decode_name(raw_name, flags))
    if flags & _ENCRYPTED or flags & ~_ALLOWED_FLAGS:
        raise ArchiveError(f"{name[:80]!r} is encrypted or uses an unknown feature")
    if method not in (_STORED, _DEFLATED):
        raise ArchiveError(f"{name[:80]!r} is packed with another method than deflate")
    mode = fields[15] >> 16 if made_by >> 8 == _UNIX else 0
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{name[:80]!r} is a link or a device")
    if _ESCAPED in (stored, size, offset):
        size, stored, offset = _zip64_values(extra, size, stored, offset)
    if method == _STORED and stored != size:
        raise ArchiveError(f"{name[:80]!r} states two lengths")
    return _Central(Member(name, size, offset, stored, method, crc), flags, raw_name)


def _decode_name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise ArchiveError("a member name is not valid UTF-8") from None


def _zip64_values(extra: bytes, size: int, stored: int, offset: int) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        if tag == 1:
            values = list(
                struct.unpack_from(f"<{length // 8}Q", extra.ljust(at + 4 + length), at + 4)
            )
            wanted = [value == _ESCAPED for value in (size, stored, offset)]
            if sum(wanted) > len(values):
                break
            taken = iter(values)
            size, stored, offset = (
                next(taken) if escaped else value
                for escaped, value in zip(wanted, (size, stored, offset), strict=True)
            )
            return size, stored, offset
        at += 4 + length
    raise ArchiveError("its ZIP64 fields are damaged")


def _check_locals(file: BinaryIO, central: list[_Central], directory_offset: int) -> None:
    at = 0
    for row in sorted(central, key=lambda row: row.member.offset):
        member = row.member
        if member.offset != at:
            raise ArchiveError(f"there is a gap or an overlap before {member.name[:80]!r}")
        file.seek(member.offset)
        fields = _LOCAL.unpack(_read_exactly(file, _LOCAL.size))
        magic, _, flags, method, _, _, crc, stored, size, name_bytes, extra_bytes = fields
        same = (
            magic == b"PK\x03\x04"
            and flags == row.flags
            and method == member.method
            and _read_exactly(file, name_bytes) == row.raw_name
        )
        if not same:
            raise ArchiveError(f"{member.name[:80]!r} is described in two different ways")
        extra = _read_exactly(file, extra_bytes)
        if not flags & _DESCRIPTOR:
            if _ESCAPED in (stored, size):
                size, stored, _ = _zip64_values(extra, size, stored, 0)
            if (crc, stored, size) != (member.crc32, member.stored_bytes, member.size_bytes):
                raise ArchiveError(f"{member.name[:80]!r} states two lengths or checksums")
        at = member.offset + _LOCAL.size + name_bytes + extra_bytes + member.stored_bytes
        if flags & _DESCRIPTOR:
            at += _descriptor_length(file, at, member)
    if at != directory_offset:
        raise ArchiveError("other data stands before its directory")


def _descriptor_length(file: BinaryIO, at: int, member: Member) -> int:
    file.seek(at)
    head = file.read(_MAX_DESCRIPTOR_BYTES)
    for layout in ("<4s3L", "<4sL2Q", "<3L", "<L2Q"):
        length = struct.calcsize(layout)
        if len(head) < length:
            continue
        *magic, crc, stored, size = struct.unpack_from(layout, head)
        if (crc, stored, size) == (member.crc32, member.stored_bytes, member.size_bytes) and (
            not magic or magic == [b"PK\x07\x08"]
        ):
            return length
    raise ArchiveError(f"the lengths behind {member.name[:80]!r} are not those of the directory")


def _read_exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise ArchiveError("it is cut off")
    return data
