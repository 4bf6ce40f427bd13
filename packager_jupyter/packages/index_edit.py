"""Removing and moving files and folders of a pointer index inside one transaction.

Moving a folder changes one row, whatever lies below it; a folder that becomes empty goes away, as a
published version could not show it either.
"""

# ruff: noqa: S608  # statements are put together from constants, values are bound

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.packages.index_db import ROOT_ID
from packager_jupyter.packages.index_rows import is_hashed
from packager_jupyter.packages.index_write import IndexWriter
from packager_jupyter.packages.names import check_path, shown

if TYPE_CHECKING:
    import sqlite3

_BELOW = (
    "WITH RECURSIVE below(id) AS (SELECT ? UNION ALL "
    "SELECT folder.id FROM folder JOIN below ON folder.parent=below.id) "
)
_FILE = "size, modified, etag, source, key, sha256, extra"


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took away."""

    files: int
    size_bytes: int


def find_folder(connection: sqlite3.Connection, path: str) -> int | None:
    """Return the number of the folder at `path` (empty: the root), or None."""
    number = ROOT_ID
    for name in path.split("/") if path else ():
        row = connection.execute(
            "SELECT id FROM folder WHERE parent=? AND name=?", (number, name)
        ).fetchone()
        if row is None:
            return None
        (number,) = row
    return number


def remove(connection: sqlite3.Connection, path: str) -> Removed:
    """Remove the file, or the folder with all below it, at `path`.

    Raises
    ------
    PathNotFoundError
        There is neither.
    """
    head, _, name = path.rpartition("/")
    parent = find_folder(connection, head)
    if parent is not None:
        row = connection.execute(
            "SELECT size, sha256, extra FROM file WHERE folder=? AND name=?", (parent, name)
        ).fetchone()
        if row is not None:
            size, sha256, extra = row
            connection.execute("DELETE FROM file WHERE folder=? AND name=?", (parent, name))
            _direct(connection, parent, files=-1)
            _bump(connection, parent, -1, -size, -int(is_hashed(sha256, extra)))
            prune(connection, parent)
            return Removed(1, size)
    folder = find_folder(connection, path)
    if folder is None or parent is None:
        raise path_not_found(path)
    return _remove_folder(connection, folder, parent)


def _remove_folder(connection: sqlite3.Connection, folder: int, parent: int) -> Removed:
    files, size, hashed = connection.execute(
        "SELECT files, bytes, hashed FROM folder WHERE id=?", (folder,)
    ).fetchone()
    connection.execute(
        f"{_BELOW} DELETE FROM file WHERE folder IN (SELECT id FROM below)",
        (folder,),
    )
    if folder == ROOT_ID:
        connection.execute("DELETE FROM folder WHERE id<>?", (ROOT_ID,))
        connection.execute(
            "UPDATE folder SET files=0, bytes=0, hashed=0, direct=0, folders=0 WHERE id=?",
            (ROOT_ID,),
        )
        return Removed(files, size)
    connection.execute(f"{_BELOW} DELETE FROM folder WHERE id IN (SELECT id FROM below)", (folder,))
    _direct(connection, parent, folders=-1)
    _bump(connection, parent, -files, -size, -hashed)
    prune(connection, parent)
    return Removed(files, size)


def move(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Give a file or folder another path; folders on the way to it are made.

    Raises
    ------
    PathNotFoundError
        Nothing is at `old`.
    ConflictError
        Something is at `new`, or a file stands where a folder is needed.
    BadInputError
        `new` breaks a rule, or lies inside `old`.
    """
    check_path(new)
    if old == new:
        return
    if new.startswith(f"{old}/"):
        raise BadInputError(
            f"{shown(old)} cannot be moved into itself.",
            remedy="Choose a place outside of it.",
        )
    head, _, name = old.rpartition("/")
    parent = find_folder(connection, head)
    folder = find_folder(connection, old)
    if _exists(connection, new):
        raise ConflictError(
            f"There is already something at {shown(new)}.",
            remedy="Remove it first, or choose another name.",
        )
    if folder is not None and parent is not None and folder != ROOT_ID:
        _move_folder(connection, folder, parent, new)
    elif parent is None or not _move_file(connection, parent, name, new):
        raise path_not_found(old)


