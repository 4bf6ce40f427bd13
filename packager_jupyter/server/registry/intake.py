"""Large bodies on their way to the disk: a thread works on one piece while the next one comes.

The event loop only receives, so no request waits for a disk; memory stays at a few pieces for each
upload, as the sender is not read from while two of them wait.
"""

from __future__ import annotations

import asyncio
import copy
import mmap
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import SSLIOStream

from packager_jupyter.oci.base import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packager_jupyter.server.base import PackagerHandler

READ_BYTES = 256 * 1024
"""Read at once where no length is announced: four times Tornado's own, a quarter of its turns."""


class Intake:
    """Hands the body of one request to `take`, in order; made once the request may be made.

    Parameters
    ----------
    handler : PackagerHandler
        Whose body it is.
    take : callable
        Takes the next bytes, which last until it returns; blocks and runs in threads, in one at a
        time.
    """

    def __init__(
        self, handler: PackagerHandler, take: Callable[[bytes | memoryview], object]
    ) -> None:
        self._call = handler.call
        self._take = take
        self._pieces: list[bytes | memoryview] = []
        self._waiting_bytes = 0
        self._work: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._is_over = False
        self._buffered: BufferedBody | None = None
        self._connection = cast("Any", handler.request.connection)
        self._stream = self._connection.stream
        self._usual_bytes = self._stream.read_chunk_size
        # Each request has a connection object of its own, with settings that all share.
        self._connection.params = copy.copy(self._connection.params)
        length = handler.request.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) >= CHUNK_BYTES:
            self._buffered = self._connection.stream = BufferedBody(self._stream)
            self._connection.params.chunk_size = CHUNK_BYTES
        elif not isinstance(self._stream, SSLIOStream):
            # A record of TLS is never larger than 16 KiB (RFC 8446 5.1).
            self._stream.read_chunk_size = min(READ_BYTES, self._stream.max_buffer_size // 2)
            self._connection.params.chunk_size = READ_BYTES

    async def add(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes; after a failure the rest is sent in vain."""
        if self._failure is not None or self._is_over:
            return
        if self._buffered is not None and isinstance(chunk, memoryview):
            self._buffered.keep(len(chunk))
        else:
            self._pieces.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= CHUNK_BYTES:
            await self._settle()
            self._hand_over()

    async def end(self) -> None:
        """Wait until all is taken; raises what went wrong with any of it."""
        await self._settle()
        self._hand_over()
        await self._settle()
        self._read_as_usual()
        if self._failure is not None:
            raise self._failure

    def abandon(self, then: Callable[[], object]) -> None:
        """Take nothing more, and call `then` once no thread works on what was taken."""
        self._is_over = True
        self._pieces.clear()
        self._read_as_usual()
        work = self._work
        if work is None or work.done():
            then()
            return

        def on_done(work: asyncio.Future[None]) -> None:
            if not work.cancelled():
                work.exception()  # nobody is left to tell
            then()

        work.add_done_callback(on_done)

    def fail(self, error: Exception) -> None:
        """Take nothing more; `end` raises `error`."""
        self._failure = self._failure or error
        if self._buffered is not None:
            self._buffered.drop()

    def _read_as_usual(self) -> None:
        self._stream.read_chunk_size = self._usual_bytes
        if self._buffered is not None and self._connection.stream is self._buffered:
            self._connection.stream = self._stream
        self._buffered = None

    def _hand_over(self) -> None:
        if self._failure is not None or self._is_over:
            return
        if self._buffered is not None:
            self._pieces += self._buffered.turn()
        if not self._pieces:
            return
        pieces, self._pieces, self._waiting_bytes = self._pieces, [], 0
        self._work = asyncio.ensure_future(self._call(self._take_all, pieces))

    def _take_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            self._take(piece)

    async def _settle(self) -> None:
        if self._work is None:
            return
        try:
            await self._work
        except Exception as error:  # noqa: BLE001  # `end` raises it
            self.fail(error)


class BufferedBody:
    """The stream of a connection while a large body comes, read into two buffers by turns.

    Tornado makes three objects of each piece, for which the system must find and clear pages.

    Parameters
    ----------
    stream : IOStream
        Everything but the pieces of a body is left to it.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._filling, self._other = (memoryview(mmap.mmap(-1, CHUNK_BYTES)) for _ in range(2))
        self._filled = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def read_bytes(self, num_bytes: int, partial: bool = False) -> bytes | memoryview:  # noqa: FBT001, FBT002  # Tornado's
        """Read the next bytes; those not kept with `keep` are written over by the next call."""
        if not partial:
            return cast("bytes", await self._stream.read_bytes(num_bytes))
        room = self._filling[self._filled :][: min(num_bytes, self._stream.max_buffer_size)]
        count = await self._stream.read_into(room, partial=True)
        return room[:count]

    def keep(self, size_bytes: int) -> None:
        """Say that the bytes just read are wanted; the next ones go behind them."""
        self._filled += size_bytes

    def drop(self) -> None:
        """Let the next bytes be written over what was kept since the last turn."""
        self._filled = 0

    def turn(self) -> list[memoryview]:
        """Return what was kept, if anything, and go on with the other buffer."""
        if not self._filled:
            return []
        kept = self._filling[: self._filled]
        self._filling, self._other = self._other, self._filling
        self._filled = 0
        return [kept]
