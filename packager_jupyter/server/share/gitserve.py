"""git's smart HTTP over ``git upload-pack``: bounded, streamed, ended when the client goes.

Protocol: git's ``Documentation/gitprotocol-http``. The repository is read-only for everybody here,
so there is no ``receive-pack``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import zlib
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import StreamClosedError

from packager_jupyter.errors import BadInputError, BusyError, TooLargeError, ToolFailedError
from packager_jupyter.exports.git.fastimport import git_environment, git_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from packager_jupyter.server.share.base import ShareHandler
    from packager_jupyter.server.share.git import RepoHandler

MAX_RUNNING = 8
MAX_WAITING = 64
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_REQUEST_BYTES = 32 * 1024 * 1024
"""Of a request when it is unpacked: what is wanted and what is there, some 50 bytes a commit."""

_CHUNK_BYTES = 64 * 1024
_TIMEOUT_S = 600
_GZIP = 16 + zlib.MAX_WBITS
# What was made for one reading is sent as it is: no search for similar objects, one thread.
_OPTIONS = ("-c", "pack.window=0", "-c", "pack.threads=1", "-c", "uploadpack.keepAlive=5")


class UploadPacks:
    """The upload-packs of one server: so many at a time, some more in a queue."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_RUNNING)
        self._waiting = 0

    async def advertise(self, git_dir: Path, *, is_v2: bool) -> bytes:
        """Return the refs of a repository as ``info/refs`` says them."""
        async with self._turn():
            run = UploadPack(git_dir, "--http-backend-info-refs", is_v2=is_v2)
            try:
                await run.start()
                answer = await run.all()
            finally:
                await run.end()
        return answer if is_v2 else b"001e# service=git-upload-pack\n0000" + answer

    async def answer(self, handler: RepoHandler, git_dir: Path, request: bytes) -> None:
        """Send what upload-pack says to `request`, at the client's speed."""
        async with self._turn():
            run = UploadPack(git_dir, is_v2=wants_v2(handler))
            handler.on_gone = run.kill
            try:
                await run.start()
                await _send(handler, run, request)
            finally:
                handler.on_gone = None
                await run.end()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._free.locked() and self._waiting >= MAX_WAITING:
            raise BusyError(
                "Too many are cloning at the moment.",
                remedy="Try again in a minute.",
                retry_after_s=60,
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


class UploadPack:
    """One run of ``git upload-pack``, in a process group of its own."""

    def __init__(self, git_dir: Path, *options: str, is_v2: bool) -> None:
        command = [git_program(), *_OPTIONS, "-c", f"safe.directory={git_dir}", "upload-pack"]
        limits = ["--stateless-rpc", "--strict", f"--timeout={_TIMEOUT_S}"]
        self._command = [*command, *limits, *options, "--", str(git_dir)]
        self._environment = git_environment() | ({"GIT_PROTOCOL": "version=2"} if is_v2 else {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None  # noqa: S101  # `start` comes first
        return self._process

    async def start(self) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # goes to the client in a band of its own
            env=self._environment,
            start_new_session=True,
        )

    async def feed(self, data: bytes) -> None:
        """Hand the request over; it may have ended without reading all of it."""
        stdin = self._running.stdin
        assert stdin is not None  # noqa: S101  # as the pipe was asked for
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()

    async def read(self) -> bytes:
        """Return the next bytes, empty at the end."""
        stdout = self._running.stdout
        assert stdout is not None  # noqa: S101  # as the pipe was asked for
        return await stdout.read(_CHUNK_BYTES)

    async def all(self) -> bytes:
        """Return everything it says without a request."""
        await self.feed(b"")
        chunks = []
        while chunk := await self.read():
            chunks.append(chunk)
        await self.check()
        return b"".join(chunks)

    async def check(self) -> None:
        """Raise `ToolFailedError` when it did not end well."""
        if await self._running.wait():
            raise ToolFailedError(
                "git could not read the repository.", remedy="Try again in a moment."
            )

    def kill(self) -> None:
        """End it and what it has started."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Make sure that nothing of it is left."""
        self.kill()
        if self._process is not None:
            await self._process.wait()


async def _send(handler: RepoHandler, run: UploadPack, request: bytes) -> None:
    feeding = asyncio.ensure_future(run.feed(request))
    try:
        # The first bytes come before the headers go out, so a failure has its own status.
        chunk = await run.read()
        if not chunk:
            await run.check()
        while chunk:
            handler.write(chunk)
            await handler.flush()
            chunk = await run.read()
        await run.check()
    except StreamClosedError:
        return  # the client went away: there is nobody left to tell
    except Exception:
        if handler._headers_written:  # noqa: SLF001  # Tornado has no other way to ask
            cast("Any", handler.request.connection).stream.close()
        raise
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
    handler.finish()


def wants_v2(handler: ShareHandler) -> bool:
    """Whether the client speaks protocol version 2 (gitprotocol-v2, HTTP transport)."""
    return "version=2" in handler.request.headers.get("Git-Protocol", "").split(":")


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return the body of a request, which git sends gzipped when it is long.

    Raises
    ------
    BadInputError, TooLargeError
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise _not_readable()
    unpacker = zlib.decompressobj(_GZIP)
    try:
        data = unpacker.decompress(body, MAX_REQUEST_BYTES)
    except zlib.error as error:
        raise _not_readable() from error
    if unpacker.unconsumed_tail:
        raise TooLargeError(
            f"The request of git has more than {MAX_REQUEST_BYTES:,} bytes.",
            remedy="Clone into an empty folder.",
        )
    if not unpacker.eof:
        raise _not_readable()
    return data


def _not_readable() -> BadInputError:
    return BadInputError(
        "The request of git cannot be read.", remedy="Clone with git 2.18 or later."
    )
