"""The standalone server as a process: signals, draining, TLS, slow clients."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from packager_jupyter import serve
from packager_jupyter.errors import BadInputError
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.mount import mount
from packager_jupyter.server.routes import Route, Rule

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from packager_jupyter.config import Settings
from packager_jupyter.serve import ServeOptions, run
data, root, cert, key = sys.argv[1:]
options = ServeOptions(port=0, token="pkgr_start_fixed", tls_cert=Path(cert) if cert else None,
                       tls_key=Path(key) if key else None)
settings = Settings(data_dir=data, root_dir=root)
run(settings, options, announce=lambda server: print(server.url, flush=True))
"""
AUTHORIZED = {"Authorization": "Bearer pkgr_start_fixed"}


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the server as a process and returns it with its address."""
    started = []

    def start(cert="", key=""):
        (tmp_path / "root").mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path / "data", tmp_path / "root", cert, key],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        url = process.stdout.readline().strip()
        assert url.startswith("http"), process.stderr.read()
        return process, url

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(start, number):
    process, url = start()
    assert httpx.get(url + "healthz").text == "ok\n"
    process.send_signal(number)
    _out, log = process.communicate(timeout=15)
    assert process.returncode == 0, log
    assert "200 GET /healthz 127.0.0.1" in log
    assert "Traceback" not in log


def test_its_log_never_holds_a_token(start):
    process, url = start()
    share = "Qm9va0tva2VuLXdpdGgtMTkyLXJhbmRv"
    assert httpx.get(url + "api/v1/status", headers=AUTHORIZED).status_code == 200
    httpx.get(f"{url}s/{share}~{'x' * 43}/files/a?password=CANARY01")
    httpx.get(f"{url}local/eyJhIjoxfQabcdef.CANARY02hmac?X-Amz-Signature=CANARY03")
    httpx.get(url + "api/v1/nothing?token=CANARY04", headers=AUTHORIZED)
    process.terminate()
    out, log = process.communicate(timeout=15)
    assert "404 GET /s/Qm9va0…/files/a?…" in log
    for secret in ("CANARY", share, "pkgr_start_fixed", "x" * 43):
        assert secret not in out + log, secret


def test_tls(start, certificate):
    cert, key = certificate
    _process, url = start(cert, key)
    assert url.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=cert)
    assert httpx.get(url + "healthz", verify=trusting).text == "ok\n"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "healthz")
    with pytest.raises(httpx.HTTPError):
        httpx.get(url.replace("https:", "http:") + "healthz")


def test_tls_at_a_port_without_it_is_answered_at_once(start):
    _process, url = start()
    port = int(url.split(":")[2].rstrip("/"))
    hello = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    greeting = hello.read()
    for parts in ([greeting], [greeting[:1], greeting[1:]]):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            for part in parts:
                connection.sendall(part)
            with connection.makefile("rb") as reader:
                answer = reader.readline()
        assert answer == b"HTTP/1.1 400 Bad Request\r\n"
    assert httpx.get(url + "healthz").text == "ok\n"


def test_a_certificate_that_cannot_be_used_is_said(tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for cert, key in ((bad, None), (None, bad), (bad, bad), (tmp_path / "missing", bad)):
        with pytest.raises(BadInputError) as caught:
            serve._ssl_context(ServeOptions(tls_cert=cert, tls_key=key))
        assert caught.value.remedy


def test_a_taken_port_is_said(standalone_server):
    port = int(standalone_server.url.split(":")[2].rstrip("/"))
    services = standalone_server.app.settings["packager"]
    with pytest.raises(BadInputError, match=str(port)) as caught:
        StandaloneServer(services, ServeOptions(port=port)).start()
    assert "--port" in caught.value.remedy


class SlowHandler(PackagerHandler):
    """Sends its answer piece by piece."""

    async def get(self) -> None:
        self.set_header("Content-Length", "30")
        for _ in range(3):
            self.write(b"x" * 10)
            await self.flush()
            await asyncio.sleep(0.2)


SLOW = Route("slow", SlowHandler, {"GET": Rule("public", "packager:status", "read")}, "")


async def test_running_answers_end_before_it_stops(standalone_host, standalone_server):
    standalone_server.app.add_handlers(".*$", mount([SLOW], prefix="/"))
    running = [
        asyncio.ensure_future(standalone_host.fetch("GET", "slow", is_anonymous=True))
        for _ in range(20)
    ]
    await asyncio.sleep(0.15)
    await standalone_server.stop(drain_s=10)
    for response in await asyncio.gather(*running):
        assert response.code == 200
        assert response.body == b"x" * 30
    with pytest.raises(ConnectionRefusedError):
        await standalone_host.fetch("GET", "healthz", is_anonymous=True)


async def test_the_drain_has_an_end(standalone_host, standalone_server):
    standalone_server.app.add_handlers(".*$", mount([SLOW], prefix="/"))
    running = asyncio.ensure_future(standalone_host.fetch("GET", "slow", is_anonymous=True))
    await asyncio.sleep(0.1)
    await standalone_server.stop(drain_s=0.05)
    with pytest.raises(HTTPStreamClosedError):
        await running
    assert not standalone_server._listener.is_writing


async def test_what_comes_while_draining_is_refused(standalone_host, standalone_server):
    standalone_server.context.is_draining = True
    response = await standalone_host.fetch("GET", "healthz", is_anonymous=True)
    standalone_server.context.is_draining = False
    assert response.code == 503
    assert response.headers["Retry-After"]


async def test_slow_headers_are_cut_off(standalone_services, monkeypatch):
    monkeypatch.setattr(serve, "HEADER_TIMEOUT_S", 0.3)
    server = StandaloneServer(standalone_services, ServeOptions(port=0))
    server.start()
    host, port = server.url.split("/")[2].split(":")
    connections = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
    for _reader, writer in connections:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    began = time.monotonic()
    for reader, writer in connections:
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    assert time.monotonic() - began < 10
    await server.stop(drain_s=0)


async def test_requests_that_end_leave_nothing_behind(standalone_host, standalone_server):
    for _ in range(5):
        await standalone_host.fetch("GET", "healthz", is_anonymous=True)
        await standalone_host.fetch("GET", "api/v1/status")
    address = standalone_server.url.split("/")[2].split(":")
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(b"POST /api/v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    await asyncio.sleep(0.1)
    assert standalone_server.context.in_flight == set()
