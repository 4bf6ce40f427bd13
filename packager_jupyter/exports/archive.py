"""``package.zip``: the attachments of a version and one pointer file for each of its files.

An entry's name is the package path, a pointer file's the path with ``.pointer`` added. Where an
attachment or a folder of one already has that name, the first of ``~1``, ``~2`` … that gives a name
of nobody's goes before the ending: nothing is left out, no name stands there twice, and the pointer
file itself says which path it stands for.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import partial
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from packager_jupyter.exports.base import file_url
from packager_jupyter.exports.zip import Run, ZipPlan, stream
from packager_jupyter.packages.pointer_file import ENDING
from packager_jupyter.packages.pointer_files import PointerFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.packages.outline import Outline

FORMAT = "zip-2"


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
        paths = dict(self._renames())
        self._renamed = {f"{path}{ENDING}".encode(): name for path, name in paths.items()}
        self._path_of = {name.decode(): path for path, name in paths.items()}
        self.plan = plan or self._plan()

    @staticmethod
    def etag(contents: Exportable, base_url: str) -> str:
        """Return the entity tag, without quotes: the same exactly when the bytes are the same."""
        text = f"{FORMAT} {contents.digest} {contents.name}@{contents.version} {base_url}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    def stream(self, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes ``[start, stop)`` of the archive."""
        return stream(self, self.plan, start=start, stop=stop)

    def _plan(self) -> ZipPlan:
        """Return the plan, from the outline of the version where it tells the lengths."""
        outline = self._contents.outline()
        extra = None if outline is None else outline.extra_bytes(self._files)
        if outline is None or extra is None:
            return ZipPlan.of(self)
        return ZipPlan.of_runs(self._runs(outline, extra))

    def _runs(self, outline: Outline, extra: int) -> Iterator[Run]:
        for names, sizes in self._attachment_sizes():
            yield Run.of(names, sizes)
        stretches = outline.stretches
        longer = [0] * len(stretches)
        starts = [one.first.encode() for one in stretches]
        for usual, name in self._renamed.items():
            path = usual.removesuffix(ENDING.encode())
            longer[bisect_right(starts, path) - 1] += len(name) - len(usual)
        number = len(self._attachments)
        for stretch, more in zip(stretches, longer, strict=True):
            usual = f"{stretch.first}{ENDING}".encode()
            first = self._renamed.get(usual, usual)
            yield Run(
                first,
                stretch.files,
                stretch.path_bytes + stretch.files * len(ENDING) + more,
                stretch.file_bytes + stretch.files * extra,
                partial(self._sizes_of, number, first.decode(), stretch.files),
            )
            number += stretch.files

    def _sizes_of(self, start: int, first: str, count: int) -> tuple[list[bytes], list[int]]:
        names, sizes = list[bytes](), list[int]()
        for more, files in self.read(start, first):
            names += more
            sizes += map(len, files)
            if len(names) >= count:
                break
        return names[:count], sizes[:count]

    def sizes(self) -> Iterator[tuple[list[bytes], list[int]]]:
        """Yield names and sizes of all entries (see `zip.Entries`)."""
        yield from self._attachment_sizes()
        for names, files in self._written():
            yield names, list(map(len, files))

    def read(self, start: int, first: str) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield names and bytes of the entries from number `start` on (see `zip.Entries`)."""
        for attachment in self._attachments[start:]:
            yield [attachment.path.encode()], [self._contents.read_attachment(attachment.path)]
        if start <= len(self._attachments):
            yield from self._written()
        else:
            yield from self._written(self._path_of.get(first) or first.removesuffix(ENDING))

    def _attachment_sizes(self) -> Iterator[tuple[list[bytes], list[int]]]:
        for attachment in self._attachments:
            yield [attachment.path.encode()], [attachment.size_bytes]

    def _written(self, start: str = "") -> Iterator[tuple[list[bytes], list[bytes]]]:
        renamed = self._renamed
        for names, files in self._contents.iter_written(self._files, start):
            yield ([renamed.get(name, name) for name in names] if renamed else names), files

    def _renames(self) -> Iterator[tuple[str, bytes]]:
        """Yield the paths whose pointer files get another name than usual, and that name."""
        taken = {name for one in self._attachments for name in _with_folders(one.path)}
        for name in sorted(taken):
            path = name.removesuffix(ENDING)
            if path in {name, ""} or not self._has_pointer(path):
                continue
            number = 1
            while f"{path}~{number}{ENDING}" in taken or self._has_pointer(f"{path}~{number}"):
                number += 1
            yield path, f"{path}~{number}{ENDING}".encode()

    def _has_pointer(self, path: str) -> bool:
        return any(one.path == path for one in islice(self._contents.iter_pointers_from(path), 1))


def _with_folders(path: str) -> Iterator[str]:
    """Yield a path and all folders above it."""
    return accumulate(path.split("/"), "{}/{}".format)
