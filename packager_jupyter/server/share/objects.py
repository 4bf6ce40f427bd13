"""Pointers on their way out: checked against the storage, then signed.

A version says which object it means by version id, ETag and size. Where the storage keeps versions
the signed address names the very version; elsewhere the object is looked at first (what was seen
counts for some seconds), and one that is no longer the published one is refused.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packager_jupyter.errors import ObjectNotFoundError, PathNotFoundError
from packager_jupyter.exports.reading import is_changed, object_changed, object_gone
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.names import media_type_header

if TYPE_CHECKING:
    from collections.abc import Hashable

    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share
    from packager_jupyter.sources.base import Entry, Signer

PAGE_ROWS = 2000


class PointerHandler(ShareHandler):
    """A handler that hands out what pointers point to."""

    async def pointer(self, version: Version, path: str) -> Pointer | None:
        """Return the pointer at `path` of this version, ``None`` when there is none.

        Only a pointer of the version is ever checked or signed: a path cannot reach further.
        """
        key = (version.digest, path)
        state = self.state
        found = state.pointers.get(key)
        if found is None:
            folder = path.rpartition("/")[0]
            found = await state.pointers_ahead.find(
                (version.digest, folder),
                key,
                lambda cursor: self.call(_pointers_of, version, folder, cursor),
            )
        if found is None:
            try:
                found = await self.call(version.get, path)
            except PathNotFoundError:
                return None
            state.pointers.put(key, found)
        return found

    async def check(self, pointer: Pointer) -> Entry | None:
        """Make sure that the storage still has what was published; return what it said.

        ``None``: the version id names the object, so nothing had to be asked.

        Raises
        ------
        ObjectChangedError, ObjectNotFoundError, StorageError
        """
        if pointer.version_id is not None:
            return None
        entry = await self.entry(pointer)
        if is_changed(pointer, entry):
            # Or what is remembered is older than this version: nobody is refused for that.
            entry = await self.call(self._stat, pointer)
            self.state.entries.put((pointer.source, pointer.key, pointer.version_id), entry)
            if is_changed(pointer, entry):
                raise object_changed(pointer.path)
        return entry

    async def check_again(self, pointer: Pointer) -> None:
        """Make sure of the same now that its bytes were read: nothing remembered counts.

        Raises
        ------
        ObjectChangedError, ObjectNotFoundError, StorageError
        """
        if pointer.version_id is None and is_changed(pointer, await self.call(self._stat, pointer)):
            self.state.entries.forget((pointer.source, pointer.key, pointer.version_id))
            raise object_changed(pointer.path)

    async def entry(self, pointer: Pointer) -> Entry:
        """Return what the storage says of the object, not older than some seconds."""
        key = (pointer.source, pointer.key, pointer.version_id)
        state = self.state
        found = state.entries.get(key)
        if found is None and pointer.version_id is None:
            prefix = pointer.key[: pointer.key.rfind("/") + 1]
            found = await state.entries_ahead.find(
                (pointer.source, prefix),
                key,
                lambda cursor: self.call(self._entries_of, pointer.source, prefix, cursor),
            )
        return found or await state.entries.load(key, lambda: self.call(self._stat, pointer))

    def _entries_of(
        self, source_name: str, prefix: str, cursor: str | None
    ) -> tuple[list[tuple[Hashable, Entry]], str | None]:
        page = self.services.sources.open(source_name).list_page(prefix, cursor=cursor)
        files = [entry for entry in page.entries if not entry.is_folder]
        return [((source_name, entry.key, None), entry) for entry in files], page.cursor

    def _stat(self, pointer: Pointer) -> Entry:
        source = self.services.sources.open(pointer.source)
        try:
            return source.stat(pointer.key, version_id=pointer.version_id)
        except ObjectNotFoundError as error:
            raise object_gone(pointer.path) from error

    async def signed_url(self, share: Share, pointer: Pointer) -> str:
        """Return a presigned URL that ends no later than the share."""
        return sign_pointer(await self._signer(share, pointer.source), pointer)

    async def _signer(self, share: Share, source: str) -> Signer:
        own_url = self.public_url
        key, ttl_s = signer_terms(
            self.services.settings.presign_ttl_s, share, source, own_url, time.time()
        )
        signers = self.state.signers
        found = signers.get(key)
        if found is not None:
            return found
        return await signers.load(
            key, lambda: self.call(self._make_signer, source, ttl_s=ttl_s, own_url=own_url)
        )

    def _make_signer(self, source: str, *, ttl_s: int, own_url: str) -> Signer:
        return self.services.sources.open(source).signer(ttl_s=ttl_s, self_url=own_url)


def signer_terms(
    full_s: int, share: Share, source: str, own_url: str, now_s: float
) -> tuple[Hashable, int]:
    """Return under which key a signer for files of `share` is remembered, and how long it signs.

    Its addresses live for `full_s` seconds, and no longer than the share.
    """
    remaining_s = share.remaining_s(now_s)
    if remaining_s is None or remaining_s >= full_s:
        return (source, own_url, None), full_s
    return (source, own_url, share.expires_s), max(1, int(remaining_s))


def sign_pointer(sign: Signer, pointer: Pointer) -> str:
    """Return the presigned address of what `pointer` means, named and typed as it was published."""
    return sign(
        pointer.key,
        version_id=pointer.version_id,
        filename=pointer.name,
        media_type=media_type_header(pointer.media_type) if pointer.media_type else None,
    )


def _pointers_of(
    version: Version, folder: str, cursor: str | None
) -> tuple[list[tuple[Hashable, Pointer]], str | None]:
    try:
        page = version.page(folder, cursor=cursor, limit=PAGE_ROWS)
    except PathNotFoundError:
        return [], None
    rows = [row for row in page.rows if isinstance(row, Pointer)]
    return [((version.digest, row.path), row) for row in rows], page.cursor
