"""``package.zip``: the attachments of a version and one pointer file for each of its files.

An entry's name is the package path, a pointer file's the path with ``.pointer`` added. Where an
attachment already has that name, ``~1``, ``~2`` … goes before the ending: nothing is left out, and
the pointer file itself says which path it stands for.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import TYPE_CHECKING

from packager_jupyter.exports.base import file_url
from packager_jupyter.exports.zip import ZipPlan, stream
from packager_jupyter.packages.pointer_file import ENDING, pointer_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.packages.pointer import Pointer

FORMAT = "zip-1"
_PERHAPS_RENAMED = re.compile(r"~[0-9]+\Z")


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
        self._base_url = base_url
        self._attachments = sorted(contents.attachments(), key=lambda a: a.path.encode())
        self._taken = {attachment.path for attachment in self._attachments}
        self.plan = plan or ZipPlan.of(self)

    @staticmethod
    def etag(contents: Exportable, base_url: str) -> str:
        """Return the entity tag, without quotes: the same exactly when the bytes are the same."""
        text = f"{FORMAT} {contents.digest} {contents.name}@{contents.version} {base_url}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    def stream(self, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes ``[start, stop)`` of the archive."""
        return stream(self, self.plan, start=start, stop=stop)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield name and size of every entry (see `zip.Entries`)."""
        for attachment in self._attachments:
            yield attachment.path, attachment.size_bytes
        for pointer in self._contents.iter_pointers():
            yield self._name(pointer), len(self._file(pointer))

    def read(self, start: int, first: str) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of the entries from number `start` on (see `zip.Entries`)."""
        for attachment in self._attachments[start:]:
            yield attachment.path, self._contents.read_attachment(attachment.path)
        for pointer in self._pointers_from(start - len(self._attachments), first):
            yield self._name(pointer), self._file(pointer)

    def _pointers_from(self, skipped: int, first: str) -> Iterator[Pointer]:
        if skipped <= 0:
            return self._contents.iter_pointers()
        path = first.removesuffix(ENDING)
        if _PERHAPS_RENAMED.search(path):
            return islice(self._contents.iter_pointers(), skipped, None)
        return self._contents.iter_pointers_from(path)

    def _name(self, pointer: Pointer) -> str:
        name = pointer.path + ENDING
        number = 0
        while name in self._taken:
            number += 1
            name = f"{pointer.path}~{number}{ENDING}"
        return name

    def _file(self, pointer: Pointer) -> bytes:
        return pointer_file(
            pointer,
            package=self._contents.name,
            version=self._contents.version,
            url=file_url(self._base_url, pointer.path),
        )
