"""Finding names in one folder that some systems take for the same.

``Data.csv`` and ``data.csv``, or a composed and a decomposed é, are different objects in a storage
and different paths in a package, but one file on many laptops.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from packager_jupyter.packages.index_filter import fold

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

MAX_NAMES = 50_000
"""So many names are looked at in all, to keep time and memory bounded."""


def lookalikes(
    connection: sqlite3.Connection, folders: Iterable[int], *, limit: int = 20
) -> list[tuple[str, str]]:
    """Return pairs of paths that look alike, from the folders with these numbers.

    Folders that would go over `MAX_NAMES` are not looked at.
    """
    pairs: list[tuple[str, str]] = []
    left = MAX_NAMES
    for number in folders:
        row = connection.execute(
            "SELECT direct + folders FROM folder WHERE id=?", (number,)
        ).fetchone()
        if row is None or not 1 < row[0] <= left:
            continue
        left -= row[0]
        seen: dict[str, str] = {}
        for (name,) in chain(
            connection.execute("SELECT name FROM folder WHERE parent=?", (number,)),
            connection.execute("SELECT name FROM file WHERE folder=?", (number,)),
        ):
            first = seen.setdefault(fold(name), name)
            if first != name:
                prefix = _path(connection, number)
                pairs.append((prefix + first, prefix + name))
                if len(pairs) == limit:
                    return pairs
    return pairs


def _path(connection: sqlite3.Connection, number: int) -> str:
    """Return the path of a folder with a ``/`` after it; empty for the root."""
    names: list[str] = []
    while True:
        parent, name = connection.execute(
            "SELECT parent, name FROM folder WHERE id=?", (number,)
        ).fetchone()
        if not parent:
            return "".join(f"{one}/" for one in reversed(names))
        names.append(name)
        number = parent
