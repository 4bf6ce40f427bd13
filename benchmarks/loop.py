"""What stalls the event loop: how long small requests wait beside the server's heavy work.

A real `packager serve` (with `--jupyter` a Jupyter server with our extension) streams a ZIP and
the signed addresses of `--size` pointers, checks wrong passwords, lists a bucket into a draft and
sends a blob: one by one, three of them together, and all at once. A process of its own asks for
`healthz` and for the redirect of a file in turn, a hundred times a second; the most that any of
them waited bounds how long the loop stood still. The peer is a bare Tornado handler in a process
whose other thread computes: what the interpreter lock and this machine do to it belongs to them.

What a request waits for is the server or the machine. The last two columns leave the machine out:
they say how much CPU time the server's process used, all its threads together, while a request
waited. On a machine with nothing else to do no wait is longer than that, except for the network.

`--folder` keeps what is made at first for the next run, or takes what one kept. Needs the Debian
package `curl`.
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
    """How long the requests took beside one kind of work, in ms; and how often it ran.

    Both are sorted: by the clock, and what CPU time the server used meanwhile.
    """

    took_ms: list[float]
    used_ms: list[float]
    runs: int

    def row(self, name: str) -> str:
        """Return a row of the table."""
        count = len(self.took_ms)
        middle, at = self.took_ms[count // 2], min(count - 1, count * 99 // 100)
        return (
            f"| {name} | {self.runs} | {count:,} | {middle:.1f} | {self.took_ms[at]:.1f} "
            f"| {self.took_ms[-1]:.1f} | {self.used_ms[at]:.1f} | {self.used_ms[-1]:.1f} |"
        )


@dataclass(frozen=True)
class World:
    """A running server and what is asked of it."""

    url: str
    pid: int
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


def make_world(folder: Path, size: int) -> tuple[str, str, str]:
    """Fill a data folder, unless one is there; return the paths of two shares and a push token."""
    kept = folder / f"world-{size}.json"
    if kept.exists():
        open_path, locked_path, token = json.loads(kept.read_text())
        return open_path, locked_path, token
    stored = CredentialRef("stored")
    with Services.open(settings_of(folder)) as services:
        services.sources.add("lake", "s3://bucket/raw", secret=SECRET, credential=stored)
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
    found = (f"s/{shares[0].segment}/", f"s/{shares[1].segment}/", token)
    kept.write_text(json.dumps(found))
    return found


def connect(folder: Path, replayed: str) -> None:
    """Let the source that is listed be the server that replays."""
    stored = CredentialRef("stored")
    options = SourceOptions(endpoint_url=f"{replayed}/ASCII", path_style=True)
    with Services.open(settings_of(folder)) as services:
        if "replayed" in {one.name for one in services.sources.specs()}:
            services.sources.remove("replayed")
        services.sources.add(
            "replayed", "s3://data", secret=SECRET, credential=stored, options=options
        )


def settings_of(folder: Path) -> Settings:
    """Return the settings on the folder."""
    return Settings(data_dir=str(folder / "packager-data"), root_dir=str(folder))


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


def start(folder: Path, *, in_jupyter: bool) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server that lets a password be guessed as often as we like."""
    config = folder / "config"
    config.mkdir(exist_ok=True)
    own = {"password_attempts": 10**9}
    [port] = free_ports(1)
    env = {**os.environ, "JUPYTER_CONFIG_DIR": str(config), "PACKAGER_TOKEN": START_TOKEN}
    data, root = str(folder / "packager-data"), str(folder)
    (config / "jupyter_packager_config.json").write_text(json.dumps({"Settings": own}))
    if not in_jupyter:
        command = [sys.executable, "-m", "packager_jupyter.cli", "serve", "--port", str(port)]
        command += ["--data-dir", data, "--root-dir", root]
        process = servers.start("packager", command, port, folder=folder, env=env)
        return process, f"http://127.0.0.1:{port}/"
    jupyter = {
        "ServerApp": {
            "jpserver_extensions": {"packager_jupyter": True},
            "allow_root": True,
            "root_dir": root,
        },
        "IdentityProvider": {"token": START_TOKEN},
        "Settings": {**own, "data_dir": data, "root_dir": root},
    }
    (config / "jupyter_server_config.json").write_text(json.dumps(jupyter))
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    process = servers.start("jupyter", command, port, folder=folder, env=env)
    return process, f"http://127.0.0.1:{port}/packager/"


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
def bare_tornado(*, has_thread: bool) -> Iterator[tuple[str, int]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=compute_beside_hello,
        args=(theirs,),
        kwargs={"has_thread": has_thread},
        daemon=True,
    )
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}/", process.pid or 0
    process.terminate()
    process.join()


