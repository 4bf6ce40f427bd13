"""Verify that every object which a package points at is still there, and still the same.

The storage is asked by listing where many pointers lie together, object by object where they are
few or a listing strays too far or is not allowed. Nothing counts as checked that was not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from packager_jupyter.errors import (
    CredentialMissingError,
    ObjectNotFoundError,
    SourceNotFoundError,
    StorageDeniedError,
    StorageError,
)
from packager_jupyter.packages.expected import ExpectedTable, is_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.errors import (
        PackagerError,
    )
    from packager_jupyter.packages.base import Contents, Progress
    from packager_jupyter.packages.expected import Expected
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Entry, Source

Kind = Literal["missing", "changed", "archived", "denied", "unreadable", "corrupt"]
OpenSource = Callable[[str], "Source"]
HEADS_BELOW = 8
STRAY_FACTOR = 20
STRAY_FREE = 20_000
_HASHES = ("sha256", "sha512", "sha1", "md5")
_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One pointer that does not hold."""

    path: str
    kind: Kind
    message: str


@dataclass(slots=True)
class VerifyReport:
    """What a check found.

    Attributes
    ----------
    files : int
        Pointers looked at; all of the package.
    unhashed : int
        With `deep`: files without a checksum, whose bytes prove nothing.
    problems : Counter of kind
    """

    files: int = 0
    unhashed: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def is_ok(self) -> bool:
        """Whether every pointer holds."""
        return not self.problems.total()


