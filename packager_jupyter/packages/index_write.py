"""Changing a pointer index inside one transaction: bulk adding, and the totals of folders.

`IndexWriter` takes pointers, or finished rows where speed counts (`packages.adding`,
`packages.rebuild`). Rows are inserted in batches, many by one statement; only when a batch meets a
path that is there already are its rows looked at one by one.

Python's sqlite3 asks the types of a value for an adapter unless it is an int, a float, a str or a
bytearray, which costs more than the rest of binding it: hence ETags in a bytearray, and statements
that write NULL instead of binding None.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_folders import FolderTable
from packager_jupyter.packages.index_rows import (
    MD5_IS_ETAG,
    Extra,
    PackedEtag,
    bind_etag,
    is_hashed,
    pack_etag,
    pack_extra,
    unpack_etag,
    unpack_extra,
)
from packager_jupyter.packages.names import check_path, is_plain_path
from packager_jupyter.packages.times import is_writable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packager_jupyter.packages.index_folders import Folder
    from packager_jupyter.packages.index_rows import BoundEtag
    from packager_jupyter.packages.pointer import Pointer

BATCH_ROWS = 5000

FullRow = tuple[int, str, int, int, PackedEtag, int | None, str | None, bytes | None, Extra]

_FULL = ("folder", "name", "size", "modified", "etag", "source", "key", "sha256", "extra")
_SELECT = f"SELECT {', '.join(_FULL)} FROM file WHERE folder=? AND name=?"

_STEPS = (1000, 198, 18, 1)
"""How many rows one statement inserts; as few as SQLite before 3.32 allows, which binds at most 999
values, or as many as pay."""


class Insert:
    """How rows are inserted that have values in the same columns.

    Attributes
    ----------
    columns : tuple of int
        Which columns of `FullRow` a row has; the others are NULL.
    width : int
        How many these are.
    steps : list of (int, str)
        How many values a statement takes, and the statement; the largest first.
    """

    __slots__ = ("columns", "steps", "width")

    def __init__(self, columns: tuple[int, ...]) -> None:
        marks = ",".join("?" if number in columns else "NULL" for number in range(len(_FULL)))
        self.columns = columns
        self.width = len(columns)
        self.steps = [
            (rows * self.width, f"INSERT INTO file VALUES{','.join([f'({marks})'] * rows)}")
            for rows in _STEPS
        ]

    def full(self, row: Sequence[Any]) -> FullRow:
        """Return a row with all its columns, as it is read."""
        values: list[Any] = [None] * len(_FULL)
        for number, value in zip(self.columns, row, strict=True):
            values[number] = bytes(value) if type(value) is bytearray else value
        return cast("FullRow", tuple(values))


_INSERTS = {
    (has_key, has_sha256, has_extra): Insert(
        (0, 1, 2, 3, 4, *(5, 6) * has_key, *(7,) * has_sha256, *(8,) * has_extra)
    )
    for has_key in (False, True)
    for has_sha256 in (False, True)
    for has_extra in (False, True)
}
_PLAIN = _INSERTS[False, False, False]
_PLAIN_EXTRA = _INSERTS[False, False, True]
_ALL = _INSERTS[True, True, True]


@dataclass(slots=True)
class AddCounts:
    """What became of the pointers that were given.

    `bytes_added` counts new files whole and replaced ones by how much they grew.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    bytes_added: int = 0

    @property
    def total(self) -> int:
        """All that were given."""
        return self.added + self.replaced + self.unchanged


class PlainColumns(NamedTuple):
    """The columns of files that have no others, but for their names.

    Attributes
    ----------
    sizes, modified : list of int
        Bytes, and Unix seconds or `NO_TIME`.
    etags : list
        From `index_rows.pack_etags`.
    is_md5 : bool
        Each has one checksum, an MD5 that is its ETag; else none has any.
    """

    sizes: list[int]
    modified: list[int]
    etags: list[BoundEtag]
    is_md5: bool


