"""Many visitors at once: 500 connections on the share page and its files, 100 parallel downloads.

The standalone server runs in a process of its own. The first table says how long visitors wait,
beside the same number of connections to a bare Tornado handler; the second how much memory the
server takes for downloads that it sends itself, with every byte checked. `--size` is the number of
requests; every hundredth of them is one MiB of each download.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness import machine
from redirect import HelloHandler
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from clients.world import PACKAGE, SOURCE, make_share, serving
from packager_jupyter.config import Settings
from packager_jupyter.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

VISITORS = 500
DOWNLOADS = 100
FILES = 1000
MIB = 1024 * 1024
GOOD = (200, 307)


async def visit(address: tuple[str, int], paths: list[str], waits_s: list[float]) -> int:
    """Ask for `paths` over one connection; return how many answers were errors."""
    reader, writer = await asyncio.open_connection(*address)
    wrong = 0
    for path in paths:
        began_s = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        waits_s.append(time.perf_counter() - began_s)
        wrong += int(head[9:12]) not in GOOD
    writer.close()
    return wrong


async def crowd(url: str, paths: list[str], requests: int) -> tuple[float, list[float], int]:
    """Let `VISITORS` ask at once; return seconds, how long each waited, and the errors."""
    parts = urlsplit(url)
    address = (str(parts.hostname), int(parts.port or 80))
    waits_s: list[float] = []
    each = max(1, requests // VISITORS)
    began_s = time.perf_counter()
    wrong = await asyncio.gather(
        *(
            visit(
                address,
                [paths[(one * each + at) % len(paths)] for at in range(each)],
                waits_s,
            )
            for one in range(VISITORS)
        )
    )
    return time.perf_counter() - began_s, sorted(waits_s), sum(wrong)


async def download(url: str, path: str, digest: str) -> bool:
    """Read one file whole at full speed; return whether every byte was right."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    location = head.partition(b"Location: ")[2].partition(b"\r\n")[0].decode()
    writer.close()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {urlsplit(location).path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    found = hashlib.sha256()
    while chunk := await reader.read(MIB):
        found.update(chunk)
    writer.close()
    return found.hexdigest() == digest


async def downloads(url: str, path: str, digest: str) -> int:
    """Let `DOWNLOADS` read the same file at once; return how many were right."""
    return sum(await asyncio.gather(*(download(url, path, digest) for _ in range(DOWNLOADS))))


@contextlib.contextmanager
def hello() -> Iterator[str]:
    """Run a bare Tornado handler in a process of its own, yield its address."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_say_hello, args=(theirs,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}/"
    process.terminate()
    process.join()


def _say_hello(pipe: Connection) -> None:
    async def serve() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(web.Application([("/.*", HelloHandler)])).add_sockets(sockets)
        pipe.send(sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(serve())


def memory_bytes(pid: int, what: str) -> int:
    """Return ``VmRSS`` (now) or ``VmHWM`` (at most) of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def row(name: str, requests: int, measured: tuple[float, list[float], int]) -> str:
    spent_s, waits_s, wrong = measured
    middle, worst = waits_s[len(waits_s) // 2], waits_s[len(waits_s) * 99 // 100]
    return (
        f"| {name} | {requests / spent_s:,.0f} | {middle * 1e3:,.0f} | {worst * 1e3:,.0f} "
        f"| {wrong} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=int(os.environ.get("BENCH_SIZE", "5000")))
    size = max(VISITORS, parser.parse_args().size)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packager-bench-")))
        lake = folder / "lake"
        lake.mkdir()
        for number in range(FILES):
            (lake / f"file-{number}.csv").write_text(f"{number}\n")
        big = hashlib.sha256(b"big").digest() * (max(1, size // 100) * MIB // 32)
        (lake / "big.bin").write_bytes(big)
        settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder))
        services = stack.enter_context(Services.open(settings))
        services.sources.add(SOURCE, lake.as_uri())
        draft = services.packages.create(PACKAGE)
        draft.add(SOURCE, [""], rename=".")
        draft.publish("1", now_s=1)
        url = make_share(services, stack.enter_context(serving(folder))).url
        pid = json.loads((folder / "data" / "server.json").read_text())["pid"]
        base = urlsplit(url).path
        files = [f"{base}files/file-{number}.csv" for number in range(FILES)]
        bare = asyncio.run(crowd(stack.enter_context(hello()), ["/"], size))
        page = asyncio.run(crowd(url, [base], VISITORS))
        read = asyncio.run(crowd(url, files, size))
        print(", ".join(machine().values()))
        print(f"\n### {VISITORS} visitors at once\n")
        print("| what they ask for | answers/s | ms, median | ms, 99 of 100 | errors |")
        print("| --- | --: | --: | --: | --: |")
        print(row("bare Tornado", size, bare))
        print(row("redirects of files", size, read))
        print(row("the share page, once each", VISITORS, page))
        before = memory_bytes(pid, "VmRSS")
        began_s = time.perf_counter()
        right = asyncio.run(downloads(url, f"{base}files/big.bin", hashlib.sha256(big).hexdigest()))
        spent_s = time.perf_counter() - began_s
        grown = memory_bytes(pid, "VmHWM") - before
        print(f"\n### {DOWNLOADS} parallel downloads of {len(big) / MIB:,.0f} MiB\n")
        print(f"{right} of {DOWNLOADS} with the right SHA-256, ", end="")
        print(f"{right * len(big) / MIB / spent_s:,.0f} MiB/s; the server grew by ", end="")
        print(f"{grown / MIB:,.0f} MiB to {memory_bytes(pid, 'VmHWM') / MIB:,.0f} MiB at most")


if __name__ == "__main__":
    main()
