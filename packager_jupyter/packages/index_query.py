"""Pages of a pointer index: one level of folders and files, in constant time wherever it starts.

Paging goes by the last key that was handed out, never by an offset, so a page costs the same at the
beginning and at the end of ten million rows, and rows that come or go in between shift nothing.
Folders come first. `index_filter` finds files below a folder.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import orjson

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.index_edit import find_folder, path_not_found
from packager_jupyter.packages.index_rows import COLUMNS, Place, load_sources, unpack_rows
from packager_jupyter.packages.pointer import Pointer

if TYPE_CHECKING:
    import sqlite3

SortName = Literal["name", "size", "modified"]
MAX_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder in a page, with what lies below it."""

    path: str
    files: int
    size_bytes: int
    is_folder: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]

    def to_json(self) -> dict[str, Any]:
        """Return the row as the REST API shows it."""
        return {
            "path": self.path,
            "name": self.name,
            "is_folder": True,
            "files": self.files,
            "size_bytes": self.size_bytes,
        }


Row = Pointer | FolderRow


class Totals(NamedTuple):
    """Number and bytes of the files below a folder."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PointerPage:
    """Some rows of a listing.

    Attributes
    ----------
    rows : list of Pointer or FolderRow
    cursor : str or None
        Hand it back for the next page; None says that the listing is complete. A filtered page may
        be short, even empty, and still have a cursor: the search goes on from there.
    total_rows : int or None
        Rows of the whole level; None when a filter makes it unknown.
    """

    rows: list[Row]
    cursor: str | None
    total_rows: int | None = None


class Sort(NamedTuple):
    """The columns that a sort goes by, before the name; None: by name alone."""

    file: str | None
    folder: str | None


SORTS: dict[str, Sort] = {
    "name": Sort(None, None),
    "size": Sort("size", "bytes"),
    "modified": Sort("modified", None),
}


class Query(NamedTuple):
    """What is asked for, apart from where to go on."""

    folder: str
    sort: str
    descending: bool
    match: str | None

    def check(self) -> Query:
        """Return the query when its sort is known, else raise `BadInputError`."""
        if self.sort not in SORTS:
            raise BadInputError(
                f"There is no sort by {self.sort[:40]!r}.",
                remedy=f"Sort by one of: {', '.join(SORTS)}.",
            )
        return self

    def encode_cursor(self, position: list[Any]) -> str:
        """Return an opaque cursor that is good for this query only."""
        return base64.urlsafe_b64encode(orjson.dumps([self._mark(), *position])).decode()

    def decode_cursor(self, cursor: str | None, shape: tuple[type, ...]) -> list[Any] | None:
        """Return the position in a cursor, or None at the start.

        Raises
        ------
        BadInputError
            It is no cursor of this query.
        """
        if cursor is None:
            return None
        try:
            mark, *position = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        except (ValueError, TypeError, binascii.Error):
            mark, position = None, []
        if mark != self._mark() or tuple(map(type, position)) != shape:
            raise BadInputError(
                "The cursor does not belong to this listing.",
                remedy="Start again without a cursor.",
            )
        return list(position)

    def _mark(self) -> int:
        return zlib.crc32(repr(tuple(self)).encode(errors="surrogatepass"))


def check_limit(limit: int) -> int:
    """Return the number of rows of a page, 1 to 5,000, else raise `BadInputError`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise BadInputError(
            f"A page of {limit} rows cannot be had.",
            remedy=f"Ask for 1 to {MAX_LIMIT} rows.",
        )
    return limit


def load_place(connection: sqlite3.Connection, path: str) -> Place:
    """Return the folder at `path`.

    Raises
    ------
    PathNotFoundError
        There is no such folder.
    """
    number = find_folder(connection, path)
    if number is None:
        raise path_not_found(path)
    source, prefix = connection.execute(
        "SELECT source, key_prefix FROM folder WHERE id=?", (number,)
    ).fetchone()
    return Place(number, path, source, prefix)


def totals(connection: sqlite3.Connection, path: str) -> Totals:
    """Return what lies below a folder; raises `PathNotFoundError`."""
    place = load_place(connection, path)
    return Totals(
        *connection.execute("SELECT files, bytes FROM folder WHERE id=?", (place.id,)).fetchone()
    )


