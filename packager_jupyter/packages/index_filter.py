"""Finding files below a folder by a part of their path or by a shell pattern.

A text without pattern characters is looked for anywhere in the path below the folder, upper and
lower case alike; with ``*``, ``?`` or ``[`` it is a pattern of `packages.globs`. Folders are taken
in the order of their names, the files of each before its subfolders. Sorted by name, a page stops
when it is full or after a bounded amount of work, and its cursor goes on from there: the first
results are there at once however large the package is. Sorted otherwise, all is looked at.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

import heapq
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.globs import MAX_PATTERN_LENGTH, glob_matcher, is_glob
from packager_jupyter.packages.index_query import SORTS, PointerPage, load_place
from packager_jupyter.packages.index_rows import (
    COLUMNS,
    Place,
    load_sources,
    unpack_rows,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from packager_jupyter.packages.index_query import Query, Row
    from packager_jupyter.packages.index_rows import (
        StoredRow,
    )

WORK_PER_PAGE = 200_000
"""Rows looked at before a page is handed out as it is."""

_WINDOW_ROWS = 20_000
_FOLDER_COST = 10
_CALL_COST = 4
_LAST_NAME = "\U0010ffff" * 64
"""Sorts after every name of at most 255 bytes."""

_NAME_TEST = "packager_name_test(name)"


class Condition(NamedTuple):
    """Which files of one folder match: an SQL condition on the name, its values, its cost a row."""

    sql: str
    values: tuple[str, ...] = ()
    cost: int = 1


_EVERY = Condition("1")


class Filter:
    """A filter prepared for one connection: says for each folder which of its files match."""

    def __init__(self, connection: sqlite3.Connection, match: str) -> None:
        if not match or len(match) > MAX_PATTERN_LENGTH:
            raise BadInputError(
                "The filter is empty or too long.",
                remedy=f"Filter by a text or a pattern of 1 to {MAX_PATTERN_LENGTH} characters.",
            )
        self._glob = glob_matcher(match) if is_glob(match) else None
        self._is_on_path = "/" in match
        self._needle = fold(match)
        self._matches: Callable[[str], bool] = bool
        self._prefix = ""
        # Registered once: SQLite refuses to change a function while a statement is being read.
        connection.create_function("packager_name_test", 1, self._is_match)

    def _is_match(self, name: str) -> bool:
        return self._matches(self._prefix + name)

    def for_folder(self, below: str) -> Condition | None:
        """Return the condition for the folder at `below` (ends in ``/``, or empty), None: no file.

        `below` is relative to the folder in which the search began. The condition is good until
        the next call.
        """
        if self._glob is not None:
            return self._test(self._glob, below if self._is_on_path else "")
        folded = fold(below)
        if self._needle in folded:
            return _EVERY
        head, slash, tail = self._needle.rpartition("/")
        if not slash:
            return self._contains()
        if not tail or not folded.endswith(head + slash):
            return None
        return self._test(lambda name: fold(name).startswith(tail), "")

    def _contains(self) -> Condition:
        if self._needle.isascii():
            escaped = self._needle
            for special in "\\%_":
                escaped = escaped.replace(special, f"\\{special}")
            return Condition("name LIKE ? ESCAPE '\\'", (f"%{escaped}%",))
        needle = self._needle
        return self._test(lambda name: needle in fold(name), "")

    def _test(self, matches: Callable[[str], bool], prefix: str) -> Condition:
        self._matches, self._prefix = matches, prefix
        return Condition(_NAME_TEST, cost=_CALL_COST)


def fold(text: str) -> str:
    """Return `text` with differences of case and Unicode form taken out."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


class Found(NamedTuple):
    """A folder met on the walk, relative to its start, and the name after which to go on."""

    below: str
    place: Place
    direct: int
    after: str | None


def walk_folders(
    connection: sqlite3.Connection,
    start: Place,
    *,
    resume: tuple[str, str] | None,
    descending: bool,
) -> Iterator[Found]:
    """Yield folders depth first, parents before children, from `resume` (folder, name) on."""
    sign, direction = ("<", "DESC") if descending else (">", "ASC")
    columns = "id, name, source, key_prefix, folders, direct"
    every = f"SELECT {columns} FROM folder WHERE parent=? ORDER BY name {direction}"
    rest = every.replace("ORDER", f"AND name{sign}? ORDER")
    one = f"SELECT {columns} FROM folder WHERE parent=? AND name=?"
    direct, folders = connection.execute(
        "SELECT direct, folders FROM folder WHERE id=?", (start.id,)
    ).fetchone()
    here: Found | None = Found("", start, direct, resume[1] if resume else None)
    stack: list[tuple[str, str, Any]] = []
    for name in resume[0].split("/")[:-1] if resume else ():
        if here is None:
            break  # the folder is gone; go on with what comes after it
        below, path_prefix, key = here.below, here.place.path_prefix, (here.place.id, name)
        stack.append((below, path_prefix, connection.execute(rest, key)))
        row = connection.execute(one, key).fetchone()
        here = row and _found(row, below, path_prefix, resume[1] if resume else None)
        folders = row[4] if row else 0
    if here is not None:
        yield here
        if folders:
            cursor = connection.execute(every, (here.place.id,))
            stack.append((here.below, here.place.path_prefix, cursor))
    while stack:
        below, path_prefix, cursor = stack[-1]
        row = cursor.fetchone()
        if row is None:
            stack.pop()
            continue
        found = _found(row, below, path_prefix, None)
        yield found
        if row[4]:
            cursor = connection.execute(every, (found.place.id,))
            stack.append((found.below, found.place.path_prefix, cursor))


