"""How we measure: interleaved rounds in one process, medians, each figure beside its peer.

A benchmark is a script that describes `Suite` objects and hands them to `main`. The first case of
a suite is the peer that the others are compared with. Rounds are interleaved, so that whatever
else the machine does falls on all cases alike; ratios travel between machines, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # the servers of `peers`

SIZES = (10_000, 100_000, 1_000_000)
CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass(frozen=True)
class Case:
    """One way of doing the work: `run` does `count` pieces of it, set-up not included."""

    name: str
    count: int
    run: Callable[[], object]


@dataclass(frozen=True)
class Suite:
    """Cases that do the same work, counted in `unit`; `clock` is ``cpu`` or ``wall``.

    CPU time of this process is the measure for work of our own; wall time is the measure as soon
    as another process (a server, a storage) does its part.
    """

    title: str
    unit: str
    cases: Sequence[Case]
    clock: str = "cpu"


@dataclass(frozen=True)
class Figure:
    """What one case cost: the median, and how far the rounds lay apart."""

    name: str
    us_each: float
    spread: float
    times_peer: float

    @property
    def per_s(self) -> float:
        """How many pieces in a second."""
        return 1e6 / self.us_each


def measure(suite: Suite, *, rounds: int) -> list[Figure]:
    """Return a figure for each case, in their order; an unmeasured first round warms all up."""
    clock = CLOCKS[suite.clock]
    spent: list[list[float]] = [[] for _ in suite.cases]
    for number in range(rounds + 1):
        for case, values in zip(suite.cases, spent, strict=True):
            start = clock()
            case.run()
            used = clock() - start
            if number:
                values.append(used / case.count * 1e6)
    peer_us = median(spent[0])
    return [
        Figure(
            name=case.name,
            us_each=median(values),
            spread=(max(values) - min(values)) / median(values),
            times_peer=peer_us / median(values),
        )
        for case, values in zip(suite.cases, spent, strict=True)
    ]


def measure_once(suite: Suite) -> list[Figure]:
    """Return a figure for each case but the peer, from one round without another before it."""
    clock = CLOCKS[suite.clock]
    found = []
    for case in suite.cases[1:]:
        start = clock()
        case.run()
        found.append(Figure(case.name, (clock() - start) / case.count * 1e6, 0.0, 1.0))
    return found


def peak_memory_bytes(pid: int | None = None) -> int:
    """Return the most memory that a process, by default this one, has held so far.

    Where the system says so by itself: ``ru_maxrss`` counts what the parent held, too.
    """
    status = Path(f"/proc/{pid or os.getpid()}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return (
        int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )


def machine() -> dict[str, str]:
    """Return what a reader must know of the machine to read the figures."""
    load = os.getloadavg()[0]
    return {
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}",
        "load": f"{load:.1f}",
    }


def main(
    build: Callable[[int], Sequence[Suite]],
    *,
    size: int,
    doc: str | None,
    rounds: int = 7,
    memory: Callable[[], int] = peak_memory_bytes,
    besides: Callable[[], object] | None = None,
) -> None:
    """Read the options, measure what `build` describes for a size, print tables or JSON.

    `memory` returns the most bytes that whoever does the work has held; `besides` prints tables of
    its own, after the cases were built and before they are measured.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = int(os.environ.get("BENCH_SIZE", size))
    parser.add_argument("--size", type=int, default=default, help=f"default {default:,}")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--growth", action="store_true", help="how the cost grows, 10,000 to 1,000,000"
    )
    parser.add_argument("--ten-million", action="store_true", help="the same up to 10,000,000")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.size < 1 or options.rounds < 1:
        parser.error("--size and --rounds are at least 1")
    if options.growth or options.ten_million:
        print_growth((*SIZES, 10_000_000) if options.ten_million else SIZES)
        return
    suites = build(options.size)
    if options.once:
        once = [(suite, measure_once(suite)) for suite in suites]
        print(json.dumps(as_json(once, memory()), indent=1))
        return
    if besides is not None:
        besides()
    results = [(suite, measure(suite, rounds=options.rounds)) for suite in suites]
    if options.json:
        print(json.dumps(as_json(results, memory()), indent=1))
    else:
        print_tables(results, memory())


def print_growth(sizes: Sequence[int]) -> None:
    """Run this script for each size in a process of its own, without the peers; print one table."""
    found = []
    for size in sizes:
        command = [sys.executable, sys.argv[0], "--size", str(size), "--once"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        # Some scripts print a table of their own before.
        found.append(json.loads(done.stdout[done.stdout.index("{\n") :]))
    print(", ".join(machine().values()))
    print("\n### Growth: how many in a second\n")
    print("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    print("| --- |" + " --: |" * len(sizes))
    for title, suite in found[0]["suites"].items():
        for name in suite["cases"]:
            values = [one["suites"][title]["cases"][name]["per_s"] for one in found]
            print(f"| {title}: {name} | {' | '.join(f'{value:,.0f}' for value in values)} |")
    memory = [f"{one['peak_memory_bytes'] / 2**20:,.0f}" for one in found]
    print(f"| peak memory, MiB | {' | '.join(memory)} |")


def as_json(
    results: Sequence[tuple[Suite, list[Figure]]], peak_bytes: int | None = None
) -> dict[str, object]:
    """Return all that was measured; the memory is this process's where none is given."""
    suites = {
        suite.title: {
            "unit": suite.unit,
            "clock": suite.clock,
            "cases": {
                figure.name: {
                    "us_each": figure.us_each,
                    "per_s": figure.per_s,
                    "spread": figure.spread,
                    "times_peer": figure.times_peer,
                }
                for figure in figures
            },
        }
        for suite, figures in results
    }
    peak_bytes = peak_bytes or peak_memory_bytes()
    return {"machine": machine(), "peak_memory_bytes": peak_bytes, "suites": suites}


def print_tables(
    results: Sequence[tuple[Suite, list[Figure]]], peak_bytes: int | None = None
) -> None:
    """Print Markdown tables, ready for docs/reference/performance.md."""
    print(", ".join(machine().values()))
    for suite, figures in results:
        print(f"\n### {suite.title} ({suite.clock} time)\n")
        print(f"| case | us/{suite.unit} | {suite.unit}/s | spread | times the peer |")
        print("| --- | --: | --: | --: | --: |")
        for figure in figures:
            print(
                f"| {figure.name} | {figure.us_each:,.2f} | {figure.per_s:,.0f} "
                f"| {figure.spread:.2f} | {figure.times_peer:.1f} |"
            )
    print(f"\npeak memory {(peak_bytes or peak_memory_bytes()) / 2**20:,.0f} MiB")
