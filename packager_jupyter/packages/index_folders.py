"""The folders that one writing transaction touches, and their totals.

Counts are collected here and written by `FolderTable.flush`: each change goes to its folder and to
every folder above in the same transaction as the files, so the stored totals are always right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import ConflictError
from packager_jupyter.packages.index_db import ROOT_ID
from packager_jupyter.packages.names import shown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_MAX_IN_MEMORY = 20_000
_MAX_CHILD_NAMES = 20_000


class Folder:
    """A folder as this transaction sees it, with what is still to be added to its totals."""

    __slots__ = (
        "bytes",
        "child_names",
        "direct",
        "files",
        "folders",
        "hashed",
        "id",
        "is_place_new",
        "key_prefix",
        "old_folders",
        "parent",
        "path",
        "source",
        "stored_direct",
    )

    def __init__(
        self, path: str, parent: Folder | None, row: tuple[int, int | None, str | None, int, int]
    ) -> None:
        self.path = path
        self.parent = parent
        self.id, self.source, self.key_prefix, self.old_folders, self.stored_direct = row
        self.files = self.bytes = self.hashed = self.direct = self.folders = 0
        self.is_place_new = False
        self.child_names: set[str] | None = None

    def derives(self, source: int, prefix: str) -> bool:
        """Return whether names here lead to keys below `prefix`; fix the prefix when still free."""
        if self.key_prefix is None or (self.stored_direct == 0 and not self.is_place_new):
            self.source, self.key_prefix, self.is_place_new = source, prefix, True
            return True
        return self.source == source and self.key_prefix == prefix


class FolderTable:
    """The folders that a transaction has touched, by path."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._folders: dict[str, Folder] = {}
        self._by_id: dict[int, Folder] = {}
        self.created: list[Folder] = []
        self._load_root()

    def _load_root(self) -> None:
        row = self._execute(
            "SELECT id, source, key_prefix, folders, direct FROM folder WHERE id=?", (ROOT_ID,)
        ).fetchone()
        self._remember(Folder("", None, row))

    def _remember(self, folder: Folder) -> Folder:
        self._folders[folder.path] = folder
        self._by_id[folder.id] = folder
        return folder

    def by_id(self, number: int) -> Folder:
        """Return a folder that is in memory."""
        return self._by_id[number]

    def get(self, path: str) -> Folder:
        """Return the folder at `path`, made when it is not there, with its parents."""
        found = self._folders.get(path)
        if found is not None:
            return found
        missing = []
        while path not in self._folders:
            head, _, name = path.rpartition("/")
            missing.append((path, name))
            path = head
        folder = self._folders[path]
        for child_path, name in reversed(missing):
            folder = self._remember(self._child(folder, child_path, name))
        return folder

    def _child(self, parent: Folder, path: str, name: str) -> Folder:
        row = self._execute(
            "SELECT id, source, key_prefix, folders, direct FROM folder WHERE parent=? AND name=?",
            (parent.id, name),
        ).fetchone()
        if row is not None:
            return Folder(path, parent, row)
        number = self._execute(
            "INSERT INTO folder(parent, name) VALUES(?,?)", (parent.id, name)
        ).lastrowid
        parent.folders += 1
        if parent.child_names is not None:
            parent.child_names.add(name)
        child = Folder(path, parent, (int(number or 0), None, None, 0, 0))
        self.created.append(child)
        return child

    def trim(self) -> None:
        """Write the totals and forget the folders when they are very many."""
        if len(self._folders) > _MAX_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write the totals of every touched folder and of those above it; forget all."""
        rows: dict[int, list[int]] = {}
        for folder in self._folders.values():
            own = rows.setdefault(folder.id, [0] * 5)
            own[3] += folder.direct
            own[4] += folder.folders
            if folder.files or folder.bytes or folder.hashed:
                above: Folder | None = folder
                while above is not None:
                    row = rows.setdefault(above.id, [0] * 5)
                    row[0] += folder.files
                    row[1] += folder.bytes
                    row[2] += folder.hashed
                    above = above.parent
        self._executemany(
            "UPDATE folder SET files=files+?, bytes=bytes+?, hashed=hashed+?, direct=direct+?, "
            "folders=folders+? WHERE id=?",
            [(*row, number) for number, row in rows.items() if any(row)],
        )
        self._executemany(
            "UPDATE folder SET source=?, key_prefix=? WHERE id=?",
            [
                (folder.source, folder.key_prefix, folder.id)
                for folder in self._folders.values()
                if folder.is_place_new
            ],
        )
        self._folders.clear()
        self._by_id.clear()
        self.created.clear()
        self._load_root()

    def check_new_folders(self) -> None:
        """Raise `ConflictError` when a folder was made where a file stands."""
        for folder in self.created:
            parent = folder.parent
            name = folder.path.rpartition("/")[2]
            found = (
                parent
                and self._execute(
                    "SELECT 1 FROM file WHERE folder=? AND name=?", (parent.id, name)
                ).fetchone()
            )
            if found:
                raise both_error(folder.path)
        self.created.clear()

    def check_new_files(self, folder: Folder, names: list[str]) -> None:
        """Raise `ConflictError` when a file was put where a folder stands.

        Costs the smaller of the number of names and the number of folders in `folder`.
        """
        children = folder.old_folders + folder.folders
        is_loaded = folder.child_names is not None
        if children > _MAX_CHILD_NAMES or (not is_loaded and len(names) * 8 < children):
            clash = self._find_children(folder, names)
        else:
            if folder.child_names is None:
                rows = self._execute("SELECT name FROM folder WHERE parent=?", (folder.id,))
                folder.child_names = {name for (name,) in rows}
            clash = next(iter(folder.child_names.intersection(names)), None)
        if clash is not None:
            raise both_error(f"{folder.path}/{clash}" if folder.path else clash)

    def _find_children(self, folder: Folder, names: Iterable[str]) -> str | None:
        for name in names:
            statement = "SELECT name FROM folder WHERE parent=? AND name=?"
            if self._execute(statement, (folder.id, name)).fetchone():
                return name
        return None


def both_error(path: str) -> ConflictError:
    """Return the error for a path that would be a file and a folder at once."""
    return ConflictError(
        f"{shown(path)} would be both a file and a folder in the package.",
        remedy="Nothing was changed. Leave one of the two out, or give one another name.",
    )
