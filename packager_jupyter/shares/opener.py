"""Opening a share by its link: the look-up behind every request of a visitor.

What was looked up is remembered together with the database's change marker, so that a redirect
costs no query while a revocation still takes effect on the very next request.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from packager_jupyter.shares.audience import read_audience
from packager_jupyter.shares.freshness import ChangeMarker
from packager_jupyter.shares.model import Share, paths_of, share_gone, state_of
from packager_jupyter.shares.tokens import parse_segment, secret_hash
from packager_jupyter.store.schema import share as table

if TYPE_CHECKING:
    from sqlalchemy import Row

    from packager_jupyter.store.database import Database

MAX_CACHED = 4096


class Opener:
    """Finds active shares by the path segment of their link; safe to share between threads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._marker = ChangeMarker(db)
        self._cache: dict[str, tuple[int, Share]] = {}

    def peek(self, segment: str, *, now_s: float) -> Share | None:
        """Do what `open` does without a query, when memory is certain to be as the database.

        Takes microseconds and may be called on an event loop. ``None`` says: ask `open`.
        """
        cached = self._cache.get(segment)
        if cached is None or cached[0] != self._marker.value():
            return None
        share = cached[1]
        if share.expires_s is not None and share.expires_s <= now_s:
            return None
        return share

    def mark(self) -> int | None:
        """Return what changes with every commit, None where nothing tells; as cheap as `peek`."""
        return self._marker.value()

    def open(self, segment: str, *, now_s: float) -> Share:
        """Return the active share that the path segment ``[slug-]token[~capability]`` names.

        Raises
        ------
        ShareNotFoundError
            Unknown, expired, revoked, used up, not started, or with a capability that is not
            (or no longer) its own: the same error for all.
        """
        marker = self._marker.value()
        parsed = parse_segment(segment)
        # A segment of the wrong shape is looked up too, so that it takes the same time.
        hashed = secret_hash(parsed.token if parsed else segment)
        with self._db.connect() as connection:
            row = connection.execute(select(table).where(table.c.token_hash == hashed)).first()
        if parsed is None or row is None or state_of(row, now_s) != "active":
            raise share_gone()
        # Where the password was taken away, links with a capability go on working.
        has_capability = parsed.capability is not None and row.password_hash is not None
        if has_capability and not _is_capability(row, parsed.capability):
            raise share_gone()
        share = _share_of(row, has_capability=has_capability)
        if marker is not None:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[segment] = (marker, share)
        return share

    def close(self) -> None:
        """Release the connection of the change marker."""
        self._marker.close()


def _share_of(row: Row[Any], *, has_capability: bool) -> Share:
    return Share(
        id=row.id,
        package=row.package,
        version=row.version,
        owner=row.owner,
        epoch=row.epoch,
        expires_s=row.expires_s,
        max_downloads=row.max_downloads,
        has_capability=has_capability,
        password_hash=row.password_hash,
        paths=paths_of(row),
        created_s=row.created_s,
        audience=read_audience(row.audience),
    )


def _is_capability(row: Row[Any], capability: str | None) -> bool:
    return (
        capability is not None
        and row.capability_hash is not None
        and secrets.compare_digest(row.capability_hash, secret_hash(capability))
    )
