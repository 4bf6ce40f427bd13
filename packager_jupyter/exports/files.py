"""The files of a version as lists and descriptions name them: attachments first, then pointers.

A checksum stands here only when somebody computed or reported it. Those of attachments are computed
where they are asked for, as their bytes are in the package.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from packager_jupyter.exports.base import file_url
from packager_jupyter.packages.media import media_type_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.packages.pointer import Pointer

COMPUTED = ("md5", "sha1", "sha256", "sha512")
"""Algorithms that are computed for attachments."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file on its way out.

    Attributes
    ----------
    path : str
        Path in the package.
    url : str
        Its lasting address below the share.
    size_bytes : int
    media_type : str
    checksums : mapping of str to str
        Algorithm to lower-case hex.
    modified_s : int or None
        Unix seconds; None for attachments.
    is_attachment : bool
    """

    path: str
    url: str
    size_bytes: int
    media_type: str
    checksums: Mapping[str, str]
    modified_s: int | None
    is_attachment: bool

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]

    def first_checksum(self, algorithms: Sequence[str]) -> tuple[str, str] | None:
        """Return the first known of `algorithms` with its digest."""
        for algorithm in algorithms:
            if algorithm in self.checksums:
                return algorithm, self.checksums[algorithm]
        return None


def exported_files(
    contents: Exportable,
    base_url: str,
    *,
    algorithms: Sequence[str] = (),
    address: Callable[[Pointer], str] | None = None,
) -> Iterator[ExportedFile]:
    """Yield every file of a version.

    Parameters
    ----------
    contents : Exportable
    base_url : str
        Address of the share, ending in ``/``.
    algorithms : sequence of str
        Those of `COMPUTED` that are wanted of attachments.
    address : callable, optional
        See `Place`.
    """
    for attachment in contents.attachments():
        data = contents.read_attachment(attachment.path) if algorithms else b""
        yield ExportedFile(
            attachment.path,
            file_url(base_url, attachment.path),
            attachment.size_bytes,
            attachment.media_type or media_type_for(attachment.path),
            {name: hashlib.new(name, data, usedforsecurity=False).hexdigest()
             for name in algorithms},
            None,
            is_attachment=True,
        )  # fmt: skip
    for pointer in contents.iter_pointers():
        yield ExportedFile(
            pointer.path,
            address(pointer) if address else file_url(base_url, pointer.path),
            pointer.size_bytes,
            pointer.media_type or media_type_for(pointer.path),
            pointer.checksums,
            pointer.modified_s,
            is_attachment=False,
        )


def harmless(text: str) -> str:
    """Return `text` percent-encoded, so that a comment of any format can hold it."""
    return quote(text, safe="/:~._").replace("--", "%2D%2D")
