"""The process that reads complicated formats for `isolated`: no secret, little memory, little time.

``python -m packager_jupyter.previews.worker READER SIZE_BYTES``; see `isolated` for the messages.
"""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.isolated import MISSING, REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

    from packager_jupyter.previews.base import Preview

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_S = 10
_MAX_ERROR_CHARS = 200


class RefusedError(OSError):
    """No more of the file is read for this preview."""


class RemoteFile(io.RawIOBase):
    """The file, read from the process that started this one.

    Parameters
    ----------
    size_bytes : int
    asking, answering : binary streams
    """

    def __init__(self, size_bytes: int, asking: IO[bytes], answering: IO[bytes]) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self._asking = asking
        self._answering = answering
        self._at = 0
        self.is_refused = False

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, also behind the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        self._at = base + offset
        if self._at < 0:
            raise OSError("before the beginning")
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` as far as the file goes."""
        view = memoryview(buffer).cast("B")
        data = self.range(self._at, self._at + len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def range(self, start: int, stop: int) -> bytes:
        """Return bytes of the file.

        Raises
        ------
        RefusedError
            The limits of the preview are reached.
        """
        start, stop = min(start, self._size_bytes), min(stop, self._size_bytes)
        if start >= stop:
            return b""
        self._asking.write(json.dumps({"read": [start, stop]}).encode() + b"\n")
        self._asking.flush()
        length = int.from_bytes(self._answering.read(8), "big")
        if length == REFUSED:
            self.is_refused = True
            raise RefusedError("too much of it would have to be read")
        data = self._answering.read(length)
        if len(data) != length:
            raise OSError("the other side has gone")
        return data


def limit_resources() -> None:
    """Limit memory and time, as far as this system can."""
    try:
        import resource
    except ImportError:
        return  # Windows: the time alone is limited, by the process that started this one
    limits = (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for which, most in limits:
        try:
            resource.setrlimit(which, (most, most))
        except (ValueError, OSError):
            continue  # macOS has no limit on memory; the others still hold


def _parquet() -> Callable[[RemoteFile], Preview]:
    from packager_jupyter.previews.parquet import parquet_preview

    return parquet_preview


def _tiff() -> Callable[[RemoteFile], Preview]:
    from packager_jupyter.previews.tiff import tiff_preview

    return tiff_preview


READERS = {"parquet": _parquet, "tiff": _tiff}


def main(reader: str, size_bytes: int) -> None:
    """Read one file and answer."""
    asking = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not come between the messages.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    answer: dict[str, object]
    try:
        limit_resources()
        read = READERS[reader]()
        answer = {"preview": asdict(read(RemoteFile(size_bytes, asking, sys.stdin.buffer)))}
    except ImportError:
        answer = {"error": MISSING}
    except NotPreviewableError as error:
        answer = {"error": error.message.rstrip(".")}
    except Exception as error:  # noqa: BLE001  # libraries raise anything for a hostile file
        answer = {"error": _one_line(error)}
    asking.write(json.dumps(answer).encode("utf-8", "replace") + b"\n")
    asking.flush()


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:_MAX_ERROR_CHARS].rstrip(".")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
