"""From the pointer list of a version back to an index, at the speed of publishing.

The list comes from a store and is trusted in nothing: it must unpack, be sorted by the bytes of its
paths (so no path occurs twice), break no rule of paths, hold as many files and bytes as the version
says, and hash to its fingerprint. Only then the index gets its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import BadInputError, ConflictError, StoreCorruptError
from packager_jupyter.io import temp_file
from packager_jupyter.packages.index_db import NO_TIME, explain_sqlite, open_for_build
from packager_jupyter.packages.index_rows import MD5_IS_ETAG, pack_etag
from packager_jupyter.packages.index_write import FolderRows, IndexWriter
from packager_jupyter.packages.names import (
    MAX_PATH_BYTES,
    MAX_SEGMENT_BYTES,
    check_path,
    is_plain_name,
)
from packager_jupyter.packages.pointer import MAX_LINE_BYTES, MAX_SIZE_BYTES, Pointer
from packager_jupyter.packages.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from packager_jupyter.packages.artifact import ListFacts

_OUT_BYTES = 1024 * 1024
_MD5_HEX = 32


def unpack_lines(chunks: Iterable[bytes], *, fingerprint: str) -> Iterator[bytes]:
    """Yield blocks of whole lines from a compressed pointer list.

    Raises
    ------
    StoreCorruptError
        The list is cut, is no gzip, has a line without end, or does not hash to `fingerprint`;
        known at the latest when the last block was taken.
    """
    found = hashlib.sha256()
    rest = b""
    try:
        for data in _inflate(chunks):
            found.update(data)
            whole, feed, tail = data.rpartition(b"\n")
            if feed:
                yield rest + whole + feed
                rest = tail
            else:
                rest += tail
            if len(rest) > MAX_LINE_BYTES:
                raise list_corrupt("It holds a line that is too long.")
    except zlib.error as error:
        raise list_corrupt(str(error)) from error
    if rest:
        raise list_corrupt("Its last line is cut.")
    if f"sha256:{found.hexdigest()}" != fingerprint:
        raise list_corrupt("It does not hash to the fingerprint of the version.")


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the unpacked bytes in bounded pieces; exactly one gzip member is taken."""
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for chunk in chunks:
        data = chunk
        while data:
            piece = inflate.decompress(data, _OUT_BYTES)
            data = inflate.unconsumed_tail
            if piece:
                yield piece
            if inflate.eof:
                break
        if inflate.unused_data or (inflate.eof and data):
            raise list_corrupt("Something follows its end.")
    if not inflate.eof:
        raise list_corrupt("It is cut.")


def iter_list(chunks: Iterable[bytes], facts: ListFacts) -> Iterator[Pointer]:
    """Yield the pointers of a compressed list in their order, in bounded memory."""
    try:
        for block in unpack_lines(chunks, fingerprint=facts.fingerprint):
            for line in block[:-1].split(b"\n"):
                yield Pointer.from_line(line)
    except BadInputError as error:
        raise list_corrupt(error.message) from error