def _move_file(connection: sqlite3.Connection, parent: int, name: str, new: str) -> bool:
    row = connection.execute(
        f"SELECT {_FILE} FROM file WHERE folder=? AND name=?",
        (parent, name),
    ).fetchone()
    if row is None:
        return False
    size, modified, etag, source, key, sha256, extra = row
    if key is None:
        source, prefix = connection.execute(
            "SELECT source, key_prefix FROM folder WHERE id=?", (parent,)
        ).fetchone()
        key = prefix + name
    target, target_name = _make_parents(connection, new)
    hashed = int(is_hashed(sha256, extra))
    connection.execute("DELETE FROM file WHERE folder=? AND name=?", (parent, name))
    connection.execute(
        f"INSERT INTO file(folder, name, {_FILE}) VALUES(?,?,?,?,?,?,?,?,?)",
        (target, target_name, size, modified, etag, source, key, sha256, extra),
    )
    _direct(connection, parent, files=-1)
    _direct(connection, target, files=1)
    _bump(connection, target, 1, size, hashed)
    _bump(connection, parent, -1, -size, -hashed)
    prune(connection, parent)
    return True


def _move_folder(connection: sqlite3.Connection, folder: int, parent: int, new: str) -> None:
    totals = connection.execute(
        "SELECT files, bytes, hashed FROM folder WHERE id=?", (folder,)
    ).fetchone()
    target, name = _make_parents(connection, new)
    connection.execute("UPDATE folder SET parent=?, name=? WHERE id=?", (target, name, folder))
    _direct(connection, parent, folders=-1)
    _direct(connection, target, folders=1)
    _bump(connection, target, *totals)
    _bump(connection, parent, *(-total for total in totals))
    prune(connection, parent)


def _make_parents(connection: sqlite3.Connection, path: str) -> tuple[int, str]:
    head, _, name = path.rpartition("/")
    writer = IndexWriter(connection)
    number = writer.folders.get(head).id
    writer.finish()
    return number, name


def _exists(connection: sqlite3.Connection, path: str) -> bool:
    if find_folder(connection, path) is not None:
        return True
    head, _, name = path.rpartition("/")
    parent = find_folder(connection, head)
    found = connection.execute("SELECT 1 FROM file WHERE folder=? AND name=?", (parent, name))
    return found.fetchone() is not None


def _direct(
    connection: sqlite3.Connection, folder: int, *, files: int = 0, folders: int = 0
) -> None:
    connection.execute(
        "UPDATE folder SET direct=direct+?, folders=folders+? WHERE id=?", (files, folders, folder)
    )


def _bump(
    connection: sqlite3.Connection, folder: int, files: int, size_bytes: int, hashed: int
) -> None:
    """Change the totals of a folder and of every folder above it."""
    connection.execute(
        "UPDATE folder SET files=files+?, bytes=bytes+?, hashed=hashed+? WHERE id IN ("
        "WITH RECURSIVE up(id) AS (SELECT ? UNION ALL SELECT folder.parent FROM folder "
        "JOIN up ON folder.id=up.id WHERE folder.parent<>0) SELECT id FROM up)",
        (files, size_bytes, hashed, folder),
    )


def prune(connection: sqlite3.Connection, folder: int) -> None:
    """Take away `folder` and those above it as far as they are empty."""
    while folder != ROOT_ID:
        row = connection.execute(
            "SELECT parent FROM folder WHERE id=? AND files=0", (folder,)
        ).fetchone()
        if row is None:
            return
        connection.execute("DELETE FROM folder WHERE id=?", (folder,))
        (folder,) = row
        _direct(connection, folder, folders=-1)


def path_not_found(path: str) -> PathNotFoundError:
    """Return the error for a path that is not in the package."""
    return PathNotFoundError(
        f"The package has no file or folder {shown(path)}.",
        remedy="Look at the package's folders for the right path.",
    )
