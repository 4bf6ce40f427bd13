"""Our package index beside pypiserver, devpi, simple-repository-server, proxpi and a static nginx.

One run, interleaved. Pages are asked for by wrk over 8 connections; what counts is the CPU time of
each server's processes per request, with a token checked at each request of ours. Needs the Debian
packages `nginx-light` and `wrk`, and PyPI for the peers. `--size` is the number of wheels of the
project; the large feed has ten times as many projects and a hundred times as many files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import registry_servers as servers
from harness import machine
from large_feed import FILES_EACH, fill_large_feed

from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.pypi.index import PypiIndex
from registries.pypi.distributions import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_servers import Index

WRK_S = 1
KINDS = {"JSON": servers.JSON_TYPE, "HTML": "text/html"}


def ask(index: Index, accept: str) -> float:
    """Return the CPU microseconds of the server for one page."""
    headers = [f"{key}: {value}" for key, value in {**index.headers, "Accept": accept}.items()]
    command = [servers.need("wrk", "wrk"), "-t1", "-c8", f"-d{WRK_S}s", "--timeout", "30s"]
    for header in headers:
        command += ["-H", header]
    before = index.cpu_s()
    said = subprocess.run([*command, index.page], capture_output=True, text=True, check=True).stdout
    spent = index.cpu_s() - before
    if "Non-2xx" in said:
        raise SystemExit(f"{index.name} did not answer 200:\n{said}")
    return spent / max(int(said.split(" requests in")[0].split()[-1]), 1) * 1e6


def check(index: Index, count: int) -> None:
    """Ask once, so that every cache is warm, and see that all files are there."""
    for accept in KINDS.values():
        headers = {**index.headers, "Accept": accept}
        answer = httpx.get(index.page, headers=headers, timeout=300, follow_redirects=True)
        found = answer.text.count(f"{servers.PROJECT}-1.{count - 1}-py3")
        if answer.status_code != 200 or not found:
            raise SystemExit(f"{index.name} shows no {count} files: {answer.status_code}")


def pages(indexes: Sequence[Index], rounds: int) -> None:
    """Print the cost of a page of each server."""
    spent: dict[tuple[str, str], list[float]] = {}
    for _round in range(rounds):
        for index in indexes:
            for kind, accept in KINDS.items():
                if kind == "HTML" or index.has_json:
                    spent.setdefault((index.name, kind), []).append(ask(index, accept))
    ours = {kind: spent[indexes[0].name, kind] for kind in KINDS}
    print("\n### Page of a project, CPU of the server\n")
    print("| server | page | us/page | ours is cheaper by |\n| --- | --- | --: | --: |")
    for (name, kind), values in spent.items():
        # Ratios of the same round, so that what else the machine does falls on both.
        ratio = statistics.median(a / b for a, b in zip(values, ours[kind], strict=True))
        print(f"| {name} | {kind} | {statistics.median(values):,.0f} | {ratio:,.1f} |")


class Counting:
    """A store that counts the calls it gets."""

    def __init__(self, store: Any) -> None:
        self.store, self.calls = store, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += name != "change_stamp"
            return method(*args, **kwargs)

        return call


def backend_calls(folder: Path) -> None:
    """Print how many calls to the store a page costs."""
    store = Counting(LayoutStore(folder / "packager-data" / "oci"))
    cold, warm = PypiIndex(store, "main"), Counter[str]()
    for turn in range(2):
        store.calls.clear()
        cold.rendered(servers.PROJECT, "json", base_url="http://localhost/")
        warm = +store.calls
        print(f"- calls to the store, {'warm' if turn else 'cold'}: {sum(warm.values())}")


def installs(indexes: Sequence[Index], folder: Path, rounds: int) -> None:
    """Print the wall time of `uv pip install` of the newest wheel."""
    spent: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    for turn in range(rounds + 1):
        for index in indexes:
            target = folder / "site" / f"{index.name}-{turn}"
            command = [sys.executable, "-m", "uv", "pip", "install", "--no-cache", "--no-config"]
            command += ["--quiet", "--target", str(target), "--default-index", index.simple]
            start = time.perf_counter()
            done = subprocess.run([*command, servers.PROJECT], check=False, capture_output=True)
            if done.returncode:
                failed[index.name] = done.stderr.decode(errors="replace").strip()[-300:]
            elif turn:
                spent.setdefault(index.name, []).append(time.perf_counter() - start)
    base = spent["nginx"]
    print("\n### uv pip install of the newest wheel, wall\n")
    print("| server | ms | times nginx |\n| --- | --: | --: |")
    for name, values in spent.items():
        ratio = statistics.median(a / b for a, b in zip(values, base, strict=True))
        print(f"| {name} | {statistics.median(values) * 1e3:,.0f} | {ratio:.2f} |")
    for name, said in failed.items():
        print(f"\n{name}: uv could not install: {said}")


def publish(index: Index, project: str, versions: Sequence[str]) -> Iterator[float]:
    """Upload one wheel after the other, yielding the wall seconds of each."""
    with httpx.Client(headers=index.headers, timeout=60) as client:
        url = index.page.replace(f"simple/{servers.PROJECT}/", "legacy/")
        for version in versions:
            name, data = wheel(project, version)
            form = {":action": "file_upload", "name": project, "version": version}
            start = time.perf_counter()
            client.post(url, data=form, files={"content": (name, data)}).raise_for_status()
            yield time.perf_counter() - start


def growth(ours: Index, count: int) -> None:
    """Print how the time of an upload grows with the project."""
    took = list(publish(ours, "growing", [f"1.{n}" for n in range(count)]))
    few = max(count // 20, 5)
    first, last = (statistics.median(part) for part in (took[3 : few + 3], took[-few:]))
    print("\n### Uploads of one project, wall\n")
    print("| upload | ms |\n| --- | --: |")
    print(f"| first {few} | {first * 1e3:.1f} |\n| {count - few + 1:,} to {count:,} ", end="")
    print(f"| {last * 1e3:.1f} |\n\nlast / first: {last / first:.2f}")


def large(folder: Path, projects: int, rounds: int) -> None:
    """Print what a feed of many projects costs at the start and for one more file."""
    folder.mkdir()
    small = servers.ours(folder, None)
    token = small.headers["Authorization"].removeprefix("Bearer ")
    single = [*publish(small, "project-1", [f"9.{n}" for n in range(30)])][5:]
    small.stop()
    made = time.perf_counter()
    fill_large_feed(folder / "packager-data" / "oci", projects)
    print(f"\n### Feed of {projects:,} projects and {projects * FILES_EACH:,} files\n")
    print(f"(laid out in {time.perf_counter() - made:.0f} s)\n")
    page = f"simple/project-{projects // 2}/"
    for path in (page, "simple/"):
        start = time.perf_counter()
        server = servers.serve(folder, token)
        listening = time.perf_counter() - start
        url = server.page.replace(f"simple/{servers.PROJECT}/", path)
        answer = httpx.get(url, headers={**server.headers, "Accept": servers.JSON_TYPE}, timeout=60)
        took = time.perf_counter() - start
        assert answer.status_code == 200, answer.text
        print(f"- {path}: first page {took:.2f} s after the start, of which {listening:.2f} s "
              f"until it listens; {len(answer.content):,} bytes")  # fmt: skip
        if path == page:
            server.stop()
    many = [*publish(server, f"project-{projects // 3}", [f"9.{n}" for n in range(30)])][5:]
    new = [next(publish(server, f"new-{n}", ["1.0"])) for n in range(rounds * 3)]
    server.stop()
    alone, among = statistics.median(single), statistics.median(many)
    fresh = statistics.median(new)
    print(f"- one more file: {among * 1e3:.1f} ms, in a small feed {alone * 1e3:.1f} ms: ", end="")
    print(f"{among / alone:.2f} times; with a new project {fresh * 1e3:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=int(os.environ.get("BENCH_SIZE", "1000")))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="packager-pypi-"))
    print(", ".join(machine().values()))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        wheels = servers.make_wheels(folder / "wheels", options.size)
        ours = servers.ours(folder, wheels)
        stack.callback(ours.stop)
        indexes = [ours]
        static = servers.nginx(folder, wheels, ours)
        for start, of in (
            (servers.pypiserver, wheels),
            (servers.simple_repository_server, wheels),
            (servers.proxpi, static),
            (servers.devpi, static),
        ):
            indexes.append(start(folder, of))
            stack.callback(indexes[-1].stop)
        indexes.append(static)
        stack.callback(static.stop)
        for index in indexes:
            check(index, options.size)
        pages(indexes, options.rounds)
        backend_calls(folder)
        installs(indexes, folder, options.rounds)
        growth(ours, options.size)
        large(folder / "large", options.size * 10, options.rounds)


if __name__ == "__main__":
    main()
