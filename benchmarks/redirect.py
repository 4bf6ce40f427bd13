"""Redirects of a share's files per second, beside a bare Tornado handler that says hello.

Every server is a process of its own; what is measured is the CPU time that the servers spend for a
fixed number of requests over 16 connections, so that the load generator does not count. What a
request leaves to be written a second later, its use and its line of the audit, counts with it. The
files are pointers with a version id, for which no storage is asked, and files of a local folder.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import CLOCKS, Case, Suite, main
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from packager_jupyter.config import Settings
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.server import logs
from packager_jupyter.server.turns import short_turns
from packager_jupyter.services import Services
from packager_jupyter.shares.later import DELAY_S
from packager_jupyter.sources.spec import CredentialRef

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CONNECTIONS = 16
FILES = 1000
CLOCK = "servers' cpu"


@dataclass(frozen=True)
class Shared:
    """A folder with everything in it, and the paths of two shares below a host's root."""

    folder: str
    versioned: str
    local: str

    def settings(self) -> Settings:
        """Return settings on the folder."""
        return Settings(
            data_dir=f"{self.folder}/data", root_dir=f"{self.folder}/root", metrics=True
        )


class HelloHandler(web.RequestHandler):
    """What Tornado does at least."""

    def get(self) -> None:
        """Say hello."""
        self.finish("hello")


def make_shares(folder: str) -> Shared:
    root = Path(folder, "root")
    bucket = root / "bucket" / "obs"
    bucket.mkdir(parents=True)
    for number in range(FILES):
        (bucket / f"file {number}.csv").write_text(f"{number}\n")
    with Services.open(Shared(folder, "", "").settings()) as services:
        services.sources.add("folder", (root / "bucket").as_uri())
        services.sources.add(
            "lake",
            "s3://bucket/raw",
            secret={"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "benchmark"},
            credential=CredentialRef("stored"),
        )
        local = services.packages.create("local")
        local.add("folder", ["obs/"])
        versioned = services.packages.create("versioned")
        PointerIndex(versioned.folder / ".packager" / "pointers.sqlite").add(pointers())
        paths = []
        for draft in (versioned, local):
            draft.publish(now_s=1)
            created = services.shares.create(draft.name, version="1", owner="benchmark")
            paths.append(f"s/{created.segment}/files/obs/")
    return Shared(folder, *paths)


def pointers() -> list[Pointer]:
    return [
        Pointer(
            f"obs/file {number}.csv",
            "lake",
            f"obs/file {number}.csv",
            f"s3://bucket/raw/obs/file {number}.csv",
            number,
            modified_s=1_700_000_000,
            etag=f"{number:032x}",
            version_id=f"v{number:031x}",
            media_type="text/csv",
        )
        for number in range(FILES)
    ]


def log_to_nowhere() -> None:
    """Log as in production, to a file that forgets."""
    logging.basicConfig(filename=os.devnull, level=logging.INFO)
    logs.install()


def serve_hello(_shared: Shared, ready: Connection) -> None:
    async def serve() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(web.Application([("/hello", HelloHandler)])).add_sockets(sockets)
        ready.send(f"127.0.0.1:{sockets[0].getsockname()[1]}/")
        await asyncio.Event().wait()

    asyncio.run(serve())


def serve_standalone(shared: Shared, ready: Connection) -> None:
    async def serve() -> None:
        server = StandaloneServer(Services.open(shared.settings()), ServeOptions(port=0))
        with short_turns():  # as `packager serve` does
            server.start()
            ready.send(server.url.removeprefix("http://"))
            await asyncio.Event().wait()

    log_to_nowhere()
    asyncio.run(serve())


def serve_jupyter(shared: Shared, ready: Connection) -> None:
    from jupyter_server.auth.decorator import allow_unauthenticated
    from jupyter_server.serverapp import ServerApp
    from traitlets.config import Config

    class JupyterHelloHandler(HelloHandler):
        """The same, open to strangers in Jupyter's eyes."""

        get = allow_unauthenticated(HelloHandler.get)

    (free,) = bind_sockets(0, "127.0.0.1")
    port = free.getsockname()[1]
    free.close()
    settings = shared.settings()
    config = Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"packager_jupyter": True},
                "port": port,
                "port_retries": 0,
                "open_browser": False,
                "allow_root": True,
                "root_dir": settings.root_dir,
            },
            "Settings": {"data_dir": settings.data_dir, "root_dir": settings.root_dir},
        }
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # Jupyter logs there
    app = ServerApp.instance(config=config)
    app.initialize([], find_extensions=False)
    app.web_app.add_handlers(".*$", [("/packager/hello", JupyterHelloHandler)])
    ready.send(f"127.0.0.1:{port}/packager/")
    app.start()


