"""Opening the database: connection, durability, migrations.

SQLite is the default (WAL, ``synchronous=FULL``, file mode 0600); any other SQLAlchemy URL, such
as PostgreSQL's, works alike. Nobody else builds an engine.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from packager_jupyter.errors import BadInputError, BusyError, StoreCorruptError
from packager_jupyter.io import file_lock, make_dirs
from packager_jupyter.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_S = 30


class Database:
    """The connection pool of one process; safe to share between threads.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Use `open` to get one that is set up and migrated.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._probe: sqlite3.Connection | None = None
        self._probe_lock = threading.Lock()

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database at the SQLAlchemy `url`, creating and migrating it where needed.

        Raises
        ------
        BadInputError
            The URL is none, or its driver is not installed.
        StoreCorruptError
            The file is no database, or was written by a newer version of this software.
        """
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite":
                return cls._open_sqlite(url, parsed.database)
            engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise BadInputError(
                "db_url cannot be used.",
                remedy="Give an SQLAlchemy URL such as sqlite:////srv/packager.sqlite or "
                "postgresql+psycopg://user@host/db; PostgreSQL needs packager_jupyter[postgres].",
                details=type(error).__name__,
            ) from error
        upgrade(engine)
        return cls(engine)

    @classmethod
    def _open_sqlite(cls, url: str, file: str | None) -> Self:
        if not file or file == ":memory:":
            raise BadInputError(
                "db_url names an SQLite database in memory, which would lose every share.",
                remedy="Name a file: sqlite:////folder/packager.sqlite.",
            )
        path = Path(file)
        make_dirs(path.parent.absolute())
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        try:
            with file_lock(path.with_name(path.name + ".lock"), timeout_s=60):
                if not path.exists():
                    path.touch(mode=0o600)
                path.chmod(0o600)
                upgrade(engine)
        except DatabaseError as error:
            engine.dispose()
            if isinstance(error, OperationalError) and "locked" in str(error):
                raise _busy() from error
            raise StoreCorruptError(
                f"{path.name} is not a database that can be read.",
                remedy="Restore it from a backup, or move it away to start with an empty one "
                "(sources and shares are then gone; packages are not).",
                details=type(error.orig).__name__,
            ) from error
        return cls(engine)

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction that commits when the block ends well.

        On SQLite the write lock is taken at once (``BEGIN IMMEDIATE``), so that a transaction
        never fails half-way for having read first.

        Raises
        ------
        BusyError
            When the write lock is not free within 30 s.
        """
        connection = self.engine.connect().execution_options(packager_write=True)
        with connection:
            try:
                transaction = connection.begin()
            except OperationalError as error:
                raise _busy() from error
            with transaction:
                yield connection

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection for reading; it sees one consistent snapshot."""
        with self.engine.connect() as connection:
            yield connection

    def change_mark(self) -> int | None:
        """Return a number that changes with every commit of anybody, in some microseconds.

        None where the database has no such number (all but SQLite): then nothing that was read may
        be remembered.
        """
        if self.engine.dialect.name != "sqlite":
            return None
        with self._probe_lock:
            if self._probe is None:
                file = str(self.engine.url.database)
                # A connection that writes nothing itself sees every commit (SQLite, data_version).
                self._probe = sqlite3.connect(
                    file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
            (mark,) = self._probe.execute("PRAGMA data_version").fetchone()
        return int(mark)

    def close(self) -> None:
        """Close every pooled connection."""
        with self._probe_lock:
            if self._probe is not None:
                self._probe.close()
                self._probe = None
        self.engine.dispose()


def _busy() -> BusyError:
    return BusyError(
        "The database is being written by another process.",
        remedy="Try again in some seconds.",
        retry_after_s=5,
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own implicit BEGIN is deferred; ours is chosen per transaction in _begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("packager_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
