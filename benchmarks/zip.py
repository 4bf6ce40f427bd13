"""Our ZIP writer beside `zipfile` (STORED, to a sink that cannot seek), in CPU time.

Both are given the same names and pointer files, made up on the way. "package.zip" is the whole
path from pointers to bytes: each pointer file is written as well, which no peer does. In addition a
child process makes an archive of ten times the entries and says how much memory that took above
what it held before, and how long a range in the middle takes to its first byte.
"""

from __future__ import annotations

import multiprocessing
import time
import zipfile
from typing import TYPE_CHECKING

from harness import Case, Suite, main, peak_memory_bytes

from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.exports.zip import ZipPlan, stream
from packager_jupyter.packages.metadata import Metadata
from packager_jupyter.packages.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY_BYTES = 245
RANGES = 50
TIMES = 10
BASE = "https://data.example.org/s/abc/"


class MadeUp:
    """Entries for the writer alone."""

    def __init__(self, count: int) -> None:
        self._count = count

    @staticmethod
    def name(number: int) -> str:
        """Return the name of one entry."""
        return f"obs/{number // 1000:05}/file-{number:08}.nc.pointer"

    def sizes(self) -> Iterator[tuple[str, int]]:
        """See `exports.zip.Entries`."""
        return ((self.name(number), ENTRY_BYTES) for number in range(self._count))

    def read(self, start: int, first: str) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002
        """See `exports.zip.Entries`."""
        data = bytes(ENTRY_BYTES)
        return ((self.name(number), data) for number in range(start, self._count))


class MadeUpVersion:
    """Pointers for the whole path."""

    name, version, digest = "many", "1", "sha256:" + "0" * 64

    def __init__(self, count: int) -> None:
        self._count = count

    def metadata(self) -> Metadata:
        """Say nothing."""
        return Metadata()

    def attachments(self) -> list[Pointer]:
        """Have none."""
        return []

    def read_attachment(self, path: str) -> bytes:
        """Have none."""
        raise KeyError(path)

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield pointers."""
        return self._pointers(0)

    def iter_pointers_from(self, path: str) -> Iterator[Pointer]:
        """Yield pointers from one on."""
        return self._pointers(int(path[-11:-3]))

    def _pointers(self, start: int) -> Iterator[Pointer]:
        for number in range(start, self._count):
            key = f"obs/{number // 1000:05}/file-{number:08}.nc"
            yield Pointer(key, "lake", key, f"s3://bucket/raw/{key}", number, etag="0" * 32)


class Sink:
    """A file that cannot seek and keeps nothing."""

    def write(self, data: bytes) -> int:
        """Count."""
        return len(data)

    def flush(self) -> None:
        """Have nothing to do."""


def by_zipfile(entries: MadeUp) -> None:
    with zipfile.ZipFile(Sink(), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
        for name, data in entries.read(0, ""):
            archive.writestr(zipfile.ZipInfo(name), data)


def by_ours(entries: MadeUp) -> None:
    """Plan and write, as a request does."""
    sink = Sink()
    for chunk in stream(entries, ZipPlan.of(entries)):
        sink.write(chunk)


def by_archive(version: MadeUpVersion) -> None:
    sink = Sink()
    for chunk in PointerArchive(version, BASE).stream():
        sink.write(chunk)


def in_a_child(count: int, report: multiprocessing.SimpleQueue[tuple[float, float, float]]) -> None:
    """Measure memory and ranges where nothing else was before."""
    warm = MadeUpVersion(1000)
    by_archive(warm)
    before = peak_memory_bytes()
    archive = PointerArchive(MadeUpVersion(count), BASE)
    for chunk in archive.stream():
        del chunk
    growth_mib = (peak_memory_bytes() - before) / 2**20
    spent = []
    for number in range(1, RANGES + 1):
        start = archive.plan.size_bytes * number // (RANGES + 1)
        begun = time.perf_counter()
        next(archive.stream(start=start, stop=start + 65536))
        spent.append((time.perf_counter() - begun) * 1e3)
    spent.sort()
    report.put((growth_mib, spent[len(spent) // 2], spent[-1]))


def show_child(count: int) -> None:
    context = multiprocessing.get_context("spawn")
    report = context.SimpleQueue()
    child = context.Process(target=in_a_child, args=(count, report))
    child.start()
    growth_mib, median_ms, most_ms = report.get()
    child.join()
    print(f"\n### package.zip of {count:,} pointers\n")
    print("| memory above idle (MiB) | range in the middle: first bytes (ms), median | most |")
    print("| --: | --: | --: |")
    print(f"| {growth_mib:.1f} | {median_ms:.1f} | {most_ms:.1f} |\n")


def build(size: int) -> list[Suite]:
    show_child(size * TIMES)
    entries, version = MadeUp(size), MadeUpVersion(size)
    cases = [
        Case("zipfile, STORED", size, lambda: by_zipfile(entries)),
        Case("our writer", size, lambda: by_ours(entries)),
        Case("package.zip", size, lambda: by_archive(version)),
    ]
    return [Suite("ZIP of many small entries", "entry", cases)]


if __name__ == "__main__":
    main(build, size=100_000, doc=__doc__)