def start(serve, shared: Shared) -> tuple[int, str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(shared, there), daemon=True)
    process.start()
    there.close()  # so that a server that dies is noticed
    address = here.recv()
    name, _, port = address.partition("/")[0].partition(":")
    while True:
        try:
            socket.create_connection((name, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return process.pid or 0, address


class Client(asyncio.Protocol):
    """One connection that asks one thing after the other."""

    def __init__(self, host: str, paths: list[str], done: asyncio.Future[None]) -> None:
        self._requests = iter(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in paths
        )
        self._done = done
        self._buffer = b""
        self.statuses: set[bytes] = set()

    def connection_made(self, transport) -> None:
        """Ask for the first."""
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self._done.set_result(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Ask for the next once an answer is whole."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        self.statuses.add(head[9:12])
        self._buffer = b""
        self._next()


async def load(address: str, path: str, count: int, status: bytes) -> None:
    host, _, root = address.partition("/")
    name, _, port = host.partition(":")
    loop = asyncio.get_running_loop()
    ends, clients = [], []
    for number in range(CONNECTIONS):
        mine = range(number, count, CONNECTIONS)
        paths = [root + path.replace("{n}", str(index % FILES)) for index in mine]
        ends.append(loop.create_future())
        client = partial(Client, host, paths, ends[-1])
        clients.append((await loop.create_connection(client, name, int(port)))[1])
    await asyncio.gather(*ends)
    statuses = set().union(*(client.statuses for client in clients))
    if statuses != {status}:
        raise SystemExit(f"{path} answers {statuses}, not {status!r}")


def cpu_s(pids: list[int]) -> float:
    """Return the CPU time of all threads of some processes (proc(5), ``schedstat``)."""
    total_ns = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total_ns += int((task / "schedstat").read_text().split()[0])
    return total_ns / 1e9


def build(size: int) -> list[Suite]:
    folder = tempfile.mkdtemp(prefix="packager-redirect-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shared = make_shares(folder)
    servers = {
        name: start(serve, shared)
        for name, serve in (
            ("hello", serve_hello),
            ("standalone", serve_standalone),
            ("jupyter", serve_jupyter),
        )
    }
    CLOCKS[CLOCK] = lambda: cpu_s([pid for pid, _ in servers.values()])

    def case(name: str, server: str, path: str, status: bytes) -> Case:
        def run() -> None:
            asyncio.run(load(servers[server][1], path, size, status))
            time.sleep(2 * DELAY_S)  # else the next case pays for what this one has left

        return Case(name, size, run)

    versioned, local = f"{shared.versioned}file%20{{n}}.csv", f"{shared.local}file%20{{n}}.csv"
    cases = [
        case("Tornado hello", "hello", "hello", b"200"),
        case("standalone, versioned S3", "standalone", versioned, b"307"),
        case("standalone, local folder", "standalone", local, b"307"),
        case("hello inside jupyter-server", "jupyter", "hello", b"200"),
        case("jupyter-server, versioned S3", "jupyter", versioned, b"307"),
        case("jupyter-server, local folder", "jupyter", local, b"307"),
    ]
    return [Suite("Redirects of a share", "request", cases, clock=CLOCK)]


if __name__ == "__main__":
    main(build, size=2000, doc=__doc__)
