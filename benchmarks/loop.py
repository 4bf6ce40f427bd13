"""What stalls the event loop: how long small requests wait beside the server's heavy work.

A real `packager serve` streams a ZIP and the signed addresses of `--size` pointers, checks wrong
passwords, lists a bucket into a draft and sends a blob, one by one and all at once. A process of
its own asks for `healthz` and for the redirect of a file in turn, a hundred times a second; the
most that any of them waited bounds how long the loop stood still. The peer is a bare Tornado
handler in a process whose other thread computes: what the interpreter lock and this machine do to
it belongs to them. Needs the Debian package `curl`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import http.client
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import listing
import registry_servers as servers
from blobs import curl, peak_bytes
from harness import machine
from redirect import HelloHandler
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from packager_jupyter.config import Settings
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.services import Services
from packager_jupyter.sources.spec import CredentialRef, SourceOptions
from peers.process import free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

EVERY_S = 0.01
CHECKS_PER_S = 10
LISTED = 100_000
MIB = 2**20
BLOB = "v2/bench/big/blobs/"
SECRET = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "benchmark"}
START_TOKEN = "pkgr_start_benchmark"


@dataclass(frozen=True)
class Waits:
    """How long the requests took beside one kind of work, sorted, in ms; and how often it ran."""

    took_ms: list[float]
    runs: int

    def row(self, name: str) -> str:
        """Return a row of the table."""
        count = len(self.took_ms)
        middle, high = self.took_ms[count // 2], self.took_ms[min(count - 1, count * 99 // 100)]
        return (
            f"| {name} | {self.runs} | {count:,} | {middle:.1f} | {high:.1f} "
            f"| {self.took_ms[-1]:.1f} |"
        )


@dataclass(frozen=True)
class World:
    """A running server and what is asked of it."""

    url: str
    open_path: str
    locked_path: str
    blob_token: str
    blob_path: str

    def fetch(self, path: str, token: str | None = None) -> None:
        """Read an answer whole at full speed, in a process of its own."""
        headers = ("--header", f"Authorization: Bearer {token}") if token else ()
        curl("--output", os.devnull, *headers, self.url + path)

    def zip(self, _is_over: threading.Event) -> None:
        """Read the archive of all pointers."""
        self.fetch(f"{self.open_path}package.zip")

    def urls(self, _is_over: threading.Event) -> None:
        """Read the signed addresses of all pointers as text."""
        self.fetch("api/v1/packages/many/urls?version=1", START_TOKEN)

    def blob(self, _is_over: threading.Event) -> None:
        """Read the blob."""
        self.fetch(self.blob_path, self.blob_token)

    def passwords(self, is_over: threading.Event) -> None:
        """Send wrong passwords, so many a second."""
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not is_over.wait(1 / CHECKS_PER_S):
                answer = client.get(self.locked_path, headers={"X-Share-Token": "wrong password"})
                if answer.status_code != 401:
                    raise SystemExit(f"a wrong password is answered {answer.status_code}")

    def listing(self, _is_over: threading.Event) -> None:
        """Add the whole bucket to a draft."""
        headers = {"Authorization": f"Bearer {START_TOKEN}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            body = {"source": "replayed", "keys": [""]}
            job = client.post("api/v1/packages/listed/files", json=body).raise_for_status().json()
            while job["state"] in {"queued", "waiting", "running"}:
                time.sleep(0.05)
                job = client.get(f"api/v1/jobs/{job['id']}").raise_for_status().json()
            if job["state"] != "done":
                raise SystemExit(f"listing ends as {job}")


def make_world(folder: Path, size: int, replayed: str) -> tuple[str, str, str]:
    """Fill a data folder; return the paths of two shares and a token that may push."""
    settings = Settings(data_dir=str(folder / "packager-data"), root_dir=str(folder))
    stored = CredentialRef("stored")
    with Services.open(settings) as services:
        services.sources.add("lake", "s3://bucket/raw", secret=SECRET, credential=stored)
        options = SourceOptions(endpoint_url=f"{replayed}/ASCII", path_style=True)
        services.sources.add(
            "replayed", "s3://data", secret=SECRET, credential=stored, options=options
        )
        services.packages.create("listed")
        draft = services.packages.create("many")
        index = PointerIndex(draft.folder / ".packager" / "pointers.sqlite")
        index.add(pointers(size))
        index.close()
        draft.publish(now_s=1)
        shares = [
            services.shares.create("many", version="1", owner="benchmark", password=password)
            for password in (None, "a right password")
        ]
        token = services.tokens.create("bench", scopes=("oci/bench/*:publish",)).secret
    return f"s/{shares[0].segment}/", f"s/{shares[1].segment}/", token


def pointers(count: int) -> Iterator[Pointer]:
    for number in range(count):
        key = path_of(number)
        yield Pointer(
            key, "lake", key, f"s3://bucket/raw/{key}", number, version_id=f"v{number:031x}"
        )


def path_of(number: int) -> str:
    return f"obs/{number // 1000:05}/file-{number:08}.nc"


def push(url: str, token: str, folder: Path, mebibytes: int) -> str:
    """Push a blob; return its path."""
    file, digest = folder / "blob.bin", hashlib.sha256()
    noise = os.urandom(MIB)
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write(noise)
            digest.update(noise)
    name = f"sha256:{digest.hexdigest()}"
    headers = {"Authorization": f"Bearer {token}"}
    begun = httpx.post(f"{url}{BLOB}uploads/", headers=headers).raise_for_status()
    place = httpx.URL(url).join(begun.headers["Location"]).copy_add_param("digest", name)
    kind = "Content-Type: application/octet-stream"
    auth = f"Authorization: Bearer {token}"
    curl("--header", auth, "--header", kind, "--upload-file", str(file), str(place))
    file.unlink()
    return f"{BLOB}{name}"


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start `packager serve`, which lets a password be guessed as often as we like."""
    config = folder / "config"
    config.mkdir()
    (config / "jupyter_packager_config.json").write_text(
        json.dumps({"Settings": {"password_attempts": 10**9}})
    )
    [port] = free_ports(1)
    command = [sys.executable, "-m", "packager_jupyter.cli", "serve", "--port", str(port)]
    command += ["--data-dir", str(folder / "packager-data"), "--root-dir", str(folder)]
    env = {**os.environ, "JUPYTER_CONFIG_DIR": str(config), "PACKAGER_TOKEN": START_TOKEN}
    process = servers.start("packager", command, port, folder=folder, env=env)
    return process, f"http://127.0.0.1:{port}/"


