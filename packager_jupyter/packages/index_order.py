"""Whether the paths of an index sort as its keys do, without reading its rows one by one.

Most packages are the whole of one folder of a source: every key is one text, then what follows
another in its path. Then a listing of the storage can be laid beside the rows as they come.
"""

from __future__ import annotations

from os.path import commonprefix
from typing import TYPE_CHECKING

from packager_jupyter.packages.index_db import ROOT_ID
from packager_jupyter.packages.index_rows import load_sources
from packager_jupyter.packages.merge import Order

if TYPE_CHECKING:
    import sqlite3

_MAX_FOLDERS = 100_000


def order_of_index(connection: sqlite3.Connection) -> Order | None:
    """Return the order of an index's keys; None when they are of several sources or not in order.

    Also None for very many folders, whose paths are not kept in memory.
    """
    folders = connection.execute(
        "SELECT id, parent, name, source, key_prefix, direct FROM folder LIMIT ?",
        (_MAX_FOLDERS + 1,),
    ).fetchall()
    if len(folders) > _MAX_FOLDERS:
        return None
    if connection.execute("SELECT 1 FROM file WHERE key IS NOT NULL LIMIT 1").fetchone():
        return None
    above = {number: (parent, name) for number, parent, name, *_ in folders}
    paths: dict[int, str] = {ROOT_ID: ""}

    def path_of(number: int) -> str:
        names = []
        at = number
        while at not in paths:
            at, name = above[at]
            names.append(name)
        path = paths[at] + "".join(f"{name}/" for name in reversed(names))
        paths[number] = path
        return path

    places = [(path_of(row[0]), row[3], row[4] or "") for row in folders if row[5]]
    if not places or len({source for _, source, _ in places}) > 1:
        return None
    first, source, prefix = min(places)
    last, *_ = max(places)
    common = commonprefix([first, last])  # noqa: RUF071  # of least and greatest, so of all
    cut = common.rfind("/") + 1
    start = prefix.removesuffix(first[cut:])
    known = load_sources(connection)
    if source not in known or any(key != start + path[cut:] for path, _, key in places):
        return None
    (files,) = connection.execute("SELECT files FROM folder WHERE id=?", (ROOT_ID,)).fetchone()
    return Order(known[source][0], start[: start.rfind("/") + 1], int(files))
