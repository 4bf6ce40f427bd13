"""What an export reads: a published version, and the addresses under which its files are had."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from packager_jupyter.exports.footprints import Footprints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from packager_jupyter.packages.metadata import Metadata
    from packager_jupyter.packages.outline import Outline
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.pointer_files import PointerFiles

BATCH_BYTES = 64 * 1024


class AttachmentLike(Protocol):
    """A small file whose bytes are in the package."""

    @property
    def path(self) -> str:
        """Its path in the package."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its exact size."""
        ...

    @property
    def media_type(self) -> str | None:
        """Its content type, when known."""
        ...


class Exportable(Protocol):
    """The part of `packages.catalog.Version` that exports need."""

    @property
    def name(self) -> str:
        """Name of the package."""
        ...

    @property
    def version(self) -> str:
        """Name of the version."""
        ...

    @property
    def digest(self) -> str:
        """Digest of the version's manifest: names the content exactly."""
        ...

    def metadata(self) -> Metadata:
        """Return title, description and so on."""
        ...

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield every pointer, sorted by the bytes of its path."""
        ...

    def iter_pointers_from(self, path: str) -> Iterator[Pointer]:
        """Yield the pointer at `path` and all that sort behind it, without reading the others."""
        ...

    def iter_written(
        self, files: PointerFiles, start: str = ""
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield the pointer files of all pointers, or of those from the path `start` on, in order.

        They come in small batches: names (the path and ``.pointer``, in UTF-8), and what `files`
        writes for each.
        """
        ...

    def outline(self) -> Outline | None:
        """Return how long the pointer files are, where that is known without writing them."""
        ...

    def attachments(self) -> Sequence[AttachmentLike]:
        """Return every attachment."""
        ...

    def read_attachment(self, path: str) -> bytes:
        """Return the bytes of one attachment."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where and since when a version is to be had.

    Attributes
    ----------
    base_url : str
        Address of the share, ending in ``/``; never signed.
    created_s : int or None
        When the version was published, Unix seconds; None where nothing says it.
    footprints : Footprints
        Where its images lie, as far as that is known; only for exports that ask for it.
    address : callable, optional
        Gives the address of a pointer's file in the place of that below `base_url`; only for
        exports that ask for it.
    """

    base_url: str
    created_s: int | None = None
    footprints: Footprints = field(default_factory=Footprints, repr=False, hash=False)
    address: Callable[[Pointer], str] | None = field(default=None, repr=False, hash=False)


def encode_path(path: str) -> str:
    """Percent-encode a package path for a URL: everything but ``A-Za-z0-9_.-~`` and ``/``."""
    return quote(path, safe="/")


def file_url(base_url: str, path: str) -> str:
    """Return the lasting address of one file below a share's address, which ends in ``/``."""
    return f"{base_url}files/{quote(path, safe='/')}"


def in_batches(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Join short byte strings to batches of some 64 KiB."""
    waiting: list[bytes] = []
    waiting_bytes = 0
    for line in lines:
        waiting.append(line)
        waiting_bytes += len(line)
        if waiting_bytes >= BATCH_BYTES:
            yield b"".join(waiting)
            waiting, waiting_bytes = [], 0
    if waiting:
        yield b"".join(waiting)
