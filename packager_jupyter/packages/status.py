"""How a draft stands to the version it was published as."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from packager_jupyter.errors import BusyError, ForbiddenError, PackageNotFoundError
from packager_jupyter.packages.base import DraftStatus
from packager_jupyter.packages.diff import Counts, count_changes
from packager_jupyter.packages.index import META_REVISION
from packager_jupyter.packages.publish import (
    META_BASE_DIGEST,
    META_BASE_REVISION,
    META_BASE_TEXTS,
    META_BASE_VERSION,
)
from packager_jupyter.packages.texts import texts_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packager_jupyter.oci.base import Descriptor
    from packager_jupyter.packages.index import PointerIndex
    from packager_jupyter.packages.metadata import Metadata
    from packager_jupyter.packages.publish import Publisher
    from packager_jupyter.packages.version import Version

COUNTED_FILES = 50_000
"""Up to so many pointers, changes are counted and the digest is computed."""


class State:
    """A draft compared with what it was published as.

    Parameters
    ----------
    index : PointerIndex
    metadata : Metadata
    layers : sequence of Descriptor
        Of the attachments as they are now.
    """

    def __init__(
        self, index: PointerIndex, metadata: Metadata, layers: Sequence[Descriptor]
    ) -> None:
        self._index = index
        self._metadata = metadata
        self._layers = layers
        self._meta: Mapping[str, str] = index.meta()

    @property
    def base_version(self) -> str | None:
        """The version that the draft was last published as."""
        return self._meta.get(META_BASE_VERSION)

    @property
    def is_changed(self) -> bool:
        """Whether anything was touched since; what was changed back still counts as touched."""
        return self._are_pointers_touched or self._are_texts_changed

    @property
    def _are_pointers_touched(self) -> bool:
        return self.base_version is None or self._meta.get(META_REVISION, "") != self._meta.get(
            META_BASE_REVISION
        )

    @property
    def _are_texts_changed(self) -> bool:
        return texts_mark(self._metadata, self._layers) != self._meta.get(META_BASE_TEXTS)

    def status(self, publisher: Publisher, open_version: Callable[[str], Version]) -> DraftStatus:
        """Return everything about it; changes are counted where that is quick."""
        totals = self._index.totals()
        is_changed, counts = self.is_changed, Counts()
        is_counted = totals.files <= COUNTED_FILES
        if self.base_version is None:
            counts, is_counted = Counts(), False
        elif self._are_pointers_touched and is_counted:
            found = self._count(open_version)
            is_counted = found is not None
            counts = found or counts
            if found is not None and not (found.added or found.removed or found.changed):
                self._note_unchanged()
                is_changed = self._are_texts_changed
        digest = self._meta.get(META_BASE_DIGEST)
        if is_changed:
            is_quick = totals.files <= COUNTED_FILES and (totals.files or self._layers)
            digest = publisher.preview(self._metadata, self._layers) if is_quick else None
        is_known = is_counted or not self._are_pointers_touched
        return DraftStatus(
            files=totals.files,
            bytes=totals.bytes,
            attachments=len(self._layers),
            unhashed_files=self._index.unhashed_files(),
            base_version=self.base_version,
            is_changed=is_changed,
            added=counts.added if is_known else None,
            removed=counts.removed if is_known else None,
            changed=counts.changed if is_known else None,
            digest=digest,
        )

    def _count(self, open_version: Callable[[str], Version]) -> Counts | None:
        try:
            base = open_version(self._meta[META_BASE_DIGEST])
        except PackageNotFoundError:
            return None  # that version was deleted
        if base.totals().files > COUNTED_FILES:
            return None
        return count_changes(base.iter_pointers(), self._index.iter_sorted())

    def _note_unchanged(self) -> None:
        """Remember that the pointers are those of the base again, if the draft can be written."""
        with contextlib.suppress(BusyError, ForbiddenError):
            self._index.set_meta({META_BASE_REVISION: self._meta.get(META_REVISION, "")})
