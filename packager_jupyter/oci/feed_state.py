"""What a project of a feed holds: its releases and events, made from the rows of the index.

Also the Protocol of whoever says what a feed may take; the limits themselves are no business of
the OCI store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from packager_jupyter.oci.feed_names import EVENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Release:
    """One published artifact of a project, as the index keeps it.

    Attributes
    ----------
    tag, digest : str
        Its immutable tag and the digest of its manifest.
    config : mapping
        The config document: everything that a list page needs.
    layers : sequence of mapping
        Descriptors in their JSON form (``digest``, ``size``, ``mediaType``, ``annotations``).
    manifests : sequence of mapping
        The same for an image index, else empty.
    annotations : mapping of str to str
    """

    tag: str
    digest: str
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    manifests: Sequence[Mapping[str, Any]]
    annotations: Mapping[str, str]


class ProjectState:
    """What a project holds at one moment; worked out where somebody looks.

    Parameters
    ----------
    project : str
    rows : mapping of tag to row
        Rows of the index, in tag order.
    """

    def __init__(self, project: str, rows: Mapping[str, Any]) -> None:
        self.project = project
        self._rows = rows

    @cached_property
    def event_tags(self) -> frozenset[str]:
        """Tags of the events."""
        return frozenset(tag for tag in self._rows if tag.startswith(EVENT_PREFIX))

    @cached_property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Payloads of the events, oldest first."""
        return [self._rows[tag]["config"] for tag in sorted(self.event_tags)]

    @cached_property
    def releases(self) -> Mapping[str, Release]:
        """Releases by tag, in tag order."""
        events = self.event_tags
        rows = self._rows.items()
        return {tag: Release(tag=tag, **row) for tag, row in rows if tag not in events}

    @cached_property
    def etag(self) -> str:
        """Changes exactly when releases or events do; key for rendered pages."""
        digest = hashlib.sha256()
        for tag, row in self._rows.items():
            digest.update(f"{tag}={row['digest']}\n".encode())
        return digest.hexdigest()[:32]

    def release(self, tag: str) -> Release | None:
        """Return one release, without a look at the others."""
        row = self._rows.get(tag)
        return None if row is None or tag in self.event_tags else Release(tag=tag, **row)


class FeedGuard(Protocol):
    """What a feed lets happen; see `registries.quota.Guard`."""

    def room(
        self, project: str, size_bytes: int, *, project_bytes: Callable[[], int]
    ) -> AbstractContextManager[None]:
        """Book bytes for what the block stores, or refuse."""

    def check_delete(self, what: str) -> None:
        """Refuse a deletion where nothing may be deleted."""

    def free(self, project: str, size_bytes: int) -> None:
        """Give bytes back."""
