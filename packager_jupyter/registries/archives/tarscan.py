"""Tar archives (sdists, modules, gems): one pass over the stream, nothing extracted.

Reads POSIX ustar with pax (IEEE Std 1003.1 ``pax``) and GNU long names, plain or gzipped
(RFC 1952, one member). Every header is checked before its content is passed over.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from packager_jupyter.registries.archives.checks import (
    MAX_ENTRIES,
    MAX_MEMBER_BYTES,
    MAX_RATIO,
    ArchiveError,
    Member,
    check_name,
    check_unique,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 512
_CHUNK = 64 * 1024
_FREE_BYTES = 64 * 1024 * 1024  # small archives may unpack to this whatever their ratio
_MAX_EXTENDED_BYTES = 64 * 1024
_EMPTY = bytes(_BLOCK)
_REGULAR, _FOLDER = {b"0", b"\0", b"7"}, b"5"
_LINKS, _LONG_NAME, _LONG_LINK = {b"1", b"2"}, b"L", b"K"
_PAX, _PAX_GLOBAL = b"x", b"g"
_EXTENDED = {_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK}


@dataclass(frozen=True, slots=True)
class TarScan:
    """What one pass found: every member, and the content of those asked for."""

    members: list[Member]
    contents: dict[str, bytes]


def scan_tar(
    file: BinaryIO,
    *,
    want: Callable[[str], bool],
    max_member_bytes: int = MAX_MEMBER_BYTES,
    max_entries: int = MAX_ENTRIES,
) -> TarScan:
    """Read a tar or tar.gz from its beginning to its end.

    Parameters
    ----------
    file : BinaryIO
        Positioned at the start of the archive.
    want : callable
        Called with each member's name; the content of a regular file is kept when it says so.
    max_member_bytes : int, default 1 MiB
        Longest content that is kept; a longer wanted member is an error.

    Raises
    ------
    ArchiveError
        Damaged, cut off, followed by other data, a name or link that leaves its folder, a device,
        duplicates, too many members, or content that unpacks to more than 100 times its length.
    """
    reader = _Reader(_unpacked(file))
    members: list[Member] = []
    contents: dict[str, bytes] = {}
    for member, is_regular in _headers(reader):
        members.append(member)
        if len(members) > max_entries:
            raise ArchiveError(f"it has more than {max_entries:,} members")
        if is_regular and want(member.name):
            if member.size_bytes > max_member_bytes:
                shown = f"{member.name[:80]!r} is larger than {max_member_bytes:,} bytes"
                raise ArchiveError(shown)
            contents[member.name] = reader.take(member.size_bytes)
        elif is_regular:
            reader.skip(member.size_bytes)
        reader.skip(-reader.position % _BLOCK)
    reader.expect_zeros()
    check_unique(member.name for member in members)
    return TarScan(members, contents)


def _headers(reader: _Reader) -> Iterator[tuple[Member, bool]]:
    """Yield each member and whether content follows, up to the block of zeros that ends them."""
    extended: dict[str, str] = {}
    while (header := reader.take(_BLOCK)) != _EMPTY:
        _check_sum(header)
        kind, size = header[156:157], _number(header[124:136])
        if kind in _EXTENDED:
            body = _take_extended(reader, size)
            if kind != _PAX_GLOBAL:
                extended |= _extended_values(kind, body)
            continue
        name = check_name(extended.get("path") or _header_name(header))
        if kind in _LINKS:
            _check_link(name, extended.get("linkpath") or _text(header[157:257]), kind)
        elif kind == _FOLDER:
            name = name.removesuffix("/") + "/"
        elif kind not in _REGULAR:
            raise ArchiveError(f"{name[:80]!r} is a device or of an unknown kind")
        yield Member(name, _pax_size(extended, size), reader.position), kind in _REGULAR
        extended = {}


class _Reader:
    """Counts and slices a stream of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.position = 0

    def take(self, length: int) -> bytes:
        parts, missing = [], length
        while missing:
            if not self._rest:
                try:
                    self._rest = next(self._chunks)
                except StopIteration:
                    raise ArchiveError("it is cut off") from None
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        self.position += length
        return b"".join(parts)

    def skip(self, length: int) -> None:
        while length > 0:
            length -= len(self.take(min(length, _CHUNK)))

    def expect_zeros(self) -> None:
        for chunk in (self._rest, *self._chunks):
            if chunk.strip(b"\0"):
                raise ArchiveError("data follows its end")


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    head = file.read(_CHUNK)
    chunks = chain([head], iter(lambda: file.read(_CHUNK), b""))
    return _gunzipped(chunks) if head.startswith(b"\x1f\x8b") else chunks


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    stored = made = 0
    for chunk in chunks:
        stored += len(chunk)
        rest = chunk
        while rest and not inflater.eof:
            try:
                out = inflater.decompress(rest, _CHUNK)
            except zlib.error:
                raise ArchiveError("its gzip data is damaged") from None
            made += len(out)
            if made > max(_FREE_BYTES, MAX_RATIO * stored):
                raise ArchiveError(f"it unpacks to more than {MAX_RATIO} times its length")
            yield out
            rest = inflater.unconsumed_tail or inflater.unused_data
        if rest:
            raise ArchiveError("data follows its gzip stream")
    if not inflater.eof:
        raise ArchiveError("it is cut off")


