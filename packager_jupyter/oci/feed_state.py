"""What a project of a feed holds: its releases and events, folded from the rows of the index.

Also the Protocol of whoever says what a feed may take; the limits themselves are no business of
the OCI store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What a project holds now.

    Attributes
    ----------
    releases : mapping of tag to Release
        In tag order.
    events : sequence of mapping
        Payloads of the events, oldest first.
    event_tags : frozenset of str
    etag : str
        Changes exactly when releases or events do; key for rendered pages.
    """

    project: str
    releases: Mapping[str, Release]
    events: Sequence[Mapping[str, Any]]
    event_tags: frozenset[str]
    etag: str


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


def fold(project: str, rows: Mapping[str, Any]) -> ProjectState:
    """Return the state that rows of the index (by tag, in tag order) stand for."""
    releases, events, digest = {}, [], hashlib.sha256()
    for tag, row in rows.items():
        digest.update(f"{tag}={row['digest']}\n".encode())
        if tag.startswith(EVENT_PREFIX):
            events.append(row["config"])
        else:
            releases[tag] = Release(tag=tag, **row)
    event_tags = frozenset(rows.keys() - releases.keys())
    return ProjectState(project, releases, events, event_tags, digest.hexdigest()[:32])
