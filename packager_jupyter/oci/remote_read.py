"""Reads one blob from a registry: the range that was asked for, resumed when it breaks, checked."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from typing import TYPE_CHECKING

import httpx

from packager_jupyter.errors import BadInputError, StoreCorruptError
from packager_jupyter.oci.base import CHUNK_BYTES
from packager_jupyter.oci.blobs import corrupt, not_found
from packager_jupyter.oci.names import new_hash, split_digest
from packager_jupyter.oci.registry_auth import not_understood
from packager_jupyter.oci.transport import Request, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.oci.registry_auth import Scope
    from packager_jupyter.oci.transport import Transport

_MAX_TRIES = 5
_FIRST_PAUSE_S = 0.2
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_OK = (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT)


def open_blob(
    transport: Transport, repo: str, scope: Scope, digest: str, *, start: int, stop: int | None
) -> Iterator[bytes]:
    """Return the chunks of ``[start, stop)``; see `OciStore.read_blob`.

    The first chunk is fetched here, so a missing blob is an error of this call.
    """
    if start < 0 or (stop is not None and stop < start):
        raise _outside(None)
    chunks = _Reader(transport, repo, scope, digest, start=start, stop=stop).chunks()
    try:
        first = next(chunks)
    except StopIteration:
        return iter(())
    return itertools.chain((first,), chunks)


class _Reader:
    def __init__(
        self,
        transport: Transport,
        repo: str,
        scope: Scope,
        digest: str,
        *,
        start: int,
        stop: int | None,
    ) -> None:
        self._transport = transport
        self._path = f"{repo}/blobs/{digest}"
        self._scope = scope
        self._digest = digest
        self._start = start
        self._stop = stop
        self._size: int | None = None
        self._tries = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; of a whole blob the last chunk only after the digest proved right."""
        found = new_hash(self._digest)
        offset = self._start
        held = bytearray()
        for piece in self._pieces():
            found.update(piece)
            offset += len(piece)
            if len(held) + len(piece) > CHUNK_BYTES:
                yield bytes(held)
                held.clear()
            held += piece
        if self._start == 0 and self._stop in (None, self._size):
            if found.hexdigest() != split_digest(self._digest)[1]:
                raise corrupt(self._digest)
        elif self._stop is not None and offset != self._stop:
            raise _outside(self._size)
        if held:
            yield bytes(held)

    def _pieces(self) -> Iterator[bytes]:
        """Yield what arrives, going on where a broken connection stopped."""
        offset = self._start
        while True:
            response = self._open(offset)
            if response is None:
                return
            with contextlib.closing(response):
                end = self._end(response, offset)
                if offset == end:
                    return
                skip = offset if response.status_code == httpx.codes.OK else 0
                try:
                    # As they arrive: httpx's own chunks would lose what it held when it breaks.
                    for piece in response.iter_raw():
                        part = piece[min(skip, len(piece)) :][: end - offset]
                        skip -= min(skip, len(piece))
                        offset += len(part)
                        if part:
                            yield part
                        if offset == end:
                            return
                except httpx.TransportError as error:
                    self._pause(error)
                else:
                    raise corrupt(self._digest)

    def _open(self, offset: int) -> httpx.Response | None:
        headers = {}
        if self._start or self._stop is not None or offset:
            last = "" if self._stop is None else str(max(self._stop - 1, offset))
            headers["Range"] = f"bytes={offset}-{last}"
        response = self._transport.open(
            Request("GET", self._path, self._scope, headers=headers), ok=(*_OK, 404, 416)
        )
        if response.status_code in _OK:
            return response
        response.close()
        if response.status_code == httpx.codes.NOT_FOUND:
            raise not_found(self._digest)
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        size = int(match[3]) if match and match[3].isdecimal() else None
        if size == offset and self._stop in (None, size):
            self._size = size
            return None
        raise _outside(size)

    def _end(self, response: httpx.Response, offset: int) -> int:
        """Return where the wanted bytes end, checking what the registry says that it sends."""
        host = response.request.url.host
        if response.status_code == httpx.codes.OK:
            length = response.headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() else None
        else:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not match or match[1] is None or int(match[1]) != offset:
                raise not_understood(host, status=response.status_code)
            size = int(match[3]) if match[3].isdecimal() else int(match[2]) + 1
        if size is None:
            raise not_understood(host, status=response.status_code)
        if self._size not in (None, size):
            raise StoreCorruptError(
                f"The registry {host} gave {self._digest} two different sizes.",
                remedy="Ask the registry's operator to check its storage.",
            )
        self._size = size
        end = size if self._stop is None else self._stop
        if not offset <= end <= size:
            raise _outside(size)
        return end

    def _pause(self, error: httpx.TransportError) -> None:
        self._tries += 1
        if self._tries == _MAX_TRIES:
            raise unreachable(self._transport.origin, error) from error
        time.sleep(_FIRST_PAUSE_S * 2**self._tries)


def _outside(size: int | None) -> BadInputError:
    has = "" if size is None else f" It has {size:,} bytes."
    return BadInputError(
        f"The range that was asked for is not in the blob.{has}",
        remedy="Ask for bytes that exist.",
    )