def _check_sum(header: bytes) -> None:
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156]) != total:
        raise ArchiveError("it is no tar file, or a header is damaged")


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU base-256
        value = int.from_bytes(field, "big") - (0x80 << 8 * (len(field) - 1))
        if field[0] & 0x40:
            raise ArchiveError("a header holds a negative number")
        return value
    text = field.strip(b" \0")
    if text.strip(b"01234567"):
        raise ArchiveError("a header holds a number that is none")
    return int(text or b"0", 8)


def _text(field: bytes) -> str:
    try:
        return field.split(b"\0", 1)[0].decode("utf-8")
    except UnicodeDecodeError:
        raise ArchiveError("a member name is not valid UTF-8") from None


def _header_name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _take_extended(reader: _Reader, size: int) -> bytes:
    if size > _MAX_EXTENDED_BYTES:
        raise ArchiveError("an extended header is larger than 64 KiB")
    body = reader.take(size)
    reader.skip(-reader.position % _BLOCK)
    return body


def _extended_values(kind: bytes, body: bytes) -> dict[str, str]:
    if kind == _LONG_NAME:
        return {"path": _text(body)}
    if kind == _LONG_LINK:
        return {"linkpath": _text(body)}
    values, at = {}, 0
    while at < len(body):
        digits, space, _ = body[at : at + 20].partition(b" ")
        if not space or not digits.isdigit():
            raise ArchiveError("an extended header is damaged")
        end = at + int(digits)
        record = body[at + len(digits) + 1 : end]
        key, equals, value = record.partition(b"=")
        if end > len(body) or end <= at or not equals or not value.endswith(b"\n"):
            raise ArchiveError("an extended header is damaged")
        if key in (b"path", b"linkpath", b"size"):
            values[key.decode()] = _pax_text(value[:-1])
        if key.startswith(b"GNU.sparse"):
            raise ArchiveError("it holds a sparse file")
        at = end
    return values


def _pax_text(value: bytes) -> str:
    if b"\0" in value:
        raise ArchiveError("an extended header holds a NUL")
    return _text(value)


def _pax_size(extended: dict[str, str], size: int) -> int:
    stated = extended.get("size")
    if stated is None:
        return size
    if not (stated.isascii() and stated.isdigit()):
        raise ArchiveError("an extended header holds a number that is none")
    return int(stated)


def _check_link(name: str, target: str, kind: bytes) -> None:
    here = name.split("/")[:-1] if kind == b"2" else []
    if target.startswith("/") or "\\" in target:
        raise ArchiveError(f"the link {name[:80]!r} leads out of the archive")
    for segment in target.split("/"):
        if segment == ".." and not here:
            raise ArchiveError(f"the link {name[:80]!r} leads out of the archive")
        if segment == "..":
            here.pop()
        elif segment not in ("", "."):
            here.append(segment)
