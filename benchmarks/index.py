"""Pointers added, paged, published and read back, from ten thousand to ten million.

First our index beside SQLAlchemy Core on the same entries, interleaved. Then, for each size in a
fresh process, what one pointer costs to add, to keep, to publish and to read back from the
artifact, what one page costs, and the most memory that was held. Half of the pointers lie in one
flat folder, half in folders of 2,000.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from harness import Case, Suite, as_json, machine, measure, peak_memory_bytes, print_tables
from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
)

from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.packages.adding import Selection, add_fetched, fetch
from packager_jupyter.packages.catalog import Packages
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.sources.base import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZES = (10_000, 100_000, 1_000_000)
BATCH = 5000
PER_FOLDER = 2000
PAGE = 500
PAGE_ROUNDS = 50
PAGE_TURNS = 5


class Listing:
    """A source whose recursive listing is made up: half in one folder, half in many.

    `cpu_s` and `wall_s` are the seconds that making it up has taken.
    """

    name = "demo"
    kind = "s3"

    def __init__(self, size: int) -> None:
        self.size = size
        self.cpu_s = self.wall_s = 0.0
        self.etags = [hashlib.md5(b"%d" % number).hexdigest() for number in range(BATCH)]

    def uri(self, key: str) -> str:
        """See `Source.uri`."""
        return f"s3://demo-bucket/raw/{key}"

    def key(self, number: int) -> str:
        """Return the key of one file."""
        if number < self.size // 2:
            return f"flat/part-{number:08d}.bin"
        return f"tree/a{number // PER_FOLDER:05d}/part-{number:08d}.bin"

    def walk(self, _prefix: str = "") -> Iterator[list[Entry]]:
        """See `Source.walk`."""
        for start in range(0, self.size, BATCH):
            cpu, wall = time.process_time(), time.perf_counter()
            entries = [
                Entry(
                    self.key(number),
                    size_bytes=number * 37,
                    modified_s=1_700_000_000 + number,
                    etag=self.etags[number % BATCH],
                )
                for number in range(start, min(start + BATCH, self.size))
            ]
            self.cpu_s += time.process_time() - cpu
            self.wall_s += time.perf_counter() - wall
            yield entries


class Sources:
    """The one source, as the packages want it."""

    def __init__(self, source: Listing) -> None:
        self.source = source

    def open(self, _name: str) -> Listing:
        """See `SourceCatalog.open`."""
        return self.source


@contextmanager
def folder_for_files() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-index-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Kept:
    """A listing that was fetched already, so that only the index's work is measured."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.batches = list(listing.walk())
        self.name = listing.name
        self.uri = listing.uri

    def walk(self, _prefix: str = "") -> Iterator[list[Entry]]:
        """See `Source.walk`."""
        return iter(self.batches)


def add_ours(source: Any, folder: Path) -> Path:
    path = folder / "ours.sqlite"
    for name in folder.glob("ours.sqlite*"):
        name.unlink()
    index = PointerIndex(path)
    with index.write() as writer:
        add_fetched(writer, source, fetch(source, [Selection("", "")]))
    index.close()
    return path


def add_core(source: Any, folder: Path) -> Path:
    """Insert the fields of a pointer with SQLAlchemy Core, 10,000 at a time, in one transaction."""
    path = folder / "core.sqlite"
    for name in folder.glob("core.sqlite*"):
        name.unlink()
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    table = Table(
        "pointer",
        MetaData(),
        Column("package", Integer, primary_key=True),
        Column("path", String, primary_key=True),
        Column("source", Integer),
        Column("key", String),
        Column("size", Integer),
        Column("modified", Integer),
        Column("etag", LargeBinary),
        Column("version_id", String),
        Column("checksums", String),
        Column("media_type", String),
        sqlite_with_rowid=False,
    )
    table.create(engine)
    rows: list[dict[str, Any]] = []
    with engine.begin() as connection:
        for entries in source.walk():
            rows += [
                {
                    "package": 1,
                    "path": entry.key,
                    "source": 1,
                    "key": entry.key,
                    "size": entry.size_bytes,
                    "modified": entry.modified_s,
                    "etag": bytes.fromhex(entry.etag),
                    "version_id": entry.version_id,
                    "checksums": None,
                    "media_type": entry.media_type,
                }
                for entry in entries
            ]
            if len(rows) >= 2 * BATCH:
                connection.execute(insert(table), rows)
                rows = []
        if rows:
            connection.execute(insert(table), rows)
    engine.dispose()
    return path


def add_bare(source: Any, folder: Path) -> Path:
    """Insert rows like ours by one statement: what SQLite itself takes, whoever asks."""
    path = folder / "bare.sqlite"
    for name in folder.glob("bare.sqlite*"):
        name.unlink()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE file(folder INTEGER, name TEXT, size INTEGER, modified INTEGER, etag,"
        " PRIMARY KEY(folder, name)) WITHOUT ROWID; BEGIN;"
    )
    for entries in source.walk():
        connection.executemany(
            "INSERT INTO file VALUES(1,?,?,?,?)",
            [(one.key, one.size_bytes, one.modified_s, bytes.fromhex(one.etag)) for one in entries],
        )
    connection.execute("COMMIT")
    connection.close()
    return path


def beside_core(size: int, folder: Path) -> list[Suite]:
    source = Kept(Listing(size))
    return [
        Suite(
            f"Pointers added, {size:,}",
            "pointer",
            [
                Case("SQLAlchemy Core", size, lambda: add_core(source, folder)),
                Case("pointer index", size, lambda: add_ours(source, folder)),
                Case("floor: bare executemany", size, lambda: add_bare(source, folder)),
            ],
        )
    ]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of CPU and of the clock on the wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def page_ms(ask: Callable[[], object]) -> tuple[float, float]:
    """Return the median of CPU and wall time; where they differ, others had the machine."""
    ask()
    spent = [timed(ask) for _ in range(PAGE_ROUNDS)]
    return median(cpu for cpu, _ in spent) * 1e3, median(wall for _, wall in spent) * 1e3


