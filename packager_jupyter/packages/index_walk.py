"""Every row of an index in the order of the paths' bytes, as a stream.

Inside a folder the names are sorted by the file system's view, but a list of paths is sorted by
bytes, and there a folder's content sorts as ``name/``: ``a.txt`` comes before ``a/x``, which comes
before ``a0``. So each folder is read in ranges between its subfolders, taken in that order. Memory
is bounded by the depth of folders and one chunk of rows.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from packager_jupyter.packages.index_db import ROOT_ID
from packager_jupyter.packages.index_rows import COLUMNS, Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from packager_jupyter.packages.index_rows import StoredRow

CHUNK_ROWS = 2000

_ALL = f"SELECT {COLUMNS} FROM file WHERE folder=? ORDER BY name"
_RANGE = f"SELECT {COLUMNS} FROM file WHERE folder=? AND name>? {{}} ORDER BY name"
_REST = _RANGE.format("")
_UP_TO = _RANGE.format("AND name<?")
_ONE = f"SELECT {COLUMNS} FROM file WHERE folder=? AND name=?"
_CHILD = "SELECT id, name, source, key_prefix, folders FROM folder WHERE parent=? AND name=?"
_CHILDREN = (
    "SELECT id, name, source, key_prefix, folders FROM folder WHERE parent=? AND name || '/'>? "
    "ORDER BY name || '/'"
)


class _Level:
    """A folder that is being read: its subfolders still to come, and the name reached so far."""

    __slots__ = ("children", "place", "reached")

    def __init__(self, connection: sqlite3.Connection, place: Place, reached: str = "") -> None:
        self.place = place
        self.children = connection.execute(_CHILDREN, (place.id, reached))
        self.reached = reached


def sorted_rows(
    connection: sqlite3.Connection, start: str = "", *, chunk_rows: int = CHUNK_ROWS
) -> Iterator[tuple[Place, list[StoredRow]]]:
    """Yield chunks of at most `chunk_rows` rows of one folder each, in the paths' bytes' order.

    The caller holds a read transaction until the end. With `start`, the path of a file, what sorts
    before it is left out, at the cost of its folders alone.
    """
    row = connection.execute(
        "SELECT source, key_prefix FROM folder WHERE id=?", (ROOT_ID,)
    ).fetchone()
    root = Place(ROOT_ID, "", *row)
    chunks = partial(_chunks, connection, chunk_rows)
    if start:
        stack = _levels_to(connection, root, start)
        last = stack[-1]
        yield from chunks(last.place, _ONE, (last.place.id, last.reached))
    else:
        stack = [_Level(connection, root)]
    while stack:
        level = stack[-1]
        child = level.children.fetchone()
        if child is None:
            yield from _chunks(
                connection, chunk_rows, level.place, _REST, (level.place.id, level.reached)
            )
            stack.pop()
            continue
        number, name, source, prefix, folders = child
        bound = f"{name}/"
        yield from _chunks(
            connection, chunk_rows, level.place, _UP_TO, (level.place.id, level.reached, bound)
        )
        level.reached = bound
        place = Place(number, level.place.path_prefix + name, source, prefix)
        if folders:
            stack.append(_Level(connection, place))
        else:
            yield from chunks(place, _ALL, (number,))


def _levels_to(connection: sqlite3.Connection, root: Place, path: str) -> list[_Level]:
    """Return the folders that lead to the file at `path`, as they are right before it."""
    *folders, name = path.split("/")
    place, stack = root, []
    for folder in folders:
        stack.append(_Level(connection, place, f"{folder}/"))
        row = connection.execute(_CHILD, (place.id, folder)).fetchone()
        if row is None:
            return stack
        place = Place(row[0], place.path_prefix + folder, row[2], row[3])
    return [*stack, _Level(connection, place, name)]


def _chunks(
    connection: sqlite3.Connection,
    chunk_rows: int,
    place: Place,
    statement: str,
    values: tuple[object, ...],
) -> Iterator[tuple[Place, list[StoredRow]]]:
    cursor = connection.execute(statement, values)
    while rows := cursor.fetchmany(chunk_rows):
        yield place, rows
