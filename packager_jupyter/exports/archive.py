"""``package.zip``: the attachments of a version and one pointer file for each of its files.

An entry's name is the package path, a pointer file's the path with ``.pointer`` added. Where an
attachment or a folder of one already has that name, the first of ``~1``, ``~2`` … that gives a name
of nobody's goes before the ending: nothing is left out, no name stands there twice, and the pointer
file itself says which path it stands for.
"""

from __future__ import annotations

import hashlib
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from packager_jupyter.exports.base import file_url
from packager_jupyter.exports.zip import ZipPlan, stream
from packager_jupyter.packages.pointer_file import ENDING
from packager_jupyter.packages.pointer_files import PointerFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.packages.pointer import Pointer

FORMAT = "zip-2"
BATCH = 256
"""How many pointer files, of at most 16 KiB each, are held at a time."""


class PointerArchive:
    """The ZIP of one version as seen under one share address.

    Parameters
    ----------
    contents : Exportable
    base_url : str
        Address of the share, ending in ``/``; stands in every pointer file.
    plan : ZipPlan, optional
        The plan of the same archive, when it was kept.
    """

    def __init__(self, contents: Exportable, base_url: str, *, plan: ZipPlan | None = None) -> None:
        self._contents = contents
        self._files = PointerFiles(
            package=contents.name,
            version=contents.version,
            url_of=lambda path: file_url(base_url, path),
        )
        self._attachments = sorted(contents.attachments(), key=lambda a: a.path.encode())
        self._renamed = dict(self._renames())
        self._path_of = {name: path for path, name in self._renamed.items()}
        self.plan = plan or ZipPlan.of(self)

    @staticmethod
    def etag(contents: Exportable, base_url: str) -> str:
        """Return the entity tag, without quotes: the same exactly when the bytes are the same."""
        text = f"{FORMAT} {contents.digest} {contents.name}@{contents.version} {base_url}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    def stream(self, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes ``[start, stop)`` of the archive."""
        return stream(self, self.plan, start=start, stop=stop)

    def sizes(self) -> Iterator[tuple[list[bytes], list[int]]]:
        """Yield names and sizes of all entries (see `zip.Entries`)."""
        for attachment in self._attachments:
            yield [attachment.path.encode()], [attachment.size_bytes]
        for names, files in self._batches(self._contents.iter_pointers()):
            yield names, list(map(len, files))

    def read(self, start: int, first: str) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield names and bytes of the entries from number `start` on (see `zip.Entries`)."""
        for attachment in self._attachments[start:]:
            yield [attachment.path.encode()], [self._contents.read_attachment(attachment.path)]
        if start <= len(self._attachments):
            pointers = self._contents.iter_pointers()
        else:
            path = self._path_of.get(first) or first.removesuffix(ENDING)
            pointers = self._contents.iter_pointers_from(path)
        yield from self._batches(pointers)

    def _batches(self, pointers: Iterable[Pointer]) -> Iterator[tuple[list[bytes], list[bytes]]]:
        remaining, renamed, write = iter(pointers), self._renamed, self._files.write
        while batch := list(islice(remaining, BATCH)):
            names = [pointer.path + ENDING for pointer in batch]
            if renamed:
                names = [
                    renamed.get(pointer.path, name)
                    for pointer, name in zip(batch, names, strict=True)
                ]
            yield list(map(str.encode, names)), list(map(write, batch))

    def _renames(self) -> Iterator[tuple[str, str]]:
        """Yield the paths whose pointer files get another name than usual, and that name."""
        taken = {name for one in self._attachments for name in _with_folders(one.path)}
        for name in sorted(taken):
            path = name.removesuffix(ENDING)
            if path in {name, ""} or not self._has_pointer(path):
                continue
            number = 1
            while f"{path}~{number}{ENDING}" in taken or self._has_pointer(f"{path}~{number}"):
                number += 1
            yield path, f"{path}~{number}{ENDING}"

    def _has_pointer(self, path: str) -> bool:
        return any(one.path == path for one in islice(self._contents.iter_pointers_from(path), 1))


def _with_folders(path: str) -> Iterator[str]:
    """Yield a path and all folders above it."""
    return accumulate(path.split("/"), "{}/{}".format)
