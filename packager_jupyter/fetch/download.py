"""The download itself: workers, parts, checks, and a journal that lets the next run go on.

A file appears under its name only when it is whole: size and every known checksum are right.
Until then it is a part in ``.packager/parts``, named after its content's identity, so a part of
another content is never continued. ``.packager/got.jsonl`` remembers what was verified.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import orjson

from packager_jupyter.errors import (
    BadInputError,
    DigestMismatchError,
    DiskFullError,
    ObjectChangedError,
    PackagerError,
    RateLimitedError,
    StorageError,
)
from packager_jupyter.fetch.items import LocalNames
from packager_jupyter.fetch.share import wait_before_retry
from packager_jupyter.io import explain_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from packager_jupyter.fetch.items import Item, Origin

Progress = Callable[[int, int], None]
STATE_FOLDER = ".packager"
ATTEMPTS = 5
_HASHES = frozenset({"md5", "sha1", "sha256", "sha512"})
_READ_BYTES = 1024 * 1024
_AHEAD = 4  # items listed ahead of each worker


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be had, and why."""

    path: str
    error: PackagerError


@dataclass(slots=True)
class GetReport:
    """What a run did.

    Attributes
    ----------
    files, bytes : int
        Downloaded in this run.
    present : int
        Files that were there already, verified.
    unverified : int
        Of all, those for which no checksum is known: their size was compared.
    renamed : dict of str to str
        Package path to local name, where they differ.
    failed : list of Failed
    """

    files: int = 0
    bytes: int = 0
    present: int = 0
    unverified: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)


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
        progress: Progress | None = None,
    ) -> None:
        self._origin = origin
        self._folder = folder
        self._jobs = jobs
        self._passes = passes
        self._is_portable = is_portable
        self._progress = progress
        self._lock = threading.Lock()
        self._report = GetReport()
        self._received = 0

    def plan(self) -> list[tuple[Item, str]]:
        """Return what a run would fetch: the items that are not here yet, with their names."""
        names = self._names()
        got = _read_journal(self._folder)
        named = [(item, names(item.path)) for item in self._wanted()]
        return [(item, name) for item, name in named if not self._is_here(item, name, got)]

    def run(self) -> GetReport:
        """Fetch everything that is not here yet.

        One file that cannot be had does not stop the others; it stands in the report.

        Raises
        ------
        PackagerError
            The list of files itself cannot be had.
        DiskFullError
            Nothing more fits; parts are kept.
        """
        (self._folder / STATE_FOLDER / "parts").mkdir(parents=True, exist_ok=True)
        names, got = self._names(), _read_journal(self._folder)
        waiting: set[Future[None]] = set()
        with (
            ThreadPoolExecutor(self._jobs, thread_name_prefix="packager-get") as pool,
            (self._folder / STATE_FOLDER / "got.jsonl").open("ab") as journal,
        ):
            try:
                for item in self._wanted():
                    name = names(item.path)
                    if name != item.path:
                        self._report.renamed[item.path] = name
                    waiting.add(pool.submit(self._one, item, name, got, journal))
                    if len(waiting) > self._jobs * _AHEAD:
                        waiting = self._collect(waiting)
                while waiting:
                    waiting = self._collect(waiting)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return self._report

    def _collect(self, waiting: set[Future[None]]) -> set[Future[None]]:
        done, rest = wait(waiting, return_when=FIRST_COMPLETED)
        for each in done:
            each.result()
        return rest

    def _wanted(self) -> Iterator[Item]:
        for item in self._origin.items():
            if self._passes is None or self._passes(item.path):
                yield item

    def _names(self) -> LocalNames:
        return LocalNames(is_portable=self._is_portable, is_case_blind=_is_case_blind(self._folder))

    def _one(self, item: Item, name: str, got: Mapping[str, str], journal: IO[bytes]) -> None:
        try:
            target = self._target(name)
            if self._is_here(item, name, got):
                self._count(item, is_new=False)
                return
            part = self._folder / STATE_FOLDER / "parts" / item.part_name
            with explain_disk_full(name):
                self._fetch(item, part)
                if item.modified_s is not None:
                    os.utime(part, (item.modified_s, item.modified_s))
                part.replace(target)
        except PackagerError as error:
            if isinstance(error, DiskFullError):
                raise
            with self._lock:
                self._report.failed.append(Failed(item.path, error))
            return
        line = orjson.dumps({"name": name, "part": item.part_name, "stamp": _stamp(target)})
        with self._lock:
            journal.write(line + b"\n")
            journal.flush()
        self._count(item, is_new=True)

    def _fetch(self, item: Item, part: Path) -> None:
        """Bring the part to its whole length and check it, trying again where that may help."""
        for attempt in range(ATTEMPTS):
            try:
                self._append(item, part)
                _verify(item, part)
                return
            except (StorageError, RateLimitedError, DigestMismatchError) as error:
                if attempt == ATTEMPTS - 1 or isinstance(error, ObjectChangedError):
                    raise
                wait_before_retry(error, attempt)

    def _append(self, item: Item, part: Path) -> None:
        start = part.stat().st_size if part.exists() else 0
        if start > item.size_bytes:
            part.unlink()
            start = 0
        if start == item.size_bytes and part.exists():
            return
        with part.open("ab") as file:
            for chunk in self._origin.read(item, start=start):
                file.write(chunk)
                start += len(chunk)
                if start > item.size_bytes:
                    raise _wrong(item, part, f"more than {item.size_bytes:,} bytes came")
                self._moved(len(chunk))
        if start < item.size_bytes:
            raise StorageError(
                f"The transfer of {item.path!r} ended after {start:,} of "
                f"{item.size_bytes:,} bytes.",
                remedy="Run the same command again: it goes on where it stopped.",
            )

    def _target(self, name: str) -> Path:
        """Return the final place, with its folders made, and never outside the folder."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        inside = os.path.realpath(self._folder)
        if os.path.commonpath([inside, os.path.realpath(target.parent)]) != inside:
            raise BadInputError(
                f"{name!r} would land outside {self._folder}.",
                remedy="Remove the link that leads out of that folder.",
            )
        if target.is_dir():
            raise BadInputError(
                f"There is a folder where the file {name!r} belongs.", remedy="Move it away."
            )
        return target

    def _is_here(self, item: Item, name: str, got: Mapping[str, str]) -> bool:
        target = self._folder / name
        if target.is_symlink() or not target.is_file():
            return False
        if target.stat().st_size != item.size_bytes:
            return False
        if got.get(name) == f"{item.part_name}/{_stamp(target)}":
            return True
        if _known(item):
            return all(_hash(target, kind) == value for kind, value in _known(item).items())
        return item.modified_s is not None and int(target.stat().st_mtime) == item.modified_s

    def _moved(self, count: int) -> None:
        with self._lock:
            self._received += count
            files = self._report.files + self._report.present
            received = self._received
        if self._progress:
            self._progress(files, received)

    def _count(self, item: Item, *, is_new: bool) -> None:
        with self._lock:
            if is_new:
                self._report.files += 1
                self._report.bytes += item.size_bytes
            else:
                self._report.present += 1
            if not _known(item) and not item.is_attachment:
                self._report.unverified += 1
        self._moved(0)


def _known(item: Item) -> dict[str, str]:
    return {kind: value for kind, value in item.checksums.items() if kind in _HASHES}


def _verify(item: Item, part: Path) -> None:
    for kind, value in _known(item).items():
        if _hash(part, kind) != value:
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


def _stamp(file: Path) -> str:
    found = file.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def _read_journal(folder: Path) -> dict[str, str]:
    """Return what earlier runs verified; a last line that a kill cut off is left out."""
    found: dict[str, str] = {}
    file = folder / STATE_FOLDER / "got.jsonl"
    if not file.exists():
        return found
    with file.open("rb") as lines:
        for line in lines:
            try:
                row = orjson.loads(line)
                found[row["name"]] = f"{row['part']}/{row['stamp']}"
            except (ValueError, KeyError, TypeError):
                continue  # only a file whose line is whole counts as verified
    return found


def _is_case_blind(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    try:
        with tempfile.NamedTemporaryFile(prefix="packager-Case-", dir=folder) as probe:
            return (folder / Path(probe.name).name.swapcase()).exists()
    except OSError:
        return False
