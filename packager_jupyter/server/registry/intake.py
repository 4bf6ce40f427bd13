"""Large bodies on their way to the disk: a thread works on one piece while the next one comes.

The event loop only receives, so no request waits for a disk; memory stays at a few pieces for each
upload, as the sender is not read from while two of them wait.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import SSLIOStream

from packager_jupyter.oci.base import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packager_jupyter.server.base import PackagerHandler

READ_BYTES = 256 * 1024
"""Read from the socket at once: four times Tornado's own, so a quarter of its turns."""


class Intake:
    """Hands the body of one request to `take`, in order; made once the request may be made.

    Parameters
    ----------
    handler : PackagerHandler
        Whose body it is.
    take : callable
        Takes the next bytes; blocks and runs in threads, in one at a time.
    """

    def __init__(self, handler: PackagerHandler, take: Callable[[bytes], object]) -> None:
        self._call = handler.call
        self._take = take
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._work: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._is_over = False
        self._read_more(cast("Any", handler.request.connection))

    def _read_more(self, connection: Any) -> None:
        """Have Tornado read more at once, for this request only.

        A record of TLS is never larger than 16 KiB (RFC 8446 5.1): there it would gain nothing.
        """
        stream = self._stream = connection.stream
        self._usual_bytes = stream.read_chunk_size
        if not isinstance(stream, SSLIOStream):
            stream.read_chunk_size = min(READ_BYTES, stream.max_buffer_size // 2)
            # Each request has a connection object of its own, with settings that all share.
            connection.params = copy.copy(connection.params)
            connection.params.chunk_size = READ_BYTES

    async def add(self, chunk: bytes) -> None:
        """Take the next bytes; after a failure the rest is sent in vain."""
        if self._failure is not None or self._is_over:
            return
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
        self._stream.read_chunk_size = self._usual_bytes
        if self._failure is not None:
            raise self._failure

    def abandon(self, then: Callable[[], object]) -> None:
        """Take nothing more, and call `then` once no thread works on what was taken."""
        self._is_over = True
        self._pieces.clear()
        self._stream.read_chunk_size = self._usual_bytes
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

    def _hand_over(self) -> None:
        if not self._pieces or self._failure is not None or self._is_over:
            return
        pieces, self._pieces, self._waiting_bytes = self._pieces, [], 0
        self._work = asyncio.ensure_future(self._call(self._take_all, pieces))

    def _take_all(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self._take(piece)

    async def _settle(self) -> None:
        if self._work is None:
            return
        try:
            await self._work
        except Exception as error:  # noqa: BLE001  # `end` raises it
            self.fail(error)
