"""Our ZIP writer beside `zipfile` (STORED, to a sink that cannot seek), in CPU time.

Two suites, each with the same entries from the same source for both. In "entries at hand" names and
contents lie in memory, so that the writers alone are measured; ours is given them twice, for its
plan and for the archive, as a request does. In "pointer files, made on the way" both make the same
files from the same pointers with the same code, and that is counted. There ours makes every file
twice, as its length must be known before the first byte is sent; "plan kept" is each further
download of the same version.

In addition a child process makes an archive of ten times the entries and says how much memory that
took above what it held before, and how long a range in the middle takes to its first byte.
"""

from __future__ import annotations

import multiprocessing
import time
import zipfile
from typing import TYPE_CHECKING

from harness import Case, Suite, main, peak_memory_bytes

from packager_jupyter.exports.archive import BATCH, PointerArchive
from packager_jupyter.exports.base import file_url
from packager_jupyter.exports.zip import ZipPlan, stream
from packager_jupyter.packages.metadata import Metadata
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_file import ENDING
from packager_jupyter.packages.pointer_files import PointerFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRY_BYTES = 245
RANGES = 50
TIMES = 10
BASE = "https://data.example.org/s/abc/"


class AtHand:
    """Entries for the writers alone."""

    def __init__(self, count: int) -> None:
        self.batches = []
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            names = [f"obs/{n // 1000:05}/file-{n:08}.nc.pointer".encode() for n in numbers]
            self.batches.append((names, [b"%0*d" % (ENTRY_BYTES, n) for n in numbers]))
        # `zipfile` takes text.
        self.pairs = [
            (name.decode(), data)
            for names, contents in self.batches
            for name, data in zip(names, contents, strict=True)
        ]

    def sizes(self) -> Iterator[tuple[list[bytes], list[int]]]:
        """See `exports.zip.Entries`."""
        return ((names, list(map(len, contents))) for names, contents in self.batches)

    def read(self, start: int, first: str) -> Iterator[tuple[list[bytes], list[bytes]]]:  # noqa: ARG002
        """See `exports.zip.Entries`."""
        return iter(self.batches[start // BATCH :])


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
            etag = f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
            yield Pointer(key, "lake", key, f"s3://bucket/raw/{key}", number, etag=etag)


class Sink:
    """A file that cannot seek and keeps nothing."""

    def write(self, data: bytes) -> int:
        """Count."""
        return len(data)

    def flush(self) -> None:
        """Have nothing to do."""


def by_zipfile(pairs: Iterable[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(Sink(), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name), data)


def pointer_files(version: MadeUpVersion) -> Iterator[tuple[str, bytes]]:
    """Yield what stands in ``package.zip``, for the peer."""
    files = PointerFiles(
        package=version.name,
        version=version.version,
        url_of=lambda path: file_url(BASE, path),
    )
    for pointer in version.iter_pointers():
        yield pointer.path + ENDING, files.write(pointer)


def by_ours(entries: AtHand) -> None:
    """Plan and write, as a request does."""
    sink = Sink()
    for chunk in stream(entries, ZipPlan.of(entries)):
        sink.write(chunk)


def by_archive(version: MadeUpVersion, plan: ZipPlan | None = None) -> None:
    sink = Sink()
    for chunk in PointerArchive(version, BASE, plan=plan).stream():
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
    entries, version = AtHand(size), MadeUpVersion(size)
    plan = PointerArchive(version, BASE).plan
    writers = [
        Case("zipfile, STORED", size, lambda: by_zipfile(entries.pairs)),
        Case("our writer", size, lambda: by_ours(entries)),
    ]
    whole = [
        Case("zipfile, STORED", size, lambda: by_zipfile(pointer_files(version))),
        Case("package.zip", size, lambda: by_archive(version)),
        Case("package.zip, plan kept", size, lambda: by_archive(version, plan)),
    ]
    return [
        Suite("ZIP of many small entries: entries at hand", "entry", writers),
        Suite("ZIP of many small entries: pointer files, made on the way", "entry", whole),
    ]


if __name__ == "__main__":
    main(build, size=100_000, doc=__doc__)