class IndexWriter:
    """Adds to an index inside a transaction that somebody else begins and ends.

    Parameters
    ----------
    connection : sqlite3.Connection
    is_unique : bool, default False
        No path is given that is there already. One that is ends in `sqlite3.IntegrityError`, as it
        must where no journal can undo a statement.

    Attributes
    ----------
    counts : AddCounts
        Of everything added through this writer.
    is_changed : bool
        Whether the transaction has anything to keep.
    """

    def __init__(self, connection: sqlite3.Connection, *, is_unique: bool = False) -> None:
        self.connection = connection
        self._is_unique = is_unique
        self._most_values = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self.counts = AddCounts()
        self.is_changed = False
        self.folders = FolderTable(connection)
        self._runs: list[tuple[Insert, list[Any]]] = []
        """The values of rows, one after the other: a tuple for each would cost more than all."""
        self._pending = 0
        self._sources: dict[tuple[str, str], int] = {}
        self._touched: dict[int, Folder] = {}

    def source_id(self, name: str, root: str) -> int:
        """Return the number of a source, known or new."""
        number = self._sources.get((name, root))
        if number is None:
            execute = self.connection.execute
            execute("INSERT OR IGNORE INTO source(name, root) VALUES(?,?)", (name, root))
            (number,) = execute(
                "SELECT id FROM source WHERE name=? AND root=?", (name, root)
            ).fetchone()
            self._sources[name, root] = number
        return int(number)

    def put(
        self,
        folder: Folder,
        name: str,
        *,
        source: int,
        key: str,
        size_bytes: int,
        modified_s: int | None,
        etag: str | None,
        version_id: str | None = None,
        checksums: Mapping[str, str],
        media_type: str | None = None,
        uri: str | None = None,
    ) -> None:
        """Take one file for the next batch; `uri` only where it is not the root plus the key."""
        cut = len(key) - len(name)
        derived = key.endswith(name) and folder.derives(source, key[:cut])
        sha256, extra = pack_extra(etag, version_id, checksums, media_type, uri)
        modified = NO_TIME if modified_s is None or not is_writable(modified_s) else modified_s
        row: list[Any] = [folder.id, name, size_bytes, modified, bind_etag(pack_etag(etag))]
        if not derived:
            row += (source, key)
        if sha256 is not None:
            row.append(bytearray(sha256))
        if extra is not None:
            row.append(extra)
        self._values(_INSERTS[not derived, sha256 is not None, extra is not None]).extend(row)
        self._note(folder, 1, size_bytes, int(bool(checksums)))

    def put_plain(self, folder: Folder, names: Sequence[str], columns: PlainColumns) -> None:
        """Take many files of one folder, whose source and key prefix lead to the keys of all.

        The caller has checked them, and that the folder does so.
        """
        files = len(names)
        insert = _PLAIN_EXTRA if columns.is_md5 else _PLAIN
        values: list[Any] = [None] * (files * insert.width)
        parts = ([folder.id] * files, names, *columns[:3], [MD5_IS_ETAG] * files)
        for number, part in enumerate(parts[: insert.width]):
            values[number :: insert.width] = part
        self._values(insert).extend(values)
        self._note(folder, files, sum(columns.sizes), files if columns.is_md5 else 0)

    def _note(self, folder: Folder, files: int, size_bytes: int, hashed: int) -> None:
        """Count rows that were put into the batch for one folder."""
        folder.files += files
        folder.direct += files
        folder.bytes += size_bytes
        folder.hashed += hashed
        self._pending += files
        self._touched[folder.id] = folder
        self.counts.added += files
        self.counts.bytes_added += size_bytes

    def _values(self, insert: Insert) -> list[Any]:
        """Return the list that takes the values of the next row of a kind.

        Rows are inserted in the order in which they were put, so that of two with one path the
        later one stays; where no path comes twice, those of a kind may stay together.
        """
        for known, values in self._runs if self._is_unique else self._runs[-1:]:
            if known is insert:
                return values
        self._runs.append((insert, []))
        return self._runs[-1][1]

    def add_pointers(self, pointers: Iterable[Pointer]) -> None:
        """Add pointers, replacing those under the same path.

        Raises
        ------
        BadInputError
            A path breaks a rule.
        ConflictError
            A path would be both a file and a folder.
        """
        for pointer in pointers:
            self.put_pointer(pointer)
            if self._pending >= BATCH_ROWS:
                self.insert_batch()
        self.insert_batch()

    def put_pointer(self, pointer: Pointer) -> None:
        """Take one pointer for the next batch; raises `BadInputError` for its path."""
        path = pointer.path
        if not is_plain_path(path):
            check_path(path)
        head, _, name = path.rpartition("/")
        key, uri = pointer.key, pointer.uri
        is_rooted = uri.endswith(key)
        root = uri[: len(uri) - len(key)] if is_rooted else ""
        self.put(
            self.folders.get(head),
            name,
            source=self.source_id(pointer.source, root),
            key=key,
            size_bytes=pointer.size_bytes,
            modified_s=pointer.modified_s,
            etag=pointer.etag,
            version_id=pointer.version_id,
            checksums=pointer.checksums,
            media_type=pointer.media_type,
            uri=None if is_rooted else uri,
        )

    def insert_batch(self) -> None:
        """Insert what was put, and see that no path is both a file and a folder.

        Raises
        ------
        ConflictError
            One is; the caller's transaction must end without being kept.
        """
        for insert, values in self._runs:
            self._insert(insert, values)
        self.folders.check_new_folders()
        self._check_new_files()
        self._runs.clear()
        self._touched.clear()
        self._pending = 0
        self.is_changed = self.is_changed or bool(self.counts.added or self.counts.replaced)
        self.folders.trim()

    def finish(self) -> None:
        """Insert the last batch and write the totals of all folders."""
        self.insert_batch()
        self.folders.flush()

    def _insert(self, insert: Insert, values: list[Any]) -> None:
        """Insert at full speed up to the first path that is there already, then one by one."""
        done = 0
        try:
            for count, statement in insert.steps:
                while count <= self._most_values and len(values) - done >= count:
                    self.connection.execute(statement, values[done : done + count])
                    done += count
        except sqlite3.IntegrityError:
            # A statement that fails leaves nothing behind, so what is before `done` is in.
            if self._is_unique:
                raise
            for start in range(done, len(values), insert.width):
                self._insert_one(insert.full(values[start : start + insert.width]))

    def _insert_one(self, new: FullRow) -> None:
        old = self.connection.execute(_SELECT, new[:2]).fetchone()
        if old is None:
            self.connection.execute(_ALL.steps[-1][1], new)
            return
        kept = _with_known_checksums(old, new)
        folder = self.folders.by_id(new[0])
        folder.files -= 1
        folder.direct -= 1
        folder.bytes -= old[2]
        folder.hashed += is_hashed(kept[7], kept[8]) - is_hashed(new[7], new[8])
        folder.hashed -= is_hashed(old[7], old[8])
        self.counts.added -= 1
        self.counts.bytes_added -= old[2]
        if kept == old:
            self.counts.unchanged += 1
            return
        self.counts.replaced += 1
        self.connection.execute(
            "UPDATE file SET size=?, modified=?, etag=?, source=?, key=?, sha256=?, extra=? "
            "WHERE folder=? AND name=?",
            (*kept[2:], *kept[:2]),
        )

    def _check_new_files(self) -> None:
        watched: dict[int, tuple[Folder, list[str]]] = {
            number: (folder, [])
            for number, folder in self._touched.items()
            if folder.old_folders or folder.folders
        }
        if not watched:
            return
        for insert, values in self._runs:
            for number, name in zip(
                values[:: insert.width], values[1 :: insert.width], strict=True
            ):
                if number in watched:
                    watched[number][1].append(name)
        for folder, names in watched.values():
            self.folders.check_new_files(folder, names)


def _with_known_checksums(old: FullRow, new: FullRow) -> FullRow:
    """Return `new` with the checksums of `old` that it lacks, when both are the same object."""
    if new[4] is None or (old[2], old[4]) != (new[2], new[4]) or old[7:] == new[7:]:
        return new
    etag = unpack_etag(new[4])
    before, after = unpack_extra(etag, old[7], old[8]), unpack_extra(etag, new[7], new[8])
    if before.version_id != after.version_id and before.version_id and after.version_id:
        return new
    checksums = {**before.checksums, **after.checksums}
    media_type = after.media_type or before.media_type
    packed = pack_extra(etag, after.version_id, checksums, media_type, after.uri)
    return (*new[:7], *packed)
