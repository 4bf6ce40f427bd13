"""Runs a reader of a complicated format in a process of its own.

The libraries for Parquet and TIFF are written in C, and what they read comes from strangers. So
they run in a short-lived process that has no credential and no connection: it asks for ranges over
its standard streams and answers once. Its memory and its time are limited, and whatever happens to
it, this process goes on. `worker` is the other side.

The messages: a line of JSON from the worker, ``{"read": [start, stop]}``, is answered by 8 bytes
of length, big-endian, and the bytes; a length of all ones says that nothing more is read. The last
line is ``{"preview": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from packager_jupyter.errors import NotPreviewableError, PackagerError
from packager_jupyter.previews.base import FactsBlock, PictureBlock, Preview, TableBlock, TextBlock

if TYPE_CHECKING:
    from packager_jupyter.previews.base import Block
    from packager_jupyter.previews.ranged import RangedFile

MAX_LINE_BYTES = 4 * 1024 * 1024
REFUSED = 2**64 - 1
MISSING = "missing"
"""The worker's error when a library is not installed."""

# What the worker needs to find Python and its libraries; no secret is among them.
_KEPT = (
    *("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "COVERAGE_PROCESS_START"),
)
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Isolated:
    """A previewer whose work is done by `worker`.

    Parameters
    ----------
    reader : str
        Its name in `worker.READERS`.
    what : str
        The format, as people call it.
    extra : str
        The extra of this package that brings the library.
    """

    def __init__(self, reader: str, *, what: str, extra: str) -> None:
        self._reader = reader
        self._what = what
        self._extra = extra

    def __call__(self, file: RangedFile) -> Preview:
        """See `base.Previewer`; blocks until the process has ended."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # -P: the current folder is no place to import from.
        command = [sys.executable, "-P", "-m", "packager_jupyter.previews.worker"]
        with subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*command, self._reader, str(file.size_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, **_ONE_THREAD},
        ) as process:
            timer = threading.Timer(file.remaining_s, process.kill)
            timer.start()
            try:
                answer = _converse(process, file)
            finally:
                timer.cancel()
                process.kill()
                with contextlib.suppress(OSError):  # what it was not yet told, it need not know
                    _streams(process)[0].close()
        return self._preview(answer)

    def _preview(self, answer: dict[str, Any] | None) -> Preview:
        if answer is None:
            raise NotPreviewableError(
                f"This file cannot be read as {self._what} within the limits of a preview.",
                remedy="Download it.",
            )
        if answer.get("error") == MISSING:
            raise NotPreviewableError(
                f"This server shows no previews of {self._what} files.",
                remedy="Download it. Who runs the server can install the extra: "
                f"pip install 'packager_jupyter[{self._extra}]'",
            )
        if "error" in answer:
            raise NotPreviewableError(
                f"This file cannot be read as {self._what}: {answer['error']}.",
                remedy="Download it.",
            )
        found = answer["preview"]
        return Preview(
            tuple(_block(block) for block in found["blocks"]), tuple(map(str, found["notes"]))
        )


def _converse(process: subprocess.Popen[bytes], file: RangedFile) -> dict[str, Any] | None:
    """Answer what the worker asks until it is done; ``None`` when it dies on the way."""
    stdin, stdout = _streams(process)
    while True:
        line = stdout.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            return None
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        wanted = message.get("read")
        if wanted is None:
            return message
        start, stop = wanted
        failure: PackagerError | None = None
        try:
            data = file.at(start, stop)
            head = len(data).to_bytes(8, "big")
        except NotPreviewableError:
            # The reader may still have something to show.
            head, data = REFUSED.to_bytes(8, "big"), b""
        except PackagerError as error:
            failure = error
        if failure is not None:
            raise failure
        try:
            stdin.write(head + data)
            stdin.flush()
        except OSError:
            return None


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    return process.stdin, process.stdout


def _block(value: dict[str, Any]) -> Block:
    """Return a block from the worker's JSON; whatever it sent, only text comes out."""
    title = str(value.get("title", ""))
    if value["kind"] == "table":
        columns = tuple(str(name) for name in value["columns"])
        return TableBlock(columns, tuple(tuple(map(str, row)) for row in value["rows"]), title)
    if value["kind"] == "facts":
        return FactsBlock(tuple((str(n), str(v)) for n, v in value["facts"]), title)
    if value["kind"] == "picture":
        return PictureBlock(str(value["png_base64"]), title)
    return TextBlock(str(value.get("text", "")))
