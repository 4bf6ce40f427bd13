"""The download itself: workers, parts, checks, and a journal that lets the next run go on.

A file appears under its name only when it is whole: size and every known checksum are right.
Until then it is a part in ``.packager/parts``, named after its content's identity, so a part of
another content is never continued.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    DigestMismatchError,
    DiskFullError,
    PackagerError,
    RateLimitedError,
    StorageError,
)
from packager_jupyter.fetch.batches import batches
from packager_jupyter.fetch.journal import Journal
from packager_jupyter.fetch.names import STATE_FOLDER, LocalNames, is_blind
from packager_jupyter.fetch.patience import Patience, wait_before_retry
from packager_jupyter.fetch.report import Counter
from packager_jupyter.io import explain_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from packager_jupyter.fetch.items import Item, Origin
    from packager_jupyter.fetch.report import GetReport, Progress

_HASHES = frozenset({"md5", "sha1", "sha256", "sha512"})
_AHEAD = 4  # batches listed ahead of each worker


class _Whole(NamedTuple):
    """A part that is whole and verified, and where it belongs."""

    item: Item
    name: str
    part: Path
    target: Path


class Downloader:
    """Fetches the items of an origin into a folder.

    Parameters
    ----------
    origin : Origin
    folder : Path
        Made when it is missing.
    jobs : int, default 8
        Files at the same time.
    passes : callable, optional
        Which package paths are wanted.
    is_portable : bool, default os.name == "nt"
        Change names that Windows does not take.
    is_overwriting : bool, default False
        Replace files of the same names that no earlier run brought.
    progress : callable, optional
        Called with the files and bytes so far, from any worker.
    """

    def __init__(
        self,
        origin: Origin,
        folder: Path,
        *,
        jobs: int = 8,
        passes: Callable[[str], bool] | None = None,
        is_portable: bool = os.name == "nt",
        is_overwriting: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._origin = origin
        self._folder = folder
        self._parts = folder / STATE_FOLDER / "parts"
        self._jobs = jobs
        self._passes = passes
        self._is_portable = is_portable
        self._is_overwriting = is_overwriting
        self._counter = Counter(progress)
        self._patience = Patience()
        self._journal = Journal(folder)
        self._safe_parents: set[str] = set()

    def plan(self) -> list[tuple[Item, str]]:
        """Return what a run would fetch: the items that are not here yet, with their names."""
        return [(item, name) for item, name in self._named() if not self._is_here(item, name)]

    def run(self) -> GetReport:
        """Fetch everything that is not here yet.

        One file that cannot be had does not stop the others; it stands in the report. When the
        share ends or the storage stays silent, everything that is left stands there too.

        Raises
        ------
        PackagerError
            The list of files itself cannot be had.
        DiskFullError
            Nothing more fits; parts are kept.
        """
        self._parts.mkdir(parents=True, exist_ok=True)
        waiting: set[Future[None]] = set()
        with (
            ThreadPoolExecutor(self._jobs, thread_name_prefix="packager-get") as pool,
            self._journal,
        ):
            try:
                for batch in batches(self._named()):
                    waiting.add(pool.submit(self._batch, batch))
                    if len(waiting) > self._jobs * _AHEAD:
                        waiting = _collect(waiting)
                while waiting:
                    waiting = _collect(waiting)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        report = self._counter.finish()
        self._journal.write_names(report.renamed)
        return report

    def _named(self) -> Iterator[tuple[Item, str]]:
        names = LocalNames(is_portable=self._is_portable, is_blind=is_blind(self._folder))
        renamed = self._counter.report.renamed
        for item in self._origin.items():
            # Also for what is not wanted now, so that a name does not depend on the wishes.
            name = names(item.path)
            if self._passes is None or self._passes(item.path):
                if name != item.path:
                    renamed[item.path] = name
                yield item, name

    def _batch(self, batch: list[tuple[Item, str]]) -> None:
        missing = []
        for item, name in batch:
            if self._is_here(item, name):
                self._done(item, is_new=False)
            else:
                missing.append((item, name))
        if not missing:
            return
        is_stopped = self._patience.stopped_by is not None
        few = len(missing) == 1
        addresses = {} if is_stopped or few else self._origin.addresses([i for i, _ in missing])
        whole: list[_Whole] = []
        try:
            for item, name in missing:
                self._one(item, name, addresses.get(item.path), whole)
        finally:
            self._place(whole)

    def _one(self, item: Item, name: str, address: str | None, whole: list[_Whole]) -> None:
        """Fetch one file and add it to `whole`; the report tells when that failed."""
        try:
            if self._patience.stopped_by is not None:
                raise self._patience.stopped_by
            target = self._target(name)
            part = self._parts / item.part_name
            with _explain(name):
                self._fetch(item, part, address)
                if item.modified_s is not None:
                    os.utime(part, (item.modified_s, item.modified_s))
                whole.append(_Whole(item, name, part, target))
        except DiskFullError:
            raise
        except PackagerError as error:
            self._patience.gave_up(error)
            self._counter.failed(item.path, error)
        else:
            self._patience.succeeded()

    def _place(self, whole: list[_Whole]) -> None:
        """Give whole parts their names; the journal comes first, so a killed run knows its own."""
        self._journal.add((one.name, one.item.part_name, one.part.stat()) for one in whole)
        for one in whole:
            try:
                with _explain(one.name):
                    one.part.replace(one.target)
            except PackagerError as error:
                self._counter.failed(one.item.path, error)
            else:
                self._done(one.item, is_new=True)

    def _fetch(self, item: Item, part: Path, address: str | None) -> None:
        """Bring the part to its whole length and check it, trying again where that may help."""
        attempt = 0
        while True:
            try:
                found = self._append(item, part, address)
                _verify(item, part, found)
            except (StorageError, RateLimitedError, DigestMismatchError) as error:
                if address is not None:
                    address = None  # it may have expired: the share's own address never does
                    continue
                if not self._patience.is_worth(error, attempt):
                    raise
                wait_before_retry(error, attempt)
                attempt += 1
            else:
                return

    def _append(self, item: Item, part: Path, address: str | None) -> dict[str, str]:
        """Bring what the part lacks; return the checksums that were computed on the way."""
        start = part.stat().st_size if part.exists() else None
        if start == item.size_bytes:
            return {}
        if start is not None and start > item.size_bytes:
            part.unlink()
            start = None
        known = item.checksums.keys() & _HASHES if not start else ()
        hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in known}
        size = start or 0
        with part.open("ab") as file:
            for chunk in self._origin.read(item, start=size, address=address):
                file.write(chunk)
                size += len(chunk)
                if size > item.size_bytes:
                    raise _wrong(item, part, f"more than {item.size_bytes:,} bytes came")
                for each in hashes.values():
                    each.update(chunk)
                self._counter.moved(len(chunk))
        if size < item.size_bytes:
            raise StorageError(
                f"The transfer of {item.path!r} ended after {size:,} of {item.size_bytes:,} bytes.",
                remedy="Run the same command again: it goes on where it stopped.",
            )
        return {kind: each.hexdigest() for kind, each in hashes.items()}

    def _target(self, name: str) -> Path:
        """Return the final place, with its folders made, and never outside the folder."""
        target = self._folder / name
        parent = str(target.parent)
        if parent not in self._safe_parents:
            with _explain(name):
                target.parent.mkdir(parents=True, exist_ok=True)
                inside = os.path.realpath(self._folder)
                if os.path.commonpath([inside, os.path.realpath(parent)]) != inside:
                    raise BadInputError(
                        f"{name!r} would land outside {self._folder}.",
                        remedy="Remove the link that leads out of that folder.",
                    )
            self._safe_parents.add(parent)
        if not os.path.lexists(target):
            return target
        if target.is_dir():
            raise BadInputError(
                f"There is a folder where the file {name!r} belongs.", remedy="Move it away."
            )
        is_ours = self._journal.verified(name, target.lstat()) is not None
        if not is_ours and not self._is_overwriting:
            raise ConflictError(
                f"{name!r} is here already, with another content, and was not fetched or was "
                "changed since.",
                remedy="Move it away, fetch into another folder, or use --overwrite.",
            )
        return target

    def _is_here(self, item: Item, name: str) -> bool:
        target = self._folder / name
        if target.is_symlink() or not target.is_file():
            return False
        found = target.stat()
        if found.st_size != item.size_bytes:
            return False
        identity = self._journal.verified(name, found)
        if identity is not None:
            return identity == item.part_name
        if _known(item):
            return all(_hash(target, kind) == value for kind, value in _known(item).items())
        return item.modified_s is not None and int(found.st_mtime) == item.modified_s

    def _done(self, item: Item, *, is_new: bool) -> None:
        is_verified = item.is_attachment or bool(_known(item))
        self._counter.done(item.size_bytes, is_new=is_new, is_verified=is_verified)


@contextlib.contextmanager
def _explain(name: str) -> Iterator[None]:
    """Turn what the file system refuses into errors of ours."""
    try:
        with explain_disk_full(name):
            yield
    except OSError as error:
        raise BadInputError(
            f"{name!r} cannot be written here: {error.strerror}.",
            remedy="Move away what is in its place, or fetch into another folder or with "
            "--portable.",
        ) from error


def _collect(waiting: set[Future[None]]) -> set[Future[None]]:
    done, rest = wait(waiting, return_when=FIRST_COMPLETED)
    for each in done:
        each.result()
    return rest


def _known(item: Item) -> dict[str, str]:
    return {kind: value for kind, value in item.checksums.items() if kind in _HASHES}


def _verify(item: Item, part: Path, found: dict[str, str]) -> None:
    for kind, value in _known(item).items():
        if (found.get(kind) or _hash(part, kind)) != value:
            raise _wrong(item, part, f"its {kind} is not {value}")


def _wrong(item: Item, part: Path, what: str) -> DigestMismatchError:
    part.unlink(missing_ok=True)
    return DigestMismatchError(
        f"{item.path!r} came damaged: {what}.",
        remedy="Run the same command again; if it goes on, the object in the storage is damaged.",
    )


def _hash(file: Path, kind: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, kind).hexdigest()
