"""Who was let in where, remembered until the database changes.

Every request to a registry asks which feed it is and whose token it carries. Both answers stand in
the database, and asking there costs several times what sending a finished page does. They are
remembered here under the database's change mark: whatever is committed by whomever (a token revoked
on the command line, a feed taken off the air) is seen by the very next request.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packager_jupyter.registries.spec import FeedSpec
    from packager_jupyter.shares.api_tokens import TokenInfo
    from packager_jupyter.shares.scopes import RegistryScope
    from packager_jupyter.store.database import Database

LIFE_S = 60
"""After so long the token is looked up all the same, which notes that it was used."""

_MAX_KNOWN = 4096

Key = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Admission:
    """A feed and, unless nobody was named, the living token of who asks."""

    spec: FeedSpec
    token: TokenInfo | None
    scopes: tuple[RegistryScope, ...]


class Admissions:
    """The memory; used on the event loop only."""

    def __init__(self) -> None:
        self._mark: object = None
        self._known: dict[Key, tuple[float, Admission]] = {}

    @staticmethod
    def key(ecosystem: str, feed: str, carried: str | None) -> Key:
        """Return under what an answer is remembered; the token itself is not kept."""
        digest = hashlib.sha256(carried.encode("utf-8", "replace")).digest() if carried else b""
        return ecosystem, feed, digest

    def get(self, key: Key, db: Database) -> Admission | None:
        """Return the answer if it still holds."""
        mark = db.change_mark()
        if mark is None or mark != self._mark:
            self._known.clear()
            self._mark = mark
            return None
        found = self._known.get(key)
        if found is None or found[0] <= time.monotonic():
            return None
        token = found[1].token
        if token is not None and token.expires_s <= time.time():
            return None
        return found[1]

    def mark(self) -> object:
        """Return the mark under which `get` looked last; for `put`."""
        return self._mark

    def put(self, key: Key, admission: Admission, *, mark: object) -> None:
        """Remember an answer that was looked up after `get` saw `mark`."""
        if mark is None or mark != self._mark:
            return
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[key] = (time.monotonic() + LIFE_S, admission)
