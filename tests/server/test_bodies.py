"""Large bodies: uploads taken in a thread, downloads from what the system has in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import os
import random
import socket
import ssl
import threading
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.testing import bind_unused_port

from packager_jupyter.oci.blobs import BlobChunks
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.pypi.upload import upload_of_file
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.server.registry import multipart
from packager_jupyter.server.registry.multipart import FormReceiver
from packager_jupyter.server.registry.oci.sessions import LayoutSink
from packager_jupyter.server.share.sending import Sending
from registries.pypi.distributions import wheel
from server.oci_client import OciClient, basic, codes, sha256

MIB = 1024 * 1024
NOISE = os.urandom(5 * MIB + 7)


def large_wheel():
    """Return (file name, bytes) of a wheel with a large member."""
    name, data = wheel("demo", "1.0")
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as small, zipfile.ZipFile(buffer, "w") as archive:
        for member in small.namelist():
            more = b"demo/data.bin,,\n" if member.endswith("RECORD") else b""
            archive.writestr(member, small.read(member) + more)
        archive.writestr("demo/data.bin", NOISE)
    return name, buffer.getvalue()


NAME, WHEEL = large_wheel()
BOUNDARY = "so-and-so"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
OCTETS = {"Content-Type": "application/octet-stream"}


def form(data=WHEEL, *, end=f"\r\n--{BOUNDARY}--\r\n"):
    """Return the body of an upload of `data`."""
    fields = {":action": "file_upload", "name": "demo", "version": "1.0"}
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    file = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{NAME}"\r\n\r\n'
    )
    return (head + file).encode() + data + end.encode()


@pytest.fixture
def feed(host):
    """A feed of the host, and the header that opens it."""
    host.services.feeds.create("pypi/main")
    token = host.services.tokens.create("alice", scopes=("pypi/main:publish",)).secret
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def publish(host, feed):
    async def send(body, **more):
        return await host.fetch(
            "POST", "pypi/main/legacy/", body, headers=feed | FORM | more, is_anonymous=True
        )

    return send


@pytest.fixture
def held_back(monkeypatch):
    """Have the threads that take bytes wait until the event is set."""
    event = threading.Event()
    for cls, name in ((FormReceiver, "feed"), (LayoutSink, "write")):
        take = getattr(cls, name)

        def wait(self, chunk, take=take):
            assert event.wait(20)
            return take(self, chunk)

        monkeypatch.setattr(cls, name, wait)
    yield event
    event.set()


async def until(what):
    for _ in range(1000):
        if what():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it does not come")


class TestUploads:
    async def test_what_arrives_is_what_was_sent(self, host, feed, publish):
        response = await publish(form())
        assert response.code == 200, response.body
        path = f"pypi/main/files/demo/{NAME}"
        got = await host.fetch("GET", path, headers=feed, is_anonymous=True)
        assert got.body == WHEEL

    async def test_others_are_served_while_a_disk_is_slow(self, host, publish, held_back):
        sending = asyncio.ensure_future(publish(form()))
        await asyncio.sleep(0.1)
        assert (await host.fetch("GET", "healthz", is_anonymous=True)).code == 200
        assert not sending.done()
        held_back.set()
        assert (await sending).code == 200

    async def test_a_slow_disk_slows_the_sender_down(self, standalone_host, held_back):
        services = standalone_host.services
        token = services.tokens.create("alice", scopes=("oci/lab/*:publish",)).secret
        oci = OciClient(standalone_host, "lab/thing", token)
        where = await oci.begin()
        writer = await patch(oci, where, 256 * MIB)
        sent = 0
        with contextlib.suppress(TimeoutError):
            for sent in range(100):  # noqa: B007
                writer.write(b"x" * MIB)
                await asyncio.wait_for(writer.drain(), 1)
        # One piece is being written, one waits; the rest is in the buffers of both sockets.
        assert sent < 40
        writer.close()

    async def test_a_damaged_form_is_answered(self, publish):
        response = await publish(form(end=f"\r\n--{BOUNDARY}nonsense") + b"x" * 3 * MIB)
        assert response.code == 400, response
        assert b"damaged" in response.body

    async def test_a_full_disk_is_answered(self, publish, host, monkeypatch):
        full = Path("/dev/full")
        monkeypatch.setattr(multipart, "open_unnamed", lambda _folder: full.open("r+b", 0))
        response = await publish(form())
        assert response.code == 507, response
        assert b"disk_full" in response.body
        assert (await publish(form(b"tiny"))).code == 507

    @pytest.mark.parametrize("packager_config", [{"max_upload_bytes": 4 * MIB}])
    async def test_too_much_of_unknown_length_is_answered(self, host, feed):
        async def pieces(write):
            for at in range(0, len(body), MIB):
                await write(body[at : at + MIB])

        body = form()
        response = await AsyncHTTPClient(force_instance=True).fetch(
            f"{host.root}pypi/main/legacy/", method="POST", body_producer=pieces,
            headers=feed | FORM, raise_error=False,
        )  # fmt: skip
        assert response.code == 413, response

    async def test_who_breaks_off_is_waited_for(self, standalone_host, held_back):
        services = standalone_host.services
        token = services.tokens.create("alice", scopes=("oci/lab/*:publish",)).secret
        oci = OciClient(standalone_host, "lab/thing", token)
        where = await oci.begin()
        writer = await patch(oci, where, len(NOISE))
        writer.write(NOISE[: MIB + 5])
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.2)
        # Nobody may go on before the thread has written what came: it would end up behind.
        busy = await oci.call("PATCH", where, b"x")
        assert (busy.code, codes(busy)) == (409, ["BLOB_UPLOAD_INVALID"])
        held_back.set()
        for _ in range(500):
            start = int((await oci.call("GET", where)).headers["Range"][2:]) + 1
            at = f"{start}-{len(NOISE) - 1}"
            response = await oci.call("PATCH", where, NOISE[start:], Content_Range=at)
            if response.code == 202:
                break
            await asyncio.sleep(0.01)
        end = await oci.call("PUT", f"{where}?digest={sha256(NOISE)}", b"")
        assert end.code == 201, end.body

    async def test_who_breaks_off_leaves_no_open_file(self, host, feed, held_back):
        host_port = host.root.split("/")[2]
        path = host.root.split(host_port, 1)[1]
        before = open_files(host)
        _reader, writer = await asyncio.open_connection(*host_port.split(":"))
        body = form()
        head = (
            f"POST {path}pypi/main/legacy/ HTTP/1.1\r\nHost: {host_port}\r\n"
            f"Content-Type: {FORM['Content-Type']}\r\nAuthorization: {feed['Authorization']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[: 2 * MIB])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.sleep(0.1)
        held_back.set()
        await until(lambda: open_files(host) == before)

    @pytest.mark.parametrize("length", [MIB - 1, MIB, MIB + 1, 2 * MIB, len(NOISE)])
    async def test_it_may_come_in_any_pieces(self, oci, length):
        where = await oci.begin()
        writer = await patch(oci, where, length)
        sizes = random.Random(length)
        at = 0
        while at < length:
            size = sizes.choice((1, 4096, 65_537, MIB - 1, MIB, 2 * MIB))
            writer.write(NOISE[at : min(at + size, length)])
            await writer.drain()
            await asyncio.sleep(0.002)  # so that it is no longer in one piece
            at += size
        await until_free(oci, where, length)
        writer.close()
        digest = sha256(NOISE[:length])
        end = await oci.call("PUT", f"{where}?digest={digest}", b"")
        assert end.code == 201, end.body
        assert (await oci.call("GET", f"blobs/{digest}")).body == NOISE[:length]

    async def test_bytes_out_of_order_change_nothing(self, oci):
        where = await oci.begin()
        half = 2 * MIB + 3
        assert (await oci.call("PATCH", where, NOISE[:half])).code == 202
        wrong = await oci.call("PATCH", where, NOISE, Content_Range=f"0-{len(NOISE) - 1}")
        assert (wrong.code, wrong.headers["Range"]) == (416, f"0-{half - 1}")
        rest = f"{half}-{len(NOISE) - 1}"
        assert (await oci.call("PATCH", where, NOISE[half:], Content_Range=rest)).code == 202
        end = await oci.call("PUT", f"{where}?digest={sha256(NOISE)}", b"")
        assert end.code == 201, end.body

    async def test_over_tls(self, standalone_services, certificate):
        cert, key = certificate
        server = StandaloneServer(standalone_services, ServeOptions(tls_cert=cert, tls_key=key))
        server.start()
        token = standalone_services.tokens.create("alice", scopes=("oci/lab/*:publish",)).secret
        async with httpx.AsyncClient(
            base_url=server.url,
            headers={"Authorization": basic(token)},
            verify=ssl.create_default_context(cafile=cert),
        ) as client:
            where = (await client.post("v2/lab/thing/blobs/uploads/")).headers["Location"]
            answer = await client.put(f"{where}?digest={sha256(NOISE)}", content=NOISE)
        await server.stop(drain_s=0)
        assert answer.status_code == 201, answer.text

    async def test_the_next_request_of_a_connection_reads_as_usual(self, standalone_server, oci):
        streams = standalone_server._listener.streams
        usual = IOStream(socket.socket()).read_chunk_size
        auth = {"Authorization": basic(oci.token)}
        where = [await oci.begin() for _ in range(3)]

        async def pieces():
            for at in range(0, len(NOISE), MIB):
                yield NOISE[at : at + MIB]

        async with httpx.AsyncClient(base_url=standalone_server.url, headers=auth) as client:
            for content in (pieces(), NOISE, NOISE):
                url = f"{where.pop()}?digest={sha256(NOISE)}"
                answer = await client.put(url, content=content)
                assert answer.status_code == 201, answer.text
                assert (await client.get("healthz")).text == "ok\n"
                [stream] = [stream for stream in streams if not stream.closed()]
                assert stream.read_chunk_size == usual


def open_files(host):
    """Return the files of the host's data folder that this process has open."""
    folder = str(host.services.settings.data_dir)
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(entry.readlink())
            if target.startswith(f"{folder}/incoming") or "/blobs/" in target:
                found.append(target)
    return found


