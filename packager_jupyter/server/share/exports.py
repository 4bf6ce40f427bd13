"""Lists, descriptions and archives of a share: `exports.table`, and ``package.zip``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.exports.base import Place
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.sending import Sending

if TYPE_CHECKING:
    from packager_jupyter.exports.table import Export
    from packager_jupyter.exports.zip import ZipPlan
    from packager_jupyter.packages.version import Version

FORMAT = "list-2"


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
        place = Place(self.share_url, await self.created_s(version))
        text = f"{FORMAT} {export.name} {version.digest} {version.name}@{version.version} {place}"
        sending = Sending(
            self,
            filename=export.name,
            media_type=export.media_type,
            etag=hashlib.sha256(text.encode()).hexdigest()[:40],
            is_inline=export.is_inline,
        )
        self.note(self.audit_action, "ok")
        await sending.send_all(lambda: export.make(version, place))

    head = get


def list_handler(export: Export) -> type[ListHandler]:
    """Return the handler of one row of the table."""
    return type("ListHandler", (ListHandler,), {"export": export, "__doc__": export.summary})


class ZipHandler(ShareHandler):
    """``package.zip``: attachments and pointer files, of exact length, resumable anywhere."""

    audit_action: ClassVar[str] = "share.zip"

    async def get(self, share: str) -> None:
        """Send the archive or a part of it."""
        opened = await self.visit(share)
        version = await self.version(opened)
        base_url = self.share_url
        etag = PointerArchive.etag(version, base_url)
        plan = await self.state.plans.load(etag, lambda: self.call(_plan, version, base_url))
        if self.request.method != "HEAD":
            counted = self.count_use(opened)
            if counted is not None:
                await counted
        archive = await self.call(PointerArchive, version, base_url, plan=plan)
        name = version.name.replace("/", "-")
        sending = Sending(
            self,
            filename=f"{name}-{version.version}.zip",
            media_type="application/zip",
            etag=etag,
        )
        await sending.send(
            plan.size_bytes, lambda start, stop: archive.stream(start=start, stop=stop)
        )

    head = get


def _plan(version: Version, base_url: str) -> ZipPlan:
    return PointerArchive(version, base_url).plan