def grow(size: int, folder: Path, stage: str) -> dict[str, float]:
    """Measure one stage of one size; the stages before it were run in other processes."""
    listing = Listing(size)
    packages = Packages(
        folder / "root",
        LayoutStore(folder / "oci"),
        Sources(listing),  # type: ignore[arg-type]
        folder / "cache",
        max_attachment_bytes=1024,
    )
    found = STAGES[stage](packages, listing)
    return {**found, "peak_mib": peak_memory_bytes() / 2**20}


def stage_add(packages: Packages, listing: Listing) -> dict[str, float]:
    draft = packages.create("bench")
    cpu, wall = timed(lambda: draft.add("demo", [""]))
    packages.close()
    path = draft.folder / ".packager" / "pointers.sqlite"
    return {
        "per_s": listing.size / (cpu - listing.cpu_s),
        "wall_per_s": listing.size / (wall - listing.wall_s),
        "bytes_each": path.stat().st_size / listing.size,
    }


def stage_page(packages: Packages, listing: Listing) -> dict[str, float]:
    draft = packages.draft("bench")
    cursor = draft.page("flat", limit=PAGE).cursor
    last = f"tree/a{(listing.size - 1) // PER_FOLDER:05d}"
    pages = {
        "flat_first": lambda: draft.page("flat", limit=PAGE),
        "flat_next": lambda: draft.page("flat", limit=PAGE, cursor=cursor),
        "flat_descending": lambda: draft.page("flat", limit=PAGE, descending=True),
        "folders": lambda: draft.page("tree", limit=PAGE),
        "small_folder": lambda: draft.page(last, limit=PAGE),
        "totals": lambda: draft.totals("tree"),
        "filter_first": lambda: draft.page("", match="part-0000", limit=PAGE),
        "by_size": lambda: draft.page("flat", sort="size", limit=PAGE),
        "by_date": lambda: draft.page("flat", sort="modified", descending=True, limit=PAGE),
    }
    found = {}
    for name, ask in pages.items():
        found[f"{name}_cpu_ms"], found[f"{name}_ms"] = page_ms(ask)
    return found


def stage_publish(packages: Packages, listing: Listing) -> dict[str, float]:
    draft = packages.draft("bench")
    cpu, wall = timed(lambda: draft.publish(now_s=1_700_000_000))
    layer = packages.version("bench")
    return {
        "per_s": listing.size / cpu,
        "wall_per_s": listing.size / wall,
        "files": layer.totals().files,
    }


def stage_rebuild(packages: Packages, listing: Listing) -> dict[str, float]:
    version = packages.version("bench")
    version._index.path.unlink()  # noqa: SLF001  # publishing left it behind
    cpu, wall = timed(lambda: version.page("flat"))
    return {"per_s": listing.size / cpu, "wall_per_s": listing.size / wall}


STAGES: dict[str, Callable[[Packages, Listing], dict[str, float]]] = {
    "add": stage_add,
    "publish": stage_publish,
    "rebuild": stage_rebuild,
    "page": stage_page,
}


def growth(sizes: Sequence[int]) -> dict[int, dict[str, dict[str, float]]]:
    """Run every stage of every size, each in a process of its own.

    Pages are asked for by turns of all sizes, and the turn that was disturbed least counts.
    """
    with folder_for_files() as top:
        grown: dict[int, dict[str, dict[str, float]]] = {}
        for size in sizes:
            folder = top / str(size)
            (folder / "root").mkdir(parents=True)
            grown[size] = {
                name: _in_process(size, folder, name) for name in STAGES if name != "page"
            }
        turns = [
            {size: _in_process(size, top / str(size), "page") for size in sizes}
            for _ in range(PAGE_TURNS)
        ]
    for size in sizes:
        grown[size]["page"] = {
            figure: min(turn[size][figure] for turn in turns) for figure in turns[0][size]
        }
    return grown


def _in_process(size: int, folder: Path, stage: str) -> dict[str, float]:
    options = ["--stage", stage, "--size", str(size), "--folder", str(folder)]
    done = subprocess.run(
        [sys.executable, __file__, *options], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def print_growth(results: dict[int, dict[str, dict[str, float]]]) -> None:
    print("\n### Growth\n")
    print("| | " + " | ".join(f"{size:,}" for size in results) + " |")
    print("| --- |" + " --: |" * len(results))
    for stage in STAGES:
        for figure in next(iter(results.values()))[stage]:
            values = [results[size][stage][figure] for size in results]
            shown = " | ".join(
                f"{value:,.3f}" if value < 10 else f"{value:,.0f}" for value in values
            )
            print(f"| {stage}: {figure} | {shown} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=200_000, help="of the comparison")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ten-million", action="store_true", help="grow up to 10,000,000")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(grow(options.size, options.folder, options.stage)))
        return
    with folder_for_files() as folder:
        suites = beside_core(options.size, folder)
        compared = [(suite, measure(suite, rounds=options.rounds)) for suite in suites]
    sizes = (*SIZES, 10_000_000) if options.ten_million else SIZES
    grown = growth(sizes)
    if options.json:
        print(json.dumps({**as_json(compared), "growth": grown}, indent=1))
        return
    print_tables(compared)
    print_growth(grown)
    print(f"\n{', '.join(machine().values())}")


if __name__ == "__main__":
    main()
