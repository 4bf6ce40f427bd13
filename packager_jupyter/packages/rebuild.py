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
from itertools import groupby, islice
from operator import lt
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from packager_jupyter.errors import BadInputError, ConflictError, StoreCorruptError
from packager_jupyter.io import temp_file
from packager_jupyter.packages.index_db import NO_TIME, explain_sqlite, open_for_build
from packager_jupyter.packages.index_rows import pack_etags
from packager_jupyter.packages.index_write import IndexWriter, PlainColumns
from packager_jupyter.packages.names import (
    MAX_PATH_BYTES,
    MAX_SEGMENT_BYTES,
    are_plain_names,
    check_path,
    each_is,
    folder_runs,
    is_plain_name,
)
from packager_jupyter.packages.pointer import (
    MAX_LINE_BYTES,
    MAX_SIZE_BYTES,
    pointer_of,
    read_record,
    read_records,
)
from packager_jupyter.packages.times import parse_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from packager_jupyter.packages.artifact import ListFacts
    from packager_jupyter.packages.pointer import Pointer

_OUT_BYTES = 1024 * 1024
_LINES_AT_ONCE = 200
"""Lines read into pointers at a stretch: below a millisecond, in which no other thread runs."""

_ROWS_AT_ONCE = 396
"""Few enough that what was made of a line is still in the processor's cache when it is needed."""

_MD5_HEX = 32
_NEEDED = {"path", "size", "source", "key", "x-key"}
_PLAIN = _NEEDED | {"etag", "modified", "checksums"}

Record = dict[str, Any]


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
            lines = block[:-1].split(b"\n")
            for start in range(0, len(lines), _LINES_AT_ONCE):
                yield from read_records(_records(lines[start : start + _LINES_AT_ONCE]))
    except BadInputError as error:
        raise list_corrupt(error.message) from error
    except orjson.JSONDecodeError as error:
        raise list_corrupt(str(error)) from error


def _records(lines: list[bytes]) -> list[Any]:
    """Return the JSON values of lines, one each."""
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise list_corrupt("It holds a line that is too long.")
    # A raw line feed cannot stand inside a JSON string, so the lines become one array.
    records: list[Any] = orjson.loads(b"[" + b",".join(lines) + b"]")
    if len(records) != len(lines):
        raise list_corrupt("One of its lines is not one object.")
    return records


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
    writer = IndexWriter(connection, is_unique=True)
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
    """Turns blocks of lines into rows; plain lines of one folder take the short way together."""

    def __init__(self, writer: IndexWriter) -> None:
        self._writer = writer
        self._last = ""

    def load(self, block: bytes) -> None:
        """Insert every line of a block."""
        lines = block[:-1].split(b"\n")
        for start in range(0, len(lines), _ROWS_AT_ONCE):
            self._put(_records(lines[start : start + _ROWS_AT_ONCE]))
            self._writer.insert_batch()

    def _put(self, records: list[Record]) -> None:
        paths = [record["path"] for record in records]
        if not (self._last < paths[0] and all(map(lt, paths, islice(paths, 1, None)))):
            raise list_corrupt("Its paths are not sorted, or one occurs twice.")
        self._last = paths[-1]
        start = 0
        for prefix, names in folder_runs(paths):
            end = start + len(names)
            self._put_folder(prefix, names, records[start:end])
            start = end

    def _put_folder(self, prefix: str, names: list[str], records: list[Record]) -> None:
        """Take lines whose paths are `prefix` (empty, or ends in ``/``) and a name."""
        if prefix:
            check_path(prefix[:-1])
        place = _Place.of(names[0], records[0])
        is_short = len(prefix.encode()) + MAX_SEGMENT_BYTES <= MAX_PATH_BYTES
        if place is None or not is_short:
            self._put_each(records)
        elif not self._put_plain(prefix, place, names, records):
            start = 0
            for shape, same in groupby(map(place.shape, names, records)):
                end = start + len(list(same))
                some = records[start:end]
                if shape is None or not self._put_plain(prefix, place, names[start:end], some):
                    self._put_each(some)
                start = end

    def _put_each(self, records: list[Record]) -> None:
        """Take lines the long way, with every check of `Pointer.from_line`."""
        for record in records:
            self._writer.put_pointer(pointer_of(read_record(record)))

    def _put_plain(
        self, prefix: str, place: _Place, names: list[str], records: list[Record]
    ) -> bool:
        """Take lines if all are plain; return whether they are."""
        columns = _plain_columns(place, names, records)
        if columns is None:
            return False
        folder = self._writer.folders.get(prefix[:-1])
        if not folder.derives(self._writer.source_id(place.source, place.root), place.prefix):
            return False
        self._writer.put_plain(folder, names, columns)
        return True


class _Place(NamedTuple):
    """Where the keys of one folder's lines come from, as its first line has it."""

    source: str
    root: str
    prefix: str

    @classmethod
    def of(cls, name: str, record: Record) -> _Place | None:
        """Return the place of a line; None when its key does not end in its name."""
        source, uri, key = (record.get(field, "") for field in ("source", "key", "x-key"))
        if not type(source) is type(uri) is type(key) is str:
            return None
        if not (key.endswith(name) and uri.endswith(key)):
            return None
        return cls(source, uri[: len(uri) - len(key)], key[: len(key) - len(name)])

    def shape(self, name: str, record: Record) -> tuple[str, ...] | None:
        """Return which fields a line has, None when it is not plain."""
        key = self.prefix + name
        is_here = record.get("source") == self.source and record.get("key") == self.root + key
        is_plain = is_here and record.get("x-key") == key and is_plain_name(name)
        return tuple(record) if is_plain else None


def _plain_columns(place: _Place, names: list[str], records: list[Record]) -> PlainColumns | None:
    """Return the columns of lines of one folder, None when one is not plain.

    Raises
    ------
    BadInputError
        One of the times is none.
    """
    first = records[0]
    if not _NEEDED <= first.keys() <= _PLAIN or set(map(len, records)) != {len(first)}:
        return None
    try:
        columns = {field: [record[field] for record in records] for field in first}
    except KeyError:
        return None
    sizes, keys, count = columns["size"], columns["x-key"], len(records)
    is_plain = (
        are_plain_names(names)
        and set(map(type, sizes)) == {int}
        and min(sizes) >= 0
        and max(sizes) <= MAX_SIZE_BYTES
        and columns["source"].count(place.source) == count
        and each_is(keys, place.prefix, names)
        and each_is(columns["key"], place.root, keys)
    )
    etags = columns.get("etag") or [None] * count
    if not is_plain or ("etag" in first and set(map(type, etags)) != {str}):
        return None
    packed = pack_etags(etags)
    if "checksums" in first and not (
        columns["checksums"] == [{"md5": etag} for etag in etags]
        and set(map(type, packed)) == {bytearray}
        and set(map(len, etags)) == {_MD5_HEX}
    ):
        return None
    times = parse_times(columns["modified"]) if "modified" in first else [NO_TIME] * count
    return PlainColumns(sizes, times, packed, is_md5="checksums" in first)


def list_corrupt(details: str) -> StoreCorruptError:
    """Return the error for a pointer list that is not what it should be."""
    return StoreCorruptError(
        "The pointer list of the published version is damaged.",
        remedy="Check the store with 'packager registry fsck', or publish the version again.",
        details=details,
    )