def build_index(
    target: Path,
    blocks: Iterable[bytes],
    *,
    expected: tuple[int, int] | None = None,
    notes: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Make the index of a list as `target`, whole or not at all.

    Parameters
    ----------
    target : Path
    blocks : iterable of bytes
        Whole lines of the list, checked against its fingerprint by whoever gives them.
    expected : tuple of int, optional
        Number and bytes of the files that the version states.
    notes : callable
        Returns what the index is to keep besides; called when all blocks are taken.

    Raises
    ------
    StoreCorruptError
        The list is not what the version says.
    DiskFullError
    """
    with (
        temp_file(target.parent, what="the index of a version") as temp,
        explain_sqlite(target),
        contextlib.closing(open_for_build(temp.path)) as connection,
    ):
        _fill(connection, blocks, expected, notes)
        connection.close()
        temp.publish(target)


def _fill(
    connection: sqlite3.Connection,
    blocks: Iterable[bytes],
    expected: tuple[int, int] | None,
    notes: Callable[[], Mapping[str, str]],
) -> None:
    connection.execute("BEGIN")
    writer = IndexWriter(connection)
    loader = _Loader(writer)
    try:
        for block in blocks:
            loader.load(block)
            if expected is not None and writer.counts.added > expected[0]:
                break
        writer.finish()
        connection.executemany("INSERT INTO meta VALUES(?,?)", list(notes().items()))
    except (BadInputError, ConflictError, sqlite3.IntegrityError) as error:
        raise list_corrupt(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise list_corrupt(f"{type(error).__name__} in a line") from error
    counts = writer.counts
    if expected is not None and (counts.added, counts.bytes_added) != expected:
        raise list_corrupt("It holds other totals than the version says.")
    connection.execute("COMMIT")


class _Loader:
    """Turns blocks of lines into rows; plain lines take the short way."""

    def __init__(self, writer: IndexWriter) -> None:
        self._writer = writer
        self._rows = FolderRows(writer)
        self._last = ""
        self._prefix: str | None = None
        self._source: str | None = None
        self._root = self._key_prefix = ""
        self._size_bytes = self._hashed = 0

    def load(self, block: bytes) -> None:
        """Put every line of a block and insert them."""
        # A raw line feed cannot stand inside a JSON string, so the lines become one array.
        records = orjson.loads(b"[" + block[:-1].replace(b"\n", b",") + b"]")
        rows = self._rows
        last = self._last
        for record in records:
            path = record["path"]
            if path <= last:
                raise list_corrupt("Its paths are not sorted, or one occurs twice.")
            last = path
            name_at = path.rfind("/") + 1
            prefix, name = path[:name_at], path[name_at:]
            if prefix != self._prefix:
                self._go_to(prefix, name, record)
            get = record.get
            key = self._key_prefix + name
            etag = get("etag")
            modified = get("modified")
            size = record["size"]
            extra: int | bool | None = None
            fields = 5 + (etag is not None) + (modified is not None)
            if "checksums" in record:
                fields += 1
                extra = _plain_extra(record, etag)
            if (
                len(record) == fields
                and self._source is not None
                and (
                    (
                        name.isascii()
                        and name.isprintable()
                        and "~" not in name
                        and "\\" not in name
                        and name
                        and name[0] != "."
                        and len(name) <= MAX_SEGMENT_BYTES
                    )
                    or is_plain_name(name)
                )
                and get("x-key") == key
                and get("key") == self._root + key
                and get("source") == self._source
                and type(size) is int
                and 0 <= size <= MAX_SIZE_BYTES
                and (etag is None or type(etag) is str)
                and extra is not False
            ):
                seconds = NO_TIME if modified is None else parse_time(modified)
                rows.append((rows.number, name, size, seconds, pack_etag(etag), extra))
                self._size_bytes += size
                if extra is not None:
                    self._hashed += 1
            else:
                self._put(record)
        self._last = last
        self._end()
        self._writer.insert_batch()
        # The batch may have let go of the folders in memory.
        self._prefix = None

    def _end(self) -> None:
        self._rows.end(self._size_bytes, self._hashed)
        self._size_bytes = self._hashed = 0

    def _go_to(self, prefix: str, name: str, record: dict[str, Any]) -> None:
        self._prefix = prefix
        self._source = None
        self._end()
        if prefix:
            check_path(prefix[:-1])
        key, uri = record.get("x-key", ""), record.get("key", "")
        folder = self._writer.folders.get(prefix[:-1])
        if key.endswith(name) and uri.endswith(key):
            root, key_prefix = uri[: len(uri) - len(key)], key[: len(key) - len(name)]
            source = record.get("source", "")
            number = self._writer.source_id(source, root)
            is_short = len(prefix.encode()) + MAX_SEGMENT_BYTES <= MAX_PATH_BYTES
            if is_short and folder.derives(number, key_prefix):
                self._source, self._root, self._key_prefix = source, root, key_prefix
        self._rows.move_to(folder)

    def _put(self, record: dict[str, Any]) -> None:
        """Take one line the long way, with every check of `Pointer.from_line`."""
        self._end()
        self._writer.put_pointer(Pointer.from_line(orjson.dumps(record)))
        self._rows.begin()


def _plain_extra(record: dict[str, Any], etag: str | None) -> int | bool | None:
    """Return the column ``extra`` of a plain row, or False when the row is not plain."""
    checksums = record.get("checksums")
    if not checksums:
        return None
    is_md5 = etag is not None and len(etag) == _MD5_HEX and checksums == {"md5": etag}
    return MD5_IS_ETAG if is_md5 and type(pack_etag(etag)) is bytes else False


def list_corrupt(details: str) -> StoreCorruptError:
    """Return the error for a pointer list that is not what it should be."""
    return StoreCorruptError(
        "The pointer list of the published version is damaged.",
        remedy="Check the store with 'packager registry fsck', or publish the version again.",
        details=details,
    )
