"""A package of this installation as an origin: read through its sources, no server needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import ObjectChangedError
from packager_jupyter.fetch.items import Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packager_jupyter.packages.base import Contents
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.catalog import SourceCatalog


class PackageOrigin:
    """A `fetch.items.Origin` over a draft or version."""

    def __init__(self, contents: Contents, sources: SourceCatalog, *, title: str) -> None:
        self._contents = contents
        self._sources = sources
        self.title = title

    def items(self) -> Iterator[Item]:
        """Yield attachments, then pointers in path order; see `Origin.items`."""
        for attachment in self._contents.attachments():
            yield Item(attachment.path, attachment.size_bytes, is_attachment=True)
        for pointer in self._contents.iter_pointers():
            yield Item(
                path=pointer.path,
                size_bytes=pointer.size_bytes,
                checksums=pointer.checksums,
                identity=f"{pointer.etag}/{pointer.version_id}",
                modified_s=pointer.modified_s,
            )

    def addresses(self, items: Sequence[Item]) -> Mapping[str, str]:  # noqa: ARG002
        """Return none: sources are read without a round trip to anybody."""
        return {}

    def read(
        self,
        item: Item,
        *,
        start: int,
        address: str | None = None,  # noqa: ARG002  # the Protocol's signature
    ) -> Iterator[bytes]:
        """Yield bytes from `start` on; see `Origin.read`."""
        if item.is_attachment:
            yield self._contents.read_attachment(item.path)[start:]
            return
        pointer = self._contents.get(item.path)
        source = self._sources.open(pointer.source)
        if pointer.version_id is None:
            _check_same(pointer, source.stat(pointer.key).etag)
        yield from source.read(pointer.key, start=start, version_id=pointer.version_id)

    def close(self) -> None:
        """Nothing to release: the sources belong to the services."""


def _check_same(pointer: Pointer, etag: str | None) -> None:
    if pointer.etag is not None and etag != pointer.etag:
        raise ObjectChangedError(
            f"{pointer.path!r} has changed in the storage since it was added.",
            remedy="Add it again and publish a new version.",
        )
