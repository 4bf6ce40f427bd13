"""Verify that every object which a package points at is still there, and still the same.

The storage is asked by listing where many pointers lie together, object by object where they are
few or a listing strays too far or is not allowed. Nothing counts as checked that was not.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from packager_jupyter.errors import (
    CredentialMissingError,
    ObjectNotFoundError,
    PackagerError,
    SourceNotFoundError,
    StorageDeniedError,
    StorageError,
)
from packager_jupyter.packages.ahead import read_ahead
from packager_jupyter.packages.expected import (
    Expected,
    ExpectedTable,
    WithOrder,
    facts_of,
    is_folder,
)
from packager_jupyter.packages.merge import InOrder, Merge, order_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.packages.base import Contents, Progress
    from packager_jupyter.packages.expected import Row
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Entry, Source

Kind = Literal["missing", "changed", "archived", "denied", "unreadable", "corrupt"]
OpenSource = Callable[[str], "Source"]
HEADS_BELOW = 8
STRAY_FACTOR = 20
STRAY_FREE = 20_000
_HASHES = ("sha256", "sha512", "sha1", "md5")
_WINDOW = 1000
_KEPT_ROWS = 100_000

log = logging.getLogger(__name__)


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
            table.fill(self._check_in_order())
            for name in table.sources():
                source = self._open(name)
                if isinstance(source, PackagerError):
                    self._all_fail(table.below(name, ""), source)
                    continue
                for prefix in table.prefixes(name):
                    self._check_prefix(table, source, name, prefix)
        return self._report

    def _open(self, name: str) -> Source | PackagerError:
        try:
            return self._open_source(name)
        except (SourceNotFoundError, CredentialMissingError, StorageError) as error:
            return error

    def _all_fail(self, rows: Iterable[Expected], error: PackagerError) -> None:
        for row in rows:
            self._found(row, _problem(row, error))

    def _check_in_order(self) -> Iterator[list[Fact]]:
        """Check a package of one source whose paths sort as its keys do, as most do.

        That needs no table beside the listing. Returns what is left over.
        """
        kept: list[list[Fact]] = []
        # Best is to begin listing at once, and to read the package meanwhile.
        contents = self._contents
        order = contents.key_order() if isinstance(contents, WithOrder) else None
        if order is None:
            order = order_of(_keeping(facts_of(contents), kept))
        is_kept = order is not None and sum(map(len, kept)) == order.files
        facts = iter(kept) if is_kept else facts_of(contents)
        if order is None or order.files <= HEADS_BELOW:
            return facts
        source = self._open(order.source)
        if isinstance(source, PackagerError):
            return facts
        rows = InOrder(facts, order)
        merge = Merge(rows.pages())
        self._compare(source, order.prefix, merge, order.files)
        given_up = ([(order.source, *row) for row in page] for page in merge.pages_left())
        return chain(given_up, rows.left())

    def _check_prefix(self, table: ExpectedTable, source: Source, name: str, prefix: str) -> None:
        count = table.count(name, prefix)
        if count <= HEADS_BELOW or not is_folder(prefix):
            self._ask_each(source, table.below(name, prefix))
            return
        merge = Merge(table.pages(name, prefix))
        if not self._compare(source, prefix, merge, count):
            rest = chain.from_iterable(merge.pages_left())
            self._ask_each(source, map(Expected._make, rest))

    def _compare(self, source: Source, prefix: str, merge: Merge, count: int) -> bool:
        """Lay the listing beside what is expected; return whether that settled everything.

        Both are sorted by key. A listing that is not, strays too far or breaks off is given up:
        what is settled stays, the rest is the caller's to ask for in another way.
        """
        budget, before = STRAY_FREE + STRAY_FACTOR * count, ""
        single: list[Expected] = []
        is_whole = False
        try:
            with read_ahead(lambda: source.walk(prefix)) as batches:
                for batch in filter(None, batches):
                    keys = [entry.key for entry in batch]
                    is_sorted = keys == sorted(keys) and keys[0] >= before
                    if not is_sorted or merge.strayed > budget:
                        break
                    before = keys[-1]
                    self._lay(merge.rows_up_to(before), merge, keys, batch, single)
                    if merge.is_done:
                        break
                else:
                    is_whole = True
        except StorageError as error:
            log.info("listing %s for a check broke off: %s", source.name, error.message)
        if is_whole:
            for row in chain.from_iterable(merge.pages_left()):
                self._absent(Expected(*row), single)
        self._ask_each(source, iter(single))
        return merge.is_done

    def _lay(
        self,
        rows: list[Row],
        merge: Merge,
        keys: list[str],
        batch: list[Entry],
        single: list[Expected],
    ) -> None:
        """Compare the rows that one page of the listing covers; this is what verifying costs.

        What is plainly the same is only counted, a whole page at once when all of it is; all else
        takes the long way.
        """
        if not self._is_deep and _is_same(rows, keys, batch):
            self._count(len(rows), sum([row[2] for row in rows]))
            return
        listed = dict(zip(keys, batch, strict=True))
        is_deep = self._is_deep
        same = size_bytes = 0
        met = set()
        for row in rows:
            key, _, size, etag, _, _ = row
            entry = listed.get(key)
            if entry is None:
                self._absent(Expected(*row), single)
                continue
            met.add(key)
            if (
                entry.etag == etag
                and etag is not None
                and entry.size_bytes == size
                and entry.storage_class in _READABLE
                and not is_deep
            ):
                same += 1
                size_bytes += size
            else:
                self._present(Expected(*row), entry, single)
        merge.strayed += len(batch) - len(met)
        self._count(same, size_bytes)

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
        if problem is not None:
            self._report.problems[problem.kind] += 1
            self._on_problem(problem)
        self._count(1, row.size_bytes)

    def _count(self, files: int, size_bytes: int) -> None:
        self._report.files += files
        self._bytes += size_bytes
        if self._progress:
            self._progress(self._report.files, self._bytes)


_READABLE = frozenset({None, "STANDARD", "Hot"})
"""Classes that need no second look; others may, see `Entry.is_archived`."""


def _is_same(rows: list[Row], keys: list[str], batch: list[Entry]) -> bool:
    """Return whether a page lists just what is expected, with the same ETags and sizes."""
    etags = [entry.etag for entry in batch]
    return (
        None not in etags
        and [row[0] for row in rows] == keys
        and [row[3] for row in rows] == etags
        and [row[2] for row in rows] == [entry.size_bytes for entry in batch]
        and _READABLE.issuperset([entry.storage_class for entry in batch])
    )


def _keeping(facts: Iterator[list[Fact]], kept: list[list[Fact]]) -> Iterator[list[Fact]]:
    """Hand facts on and keep them while they are not too many to be kept."""
    left = _KEPT_ROWS
    for rows in facts:
        left -= len(rows)
        if left >= 0:
            kept.append(rows)
        yield rows


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