async def until_free(oci, where, length):
    """Wait until an upload has `length` bytes."""
    for _ in range(1000):
        if (await oci.call("GET", where)).headers["Range"] == f"0-{length - 1}":
            return
        await asyncio.sleep(0.01)
    pytest.fail("they do not come")


async def patch(oci, where, length):
    """Begin a PATCH of `length` bytes; return where to write them."""
    host = oci.host.root.split("/")[2]
    _reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"PATCH {where} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(oci.token)}\r\n"
        f"Content-Length: {length}\r\n\r\n".encode()
    )
    return writer


@pytest.fixture
def oci(standalone_host):
    scopes = ("oci/lab/*:publish",)
    token = standalone_host.services.tokens.create("alice", scopes=scopes).secret
    return OciClient(standalone_host, "lab/thing", token)


class TestDownloads:
    @pytest.fixture
    def file(self, host, feed):
        """Publish the wheel, and read it once, so that it is known to be sound."""
        index = host.services.feeds.pypi("main")
        index.publish(upload_of_file(BytesIO(WHEEL), NAME), by="a", now=datetime.now(UTC))
        assert b"".join(index.read("demo", index.file("demo", NAME))) == WHEEL
        return f"pypi/main/files/demo/{NAME}"

    @pytest.fixture
    def at_hand(self, monkeypatch):
        """How many bytes came without a thread."""
        counted = []
        original = BlobChunks.at_hand

        def count(self):
            found = original(self)
            counted.append(len(found))
            return found

        monkeypatch.setattr(BlobChunks, "at_hand", count)
        return counted

    @pytest.mark.parametrize(
        ("start", "stop"), [(0, None), (1, None), (MIB - 1, 3 * MIB), (len(WHEEL) - 3, None)]
    )
    async def test_whole_and_in_part(self, host, feed, file, at_hand, start, stop):  # noqa: PLR0917
        wanted = {} if not start else {"Range": f"bytes={start}-{stop - 1 if stop else ''}"}
        got = await host.fetch("GET", file, headers=feed | wanted, is_anonymous=True)
        assert got.body == WHEEL[start:stop]
        assert got.headers["Content-Length"] == str(len(got.body))
        assert sum(at_hand) == max(0, len(got.body) - MIB)
        head = await host.fetch("HEAD", file, headers=feed | wanted, is_anonymous=True)
        assert (head.code, head.body) == (got.code, b"")

    async def test_who_breaks_off_leaves_no_open_file(self, host, feed, file, at_hand):
        host_port = host.root.split("/")[2]
        path = host.root.split(host_port, 1)[1]
        before = open_files(host)
        reader, writer = await asyncio.open_connection(*host_port.split(":"), limit=4096)
        writer.write(
            f"GET {path}{file} HTTP/1.1\r\nHost: {host_port}\r\n"
            f"Authorization: {feed['Authorization']}\r\n\r\n".encode()
        )
        assert await reader.read(100)
        await until(lambda: at_hand)
        assert open_files(host) != before
        writer.transport.abort()
        await until(lambda: open_files(host) == before)

    async def test_a_host_that_compresses_on_the_way(self, tmp_path):
        store = LayoutStore(tmp_path)
        text = b"all the same " * MIB
        digest = store.push_blob("a", text).digest
        b"".join(store.read_blob("a", digest))

        class Handler(web.RequestHandler):
            async def call(self, function, *arguments):
                return function(*arguments)

            async def get(self):
                sending = Sending(self, filename="a.txt", media_type="text/plain", etag=None)
                await sending.send_all(lambda: store.read_blob("a", digest))

        server = HTTPServer(web.Application([("/", Handler)], compress_response=True))
        sock, port = bind_unused_port()
        server.add_socket(sock)
        client = AsyncHTTPClient(force_instance=True)
        got = await client.fetch(
            f"http://127.0.0.1:{port}/",
            headers={"Accept-Encoding": "gzip"},
            decompress_response=False,
        )
        server.stop()
        assert got.headers["Content-Encoding"] == "gzip"
        assert hashlib.sha256(gzip.decompress(got.body)).digest() == hashlib.sha256(text).digest()