def _found(row: tuple[Any, ...], below: str, path_prefix: str, after: str | None) -> Found:
    number, name, source, key_prefix, _, direct = row
    place = Place(number, path_prefix + name, source, key_prefix)
    return Found(f"{below}{name}/", place, direct, after)


class Search(NamedTuple):
    """One page to be made."""

    connection: sqlite3.Connection
    query: Query
    match: Filter
    start: Place
    cursor: str | None
    limit: int


def filter_page(
    connection: sqlite3.Connection, query: Query, *, cursor: str | None, limit: int
) -> PointerPage:
    """Return one page of the files below ``query.folder`` that match ``query.match``.

    Raises
    ------
    BadInputError
        A filter that is none, or a cursor of another listing.
    PathNotFoundError
        There is no such folder.
    """
    match = Filter(connection, query.match or "")
    start = load_place(connection, query.folder)
    search = Search(connection, query, match, start, cursor, limit)
    column = SORTS[query.sort].file
    return _page_in_order(search) if column is None else _page_of_best(search, column)


def _page_in_order(search: Search) -> PointerPage:
    query = search.query
    position = query.decode_cursor(search.cursor, (str, str))
    resume = (position[0], position[1]) if position else None
    sources = load_sources(search.connection)
    rows: list[Row] = []
    work = WORK_PER_PAGE
    for found in walk_folders(
        search.connection, search.start, resume=resume, descending=query.descending
    ):
        work -= _FOLDER_COST
        condition = search.match.for_folder(found.below) if found.direct else None
        reached = found.after
        while condition is not None:
            bound = _window_end(search, found.place.id, reached)
            stored = _in_window(search, found.place.id, condition, (reached, bound), len(rows))
            rows += unpack_rows(stored, found.place, sources)
            if len(rows) == search.limit:
                return PointerPage(rows, query.encode_cursor([found.below, stored[-1][0]]))
            work -= (min(found.direct, _WINDOW_ROWS) if bound is None else _WINDOW_ROWS) * (
                condition.cost
            )
            if bound is None:
                break
            reached = bound
            if work < 0:
                return PointerPage(rows, query.encode_cursor([found.below, reached]))
        if work < 0:
            last = "" if query.descending else _LAST_NAME
            return PointerPage(rows, query.encode_cursor([found.below, last]))
    return PointerPage(rows, None)


def _window_end(search: Search, folder: int, after: str | None) -> str | None:
    """Return the name that ends the next window of rows, or None when it is the last one."""
    descending = search.query.descending
    condition, values = _after(after, descending=descending)
    row = search.connection.execute(
        f"SELECT name FROM file WHERE folder=? {condition} "
        f"ORDER BY name {'DESC' if descending else 'ASC'} LIMIT 1 OFFSET ?",
        (folder, *values, _WINDOW_ROWS - 1),
    ).fetchone()
    return None if row is None else str(row[0])


def _after(name: str | None, *, descending: bool) -> tuple[str, tuple[str, ...]]:
    if name is None:
        return "", ()
    return f"AND name {'<' if descending else '>'} ?", (name,)


def _in_window(
    search: Search,
    folder: int,
    condition: Condition,
    window: tuple[str | None, str | None],
    have: int,
) -> list[StoredRow]:
    descending = search.query.descending
    after, values = _after(window[0], descending=descending)
    up_to = ""
    if window[1] is not None:
        up_to = f"AND name {'>=' if descending else '<='} ?"
        values = (*values, window[1])
    return search.connection.execute(
        f"SELECT {COLUMNS} FROM file WHERE folder=? {after} {up_to} "
        f"AND {condition.sql} ORDER BY name {'DESC' if descending else 'ASC'} LIMIT ?",
        (folder, *values, *condition.values, search.limit - have),
    ).fetchall()


def _page_of_best(search: Search, column: str) -> PointerPage:
    """Keep the first matches by (value, folder, name); each folder sends only its best."""
    query, limit = search.query, search.limit
    position = query.decode_cursor(search.cursor, (int, str, str))
    sign = -1 if query.descending else 1
    number = COLUMNS.split(", ").index(column)
    best: list[tuple[int, str, str, StoredRow, Place]] = []
    for found in walk_folders(search.connection, search.start, resume=None, descending=False):
        condition = search.match.for_folder(found.below) if found.direct else None
        if condition is None:
            continue
        after, values = _after_value(column, found.below, position, descending=query.descending)
        stored = search.connection.execute(
            f"SELECT {COLUMNS} FROM file WHERE folder=? {after} AND {condition.sql} "
            f"ORDER BY {column} {'DESC' if query.descending else 'ASC'}, name LIMIT ?",
            (found.place.id, *values, *condition.values, limit + 1),
        ).fetchall()
        best += [(sign * row[number], found.below, row[0], row, found.place) for row in stored]
        if len(best) > 4 * limit:
            best = heapq.nsmallest(limit + 1, best)
    best = heapq.nsmallest(limit + 1, best)
    sources = load_sources(search.connection)
    rows: list[Row] = []
    for _, _, _, row, place in best[:limit]:
        rows += unpack_rows([row], place, sources)
    if len(best) <= limit:
        return PointerPage(rows, None)
    value, below, name = best[limit - 1][:3]
    return PointerPage(rows, query.encode_cursor([sign * value, below, name]))


def _after_value(
    column: str, below: str, position: list[Any] | None, *, descending: bool
) -> tuple[str, tuple[Any, ...]]:
    """Return the condition on rows of the folder `below` that come after `position`."""
    if position is None:
        return "", ()
    value, last_below, last_name = position
    sign = "<" if descending else ">"
    if below == last_below:
        return f"AND ({column} {sign} ? OR ({column} = ? AND name > ?))", (value, value, last_name)
    return f"AND {column} {sign}{'=' if below > last_below else ''} ?", (value,)