def compute_beside_hello(pipe: Connection, *, has_thread: bool) -> None:
    """Say hello while another thread computes."""

    def compute() -> None:
        while True:
            sum(number * number for number in range(100_000))

    async def serve() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(web.Application([("/.*", HelloHandler)])).add_sockets(sockets)
        pipe.send(sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    if has_thread:
        threading.Thread(target=compute, daemon=True).start()
    asyncio.run(serve())


@contextlib.contextmanager
def bare_tornado(*, has_thread: bool) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=compute_beside_hello,
        args=(theirs,),
        kwargs={"has_thread": has_thread},
        daemon=True,
    )
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}/"
    process.terminate()
    process.join()


def probe(url: str, paths: list[str], statuses: list[int], pipe: Connection) -> None:
    """Ask in turn, over one connection, until the other end says stop; send what each took."""
    address = httpx.URL(url)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=600)
    took_ms: list[float] = []

    def ask(number: int) -> float:
        which = number % len(paths)
        begun = time.perf_counter()
        connection.request("GET", f"/{paths[which]}")
        answer = connection.getresponse()
        answer.read()
        spent = time.perf_counter() - begun
        if answer.status != statuses[which]:
            raise SystemExit(f"{paths[which]} is answered {answer.status}")
        return spent

    for number in range(2 * len(paths)):
        ask(number)  # connects, and opens what is opened once
    pipe.send("ready")
    while not pipe.poll(EVERY_S):
        took_ms.append(ask(len(took_ms)) * 1e3)
    pipe.send(sorted(took_ms))


def measure(
    url: str,
    paths: dict[str, int],
    work: list[Callable[[threading.Event], None]],
    seconds: float,
) -> Waits:
    """Repeat each piece of `work` for so many seconds, at least once, and ask beside it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (url, list(paths), list(paths.values()), there)
    asking = context.Process(target=probe, args=arguments, daemon=True)
    asking.start()
    there.close()  # so that a probe that dies is noticed
    here.recv()
    is_over = threading.Event()
    deadline = time.monotonic() + seconds

    def repeat(piece: Callable[[threading.Event], None]) -> int:
        runs = 0
        while not runs or time.monotonic() < deadline:
            piece(is_over)
            runs += 1
        return runs

    timer = threading.Timer(seconds, is_over.set)
    timer.start()
    with ThreadPoolExecutor(max(1, len(work))) as threads:
        runs = sum(threads.map(repeat, work))
    timer.join()
    here.send("stop")
    took_ms = here.recv()
    asking.join()
    return Waits(took_ms, runs)


def show(world: World, seconds: float, only: str | None) -> None:
    """Print the table."""
    paths = {"healthz": 200, f"{world.open_path}files/{path_of(0)}": 307}
    cases: dict[str, list[Callable[[threading.Event], None]]] = {
        "nothing": [],
        "ZIP of all pointers": [world.zip],
        "wrong passwords": [world.passwords],
        "listing of a bucket": [world.listing],
        "signed addresses, text": [world.urls],
        "blob": [world.blob],
    }
    cases["all at once"] = [piece for pieces in cases.values() for piece in pieces]
    print("\n### Other requests, in ms\n")
    print("| beside | runs | requests | median | p99 | most |")
    print("| --- | --: | --: | --: | --: | --: |")
    for name, has_thread in (("bare Tornado", False), ("bare Tornado, a thread computes", True)):
        with bare_tornado(has_thread=has_thread) as url:
            print(measure(url, {"": 200}, [], seconds).row(name), flush=True)
    for name, work in cases.items():
        if only is None or only in name:
            print(measure(world.url, paths, work, seconds).row(name), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = int(os.environ.get("BENCH_SIZE", "1000000"))
    parser.add_argument("--size", type=int, default=size, help=f"pointers, default {size:,}")
    parser.add_argument("--blob", type=int, default=1024, help="MiB of the blob, default 1024")
    parser.add_argument("--seconds", type=float, default=5, help="of each case at least, default 5")
    parser.add_argument("--only", help="cases of ours whose name holds this")
    options = parser.parse_args()
    print(", ".join(machine().values()))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packager-loop-")))
        count = max(1, min(options.size, LISTED) // listing.S3_PAGE)
        pages = {"ASCII": [listing.s3_page("ASCII", number) for number in range(count)]}
        replayed = listing.replay(pages, {"ASCII": count})
        open_path, locked_path, token = make_world(folder, options.size, replayed)
        process, url = start(folder)
        stack.callback(process.wait, 60)
        stack.callback(process.terminate)
        blob_path = push(url, token, folder, options.blob)
        world = World(url, open_path, locked_path, token, blob_path)
        show(world, options.seconds, options.only)
        print(f"\npeak memory of the server {peak_bytes([process.pid]) / MIB:,.0f} MiB")


if __name__ == "__main__":
    main()
