"""The SQLite file of a pointer index: its schema, how it is opened, what its errors mean.

One file holds the pointers of one draft or one version. `folder` keeps, for each folder, what lies
below it (files, bytes, how many have a checksum) and what lies directly in it; every transaction
that changes files changes these numbers too. `file` is clustered by folder and name, so a page of
any folder is one range read. A draft's file is written with ``synchronous=FULL`` in WAL mode, so
that readers never wait for a long add; on network file systems, where WAL's shared memory does not
work between hosts (sqlite.org/wal.html), in rollback mode. A version's file is never written after
it was built.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from packager_jupyter.errors import (
    BusyError,
    DiskFullError,
    ForbiddenError,
    PackagerError,
    StoreCorruptError,
)
from packager_jupyter.io import file_lock, temp_file
from packager_jupyter.packages.disk import disk_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APPLICATION_ID = 0x506B7049
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 30.0
ROOT_ID = 1
NO_TIME = -70_000_000_000_000
"""Stands for an unknown modification time, so that sorting by time needs no NULL."""

PAGE_BYTES = 8192
"""Larger than SQLite's own choice: long additions write fewer pages into the journal."""

_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 8 * 1024
_MAX_IDLE = 4
_COPY_BYTES = 1024 * 1024
_VERSIONS_AT = 18
_ROLLBACK_VERSIONS = b"\x01\x01"
_WAL_LIMIT_BYTES = 64 * 1024 * 1024
_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "gpfs", "beegfs", "ceph", "glusterfs")
)

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE source(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, root TEXT NOT NULL, UNIQUE(name, root));
CREATE TABLE folder(
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  files INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  hashed INTEGER NOT NULL DEFAULT 0,
  direct INTEGER NOT NULL DEFAULT 0,
  folders INTEGER NOT NULL DEFAULT 0,
  source INTEGER,
  key_prefix TEXT,
  UNIQUE(parent, name));
CREATE TABLE file(
  folder INTEGER NOT NULL,
  name TEXT NOT NULL,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  etag,
  source INTEGER,
  key TEXT,
  sha256 BLOB,
  extra,
  PRIMARY KEY(folder, name)) WITHOUT ROWID;
INSERT INTO folder(id, parent, name) VALUES({ROOT_ID}, 0, '');
"""

SORT_INDEXES = {
    "size": "CREATE INDEX IF NOT EXISTS file_by_size ON file(folder, size)",
    "modified": "CREATE INDEX IF NOT EXISTS file_by_modified ON file(folder, modified)",
}


def create_index_file(path: Path) -> None:
    """Make an empty index at `path` in one durable step; leave one that is there as it is."""
    with file_lock(path.with_name("create.lock")):
        if path.exists():
            return
        # Journals of a file that is gone would be played into the new one. Only under the lock:
        # somebody else's new file may have a journal the moment after it was made.
        for leftover in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + leftover).unlink(missing_ok=True)
        with temp_file(path.parent, what=path.name) as temp:
            with contextlib.closing(open_for_build(temp.path)):
                pass
            temp.publish(path, must_not_exist=True)


def open_for_build(path: Path) -> sqlite3.Connection:
    """Open an empty file that nobody else knows of, with the schema and without a journal.

    What is built becomes durable when the caller syncs the file and gives it its name.
    """
    connection = _connect(path, mode="rw")
    connection.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
        f"PRAGMA cache_size=-{_WRITER_CACHE_KIB};" + _SCHEMA
    )
    return connection


def copy_of_draft(connection: sqlite3.Connection, target: Path) -> None:
    """Make the index of a version from that of a draft, as the connection's transaction sees it.

    Pages are copied as they are, so it costs a fraction of building one from a list.
    """
    with (
        temp_file(target.parent, what="the index of a version") as temp,
        explain_sqlite(target),
    ):
        with contextlib.closing(_connect(temp.path, mode="rw")) as copy:
            copy.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
            connection.backup(copy)
        with temp.path.open("r+b") as file:
            # The draft's journal mode came along, and a file without a WAL of its own must not say
            # that it has one (sqlite.org/fileformat2.html 1.3.3).
            file.seek(_VERSIONS_AT)
            file.write(_ROLLBACK_VERSIONS)
        with contextlib.closing(_open_checked(temp.path, mode="rw")) as copy:
            copy.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; DELETE FROM meta;")
            (pages,) = copy.execute("PRAGMA page_count").fetchone()
            (free,) = copy.execute("PRAGMA freelist_count").fetchone()
            if free > pages // 4:
                copy.execute("VACUUM")
        temp.publish(target)


def copy_with_sort_index(path: Path, sort: str) -> None:
    """Replace a version's file by a copy with one more index; readers of the old one go on."""
    with (
        file_lock(path.with_name("sort.lock")),
        temp_file(path.parent, what="an index for sorting") as temp,
        explain_sqlite(path),
    ):
        with path.open("rb") as old:
            shutil.copyfileobj(old, temp.file, _COPY_BYTES)
            temp.file.flush()
        with contextlib.closing(_open_checked(temp.path, mode="rw")) as connection:
            connection.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}; {SORT_INDEXES[sort]};"
            )
        temp.publish(path)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a draft's index for one writing transaction."""
    connection = _open_checked(path, mode="rw")
    try:
        mode = "DELETE" if is_on_network(path) else "WAL"
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )


