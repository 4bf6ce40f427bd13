"""What a run of ``get`` did, counted by its workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packager_jupyter.errors import PackagerError

Progress = Callable[[int, int], None]
PROGRESS_EVERY_S = 0.05


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


class Counter:
    """Fills a report from many threads and tells how far it is, some times a second.

    Parameters
    ----------
    progress : callable, optional
        Called with the files and bytes so far, from any thread.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.report = GetReport()
        self._progress = progress
        self._received = 0
        self._told_s = 0.0
        self._lock = threading.Lock()

    def moved(self, count: int) -> None:
        """Count bytes that came, whether or not their file becomes whole."""
        with self._lock:
            self._received += count
            self._tell(is_due=time.monotonic() - self._told_s > PROGRESS_EVERY_S)

    def done(self, size_bytes: int, *, is_new: bool, is_verified: bool) -> None:
        """Count a file that is here and whole."""
        with self._lock:
            report = self.report
            if is_new:
                report.files += 1
                report.bytes += size_bytes
            else:
                report.present += 1
            report.unverified += not is_verified
            self._tell(is_due=time.monotonic() - self._told_s > PROGRESS_EVERY_S)

    def failed(self, path: str, error: PackagerError) -> None:
        """Count a file that could not be had."""
        with self._lock:
            self.report.failed.append(Failed(path, error))

    def finish(self) -> GetReport:
        """Tell the final state and return the report, its failures in the order of the paths."""
        with self._lock:
            self._tell(is_due=True)
            self.report.failed.sort(key=lambda one: one.path)
            return self.report

    def _tell(self, *, is_due: bool) -> None:
        if self._progress and is_due:
            self._told_s = time.monotonic()
            self._progress(self.report.files + self.report.present, self._received)
