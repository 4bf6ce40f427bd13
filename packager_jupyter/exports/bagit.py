"""``bag.tar``: a BagIt bag (RFC 8493) whose files are fetched from the share.

The tar holds the tag files and the attachments; ``fetch.txt`` gives every other file its lasting
address, so a tool that resolves it has a complete bag. A payload manifest must name every file of
the bag (section 2.1.3), so it is in the one algorithm that is known of most files, and a file of
which that is unknown is no part of the bag: ``excluded.txt`` names it and why. So is a name that
ends in a blank, which the lines of a manifest cannot keep.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packager_jupyter.exports.base import in_batches
from packager_jupyter.exports.described import person_of, slug, title_of
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

_STRONGEST_FIRST = ("sha512", "sha256", "sha1", "md5")
_BLOCK = tarfile.BLOCKSIZE


def bag(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``bag.tar``; the pointers are read once for each file that lists them, and before."""
    return in_batches(_Bag(contents, place).tar())


@dataclass(frozen=True, slots=True)
class _TagFile:
    """A file of the bag beside its payload: its lines, as often as they are wanted."""

    name: str
    lines: Callable[[], Iterator[bytes]]


class _Bag:
    """One bag; what it counts, it counts in a first pass."""

    def __init__(self, contents: Exportable, place: Place) -> None:
        self._contents = contents
        self._place = place
        known = dict.fromkeys(_STRONGEST_FIRST, 0)
        for file in self._files():
            for name in known:
                known[name] += name in file.checksums or file.is_attachment
        self.algorithm = max(_STRONGEST_FIRST, key=lambda name: known[name])
        self.files = self.bytes = self.excluded = 0
        for file in self._files():
            if self._why_not(file) is None:
                self.files += 1
                self.bytes += file.size_bytes
            else:
                self.excluded += 1

    def tar(self) -> Iterator[bytes]:
        """Yield the archive."""
        folder = f"{slug(self._contents.name)}-{self._contents.version}"
        sums = []
        for tag in self._tags():
            size_bytes, digest = _measured(tag.lines(), self.algorithm)
            sums.append(f"{digest}  {tag.name}\n".encode())
            yield from _member(f"{folder}/{tag.name}", size_bytes, tag.lines())
        tags = b"".join(sums)
        yield from _member(f"{folder}/tagmanifest-{self.algorithm}.txt", len(tags), iter([tags]))
        for attachment in self._contents.attachments():
            data = self._contents.read_attachment(attachment.path)
            if attachment.path == attachment.path.rstrip():
                yield from _member(f"{folder}/data/{attachment.path}", len(data), iter([data]))
        yield bytes(2 * _BLOCK)

    def _tags(self) -> list[_TagFile]:
        tags = [
            _TagFile("bagit.txt", lambda: iter([_DECLARATION])),
            _TagFile("bag-info.txt", self._info),
            _TagFile(f"manifest-{self.algorithm}.txt", self._manifest),
            _TagFile("fetch.txt", self._fetch),
        ]
        if self.excluded:
            tags.append(_TagFile("excluded.txt", self._excluded))
        return tags

    def _why_not(self, file: ExportedFile) -> str | None:
        if file.path != file.path.rstrip():
            return "its name ends in a blank"
        if not file.is_attachment and self.algorithm not in file.checksums:
            return f"no {self.algorithm} of it is known"
        return None

    def _info(self) -> Iterator[bytes]:
        metadata = self._contents.metadata()
        yield f"External-Description: {_one_line(title_of(self._contents))}\n".encode()
        yield f"External-Identifier: {self._contents.digest}\n".encode()
        for text in metadata.authors:
            yield f"Contact-Name: {_one_line(person_of(text).name)}\n".encode()
        if self._place.created_s is not None:
            day = datetime.fromtimestamp(self._place.created_s, UTC)
            yield f"Bagging-Date: {day:%Y-%m-%d}\n".encode()
        yield f"Payload-Oxum: {self.bytes}.{self.files}\n".encode()
        if self.excluded:
            yield f"Excluded-Files: {self.excluded} (see excluded.txt)\n".encode()

    def _files(self, algorithms: tuple[str, ...] = ()) -> Iterator[ExportedFile]:
        place = self._place
        return exported_files(
            self._contents, place.base_url, algorithms=algorithms, address=place.address
        )

    def _included(self, algorithms: tuple[str, ...] = ()) -> Iterator[ExportedFile]:
        for file in self._files(algorithms):
            if self._why_not(file) is None:
                yield file

    def _manifest(self) -> Iterator[bytes]:
        for file in self._included((self.algorithm,)):
            yield f"{file.checksums[self.algorithm]}  {_payload(file.path)}\n".encode()

    def _fetch(self) -> Iterator[bytes]:
        for file in self._included():
            if not file.is_attachment:
                yield f"{file.url} {file.size_bytes} {_payload(file.path)}\n".encode()

    def _excluded(self) -> Iterator[bytes]:
        for file in self._files():
            why = self._why_not(file)
            if why is not None:
                yield f"{file.url} {file.size_bytes} {_payload(file.path)}: {why}\n".encode()


_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def _payload(path: str) -> str:
    """Return the path of a payload file; RFC 8493 2.1.3 encodes ``%`` and line ends alone."""
    encoded = path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"data/{encoded}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _measured(lines: Iterator[bytes], algorithm: str) -> tuple[int, str]:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    size_bytes = 0
    for line in lines:
        size_bytes += len(line)
        digest.update(line)
    return size_bytes, digest.hexdigest()


def _member(name: str, size_bytes: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield one file of the tar (POSIX.1-2001 pax), without a date of its own."""
    entry = tarfile.TarInfo(name)
    entry.size = size_bytes
    yield entry.tobuf(tarfile.PAX_FORMAT)
    yield from pieces
    yield bytes(-size_bytes % _BLOCK)
