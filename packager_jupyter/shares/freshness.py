"""Whether anything in the database has changed, in microseconds and without a query.

SQLite counts the commits of all other connections and processes (``PRAGMA data_version``); asking
for the count reads shared memory only. A cache that compares it sees a revocation at once, from
whichever process it comes. Other databases have no such count: there every look-up is a query.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packager_jupyter.store.database import Database


class ChangeMarker:
    """A number that differs whenever something was committed to `db` in between."""

    def __init__(self, db: Database) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if db.engine.dialect.name == "sqlite" and db.engine.url.database:
            self._connection = sqlite3.connect(
                db.engine.url.database, check_same_thread=False, isolation_level=None
            )

    def value(self) -> int | None:
        """Return the marker, or ``None`` when this database cannot tell.

        Every change is made by another connection than this one, which only asks, so changes of
        this process count like all others.
        """
        with self._lock:
            if self._connection is None:
                return None
            row = self._connection.execute("PRAGMA data_version").fetchone()
            return int(row[0])

    def close(self) -> None:
        """Release the connection; from then on the marker cannot tell."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
