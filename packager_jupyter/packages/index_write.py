"""Changing a pointer index inside one transaction: bulk adding, and the totals of folders.

`IndexWriter` takes pointers, or finished rows where speed counts (`packages.adding`,
`packages.rebuild`). Rows are inserted in batches; only when a batch meets a path that is there
already are its rows looked at one by one.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_folders import FolderTable
from packager_jupyter.packages.index_rows import (
    Extra,
    PackedEtag,
    is_hashed,
    pack_etag,
    pack_extra,
    unpack_etag,
    unpack_extra,
)
from packager_jupyter.packages.names import check_path, is_plain_path
from packager_jupyter.packages.times import is_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packager_jupyter.packages.index_folders import Folder
    from packager_jupyter.packages.pointer import Pointer

BATCH_ROWS = 5000

PlainRow = tuple[int, str, int, int, PackedEtag, Extra]
FullRow = tuple[int, str, int, int, PackedEtag, int | None, str | None, bytes | None, Extra]

INSERT_PLAIN = "INSERT INTO file VALUES(?,?,?,?,?,NULL,NULL,NULL,?)"
INSERT_FULL = "INSERT INTO file VALUES(?,?,?,?,?,?,?,?,?)"
_FULL = ("folder", "name", "size", "modified", "etag", "source", "key", "sha256", "extra")
_SELECT = f"SELECT {', '.join(_FULL)} FROM file WHERE folder=? AND name=?"


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


class IndexWriter:
    """Adds to an index inside a transaction that somebody else begins and ends.

    Attributes
    ----------
    counts : AddCounts
        Of everything added through this writer.
    is_changed : bool
        Whether the transaction has anything to keep.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.counts = AddCounts()
        self.is_changed = False
        self.folders = FolderTable(connection)
        self._runs: list[tuple[str, list[Any]]] = []
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
        number = folder.id
        if derived and sha256 is None:
            self.rows(INSERT_PLAIN).append(
                (number, name, size_bytes, modified, pack_etag(etag), extra)
            )
        else:
            own = (None, None) if derived else (source, key)
            self.rows(INSERT_FULL).append(
                (number, name, size_bytes, modified, pack_etag(etag), *own, sha256, extra)
            )
        self.note(folder, 1, size_bytes, int(bool(checksums)))

    def note(self, folder: Folder, files: int, size_bytes: int, hashed: int) -> None:
        """Count rows that were put into the batch for one folder."""
        folder.files += files
        folder.direct += files
        folder.bytes += size_bytes
        folder.hashed += hashed
        self._pending += files
        self._touched[folder.id] = folder
        self.counts.added += files
        self.counts.bytes_added += size_bytes

    def rows(self, statement: str) -> list[Any]:
        """Return the list that takes the next row, which `statement` will insert.

        Rows are inserted in the order in which they were put, so that of two with one path the
        later one stays; a list holds only rows of one statement.
        """
        if not self._runs or self._runs[-1][0] is not statement:
            self._runs.append((statement, []))
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
        for statement, rows in self._runs:
            self._insert(statement, rows)
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

    def _insert(self, statement: str, rows: Sequence[PlainRow | FullRow]) -> None:
        """Insert at full speed up to the first path that is there already, then one by one."""
        rest = iter(rows)
        try:
            self.connection.executemany(statement, rest)
        except sqlite3.IntegrityError:
            # The row that failed is the last one that was taken; those before it are in.
            done = len(rows) - sum(1 for _ in rest) - 1
            for row in islice(rows, done, None):
                self._insert_one(row)

    def _insert_one(self, row: PlainRow | FullRow) -> None:
        new = _as_full(row)
        old = self.connection.execute(_SELECT, new[:2]).fetchone()
        if old is None:
            self.connection.execute(INSERT_FULL, new)
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
        for _, rows in self._runs:
            for row in rows:
                if row[0] in watched:
                    watched[row[0]][1].append(row[1])
        for folder, names in watched.values():
            self.folders.check_new_files(folder, names)


def _as_full(row: PlainRow | FullRow) -> FullRow:
    if len(row) == len(_FULL):
        return cast("FullRow", row)
    return (*row[:5], None, None, None, row[5])


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


class FolderRows:
    """Plain rows of one folder after another, appended in a caller's own loop.

    The caller appends rows to `append` and tells their bytes and checksums to `end`, which counts
    them. Between `end` and `begin` others may put rows too.
    """

    __slots__ = ("_rows", "_start", "append", "folder", "number", "writer")

    def __init__(self, writer: IndexWriter) -> None:
        self.writer = writer
        self.folder: Folder | None = None
        self.number = self._start = 0
        self._rows: list[PlainRow] = []
        self.append: Callable[[PlainRow], None] = self._rows.append

    def move_to(self, folder: Folder) -> None:
        """Go on with another folder, after `end`."""
        self.folder = folder
        self.number = folder.id
        self.begin()

    def begin(self) -> None:
        """Go on after others may have put rows."""
        self._rows = self.writer.rows(INSERT_PLAIN)
        self.append = self._rows.append
        self._start = len(self._rows)

    def end(self, size_bytes: int, hashed: int) -> None:
        """Count the rows that were appended since `begin`: their bytes, how many have checksums."""
        files = len(self._rows) - self._start
        if files and self.folder is not None:
            self.writer.note(self.folder, files, size_bytes, hashed)
            self._start = len(self._rows)
