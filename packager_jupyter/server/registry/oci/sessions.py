"""Blob uploads under way: what a client sends over several requests.

The bytes wait on the disk: for a folder of layouts in the repository itself, so that the end of an
upload is a rename; for a registry in the data folder. The table that says which upload is whose
lives in memory: after a restart an upload is unknown, its client begins again, and what it left is
swept by `packager registry gc`. An upload belongs to one repository and one token.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from packager_jupyter.errors import ConflictError, RateLimitedError, TooLargeError
from packager_jupyter.io import explain_disk_full, make_dirs
from packager_jupyter.oci.base import CHUNK_BYTES
from packager_jupyter.oci.blobs import explain_disk
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.names import split_digest
from packager_jupyter.server.registry.oci.errors import UploadNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from packager_jupyter.oci.base import OciStore

IDLE_S = 1800.0
MAX_PER_OWNER = 64
MAX_UPLOADS = 512


class Sink(Protocol):
    """Where the bytes of one upload wait; used by one thread at a time."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes."""
        ...

    def commit(self, digest: str) -> None:
        """Make the blob visible; raises `DigestMismatchError`. Not used afterwards."""
        ...

    def discard(self) -> None:
        """Let go of the bytes."""
        ...


class LayoutSink:
    """Bytes in the repository of a layout store, hashed as they come."""

    def __init__(self, store: LayoutStore, repository: str) -> None:
        self._open = ExitStack()
        self._writer = self._open.enter_context(store.ingest(repository))

    @explain_disk()
    def write(self, chunk: bytes | memoryview) -> None:
        """See `Sink.write`."""
        self._writer.write(chunk)

    def commit(self, digest: str) -> None:
        """See `Sink.commit`."""
        with self._open:
            if split_digest(digest)[0] != self._writer.algorithm:
                self._writer.rehash(digest)
            self._writer.commit(expected=digest)

    def discard(self) -> None:
        """See `Sink.discard`."""
        self._open.close()


class SpoolSink:
    """Bytes in a nameless file, for a store that takes a blob only whole."""

    def __init__(self, store: OciStore, repository: str, folder: Path) -> None:
        make_dirs(folder)
        self._store, self._repository = store, repository
        # Closed by `commit` or `discard`.
        self._file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115

    def write(self, chunk: bytes | memoryview) -> None:
        """See `Sink.write`."""
        with explain_disk_full("the uploaded blob"):
            self._file.write(chunk)

    def commit(self, digest: str) -> None:
        """See `Sink.commit`."""
        with self._file:
            self._file.seek(0)
            self._store.push_blob(self._repository, self._chunks(), digest=digest)

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def discard(self) -> None:
        """See `Sink.discard`."""
        self._file.close()


class UploadSession:
    """One upload; a request claims it before it writes and releases it at its end."""

    def __init__(self, repository: str, owner: str, sink: Sink, *, max_bytes: int) -> None:
        self.id = secrets.token_urlsafe(18)
        self.repository = repository
        self.owner = owner
        self.size_bytes = 0
        self.touched_s = time.monotonic()
        self.is_claimed = False
        self._is_over = False
        self._max_bytes = max_bytes
        self._sink = sink
        self._lock = threading.Lock()
        # Not the same: the event loop claims, and a thread that writes may wait long for a disk.
        self._claim_lock = threading.Lock()

    def claim(self) -> None:
        """Take it for one request; raises `ConflictError` while another one has it."""
        with self._claim_lock:
            if self.is_claimed:
                raise ConflictError(
                    "Another request is sending this upload at the moment.",
                    remedy="Send the chunks of an upload one after the other.",
                )
            self.is_claimed = True

    def release(self) -> None:
        """Give it back."""
        self.touched_s = time.monotonic()
        self.is_claimed = False

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes.

        Raises
        ------
        TooLargeError
            The blob grows beyond what the server takes.
        UploadNotFoundError
            It was cancelled meanwhile.
        """
        with self._lock:
            if self._is_over:
                raise _unknown()
            if self.size_bytes + len(chunk) > self._max_bytes:
                raise TooLargeError(
                    f"The blob is larger than {self._max_bytes:,} bytes.",
                    remedy="Ask the administrator to raise Settings.max_upload_bytes.",
                )
            self._sink.write(chunk)
            self.size_bytes += len(chunk)
            self.touched_s = time.monotonic()

    def commit(self, digest: str) -> None:
        """Make the blob visible; the upload has ended, well or not."""
        with self._lock:
            if self._is_over:
                raise _unknown()
            self._is_over = True
            self._sink.commit(digest)

    def discard(self) -> None:
        """Let go of the bytes."""
        with self._lock:
            if not self._is_over:
                self._is_over = True
                self._sink.discard()


class UploadTable:
    """All uploads of one server; safe to share between threads.

    Parameters
    ----------
    store : OciStore
    folder : Path
        Where bytes wait for a store that is no folder.
    max_bytes : int
        Largest blob.
    idle_s : float
        After so long without a byte an upload is dropped.
    """

    def __init__(
        self,
        store: OciStore,
        folder: Path,
        *,
        max_bytes: int,
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._max_bytes = max_bytes
        self._idle_s = idle_s
        self._clock = clock
        self._sessions: dict[str, UploadSession] = {}
        self._lock = threading.Lock()

    def begin(self, repository: str, owner: str) -> UploadSession:
        """Return a new upload, claimed by the caller.

        Raises
        ------
        RateLimitedError
            Too many are under way.
        """
        self.sweep()
        with self._lock:
            own = sum(one.owner == owner for one in self._sessions.values())
            if own >= MAX_PER_OWNER or len(self._sessions) >= MAX_UPLOADS:
                raise RateLimitedError(
                    "Too many uploads are under way.",
                    remedy="Finish or cancel some of them, then try again.",
                    retry_after_s=10,
                )
        session = UploadSession(
            repository, owner, self._sink(repository), max_bytes=self._max_bytes
        )
        session.claim()
        with self._lock:
            self._sessions[session.id] = session
        return session

    def _sink(self, repository: str) -> Sink:
        if isinstance(self._store, LayoutStore):
            return LayoutSink(self._store, repository)
        return SpoolSink(self._store, repository, self._folder)

    def find(self, upload_id: str, repository: str, owner: str) -> UploadSession:
        """Return an upload of this very repository and token; raises `UploadNotFoundError`."""
        self.sweep()
        with self._lock:
            found = self._sessions.get(upload_id)
        if found is None or (found.repository, found.owner) != (repository, owner):
            raise _unknown()
        return found

    def end(self, session: UploadSession) -> None:
        """Forget an upload, and its bytes unless they were committed."""
        with self._lock:
            self._sessions.pop(session.id, None)
        session.discard()

    def sweep(self) -> None:
        """Drop the uploads whose clients have gone."""
        before_s = self._clock() - self._idle_s
        with self._lock:
            idle = [
                one
                for one in self._sessions.values()
                if not one.is_claimed and one.touched_s < before_s
            ]
        for session in idle:
            self.end(session)

    def close(self) -> None:
        """Drop all uploads."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            self.end(session)


def _unknown() -> UploadNotFoundError:
    return UploadNotFoundError(
        "There is no such upload (any more).", remedy="Begin the upload again."
    )
