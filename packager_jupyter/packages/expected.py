"""What a package expects of one storage, in the storage's order: a table beside the listing.

Pointers come sorted by path; a listing comes sorted by key. The table lives in a temporary file,
so that a check of ten million pointers needs no memory for them.
"""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.packages.base import Contents
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.merge import Order
    from packager_jupyter.packages.pointer import Pointer

_BATCH = 10_000
_MAX_CHILDREN = 16
_AFTER_ALL = "\U0010ffff"


class Expected(NamedTuple):
    """One object as a pointer describes it."""

    key: str
    path: str
    size_bytes: int
    etag: str | None
    version_id: str | None
    modified_s: int | None


Row = tuple[str, str, int, str | None, str | None, int | None]
"""The fields of `Expected`."""


@runtime_checkable
class WithFacts(Protocol):
    """Contents that give what is compared cheaper than as pointers."""

    def iter_facts(self) -> Iterator[list[Fact]]:
        """Yield all of it in lists."""
        ...


@runtime_checkable
class WithOrder(Protocol):
    """Contents that may know that their paths sort as their keys do."""

    def key_order(self) -> Order | None:
        """Return what `merge.order_of` finds; None when it must be looked for."""
        ...


def facts_of(contents: Contents) -> Iterator[list[Fact]]:
    """Yield source, key, path, size, ETag, version id and time of every pointer, in lists."""
    if isinstance(contents, WithFacts):
        return contents.iter_facts()
    return facts_of_pointers(contents.iter_pointers())


def facts_of_pointers(pointers: Iterator[Pointer]) -> Iterator[list[Fact]]:
    """Yield the same of pointers."""
    while batch := list(islice(pointers, _BATCH)):
        yield [
            (p.source, p.key, p.path, p.size_bytes, p.etag, p.version_id, p.modified_s)
            for p in batch
        ]


class ExpectedTable:
    """Every pointer of a package by source and key; a context manager that removes its file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="packager-verify-")
        file = Path(self._folder.name) / "expected.sqlite"
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE expected (source TEXT, key TEXT, path TEXT, size INTEGER, etag TEXT,"
            " version TEXT, modified INTEGER, PRIMARY KEY (source, key, path)) WITHOUT ROWID;"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def fill(self, facts: Iterable[list[Fact]]) -> int:
        """Take every pointer; return how many there are."""
        count = 0
        self._db.execute("BEGIN")
        for rows in facts:
            self._db.executemany("INSERT INTO expected VALUES (?,?,?,?,?,?,?)", rows)
            count += len(rows)
        self._db.execute("COMMIT")
        return count

    def sources(self) -> list[str]:
        """Return the names of all sources."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT source FROM expected")]

    def below(self, source: str, prefix: str, *, after: str | None = None) -> Iterator[Expected]:
        """Yield what is expected below a folder, in key order, from behind `after` on.

        `prefix` is a folder of keys, empty for all, or one whole key.
        """
        for rows in self.pages(source, prefix, after=after):
            yield from map(Expected._make, rows)

    def pages(self, source: str, prefix: str, *, after: str | None = None) -> Iterator[list[Row]]:
        """Yield what `below` does as plain rows, in lists."""
        # Rows are fetched in pages: the table may be asked from another thread meanwhile.
        low, path = (prefix, "") if after is None else (after, _AFTER_ALL)
        while True:
            rows = self._db.execute(
                "SELECT key, path, size, etag, version, modified FROM expected"
                " WHERE source=? AND (key, path) > (?, ?) AND key < ? ORDER BY key, path LIMIT ?",
                (source, low, path, _end(prefix), _BATCH),
            ).fetchall()
            if rows:
                yield rows
            if len(rows) < _BATCH:
                return
            low, path = rows[-1][0], rows[-1][1]

    def count(self, source: str, prefix: str) -> int:
        """Return how many objects are expected below a folder of keys, or of one key."""
        (found,) = self._db.execute(
            "SELECT count(*) FROM expected WHERE source=? AND key >= ? AND key < ?",
            (source, prefix, _end(prefix)),
        ).fetchone()
        return int(found)

    def prefixes(self, source: str) -> list[str]:
        """Return the few key prefixes that hold everything, so that no listing strays far.

        Follows the folders down while there is one, then splits into at most 16.
        """
        prefix = ""
        while True:
            children = self._children(source, prefix)
            if len(children) != 1 or not children[0].endswith("/"):
                return children if 0 < len(children) <= _MAX_CHILDREN else [prefix]
            prefix = children[0]

    def _children(self, source: str, prefix: str) -> list[str]:
        """Return the next level below a prefix, each folder once; stops when there are too many."""
        found: list[str] = []
        at = prefix
        while len(found) <= _MAX_CHILDREN:
            row = self._db.execute(
                "SELECT key FROM expected WHERE source=? AND key >= ? AND key < ?"
                " ORDER BY key LIMIT 1",
                (source, at, prefix + _AFTER_ALL),
            ).fetchone()
            if row is None:
                break
            head, slash, _ = row[0][len(prefix) :].partition("/")
            found.append(f"{prefix}{head}{slash}")
            at = found[-1] + (_AFTER_ALL if slash else "\0")
        return found


def is_folder(prefix: str) -> bool:
    """Whether a prefix of `ExpectedTable.prefixes` stands for a folder, not for one key."""
    return not prefix or prefix.endswith("/")


def _end(prefix: str) -> str:
    return prefix + (_AFTER_ALL if is_folder(prefix) else "\0")