class Verifier:
    """Checks one package; used once.

    Parameters
    ----------
    contents : Contents
        Draft or version.
    open_source : callable
        Source by name.
    on_problem : callable
        Called with each `Problem` as it is found.
    is_deep : bool, default False
        Read every byte and compare checksums too.
    jobs : int, default 16
        Requests at the same time for single objects.
    progress : callable, optional
        Called with files and bytes so far; what it raises ends the check.
    """

    def __init__(
        self,
        contents: Contents,
        open_source: OpenSource,
        *,
        on_problem: Callable[[Problem], None],
        is_deep: bool = False,
        jobs: int = 16,
        progress: Progress | None = None,
    ) -> None:
        self._contents = contents
        self._open_source = open_source
        self._on_problem = on_problem
        self._is_deep = is_deep
        self._progress = progress
        self._bytes = 0
        self._report = VerifyReport()
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="packager-verify")

    def run(self) -> VerifyReport:
        """Check everything and return the sums."""
        with self._pool, ExpectedTable() as table:
            table.fill(self._contents.iter_pointers())
            for name in table.sources():
                try:
                    source = self._open_source(name)
                except (SourceNotFoundError, CredentialMissingError, StorageError) as error:
                    for row in table.below(name, ""):
                        self._found(row, _problem(row, error))
                    continue
                for prefix in table.prefixes(name):
                    self._check_prefix(table, source, name, prefix)
        return self._report

    def _check_prefix(self, table: ExpectedTable, source: Source, name: str, prefix: str) -> None:
        count = table.count(name, prefix)
        if count <= HEADS_BELOW or not is_folder(prefix):
            self._ask_each(source, table.below(name, prefix))
            return
        last = self._compare(source, prefix, table.below(name, prefix), count)
        if last is not _DONE:
            self._ask_each(source, table.below(name, prefix, after=last))

    def _compare(
        self, source: Source, prefix: str, rows: Iterator[Expected], count: int
    ) -> str | None:
        """Merge the listing with what is expected; return the last key settled, or `_DONE`."""
        settled: str | None = None
        single: list[Expected] = []
        row = next(rows, None)
        strayed, budget, before = 0, STRAY_FREE + STRAY_FACTOR * count, ""
        try:
            for batch in source.walk(prefix):
                for entry in batch:
                    if entry.key < before or strayed > budget:
                        return self._settle(source, single, settled)
                    before = entry.key
                    while row is not None and row.key < entry.key:
                        self._absent(row, single)
                        settled, row = row.key, next(rows, None)
                    if row is None:
                        return self._settle(source, single, _DONE)
                    strayed += row.key != entry.key
                    while row is not None and row.key == entry.key:
                        self._present(row, entry, single)
                        settled, row = row.key, next(rows, None)
        except StorageError:
            # Listing is not allowed, or broke off: what is settled stays, the rest is asked singly.
            return self._settle(source, single, settled)
        while row is not None:
            self._absent(row, single)
            row = next(rows, None)
        return self._settle(source, single, _DONE)

    def _settle(self, source: Source, single: list[Expected], last: str | None) -> str | None:
        self._ask_each(source, iter(single))
        return last

    def _absent(self, row: Expected, single: list[Expected]) -> None:
        if row.version_id is not None:
            single.append(row)  # a deleted object may still be there under its version
        else:
            self._found(row, Problem(row.path, "missing", "The object is not there any more."))

    def _present(self, row: Expected, entry: Entry, single: list[Expected]) -> None:
        problem = _difference(row, entry)
        if (problem and row.version_id is not None) or (self._is_deep and not problem):
            single.append(row)
        else:
            self._found(row, problem)

    def _ask_each(self, source: Source, rows: Iterator[Expected]) -> None:
        while window := list(islice(rows, _WINDOW)):
            answers = self._pool.map(lambda row: (row, self._ask(source, row)), window)
            for row, problem in answers:
                self._found(row, problem)

    def _ask(self, source: Source, row: Expected) -> Problem | None:
        try:
            entry = source.stat(row.key, version_id=row.version_id)
            problem = _difference(row, entry)
            if problem is None and self._is_deep:
                return self._read(source, row)
            return problem
        except (StorageError, ObjectNotFoundError) as error:
            return _problem(row, error)

    def _read(self, source: Source, row: Expected) -> Problem | None:
        pointer: Pointer = self._contents.get(row.path)
        kind = next((kind for kind in _HASHES if kind in pointer.checksums), None)
        if kind is None:
            self._report.unhashed += 1
            return None
        digest, size = hashlib.new(kind, usedforsecurity=False), 0
        for chunk in source.read(row.key, version_id=row.version_id):
            digest.update(chunk)
            size += len(chunk)
        if size != row.size_bytes or digest.hexdigest() != pointer.checksums[kind]:
            return Problem(row.path, "corrupt", f"The bytes do not have the {kind} of the pointer.")
        return None

    def _found(self, row: Expected, problem: Problem | None) -> None:
        self._report.files += 1
        self._bytes += row.size_bytes
        if problem is not None:
            self._report.problems[problem.kind] += 1
            self._on_problem(problem)
        if self._progress:
            self._progress(self._report.files, self._bytes)


_DONE = "\U0010ffff\U0010ffff"


def _difference(row: Expected, entry: Entry) -> Problem | None:
    """Return how the object differs from the pointer, or None."""
    if row.etag is not None and entry.etag is not None:
        is_same = row.etag == entry.etag and row.size_bytes == entry.size_bytes
    else:
        # What one of the two does not say proves nothing: a list of keys may give sizes alone.
        is_known = row.modified_s is not None and entry.modified_s is not None
        is_same = row.size_bytes == entry.size_bytes and (
            not is_known or row.modified_s == entry.modified_s
        )
    if not is_same:
        return Problem(row.path, "changed", "The object has another content now.")
    if entry.is_archived:
        return Problem(row.path, "archived", "The object must be restored before it can be read.")
    return None


def _problem(row: Expected, error: PackagerError) -> Problem:
    if isinstance(error, ObjectNotFoundError):
        return Problem(row.path, "missing", "The object is not there any more.")
    kind: Kind = "denied" if isinstance(error, StorageDeniedError) else "unreadable"
    return Problem(row.path, kind, str(error))
