"""What share handlers remember between requests, so that a redirect is cheap.

Versions are immutable, so their pointers and rendered texts are remembered by digest. What can
change is remembered for seconds only: which version is the latest, what the storage says of an
object, and signers, whose URLs begin to live when they are made.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

from packager_jupyter.exports.footprint_reading import FootprintReader
from packager_jupyter.packages.kept import Kept
from packager_jupyter.server.share.ahead import ReadAhead
from packager_jupyter.server.share.gitserve import UploadPacks
from packager_jupyter.server.share.memory import Memory, Once
from packager_jupyter.server.share.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Hashable

    from packager_jupyter.exports.footprints import Footprints
    from packager_jupyter.exports.git.repos import GitRepo
    from packager_jupyter.exports.zip import ZipPlan
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.previews.base import Preview
    from packager_jupyter.shares.model import Share
    from packager_jupyter.sources.base import Entry, Signer

SETTING = "packager_shares_state"
LATEST_S = 2.0
PINNED_S = 30.0
STAT_S = 5.0
SIGNER_S = 30.0
REMEMBERED = 40_000
PREVIEWS_AT_ONCE = 3
PREVIEWS_WAITING = 30
FOOTPRINTS_S = 2.0
FOOTPRINTS_AT_ONCE = 2
FOOTPRINTS_WAITING = 30


class ShareState:
    """The memories of one server."""

    def __init__(self) -> None:
        self.opening: Once[Share] = Once()
        self.latest: Memory[Version] = Memory(256, life_s=LATEST_S)
        self.pinned: Memory[Version] = Memory(1024, life_s=PINNED_S)
        # Versions whose indexes are being built, by what they are remembered under.
        self.preparing: dict[Hashable, Version] = {}
        self.pointers: Memory[Pointer] = Memory(REMEMBERED)
        self.pointers_ahead = ReadAhead(self.pointers)
        self.entries: Memory[Entry] = Memory(REMEMBERED, life_s=STAT_S)
        self.entries_ahead = ReadAhead(self.entries)
        self.signers: Memory[Signer] = Memory(1024, life_s=SIGNER_S)
        self.created: Memory[tuple[int | None]] = Memory(1024, life_s=PINNED_S)
        self.plans: Memory[ZipPlan] = Memory(64)
        self.repos: Memory[GitRepo] = Memory(256, life_s=PINNED_S)
        self.upload_packs = UploadPacks()
        # Who is being sent an archive with content.
        self.content_zips: set[object] = set()
        self.texts: Memory[str] = Memory(64)
        # Paths of some files, for lines to copy; read in threads.
        self.examples: Kept[tuple[str, ...]] = Kept(64)
        self.previews: Memory[Preview] = Memory(32)
        self.previewing = Turns(PREVIEWS_AT_ONCE, waiting=PREVIEWS_WAITING, what="previews")
        # The reader remembers what it read; this, what one client's requests in a row are told.
        self.footprint_reader = FootprintReader()
        self.footprints: Memory[Footprints] = Memory(8, life_s=FOOTPRINTS_S)
        self.footprinting = Turns(
            FOOTPRINTS_AT_ONCE, waiting=FOOTPRINTS_WAITING, what="footprints of images"
        )
        # Stands in remembered texts for what differs between visitors; nobody can write it.
        self.images_mark = f"images-{secrets.token_hex(16)}/"

    def versions_of(self, share: Share) -> tuple[Memory[Version], Hashable]:
        """Return which memory holds the version that `share` shares, and under which key."""
        memory = self.pinned if share.version else self.latest
        return memory, (share.package, share.version, share.paths)

    def forget_version(self, package: str, version: str) -> None:
        """Forget a version that was deleted, under whatever path filter it was shared."""
        self.pinned.forget_where(lambda key: key[:2] == (package, version))
        self.latest.forget_where(lambda key: key[0] == package)
        self.repos.forget_where(lambda _key: True)


def share_state(settings: dict[str, Any]) -> ShareState:
    """Return the memories of the server with these application `settings`."""
    state = settings.get(SETTING)
    if state is None:
        state = settings[SETTING] = ShareState()
    return cast("ShareState", state)
