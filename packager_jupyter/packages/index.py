"""The pointer index: every pointer of one draft or version in one SQLite file.

`PointerIndex` is what the rest of the program sees; the modules ``index_*`` are its parts: the file
and its schema (`index_db`), rows (`index_rows`), folders and their totals (`index_folders`), adding
(`index_write`), removing and moving (`index_edit`), pages (`index_query`), filters
(`index_filter`), the sorted stream (`index_walk`) and the order of keys (`index_order`).
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from packager_jupyter.errors import BusyError, DiskFullError, ForbiddenError
from packager_jupyter.packages import index_edit, index_query
from packager_jupyter.packages.index_db import (
    SORT_INDEXES,
    ReadPool,
    copy_with_sort_index,
    create_index_file,
    explain_sqlite,
    open_writer,
    shrink_wal,
)
from packager_jupyter.packages.index_edit import Removed, path_not_found
from packager_jupyter.packages.index_filter import filter_page
from packager_jupyter.packages.index_order import order_of_index
from packager_jupyter.packages.index_query import Query
from packager_jupyter.packages.index_rows import load_sources, unpack_facts, unpack_rows
from packager_jupyter.packages.index_walk import sorted_rows
from packager_jupyter.packages.index_write import IndexWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from packager_jupyter.packages.index_query import PointerPage, Totals
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.index_write import AddCounts
    from packager_jupyter.packages.merge import Order
    from packager_jupyter.packages.pointer import Pointer

SORT_INDEX_FROM = 20_000
"""Files directly in one folder from which sorting by size or time gets an index of its own."""

META_REVISION = "revision"


class PointerIndex:
    """The pointers of one draft (or version), safe for any number of threads and processes.

    Parameters
    ----------
    path : Path
        The SQLite file. Of a draft it is made when it is not there.
    is_draft : bool, default True
        False: the file is complete and is only read.

    Every method raises `StoreCorruptError` when the file is damaged and `BusyError` when another
    process writes for longer than half a minute; then nothing was changed.
    """

    def __init__(self, path: Path, *, is_draft: bool = True) -> None:
        self.path = path
        self._is_draft = is_draft
        self._pool = ReadPool(path, is_draft=is_draft)

    def close(self) -> None:
        """Release the connections; the index may be used again."""
        self._pool.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the index until the end of the block."""
        if self._is_draft and not self.path.exists():
            create_index_file(self.path)
        with self._pool.borrow() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[IndexWriter]:
        """Yield a writer whose changes are kept, all of them, when the block ends well.

        Raises
        ------
        BusyError
            Somebody else writes for longer than `index_db.BUSY_TIMEOUT_S`.
        """
        if not self.path.exists():
            create_index_file(self.path)
        with explain_sqlite(self.path), contextlib.closing(open_writer(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                writer = IndexWriter(connection)
                yield writer
                writer.finish()
                if writer.is_changed:
                    write_meta(connection, {META_REVISION: secrets.token_hex(8)})
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            shrink_wal(connection, self.path)

    def add(self, pointers: Iterable[Pointer]) -> AddCounts:
        """Add pointers, all or none; one whose path is there already is replaced.

        Raises
        ------
        BadInputError
            A path breaks a rule of `names.check_path`.
        ConflictError
            A path would be both a file and a folder.
        """
        with self.write() as writer:
            writer.add_pointers(pointers)
        return writer.counts

    def remove(self, paths: Iterable[str]) -> Removed:
        """Remove files and folders, all or none.

        Raises
        ------
        PathNotFoundError
            One of them is not there.
        """
        files = size_bytes = 0
        with self.write() as writer:
            for path in paths:
                removed = index_edit.remove(writer.connection, path)
                files += removed.files
                size_bytes += removed.size_bytes
                writer.is_changed = True
        return Removed(files, size_bytes)

    def move(self, old: str, new: str) -> None:
        """Give a file or folder another path; see `index_edit.move` for what is refused."""
        with self.write() as writer:
            index_edit.move(writer.connection, old, new)
            writer.is_changed = old != new

    def get(self, path: str) -> Pointer:
        """Return the pointer at `path`.

        Raises
        ------
        PathNotFoundError
            There is none.
        """
        with self.read() as connection:
            pointer = index_query.get(connection, path)
        if pointer is None:
            raise path_not_found(path)
        return pointer

    def has_folder(self, path: str) -> bool:
        """Return whether a folder (or the root, empty) is there."""
        with self.read() as connection:
            return index_edit.find_folder(connection, path) is not None

    def totals(self, folder: str = "") -> Totals:
        """Return number and bytes of the files below a folder, in constant time."""
        with self.read() as connection:
            return index_query.totals(connection, folder)

    def unhashed_files(self) -> int:
        """Return how many files have no checksum at all, in constant time."""
        with self.read() as connection:
            (count,) = connection.execute(
                "SELECT files - hashed FROM folder WHERE parent=0"
            ).fetchone()
        return int(count)

    def page(
        self,
        folder: str = "",
        *,
        cursor: str | None = None,
        limit: int = 500,
        sort: index_query.SortName = "name",
        descending: bool = False,
        match: str | None = None,
    ) -> PointerPage:
        """Return one page of a folder, or of what matches below it.

        Parameters
        ----------
        folder : str
            Package path; empty is the root.
        cursor : str, optional
            From the page before, of the same listing.
        limit : int, default 500
            1 to 5,000 rows.
        sort : {"name", "size", "modified"}
            Folders come first: by name, or by the bytes below them.
        descending : bool, default False
        match : str, optional
            A part of the path or a shell pattern: files at any depth below `folder`, see
            `packages.index_filter`.

        Raises
        ------
        BadInputError
            A limit, sort, cursor or filter that is none.
        PathNotFoundError
            There is no such folder.
        """
        query = Query(folder, sort, descending, match or None).check()
        index_query.check_limit(limit)
        with self.read() as connection:
            if query.match is not None:
                return filter_page(connection, query, cursor=cursor, limit=limit)
            wanted = index_query.missing_sort_index(connection, query, SORT_INDEX_FROM)
            if wanted is None:
                return index_query.level_page(connection, query, cursor=cursor, limit=limit)
        self._make_sort_index(wanted)
        with self.read() as connection:
            return index_query.level_page(connection, query, cursor=cursor, limit=limit)

    def _make_sort_index(self, sort: str) -> None:
        """Make sorting large folders quick from now on; when that cannot be, do without."""
        with contextlib.suppress(BusyError, ForbiddenError, DiskFullError, PermissionError):
            if self._is_draft:
                with self.write() as writer:
                    writer.connection.execute(SORT_INDEXES[sort])
            else:
                copy_with_sort_index(self.path, sort)

    def iter_sorted(self, *, start: str = "") -> Iterator[Pointer]:
        """Yield every pointer in the order of the paths' bytes, in bounded memory.

        All of them belong to one state, whatever is written meanwhile. With `start`, the path of a
        file, it is the first, found without reading what is before.
        """
        with self.read() as connection:
            sources = load_sources(connection)
            for place, rows in sorted_rows(connection, start):
                yield from unpack_rows(rows, place, sources)

    def iter_facts(self) -> Iterator[list[Fact]]:
        """Yield what a check compares of every pointer, in lists, as `iter_sorted` does."""
        with self.read() as connection:
            sources = load_sources(connection)
            for place, rows in sorted_rows(connection):
                yield unpack_facts(rows, place, sources)

    def key_order(self) -> Order | None:
        """Return the order of the keys where it is quickly told; see `index_order`."""
        with self.read() as connection:
            return order_of_index(connection)

    def meta(self) -> dict[str, str]:
        """Return the small notes kept with the pointers."""
        with self.read() as connection:
            return read_meta(connection)

    def set_meta(self, values: Mapping[str, str | None]) -> None:
        """Keep notes; None takes one away."""
        with self.write() as writer:
            write_meta(writer.connection, values)


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the notes as one transaction sees them."""
    return dict(connection.execute("SELECT name, value FROM meta").fetchall())


def write_meta(connection: sqlite3.Connection, values: Mapping[str, str | None]) -> None:
    """Keep notes inside a writing transaction; None takes one away."""
    for name, value in values.items():
        if value is None:
            connection.execute("DELETE FROM meta WHERE name=?", (name,))
        else:
            connection.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", (name, value))
