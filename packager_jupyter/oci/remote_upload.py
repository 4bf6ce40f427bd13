"""Sends one blob to a registry: whole when it is small, else in pieces that can be repeated.

A blob that fits into one piece goes up in a single PUT; a longer or unbounded one in PATCH requests
of `PIECE_BYTES` (distribution-spec 1.1, "Pushing a blob in chunks"). A piece that got lost is sent
again from where the registry says that it stopped, so a broken connection costs one piece, and
memory is that of one piece.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

import httpx

from packager_jupyter.errors import PackagerError, StorageError
from packager_jupyter.oci.base import CHUNK_BYTES
from packager_jupyter.oci.blobs import mismatch
from packager_jupyter.oci.names import new_hash
from packager_jupyter.oci.transport import Request, location_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packager_jupyter.oci.registry_auth import Scope
    from packager_jupyter.oci.transport import Transport

PIECE_BYTES = 4 * CHUNK_BYTES
_MAX_PIECE_BYTES = 64 * CHUNK_BYTES
_MAX_TRIES = 5
_FIRST_PAUSE_S = 0.2
_log = logging.getLogger(__name__)
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class Upload:
    """One upload; `send` uses it once.

    Parameters
    ----------
    transport : Transport
    repo : str
        Full name in the registry.
    scope : Scope
    digest : str or None
        What the bytes must hash to.
    has_blob : callable
        Says whether the registry has a blob: asked when the answer to the last piece got lost.
    """

    def __init__(
        self,
        transport: Transport,
        repo: str,
        scope: Scope,
        *,
        digest: str | None,
        has_blob: Callable[[str], bool],
    ) -> None:
        self._transport = transport
        self._repo = repo
        self._scope = scope
        self._expected = digest
        self._has_blob = has_blob
        self._hash = new_hash(digest)
        self._location: httpx.URL | None = None
        self._piece_bytes = PIECE_BYTES
        self.size_bytes = 0

    def send(self, chunks: Iterable[bytes]) -> str:
        """Send all bytes and return their digest.

        Raises
        ------
        DigestMismatchError
            The bytes do not hash to the digest that was announced; the session is given up.
        """
        self._begin()
        try:
            last: bytes | None = None
            for piece in self._pieces(chunks):
                if last is not None:
                    self._patch(last)
                last = piece
            digest = self._checked_digest()
            self._finish(last or b"", digest)
        except BaseException:
            self._give_up()
            raise
        return digest

    def _checked_digest(self) -> str:
        digest = f"{self._hash.name}:{self._hash.hexdigest()}"
        if self._expected not in (None, digest):
            raise mismatch(str(self._expected), digest)
        return digest

    def _pieces(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Cut the bytes into pieces, hashing them."""
        buffer = bytearray()
        for chunk in chunks:
            self._hash.update(chunk)
            buffer += chunk
            while len(buffer) >= self._piece_bytes:
                yield bytes(buffer[: self._piece_bytes])
                del buffer[: self._piece_bytes]
        if buffer:
            yield bytes(buffer)

    def _begin(self) -> None:
        response = self._transport.send(
            Request("POST", f"{self._repo}/blobs/uploads/", self._scope), ok=(202,)
        )
        self._location = location_of(response)
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        if least.isascii() and least.isdecimal():
            self._piece_bytes = min(max(self._piece_bytes, int(least)), _MAX_PIECE_BYTES)

    def _patch(self, piece: bytes) -> None:
        """Send one piece at `size_bytes`, as often as needed."""
        began, end = self.size_bytes, self.size_bytes + len(piece)
        for turn in range(_MAX_TRIES):
            rest = piece[self.size_bytes - began :]
            try:
                # crane answers 204, the specification says 202.
                response = self._send_piece("PATCH", rest, ok=(202, 204))
            except PackagerError as error:
                self._pause(error, turn)
                self._ask_where(self.size_bytes, end)
            else:
                self._location = location_of(response)
                self.size_bytes = end
            if self.size_bytes == end:
                return

    def _finish(self, piece: bytes, digest: str) -> None:
        """Send the last piece and close the session under `digest`."""
        began, end = self.size_bytes, self.size_bytes + len(piece)
        for turn in range(_MAX_TRIES):
            rest = piece[self.size_bytes - began :]
            try:
                response = self._send_piece("PUT", rest, ok=(201, 204), params={"digest": digest})
            except PackagerError as error:
                self._pause(error, turn)
                if self._has_blob(digest):
                    break
                if began:
                    self._ask_where(self.size_bytes, end)
                else:
                    self._begin()
            else:
                found = response.headers.get("Docker-Content-Digest", digest)
                if found != digest:
                    raise mismatch(digest, found)
                break
        self.size_bytes = end
        self._location = None

    def _send_piece(
        self,
        method: str,
        content: bytes,
        *,
        ok: Sequence[int],
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"}
        if content and (self.size_bytes or method == "PATCH"):
            last = self.size_bytes + len(content) - 1
            headers["Content-Range"] = f"{self.size_bytes}-{last}"
        request = Request(
            method,
            "",
            self._scope,
            url=self._location,
            headers=headers,
            params=params,
            content=content,
            attempts=1,
        )
        return self._transport.send(request, ok=ok)

    def _pause(self, error: PackagerError, turn: int) -> None:
        """Wait before another try; raise `error` when there is no sense in one."""
        if turn + 1 == _MAX_TRIES or error.retry_after_s is None:
            raise error
        time.sleep(_FIRST_PAUSE_S * 2**turn)

    def _ask_where(self, least: int, most: int) -> None:
        """Ask the registry how much of a piece arrived (distribution-spec 1.1, upload status)."""
        request = Request("GET", "", self._scope, url=self._location)
        response = self._transport.send(request, ok=(202, 204, 404))
        # An upload that the registry does not know any more has lost everything.
        is_known = response.status_code != httpx.codes.NOT_FOUND
        match = _RANGE.fullmatch(response.headers.get("Range", ""))
        # "0-0" is said of nothing as well as of one byte; pieces are never one byte short.
        arrived = int(match[1]) + 1 if match and match[1] != "0" else 0
        if not is_known or not least <= arrived <= most:
            raise StorageError(
                f"The registry {response.request.url.host} lost a part of the upload.",
                remedy="Send the blob again.",
                retry_after_s=1,
            )
        self.size_bytes = arrived
        if "Location" in response.headers:
            self._location = location_of(response)

    def _give_up(self) -> None:
        """Cancel the session, if there is one; the registry forgets it by itself otherwise."""
        if self._location is None:
            return
        request = Request("DELETE", "", self._scope, url=self._location, attempts=1)
        try:
            self._transport.send(request, ok=(202, 204, 404, 405))
        except PackagerError:
            _log.info("an unfinished upload could not be cancelled")
