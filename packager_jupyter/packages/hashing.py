"""Computing checksums that the storage does not know, by reading every byte once.

Each finished batch is kept at once, so a stopped run goes on where it was. A checksum is only
written to a pointer that still is the one whose bytes were read.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, PackagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packager_jupyter.packages.base import Progress
    from packager_jupyter.packages.draft import Draft
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Source

    Hashed = tuple[Pointer, Mapping[str, str] | PackagerError]
    Compute = Callable[[Iterator[list[Pointer]]], Iterator[Iterable[Hashed]]]

ALGORITHMS = ("sha256", "md5", "sha1", "sha512")
_BATCH = 64


@dataclass(slots=True)
class HashReport:
    """What a run did: files hashed, bytes read, files that had checksums, files that failed."""

    files: int = 0
    bytes: int = 0
    skipped: int = 0
    failed: list[tuple[str, PackagerError]] = field(default_factory=list)


def hash_draft(
    draft: Draft,
    open_source: Callable[[str], Source],
    *,
    algorithms: Sequence[str] = ("sha256",),
    jobs: int = 4,
    progress: Progress | None = None,
    compute: Compute | None = None,
) -> HashReport:
    """Compute the checksums that pointers of a draft lack.

    Parameters
    ----------
    draft : Draft
    open_source : callable
    algorithms : sequence of str
        Of `ALGORITHMS`; a pointer that has all of them is passed over.
    jobs : int
        Files at the same time.
    progress : callable, optional
        Called with files and bytes; what it raises ends the run, and finished batches stay.
    compute : callable, optional
        Turns batches of pointers into batches of answers elsewhere, in any order; see `scale`.

    Raises
    ------
    BadInputError
        An unknown algorithm.
    """
    unknown = [name for name in algorithms if name not in ALGORITHMS]
    if unknown or not algorithms:
        raise BadInputError(
            f"{(unknown or ['(none)'])[0]!r} is no checksum that can be computed.",
            remedy=f"Use {', '.join(ALGORITHMS)}.",
        )
    report = HashReport()
    waiting = _lacking(draft, algorithms, report)
    batches = iter(lambda: list(islice(waiting, _BATCH)), [])
    answered = (compute or _here(open_source, algorithms, jobs))(batches)
    for answers in answered:
        done: list[tuple[Pointer, Mapping[str, str]]] = []
        for pointer, answer in answers:
            if isinstance(answer, PackagerError):
                report.failed.append((pointer.path, answer))
                continue
            done.append((pointer, answer))
            report.files += 1
            report.bytes += pointer.size_bytes
            if progress:
                progress(report.files, report.bytes)
        draft.set_checksums(done)
    return report


def _here(open_source: Callable[[str], Source], algorithms: Sequence[str], jobs: int) -> Compute:
    """Return what computes in threads of this process."""

    def compute(batches: Iterator[list[Pointer]]) -> Iterator[Iterable[Hashed]]:
        with ThreadPoolExecutor(jobs, thread_name_prefix="packager-hash") as pool:
            for batch in batches:
                yield pool.map(lambda p: (p, hash_pointer(p, open_source, algorithms)), batch)

    return compute


def _lacking(draft: Draft, algorithms: Sequence[str], report: HashReport) -> Iterator[Pointer]:
    for pointer in draft.iter_pointers():
        if all(name in pointer.checksums for name in algorithms):
            report.skipped += 1
        else:
            yield pointer


def hash_pointer(
    pointer: Pointer, open_source: Callable[[str], Source], algorithms: Sequence[str]
) -> Mapping[str, str] | PackagerError:
    """Return the checksums of one object, or why they cannot be had."""
    try:
        source = open_source(pointer.source)
        before = source.stat(pointer.key, version_id=pointer.version_id)
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        size = 0
        for chunk in source.read(pointer.key, version_id=pointer.version_id):
            size += len(chunk)
            for each in hashes.values():
                each.update(chunk)
        after = source.stat(pointer.key, version_id=pointer.version_id)
    except PackagerError as error:
        return error
    is_same = pointer.etag is None or before.etag == after.etag == pointer.etag
    if size != pointer.size_bytes or not is_same:
        return BadInputError(
            f"{pointer.path!r} is not the object that was added.",
            remedy="Add it again, then compute its checksum.",
        )
    return {name: each.hexdigest() for name, each in hashes.items()}
