"""A file of keys that lies in a source: fetched into a folder of ours, then read like any other.

The ``manifest.json`` of an S3 Inventory brings its data files along; they are looked for where
`inventory` looks for them beside a local manifest: below the manifest's folder and the one above,
by the end of the name that the manifest gives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from packager_jupyter.errors import ObjectNotFoundError, TooLargeError
from packager_jupyter.io import explain_disk_full
from packager_jupyter.packages.inventory import data_parts, open_keys
from packager_jupyter.packages.key_rows import bad_keys

if TYPE_CHECKING:
    from pathlib import Path

    from packager_jupyter.packages.base import Progress
    from packager_jupyter.packages.inventory import KeyFile
    from packager_jupyter.sources.base import Source

MANIFEST = "manifest.json"
_NO_NAME = re.compile(r"[^\w.+=@-]")
_MAX_NAME = 60


def fetch_key_file(
    source: Source, key: str, folder: Path, *, max_bytes: int, progress: Progress | None = None
) -> KeyFile:
    """Fetch a list, and the data files that it names when it is an inventory's manifest.

    Parameters
    ----------
    source : Source
        Where the list lies.
    key : str
    folder : Path
        Empty and the caller's, who removes it.
    max_bytes : int
        Of everything together.
    progress : callable, optional
        Called with no files and the bytes fetched so far; what it raises ends the work.

    Raises
    ------
    ObjectNotFoundError, StorageError
    BadInputError
        It is no list of keys; see `inventory.open_keys`.
    TooLargeError
    """
    fetching = _Fetching(source, max_bytes, progress)
    path = folder / file_name(key.rpartition("/")[2])
    fetching.fetch(key, path)
    if path.name == MANIFEST:
        _fetch_data(fetching, key, path)
    return open_keys(path)


def file_name(text: str) -> str:
    """Return a name that a file can have, for messages about a list that others named."""
    return _NO_NAME.sub("_", text)[-_MAX_NAME:].lstrip(".") or "list"


class _Fetching:
    """Copies objects into files, up to a number of bytes in all."""

    def __init__(self, source: Source, max_bytes: int, progress: Progress | None) -> None:
        self.source = source
        self._left = self._max_bytes = max_bytes
        self._progress = progress

    def fetch(self, key: str, path: Path) -> None:
        with explain_disk_full("the list of keys"), path.open("xb") as file:
            for chunk in self.source.read(key):
                self._left -= len(chunk)
                if self._left < 0:
                    raise TooLargeError(
                        f"The list of keys is larger than {self._max_bytes:,} bytes.",
                        remedy="Give it in parts, or ask the administrator to raise the limit.",
                    )
                file.write(chunk)
                if self._progress:
                    self._progress(0, self._max_bytes - self._left)


def _fetch_data(fetching: _Fetching, manifest_key: str, path: Path) -> None:
    """Fetch the data files of a manifest to where `inventory` finds them."""
    try:
        value = orjson.loads(path.read_bytes())
    except ValueError:
        return  # open_keys says so
    files = value.get("files") if isinstance(value, dict) else None
    folder = manifest_key.rpartition("/")[0]
    places = [f"{at}/" if at else "" for at in (folder, folder.rpartition("/")[0])]
    known: tuple[int, str] | None = None
    for row in files if isinstance(files, list) else []:
        parts = data_parts(path.name, row)
        choices = [(cut, place) for cut in range(len(parts)) for place in places]
        if known is not None:
            choices.insert(0, known)
        known = _first_there(fetching.source, parts, choices)
        if known is None:
            raise bad_keys(
                path.name, f"its data file {parts[-1]} is neither beside it nor in a folder 'data'"
            )
        target = path.parent.joinpath(*[part for part in parts if part])
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        cut, place = known
        fetching.fetch(place + "/".join(parts[cut:]), target)


def _first_there(
    source: Source, parts: list[str], choices: list[tuple[int, str]]
) -> tuple[int, str] | None:
    for cut, place in choices:
        try:
            source.stat(place + "/".join(parts[cut:]))
        except ObjectNotFoundError:
            continue
        return cut, place
    return None
