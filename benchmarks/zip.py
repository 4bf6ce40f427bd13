"""Our ZIP writer beside `zipfile` (STORED, to a sink that cannot seek), in CPU time.

Three suites, each with the same entries for both. In "entries at hand" names and contents lie in
memory, so that the writers alone are measured; ours is given them twice, for its plan and for the
archive. The other two are a whole `package.zip` of a published version, from its index to the last
byte. In "made one by one" the peer is what somebody with `zipfile` would write: for each pointer of
the version `pointer_file` and `writestr`. In "made alike" the peer is handed the files by the very
code that ours uses, so that again only the writers differ. Ours tells the exact length beforehand;
"outline counted first" is the first download of a version whose index says nothing of it yet.

In addition a child process makes an archive of ten times the entries and says how much memory that
took above what it held before, and how long a range in the middle takes to its first byte.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Case, Suite, main, peak_memory_bytes

from packager_jupyter.config import Settings
from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.exports.base import file_url
from packager_jupyter.exports.zip import ZipPlan, stream
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_file import ENDING, pointer_file
from packager_jupyter.packages.pointer_files import PointerFiles
from packager_jupyter.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.packages.version import Version

BATCH = 256
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


def one_by_one(version: Version) -> Iterator[tuple[str, bytes]]:
    """Yield what stands in ``package.zip``, as anybody would make it."""
    for pointer in version.iter_pointers():
        url = file_url(BASE, pointer.path)
        data = pointer_file(pointer, package=version.name, version=version.version, url=url)
        yield pointer.path + ENDING, data


def alike(version: Version) -> Iterator[tuple[str, bytes]]:
    """Yield what stands in ``package.zip``, as that makes it."""
    files = PointerFiles(
        package=version.name,
        version=version.version,
        url_of=lambda path: file_url(BASE, path),
    )
    for names, written in version.iter_written(files):
        yield from zip(map(bytes.decode, names), written, strict=True)


def by_ours(entries: AtHand) -> None:
    """Plan and write, as a request does."""
    sink = Sink()
    for chunk in stream(entries, ZipPlan.of(entries)):
        sink.write(chunk)


def by_archive(version: Version, folder: Path | None = None) -> None:
    """Write the whole archive; with `folder` after forgetting what was counted."""
    for outline in [] if folder is None else folder.glob("data/cache/pointers/*.outline"):
        outline.unlink()
    sink = Sink()
    for chunk in PointerArchive(version, BASE).stream():
        sink.write(chunk)


@contextlib.contextmanager
def published(folder: Path, count: int) -> Iterator[Version]:
    """Open a version of so many pointers, published in `folder` unless it is there."""
    settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder))
    with Services.open(settings) as services:
        if not services.packages.has_draft("many"):
            draft = services.packages.create("many")
            index = PointerIndex(draft.folder / ".packager" / "pointers.sqlite")
            index.add(pointers(count))
            index.close()
            draft.publish("1", now_s=1)
        version = services.packages.version("many", "1")
        version.page(limit=1)
        yield version


def pointers(count: int) -> Iterator[Pointer]:
    """Yield pointers as a listing of a bucket gives them."""
    for number in range(count):
        key = f"obs/{number // 1000:05}/file-{number:08}.nc"
        etag = f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
        yield Pointer(
            key,
            "lake",
            key,
            f"s3://bucket/raw/{key}",
            number,
            modified_s=1_700_000_000 + 7 * number,
            etag=etag,
        )


def in_a_child(
    folder: Path, count: int, report: multiprocessing.SimpleQueue[tuple[float, float, float]]
) -> None:
    """Measure memory and ranges where nothing else was before."""
    with published(folder / "few", 1000) as few:
        by_archive(few)
    with published(folder / "many", count) as version:
        before = peak_memory_bytes()
        archive = PointerArchive(version, BASE)
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


def show_child(folder: Path, count: int) -> None:
    for name, size in (("few", 1000), ("many", count)):
        with published(folder / name, size):
            pass
    context = multiprocessing.get_context("spawn")
    report = context.SimpleQueue()
    child = context.Process(target=in_a_child, args=(folder, count, report))
    child.start()
    growth_mib, median_ms, most_ms = report.get()
    child.join()
    print(f"\n### package.zip of {count:,} pointers\n")
    print("| memory above idle (MiB) | range in the middle: first bytes (ms), median | most |")
    print("| --: | --: | --: |")
    print(f"| {growth_mib:.1f} | {median_ms:.1f} | {most_ms:.1f} |\n")


def build(size: int) -> list[Suite]:
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packager-bench-")))
    show_child(folder / "child", size * TIMES)
    entries, own = AtHand(size), folder / "own"
    version = stack.enter_context(published(own, size))
    writers = [
        Case("zipfile, STORED", size, lambda: by_zipfile(entries.pairs)),
        Case("our writer", size, lambda: by_ours(entries)),
    ]
    whole = [
        Case("pointer_file and zipfile", size, lambda: by_zipfile(one_by_one(version))),
        Case("package.zip", size, lambda: by_archive(version)),
        Case("package.zip, outline counted first", size, lambda: by_archive(version, own)),
    ]
    fed = [
        Case("zipfile, STORED", size, lambda: by_zipfile(alike(version))),
        Case("package.zip", size, lambda: by_archive(version)),
    ]
    return [
        Suite("ZIP of many small entries: entries at hand", "entry", writers),
        Suite("package.zip of a version: files made one by one", "entry", whole),
        Suite("package.zip of a version: files made alike", "entry", fed),
    ]


if __name__ == "__main__":
    main(build, size=100_000, doc=__doc__)
