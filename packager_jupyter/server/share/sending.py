"""Sending bytes that pass through this server: whole or in part, without stalling the event loop.

Attachments, archives, lists and the files of local sources come here. Everything else is a
redirect.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import StreamClosedError

from packager_jupyter.errors import StorageUnreachableError
from packager_jupyter.server.share.names import content_disposition, media_type_header
from packager_jupyter.server.share.pages import BYTES_POLICY
from packager_jupyter.server.share.ranges import (
    UnsatisfiableRangeError,
    http_date,
    is_same_whole,
    requested_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.server.share.ranges import (
        Part,
    )

SLICE_BYTES = 64 * 1024
# What a page of another site may read, where `Access-Control-Allow-Origin` lets it.
EXPOSED = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag"


class Sending:
    """One answer made of bytes.

    Parameters
    ----------
    handler : PackagerHandler
        Whose request is answered.
    filename : str
        Under which a browser saves it.
    media_type : str or None
    etag : str or None
        Strong entity tag, without quotes.
    modified_s : int, optional
    is_inline : bool, default False
        Whether a browser may show it; only for what cannot hold a script.
    """

    def __init__(
        self,
        handler: PackagerHandler,
        *,
        filename: str,
        media_type: str | None,
        etag: str | None,
        modified_s: int | None = None,
        is_inline: bool = False,
    ) -> None:
        self._handler = handler
        self._etag = etag
        self._modified_s = modified_s
        kind = "inline" if is_inline else "attachment"
        handler.set_header("Content-Type", media_type_header(media_type))
        handler.set_header("Content-Disposition", content_disposition(filename, kind=kind))
        handler.set_header("Content-Security-Policy", BYTES_POLICY)
        handler.set_header("Cache-Control", "private, no-cache")
        handler.set_header("Access-Control-Expose-Headers", EXPOSED)
        if etag is not None:
            handler.set_header("ETag", f'"{etag}"')
        if modified_s is not None:
            handler.set_header("Last-Modified", http_date(modified_s))

    async def send(self, size_bytes: int, read: Callable[[int, int], Iterator[bytes]]) -> None:
        """Answer GET or HEAD, with a part when one is asked for.

        Parameters
        ----------
        size_bytes : int
            Exact size of the whole.
        read : callable
            ``read(start, stop)`` returns an iterator over these bytes; it and its steps block and
            run in threads.
        """
        handler = self._handler
        handler.set_header("Accept-Ranges", "bytes")
        if self._etag is not None and handler.check_etag_header():
            handler.set_status(304)
            handler.finish()
            return
        try:
            part = self._part(size_bytes)
        except UnsatisfiableRangeError:
            handler.set_status(416)
            handler.set_header("Content-Range", f"bytes */{size_bytes}")
            handler.finish()
            return
        if part is not None:
            handler.set_status(206)
            handler.set_header("Content-Range", part.content_range)
        start, stop = (part.start, part.stop) if part else (0, size_bytes)
        handler.set_header("Content-Length", str(stop - start))
        if handler.request.method == "HEAD":
            handler.finish()
            return
        await stream(handler, lambda: read(start, stop))

    async def send_whole(self, size_bytes: int, read: Callable[[], Iterator[bytes]]) -> None:
        """Answer GET or HEAD with something of known size of which no part can be made alone."""
        handler = self._handler
        handler.set_header("Accept-Ranges", "none")
        if self._etag is not None and handler.check_etag_header():
            handler.set_status(304)
            handler.finish()
            return
        handler.set_header("Content-Length", str(size_bytes))
        if handler.request.method == "HEAD":
            handler.finish()
        else:
            await stream(handler, read)

    async def send_all(self, read: Callable[[], Iterator[bytes]]) -> None:
        """Answer GET or HEAD with something whose size is not known before its end."""
        handler = self._handler
        if self._etag is not None and handler.check_etag_header():
            handler.set_status(304)
            handler.finish()
        elif handler.request.method == "HEAD":
            # RFC 9110 9.3.2 lets HEAD leave out what only the content would tell; Tornado must not
            # say that it is empty.
            handler.set_header("Transfer-Encoding", "chunked")
            handler.finish()
        else:
            await stream(handler, read)

    def _part(self, size_bytes: int) -> Part | None:
        headers = self._handler.request.headers
        if not is_same_whole(headers.get("If-Range"), etag=self._etag, modified_s=self._modified_s):
            return None
        return requested_part(headers.get("Range"), size_bytes)


async def stream(handler: PackagerHandler, read: Callable[[], Iterator[bytes]]) -> None:
    """Finish with what `read` yields, one chunk at a time, at the client's speed.

    `read` and the steps of what it returns block and run in threads. A failure on the way closes
    the connection, so that nobody takes what came for the whole.
    """
    # The first chunk comes before the headers go out, so its failure has its own status.
    chunks, chunk = await handler.call(_begin, read)
    sent_bytes = 0
    try:
        while chunk is not None:
            handler.write(chunk)
            sent_bytes += len(chunk)
            sent_bytes += await _send_at_hand(handler, chunks)
            chunk = await _flush_and_read(handler, chunks)
        _check_length(handler, sent_bytes)
    except StreamClosedError:
        return  # the client went away: there is nobody left to tell
    except Exception:
        if handler._headers_written:  # noqa: SLF001  # Tornado has no other way to ask
            cast("Any", handler.request.connection).stream.close()
        raise
    finally:
        if chunk is not None:
            await handler.call(_close, chunks)
    handler.finish()


async def _send_at_hand(handler: PackagerHandler, chunks: Iterator[bytes]) -> int:
    """Send what the system has in memory of a file, with no thread; return how many bytes.

    See `oci.blobs.BlobChunks.at_hand`. To hand a chunk over to a thread and back takes as long as
    to send it.
    """
    if not hasattr(chunks, "at_hand"):
        return 0
    found = chunks.at_hand()
    if not found:
        return 0
    await handler.flush()
    if "Content-Encoding" in handler._headers:  # noqa: SLF001
        # The host compresses on the way what is written to the handler.
        handler.write(bytes(found))
        return len(found)
    sent_bytes = 0
    while found:
        # The handler takes bytes only, which would have to be copied first.
        await cast("Any", handler.request.connection).write(found)
        sent_bytes += len(found)
        await asyncio.sleep(0)  # a fast client never makes a write wait; others want their turn
        found = chunks.at_hand()
    return sent_bytes


async def _flush_and_read(handler: PackagerHandler, chunks: Iterator[bytes]) -> bytes | None:
    """Send what was written while a thread reads what comes next.

    A fast client never makes flush wait; waiting for the thread gives others their turn.
    """
    ahead = asyncio.ensure_future(handler.call(_next, chunks))
    try:
        await handler.flush()
    except BaseException:
        await asyncio.wait([ahead])  # nobody closes what a thread still reads from
        if not ahead.cancelled():
            ahead.exception()  # the client is gone: there is nobody left to tell
        raise
    return await ahead


def sliced(data: bytes) -> Callable[[int, int], Iterator[bytes]]:
    """Return a reader for `Sending.send` over bytes in memory."""

    def read(start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, SLICE_BYTES):
            yield data[at : min(at + SLICE_BYTES, stop)]

    return read


def _check_length(handler: PackagerHandler, sent_bytes: int) -> None:
    announced = handler._headers.get("Content-Length")  # noqa: SLF001
    if announced is not None and int(announced) != sent_bytes:
        raise StorageUnreachableError(
            "The file ended before its end.", remedy="Start the download again."
        )


def _begin(read: Callable[[], Iterator[bytes]]) -> tuple[Iterator[bytes], bytes | None]:
    """Open what is to be sent, and read its first chunk: one visit to a thread for both."""
    chunks = read()
    try:
        return chunks, _next(chunks)
    except BaseException:
        _close(chunks)
        raise


def _next(chunks: Iterator[bytes]) -> bytes | None:
    """Return the next chunk; None at the end, and then nothing is left open."""
    chunk = next(chunks, None)
    if chunk is None:
        _close(chunks)
    return chunk


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
