"""The outline of a version's pointer files: how long they are, in stretches of a thousand.

Of a share's archive the exact length is told before its first byte, and a range of it may begin
anywhere. What that needs is counted once per pointer list and kept beside its index, for every
version and share of it: the files of two of them differ in length only by the name of the version
and by the address before the path, so one length stands for all (`Outline.extra_bytes`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import orjson

from packager_jupyter.errors import StoreCorruptError
from packager_jupyter.packages.pointer_file import ENDING, MAX_FILE_BYTES
from packager_jupyter.packages.pointer_files import PointerFiles
from packager_jupyter.packages.pointer_rows import iter_written

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

FORMAT = "outline-1"
"""Changes whenever `pointer_file` writes a file of another length."""

STRETCH_FILES = 1024

_DIGEST_BYTES = 32
_BASE = "https://data.example.org/"


class Stretch(NamedTuple):
    """Some pointer files in a row: the path of the first, the bytes of all paths and files."""

    first: str
    files: int
    path_bytes: int
    file_bytes: int


class Outline(NamedTuple):
    """The pointer files of one list, as they are for a made-up version and address.

    Attributes
    ----------
    stretches : list of Stretch
    largest : int
        Bytes of the longest file.
    """

    stretches: list[Stretch]
    largest: int

    def extra_bytes(self, files: PointerFiles) -> int | None:
        """Return how much longer each file of `files` is; None when that is not one number."""
        if not files.has_plain_base:
            return None
        extra = len(files.tail.encode()) - len(_made_up().tail)
        return extra if self.largest + extra <= MAX_FILE_BYTES else None

    def to_bytes(self) -> bytes:
        """Return the outline as a file."""
        body = orjson.dumps([FORMAT, self.largest, list(map(tuple, self.stretches))])
        return hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes, *, files: int) -> Outline:
        """Read what `to_bytes` made of a list of so many `files`.

        Raises
        ------
        StoreCorruptError
            It is damaged, or of another format or list.
        """
        digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise _damaged()
        try:
            name, largest, found = orjson.loads(body)
            outline = cls([Stretch(*one) for one in found], largest)
            is_right = name == FORMAT and sum(one.files for one in outline.stretches) == files
        except (ValueError, TypeError) as error:
            raise _damaged() from error
        if not is_right:
            raise _damaged()
        return outline


def outline_of(connection: sqlite3.Connection) -> Outline:
    """Count the outline of an index; writes every pointer file once."""
    stretches = list(_stretches(connection))
    return Outline([one for one, _ in stretches], max((most for _, most in stretches), default=0))


def _stretches(connection: sqlite3.Connection) -> Iterator[tuple[Stretch, int]]:
    first, files, path_bytes, file_bytes, most = b"", 0, 0, 0, 0
    for names, written in iter_written(connection, _made_up()):
        first = first or names[0]
        files += len(names)
        path_bytes += sum(map(len, names)) - len(ENDING) * len(names)
        lengths = list(map(len, written))
        file_bytes += sum(lengths)
        most = max(most, *lengths)
        if files >= STRETCH_FILES:
            yield Stretch(_path(first), files, path_bytes, file_bytes), most
            first, files, path_bytes, file_bytes, most = b"", 0, 0, 0, 0
    if files:
        yield Stretch(_path(first), files, path_bytes, file_bytes), most


def _path(name: bytes) -> str:
    return name.decode().removesuffix(ENDING)


def _made_up() -> PointerFiles:
    return PointerFiles(package="p", version="1", url_of=lambda path: _BASE + quote(path, safe="/"))


def _damaged() -> StoreCorruptError:
    return StoreCorruptError(
        "The outline of a version is damaged.", remedy="Delete it; it is made anew."
    )
