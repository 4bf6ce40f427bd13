"""What earlier runs verified, and under which names: ``.packager/got.jsonl``, ``names.jsonl``.

A line of ``got.jsonl`` holds for a file as long as its size and time are those of the line.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import orjson

from packager_jupyter.fetch.names import STATE_FOLDER
from packager_jupyter.io import write_atomic

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

GOT_FILE = "got.jsonl"
NAMES_FILE = "names.jsonl"


class Journal:
    """The journal of one folder; use it in a ``with`` block to add to it.

    Parameters
    ----------
    folder : Path
        The folder that is filled; nothing is made in it before the ``with`` block.
    """

    def __init__(self, folder: Path) -> None:
        self._state = folder / STATE_FOLDER
        self._got = _read(self._state / GOT_FILE)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._state.mkdir(parents=True, exist_ok=True)
        self._file = (self._state / GOT_FILE).open("ab")
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def verified(self, name: str, found: os.stat_result) -> str | None:
        """Return the identity of the content that was verified in the file `name` as it is now."""
        identity, slash, stamp = self._got.get(name, "").rpartition("/")
        return identity if slash and stamp == _stamp(found) else None

    def add(self, rows: Iterable[tuple[str, str, os.stat_result]]) -> None:
        """Remember the name, content's identity and state of files that are whole."""
        lines = [
            orjson.dumps(
                {"name": name, "part": identity, "stamp": _stamp(found)},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for name, identity, found in rows
        ]
        if lines and self._file is not None:
            with self._lock:
                self._file.write(b"".join(lines))
                self._file.flush()

    def write_names(self, renamed: Mapping[str, str]) -> None:
        """Keep which paths of the package have another name here; none takes the file away."""
        file = self._state / NAMES_FILE
        if not renamed:
            file.unlink(missing_ok=True)
            return
        rows = ({"path": path, "name": name} for path, name in sorted(renamed.items()))
        lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
        write_atomic(file, b"".join(lines))


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _read(file: Path) -> dict[str, str]:
    """Return the whole lines; a last one that a kill cut off is left out."""
    found: dict[str, str] = {}
    if not file.exists():
        return found
    with file.open("rb") as lines:
        for line in lines:
            try:
                row = orjson.loads(line)
                found[row["name"]] = f"{row['part']}/{row['stamp']}"
            except (ValueError, KeyError, TypeError):
                continue  # only a file whose line is whole counts as verified
    return found