def get(connection: sqlite3.Connection, path: str) -> Pointer | None:
    """Return the pointer at `path`, or None."""
    head, _, name = path.rpartition("/")
    number = find_folder(connection, head)
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM file WHERE folder=? AND name=?",
        (number, name),
    ).fetchall()
    if not rows:
        return None
    return unpack_rows(rows, load_place(connection, head), load_sources(connection))[0]


def level_page(
    connection: sqlite3.Connection, query: Query, *, cursor: str | None, limit: int
) -> PointerPage:
    """Return one page of one level."""
    place = load_place(connection, query.folder)
    position = query.decode_cursor(cursor, (int, int, str))
    rows: list[Row] = []
    last: list[Any] | None = None
    if position is None or position[0] == 0:
        rows, last = _folder_rows(connection, query, place, position, limit)
        position = None
    if len(rows) < limit:
        files, last_file = _file_rows(connection, query, place, position, limit - len(rows))
        rows += files
        last = last_file or last
    total, direct = connection.execute(
        "SELECT folders + direct, direct FROM folder WHERE id=?", (place.id,)
    ).fetchone()
    is_full = len(rows) == limit and last is not None
    if is_full and last is not None and last[0] == 0 and direct:
        more = True
    else:
        more = is_full and last is not None and _has_more(connection, query, place, last)
    return PointerPage(rows, query.encode_cursor(last) if more and last else None, total)


def _range(
    column: str | None, position: list[Any] | None, *, descending: bool
) -> tuple[str, list[Any], str]:
    """Return condition, its values and the order of rows after `position`."""
    sign, direction = ("<", "DESC") if descending else (">", "ASC")
    order = f"name {direction}" if column is None else f"{column} {direction}, name {direction}"
    if position is None:
        return "", [], order
    if column is None:
        return f"AND name {sign} ?", [position[2]], order
    return f"AND ({column}, name) {sign} (?, ?)", position[1:], order


def _folder_rows(
    connection: sqlite3.Connection,
    query: Query,
    place: Place,
    position: list[Any] | None,
    limit: int,
) -> tuple[list[Row], list[Any] | None]:
    column = SORTS[query.sort].folder
    condition, values, order = _range(column, position, descending=query.descending)
    found = connection.execute(
        f"SELECT name, files, bytes FROM folder WHERE parent=? {condition} "
        f"ORDER BY {order} LIMIT ?",
        (place.id, *values, limit),
    ).fetchall()
    prefix = place.path_prefix
    rows: list[Row] = [FolderRow(prefix + name, files, size) for name, files, size in found]
    return rows, [0, found[-1][2], found[-1][0]] if found else None


def _file_rows(
    connection: sqlite3.Connection,
    query: Query,
    place: Place,
    position: list[Any] | None,
    limit: int,
) -> tuple[list[Row], list[Any] | None]:
    column = SORTS[query.sort].file
    condition, values, order = _range(column, position, descending=query.descending)
    found = connection.execute(
        f"SELECT {COLUMNS} FROM file WHERE folder=? {condition} ORDER BY {order} LIMIT ?",
        (place.id, *values, limit),
    ).fetchall()
    if not found:
        return [], None
    name, size, modified = found[-1][:3]
    rows = unpack_rows(found, place, load_sources(connection))
    return list(rows), [1, modified if query.sort == "modified" else size, name]


def _has_more(connection: sqlite3.Connection, query: Query, place: Place, last: list[Any]) -> bool:
    """Return whether a row follows `last`, the last of a full page."""
    sort = SORTS[query.sort]
    column, table, parent = (
        (sort.file, "file", "folder") if last[0] else (sort.folder, "folder", "parent")
    )
    condition, values, _ = _range(column, last, descending=query.descending)
    found = connection.execute(
        f"SELECT 1 FROM {table} WHERE {parent}=? {condition} LIMIT 1",
        (place.id, *values),
    )
    return found.fetchone() is not None


def missing_sort_index(connection: sqlite3.Connection, query: Query, from_files: int) -> str | None:
    """Return the sort that would need an index to be quick in this folder, if it has none."""
    if SORTS[query.sort].file is None:
        return None
    place = load_place(connection, query.folder)
    (direct,) = connection.execute("SELECT direct FROM folder WHERE id=?", (place.id,)).fetchone()
    if direct < from_files:
        return None
    name = f"file_by_{query.sort}"
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name=?", (name,)).fetchone()
    return None if found else query.sort
