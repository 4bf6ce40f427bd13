"""Which file of which version a key of git-annex, DVC or Git LFS means: one SQLite file.

A key is looked up for every file that somebody fetches, and only what stands here can be had: the
key in an address is never taken apart.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """Where a key leads: the number of a version in the chain, a path in it, its size."""

    number: int
    path: str
    size_bytes: int


class KeyMap:
    """The keys of one repository while it is made; a context manager."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # Nobody sees the file before it is whole, and what was not finished is thrown away.
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA cache_size=-16384")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS object(key TEXT PRIMARY KEY, number INTEGER, path TEXT, "
            "size INTEGER) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")
        self._waiting: list[tuple[str, int, str, int]] = []

    def put(self, key: str, number: int, path: str, size_bytes: int) -> None:
        """Note a key; of several files with the same content the newest version's last one counts.

        An object is most likely to be still what was published where it was published last.
        """
        self._waiting.append((key, number, path, size_bytes))
        if len(self._waiting) >= _BATCH:
            self._write()

    def of_version(self, number: int) -> Iterator[str]:
        """Yield the keys of one version, sorted."""
        self._write()
        for (key,) in self._db.execute(
            "SELECT key FROM object WHERE number=? ORDER BY key", (number,)
        ):
            yield key

    def close(self) -> None:
        """Write what waits."""
        self._write()
        self._db.execute("COMMIT")
        self._db.close()

    def _write(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?)", self._waiting)
        self._waiting.clear()


def find_key(path: Path, key: str) -> Found | None:
    """Return where `key` leads, None when it is none of the repository's."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        row = db.execute("SELECT number, path, size FROM object WHERE key=?", (key,)).fetchone()
    return None if row is None else Found(*row)
