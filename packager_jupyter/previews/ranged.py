"""A file of which parts are read: every byte and every request is counted, within limits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packager_jupyter.errors import NotPreviewableError, StorageUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BLOCK_BYTES = 64 * 1024
MAX_READ_BYTES = 16 * 1024 * 1024
MAX_REQUESTS = 64
DEADLINE_S = 20.0


class RangedFile:
    """Reads ranges of one object and remembers them; for one preview, in one thread.

    Parameters
    ----------
    name : str
        Its file name, for the kind of the file.
    size_bytes : int
        Exact size of the object.
    read : callable
        ``read(start, stop)`` yields exactly these bytes of the object.
    max_bytes, max_requests : int, optional
        How much may be asked of the storage in all.
    deadline_s : float, optional
        Seconds after which nothing more is asked.
    """

    def __init__(
        self,
        name: str,
        size_bytes: int,
        read: Callable[[int, int], Iterable[bytes]],
        *,
        max_bytes: int = MAX_READ_BYTES,
        max_requests: int = MAX_REQUESTS,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._read = read
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._ends_at = time.monotonic() + deadline_s
        self._blocks: dict[int, bytes] = {}
        self.read_bytes = 0
        self.requests = 0

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._ends_at - time.monotonic())

    def at(self, start: int, stop: int) -> bytes:
        """Return the bytes ``[start, stop)``, fewer only behind the end of the file.

        Raises
        ------
        NotPreviewableError
            A limit would be passed.
        StorageUnreachableError
            The storage sent fewer bytes than it holds.
        """
        start, stop = max(0, start), min(stop, self.size_bytes)
        if start >= stop:
            return b""
        first, last = start // BLOCK_BYTES, (stop - 1) // BLOCK_BYTES
        self._limit_bytes(first, last)
        missing = [number for number in range(first, last + 1) if number not in self._blocks]
        while missing:
            end = next(
                (n for n in range(1, len(missing)) if missing[n] != missing[0] + n), len(missing)
            )
            self._fetch(missing[0], missing[end - 1])
            missing = missing[end:]
        joined = b"".join(self._blocks[number] for number in range(first, last + 1))
        return joined[start - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes, or all when there are fewer."""
        return self.at(0, count)

    def _limit_bytes(self, first: int, last: int) -> None:
        """Refuse what no budget could hold, before anything is counted block by block."""
        if (last - first) * BLOCK_BYTES > self._max_bytes:
            raise _too_much()

    def _fetch(self, first: int, last: int) -> None:
        start, stop = first * BLOCK_BYTES, min((last + 1) * BLOCK_BYTES, self.size_bytes)
        self.requests += 1
        self.read_bytes += stop - start
        if self.read_bytes > self._max_bytes or self.requests > self._max_requests:
            raise _too_much()
        if not self.remaining_s:
            raise NotPreviewableError(
                "Reading this file for a preview takes too long.", remedy="Download it."
            )
        data = b"".join(self._read(start, stop))
        if len(data) != stop - start:
            raise StorageUnreachableError(
                "The file ended before its end.", remedy="Open the preview again."
            )
        for number in range(first, last + 1):
            at = (number - first) * BLOCK_BYTES
            self._blocks[number] = data[at : at + BLOCK_BYTES]


def _too_much() -> NotPreviewableError:
    return NotPreviewableError(
        "A preview of this file would have to read too much of it.", remedy="Download it."
    )