def _open_checked(path: Path, *, mode: str) -> sqlite3.Connection:
    """Open an existing index and refuse what is none, or is newer than this program."""
    connection = _connect(path, mode=mode)
    try:
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise corrupt(path, "It is not a pointer index.")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise PackagerError(
            f"{_label(path)} was written by another release (format {version}).",
            remedy="Update packager_jupyter, or use the release that wrote it.",
        )
    if connection.execute("SELECT 1 FROM folder WHERE id=?", (ROOT_ID,)).fetchone() is None:
        raise corrupt(path, "Its root folder is missing.")


def corrupt(path: Path, details: str) -> StoreCorruptError:
    """Return the error for a damaged index file."""
    return StoreCorruptError(
        f"{_label(path)} is damaged and cannot be read.",
        remedy=f"Put {path.name} back from a backup, or move it away and start the draft again "
        "from its last published version, which is not affected.",
        details=details,
    )


def _label(path: Path) -> str:
    return f"The pointer index of {path.parent.parent.name!r}"


@contextlib.contextmanager
def explain_sqlite(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about the file at `path` into errors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        make = _MEANINGS.get(code) or _MEANINGS.get(code & 0xFF)
        if make is None:
            raise corrupt(path, str(error)) from error
        raise make(path) from error


def _busy(path: Path) -> PackagerError:
    return BusyError(
        f"{_label(path)} is being changed by somebody else.",
        remedy="Wait until the other work ends, then try again.",
        retry_after_s=5,
    )


def _full(path: Path) -> PackagerError:
    return DiskFullError(
        f"The disk is full: could not write {path.name}.",
        remedy="Nothing was changed. Free some space and try again.",
    )


def _read_only(path: Path) -> PackagerError:
    return ForbiddenError(
        f"{_label(path)} may not be opened for writing.",
        remedy=f"Ask for the right to write in the folder {path.parent.parent.name!r}.",
    )


def _broken(path: Path) -> PackagerError:
    return disk_error(f"{path.name} cannot be opened, read or written")


_MEANINGS: dict[int, Callable[[Path], PackagerError]] = {
    sqlite3.SQLITE_BUSY: _busy,
    sqlite3.SQLITE_LOCKED: _busy,
    sqlite3.SQLITE_PROTOCOL: _busy,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_IOERR_SHMSIZE: _full,
    sqlite3.SQLITE_CANTOPEN: _broken,
    sqlite3.SQLITE_IOERR: _broken,
    sqlite3.SQLITE_IOERR_SHORT_READ: lambda path: corrupt(path, "It is shorter than it says."),
    sqlite3.SQLITE_READONLY: _read_only,
    sqlite3.SQLITE_PERM: _read_only,
}


class ReadPool:
    """Connections for reading one index file, each used by one thread at a time.

    A file that was replaced or removed under its name is noticed at the next `borrow`.
    """

    def __init__(self, path: Path, *, is_draft: bool) -> None:
        self._path = path
        self._mode = "rw" if is_draft else "ro"
        self._idle: list[tuple[tuple[int, int], sqlite3.Connection]] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a read transaction: one state from first to last query."""
        with explain_sqlite(self._path):
            identity, connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except PackagerError:
                connection.execute("ROLLBACK")
                self._give_back(identity, connection)
                raise
            except BaseException:
                connection.close()
                raise
        self._give_back(identity, connection)

    def _give_back(self, identity: tuple[int, int], connection: sqlite3.Connection) -> None:
        with self._lock:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append((identity, connection))
                return
        connection.close()

    def _take(self) -> tuple[tuple[int, int], sqlite3.Connection]:
        stat = self._path.stat()
        wanted = (stat.st_dev, stat.st_ino)
        stale = []
        found = None
        with self._lock:
            while self._idle and found is None:
                identity, connection = self._idle.pop()
                if identity == wanted:
                    found = connection
                else:
                    stale.append(connection)
        for connection in stale:
            connection.close()
        if found is None:
            found = _open_checked(self._path, mode=self._mode)
            found.execute(f"PRAGMA cache_size=-{_READER_CACHE_KIB}")
        return wanted, found

    def close(self) -> None:
        """Close what is idle; what is borrowed closes when it comes back."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()


def shrink_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Give the space of a long WAL back after a big transaction, if no reader is in the way."""
    wal = path.with_name(path.name + "-wal")
    with contextlib.suppress(FileNotFoundError, sqlite3.OperationalError):
        if wal.stat().st_size > _WAL_LIMIT_BYTES:
            connection.execute("PRAGMA busy_timeout=500")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_on_network(path: Path) -> bool:
    """Return whether `path` lies on a file system that several hosts may share (Linux only)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return False
    real = path.absolute().parent.resolve()
    kind, depth = "", -1
    for line in lines:
        mount, _, rest = line.partition(" - ")
        # proc(5): field 5 is the mount point, with blanks written as \040.
        point = Path(mount.split(" ")[4].replace("\\040", " "))
        if real.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = rest.split(" ")[0], len(point.parts)
    return kind in _NETWORK_FILE_SYSTEMS or kind.startswith("fuse")