class Chunks:
    """What is to be sent: bytes, or a failure; knows whether it was closed."""

    def __init__(self, *steps):
        self.steps, self.is_closed = list(steps), False

    def __iter__(self):
        return self

    def __next__(self):
        if not self.steps:
            raise StopIteration
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize(
    ("steps", "visits", "status"),
    [
        ((), 1, 200),
        ((b"whole",), 2, 200),
        ((b"first", b"second"), 3, 200),
        ((OSError("gone"),), 1, 500),
        ((b"first", OSError("gone")), 3, 599),
    ],
)
async def test_what_is_sent_costs_few_visits_to_threads_and_is_closed(steps, visits, status):
    chunks, made = Chunks(*steps), []

    class Handler(web.RequestHandler):
        async def call(self, function, *arguments):
            made.append(function)
            return function(*arguments)

        async def get(self):
            await Sending(self, filename="a", media_type=None, etag=None).send_all(lambda: chunks)

    server = HTTPServer(web.Application([("/", Handler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    client = AsyncHTTPClient(force_instance=True)
    try:
        code = (await client.fetch(f"http://127.0.0.1:{port}/")).code
    except HTTPClientError as error:
        code = error.code
    server.stop()
    assert (code, len(made), chunks.is_closed) == (status, visits, True)
