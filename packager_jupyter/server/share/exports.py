"""Lists, descriptions and archives of a share: `exports.table`, and ``package.zip``."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.errors import BadInputError, BusyError
from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.exports.base import Place
from packager_jupyter.exports.content_zip import ContentArchive, ContentLimits
from packager_jupyter.exports.footprints import Footprints
from packager_jupyter.exports.reading import read_pointer
from packager_jupyter.server.query import parse_query
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.objects import PointerHandler
from packager_jupyter.server.share.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.table import Export
    from packager_jupyter.exports.zip import ZipPlan
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share

FORMAT = "list-3"
CONTENT_AT_ONCE = 4


class CreatedHandler(ShareHandler):
    """A handler that says when a version was published."""

    async def created_s(self, version: Version) -> int | None:
        """Return when the version was published, where the store keeps it."""
        key = (version.name, version.version, version.digest)
        return (await self.state.created.load(key, lambda: self.call(self._created, version)))[0]

    def _created(self, version: Version) -> tuple[int | None]:
        for info in self.services.packages.versions(version.name):
            if info.version == version.version:
                return (info.created_s,)
        return (None,)


class ListHandler(CreatedHandler):
    """One row of the table of exports, made while it is sent: complete, or cut off visibly."""

    audit_action: ClassVar[str] = "share.list"
    export: ClassVar[Export]

    async def get(self, share: str) -> None:
        """Send the list."""
        opened = await self.visit(share)
        version = await self.version(opened)
        export = self.export
        known = await self._footprints(version) if export.has_footprints else Footprints()
        place = Place(self.share_url, await self.created_s(version), known)
        text = (
            f"{FORMAT} {export.name} {version.digest} {version.name}@{version.version} {place} "
            f"{known.mark()}"
        )
        sending = Sending(
            self,
            filename=export.name.replace("/", "-"),
            media_type=export.media_type,
            etag=hashlib.sha256(text.encode()).hexdigest()[:40],
            is_inline=export.is_inline,
        )
        self.note(self.audit_action, "ok")
        await sending.send_all(lambda: export.make(version, place))

    head = get

    async def _footprints(self, version: Version) -> Footprints:
        """Return where images lie, reading some more of them; few requests read at a time."""
        state = self.state
        read = partial(state.footprint_reader.read, version, self.services.sources.open)
        return await state.footprints.load(
            version.digest, lambda: state.footprinting.run(lambda: self.call(read))
        )


def list_handler(export: Export) -> type[ListHandler]:
    """Return the handler of one row of the table."""
    return type("ListHandler", (ListHandler,), {"export": export, "__doc__": export.summary})


class ZipHandler(PointerHandler):
    """``package.zip``: attachments and pointer files, of exact length, resumable anywhere.

    With ``content=all`` the real bytes of the files, for packages that are small enough: these pass
    through this server, so only a few of them at a time are made.
    """

    audit_action: ClassVar[str] = "share.zip"

    async def get(self, share: str) -> None:
        """Send the archive or a part of it."""
        opened = await self.visit(share)
        version = await self.version(opened)
        content = parse_query(self.request.query).get("content", "pointers")
        if content not in {"pointers", "all"}:
            raise BadInputError(
                "There is no ZIP of such content.",
                remedy="Ask for 'content=pointers' or 'content=all', or leave it out.",
            )
        if content == "all":
            await self._send_content(opened, version)
        else:
            await self._send_pointers(opened, version)

    head = get

    async def _send_pointers(self, share: Share, version: Version) -> None:
        base_url = self.share_url
        etag = PointerArchive.etag(version, base_url)
        plan = await self.state.plans.load(etag, lambda: self.call(_plan, version, base_url))
        await self._count(share)
        archive = await self.call(PointerArchive, version, base_url, plan=plan)
        await self._sending(version, etag, "").send(
            plan.size_bytes, lambda start, stop: archive.stream(start=start, stop=stop)
        )

    async def _send_content(self, share: Share, version: Version) -> None:
        settings = self.services.settings
        limits = ContentLimits(settings.zip_content_bytes, settings.zip_content_file_bytes)
        base_url = self.share_url
        archive = await self.call(ContentArchive, version, base_url, limits=limits)
        sending = self._sending(version, ContentArchive.etag(version, base_url, limits), "-all")
        running = self.state.content_zips
        if len(running) >= CONTENT_AT_ONCE:
            raise BusyError(
                "The server is making as many archives with content as it does at a time.",
                remedy="Try again in a while, or fetch the files with one of the other ways.",
                retry_after_s=30,
            )
        running.add(self)
        try:
            if self.request.method != "HEAD":
                # What has changed is told before anything is sent; what changes later cuts it off.
                for pointer in archive.pointers:
                    await self.check(pointer)
            await self._count(share)
            await sending.send_whole(archive.size_bytes, lambda: archive.stream(self._read))
        finally:
            running.discard(self)

    def _read(self, pointer: Pointer) -> Iterator[bytes]:
        return read_pointer(pointer, self.services.sources.open)

    async def _count(self, share: Share) -> None:
        if self.request.method != "HEAD":
            counted = self.count_use(share)
            if counted is not None:
                await counted

    def _sending(self, version: Version, etag: str, suffix: str) -> Sending:
        name = version.name.replace("/", "-")
        return Sending(
            self,
            filename=f"{name}-{version.version}{suffix}.zip",
            media_type="application/zip",
            etag=etag,
        )


def _plan(version: Version, base_url: str) -> ZipPlan:
    return PointerArchive(version, base_url).plan