def cpu_clock(pid: int) -> int:
    """Return the clock of all CPU time that a process uses; see clock_getcpuclockid(3), Linux."""
    return (~pid << 3) | 2


def probe(url: str, pid: int, paths: list[str], statuses: list[int], pipe: Connection) -> None:
    """Ask in turn, over one connection, until the other end says stop; send what each took."""
    clock = cpu_clock(pid)
    address = httpx.URL(url)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=600)
    took_ms: list[float] = []
    used_ms: list[float] = []

    def ask(number: int) -> tuple[float, float]:
        which = number % len(paths)
        used, begun = time.clock_gettime(clock), time.perf_counter()
        connection.request("GET", f"{address.path}{paths[which]}")
        answer = connection.getresponse()
        answer.read()
        spent, used = time.perf_counter() - begun, time.clock_gettime(clock) - used
        if answer.status != statuses[which]:
            raise SystemExit(f"{paths[which]} is answered {answer.status}")
        return spent, used

    for number in range(2 * len(paths)):
        ask(number)  # connects, and opens what is opened once
    pipe.send("ready")
    while not pipe.poll(EVERY_S):
        spent, used = ask(len(took_ms))
        took_ms.append(spent * 1e3)
        used_ms.append(used * 1e3)
    pipe.send((sorted(took_ms), sorted(used_ms)))


def measure(
    url: str,
    pid: int,
    paths: dict[str, int],
    work: list[Callable[[threading.Event], None]],
    seconds: float,
) -> Waits:
    """Repeat each piece of `work` for so many seconds, at least once, and ask beside it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (url, pid, list(paths), list(paths.values()), there)
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
    took_ms, used_ms = here.recv()
    asking.join()
    return Waits(took_ms, used_ms, runs)


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
    if not world.blob_path:
        del cases["blob"]
    together = [piece for pieces in cases.values() for piece in pieces]
    cases["ZIP, passwords and listing together"] = [world.zip, world.passwords, world.listing]
    cases["all at once"] = together
    print("\n### Other requests, in ms\n")
    print("| beside | runs | requests | median | p99 | most | p99, CPU | most, CPU |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    for name, has_thread in (("bare Tornado", False), ("bare Tornado, a thread computes", True)):
        with bare_tornado(has_thread=has_thread) as (url, pid):
            print(measure(url, pid, {"": 200}, [], seconds).row(name), flush=True)
    for name, work in cases.items():
        if only is None or only in name:
            print(measure(world.url, world.pid, paths, work, seconds).row(name), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = int(os.environ.get("BENCH_SIZE", "1000000"))
    parser.add_argument("--size", type=int, default=size, help=f"pointers, default {size:,}")
    parser.add_argument("--blob", type=int, default=1024, help="MiB of the blob, default 1024")
    parser.add_argument("--seconds", type=float, default=5, help="of each case at least, default 5")
    parser.add_argument("--only", help="cases of ours whose name holds this")
    parser.add_argument("--folder", type=Path, help="where what is made stays for the next run")
    parser.add_argument("--jupyter", action="store_true", help="inside a Jupyter server")
    options = parser.parse_args()
    print(", ".join(machine().values()))
    with contextlib.ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packager-loop-")))
        folder.mkdir(exist_ok=True)
        count = max(1, min(options.size, LISTED) // listing.S3_PAGE)
        pages = {"ASCII": [listing.s3_page("ASCII", number) for number in range(count)]}
        replayed = listing.replay(pages, {"ASCII": count})
        open_path, locked_path, token = make_world(folder, options.size)
        connect(folder, replayed)
        process, url = start(folder, in_jupyter=options.jupyter)
        stack.callback(process.wait, 60)
        stack.callback(process.terminate)
        # Inside Jupyter a stranger may not push.
        blob_path = "" if options.jupyter else push(url, token, folder, options.blob)
        world = World(url, process.pid, open_path, locked_path, token, blob_path)
        show(world, options.seconds, options.only)
        print(f"\npeak memory of the server {peak_bytes([process.pid]) / MIB:,.0f} MiB")


if __name__ == "__main__":
    main()
