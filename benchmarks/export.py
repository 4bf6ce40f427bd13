"""Signed addresses of a whole package through the REST API, beside the same through boto3.

The server is a process of its own and each case downloads the whole list once, in wall time. The
peer is the same server streaming what boto3 signs, row by row, from the same pointer index. In
addition other requests are sent while a list is made, and how long they take is printed: the
median, p99 and the most, beside those of an idle server.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from harness import Case, Suite, main, peak_memory_bytes
from tornado import web

from packager_jupyter.config import Settings
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.server import logs
from packager_jupyter.services import Services
from packager_jupyter.sources.spec import CredentialRef

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SECRET = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "benchmark"}
URLS = "api/v1/packages/many/urls?version=1"
PROBE = "hello"
ROWS_AT_BOTO3 = 0.05
"""Share of the rows that boto3 signs in a round: all of them would take minutes."""


class HelloHandler(web.RequestHandler):
    """The other request: what Tornado does at least."""

    def get(self) -> None:
        """Say hello."""
        self.finish("hello")


class Boto3Handler(web.RequestHandler):
    """The list as one writes it with boto3 and Tornado, with its turn for others."""

    async def get(self, count: str) -> None:
        """Sign so many rows."""
        import boto3
        from botocore.config import Config

        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=SECRET["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET["AWS_SECRET_ACCESS_KEY"],
            config=Config(signature_version="s3v4"),
        )
        version = self.settings["packager"].packages.version("many")
        for number, pointer in enumerate(version.iter_pointers()):
            if number == int(count):
                break
            params = {"Bucket": "bucket", "Key": f"raw/{pointer.key}"}
            self.write(client.generate_presigned_url("get_object", Params=params) + "\n")
            if number % 10 == 0:
                await self.flush()
                await asyncio.sleep(0)


def make_package(settings: Settings, count: int) -> None:
    with Services.open(settings) as services:
        services.sources.add(
            "lake", "s3://bucket/raw", secret=SECRET, credential=CredentialRef("stored")
        )
        draft = services.packages.create("many")
        index = PointerIndex(draft.folder / ".packager" / "pointers.sqlite")
        index.add(
            Pointer(key, "lake", key, f"s3://bucket/raw/{key}", number)
            for number in range(count)
            for key in (f"obs/{number // 1000:05}/file-{number:08}.nc",)
        )
        index.close()
        draft.publish(now_s=1)


def serve(settings: Settings, ready: Connection) -> None:
    async def run() -> None:
        server = StandaloneServer(Services.open(settings), ServeOptions(port=0))
        server.app.add_handlers(".*", [(r"/hello", HelloHandler), (r"/boto3/(\d+)", Boto3Handler)])
        server.start()
        ready.send((server.url, server.token))
        await asyncio.Event().wait()

    logging.basicConfig(filename=os.devnull, level=logging.INFO)
    logs.install()
    asyncio.run(run())


def read_list(client: httpx.Client, path: str, lines: int) -> None:
    found = 0
    with client.stream("GET", path) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            found += chunk.count(b"\n")
    if found != lines:
        raise SystemExit(f"{path}: {found} addresses instead of {lines}")


async def latencies_ms(url: str, token: str, list_path: str | None, seconds: float) -> list[float]:
    """Return how long small requests take, one after the other, while a list is being read."""
    headers = {"Authorization": f"Bearer {token}"}
    found: list[float] = []
    is_over = asyncio.Event()

    async def load() -> None:
        if list_path is None:
            await asyncio.sleep(seconds)
        else:
            await read_in_process(url, token, list_path)
        is_over.set()

    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as client:
        await client.get(PROBE)
        loading = asyncio.create_task(load())
        while not is_over.is_set():
            start = time.perf_counter()
            await client.get(PROBE)
            found.append((time.perf_counter() - start) * 1e3)
            await asyncio.sleep(0.002)
        await loading
    return sorted(found)


async def read_in_process(url: str, token: str, path: str) -> None:
    """Read the list with curl, so that reading it does not delay the probes."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sf", "-o", os.devnull, "-H", "@-", url + path, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(f"Authorization: Bearer {token}\n".encode())
    if process.returncode:
        raise SystemExit(f"curl ends with {process.returncode}")


def show_latencies(url: str, token: str) -> None:
    print("\n### Other requests beside a list (ms)\n")
    print("| beside | requests | median | p99 | most |")
    print("| --- | --: | --: | --: | --: |")
    lists: list[tuple[str, str | None]] = [("nothing", None), ("a list as text", URLS)]
    lists += [(f"a list as {kind.upper()}", f"{URLS}&format={kind}") for kind in ("ndjson", "csv")]
    for name, path in lists:
        found = asyncio.run(latencies_ms(url, token, path, 3.0))
        p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
        print(
            f"| {name} | {len(found):,} | {found[len(found) // 2]:.1f} | {p99:.1f} "
            f"| {found[-1]:.1f} |"
        )


class Export:
    """The server, once it is built for a number of pointers."""

    pid: int
    url: str
    token: str

    def build(self, size: int) -> list[Suite]:
        """Publish so many pointers, start the server, describe the lists."""
        folder = Path(tempfile.mkdtemp(prefix="packager-export-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "root").mkdir()
        settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder / "root"))
        make_package(settings, size)
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(settings, there), daemon=True)
        process.start()
        self.url, self.token = here.recv()
        self.pid = int(process.pid or 0)
        headers = {"Authorization": f"Bearer {self.token}"}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=3600)
        few = max(1, int(size * ROWS_AT_BOTO3))

        def case(name: str, count: int, path: str) -> Case:
            lines = count if "csv" not in path else count + 1
            return Case(name, count, lambda: read_list(client, path, lines))

        cases = [
            case("boto3 in a handler", few, f"boto3/{few}"),
            case("urls, text", size, URLS),
            case("urls, NDJSON", size, f"{URLS}&format=ndjson"),
            case("urls, CSV", size, f"{URLS}&format=csv"),
        ]
        return [Suite("Signed addresses of a package", "address", cases, clock="wall")]

    def peak_bytes(self) -> int:
        """Return the most memory that the server has held."""
        return peak_memory_bytes(self.pid)

    def show_latencies(self) -> None:
        """Print how long other requests take beside the lists."""
        show_latencies(self.url, self.token)


if __name__ == "__main__":
    export = Export()
    main(
        export.build,
        size=100_000,
        doc=__doc__,
        memory=export.peak_bytes,
        besides=export.show_latencies,
    )
