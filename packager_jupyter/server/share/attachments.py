"""Attachments: always handed out as a file to keep, except for raster images that are images.

What somebody attached could be a page with scripts; a browser that shows it in our origin would run
them. So it is saved, never shown, with a policy that stops it should it be shown after all.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.server.render import is_raster, raster_type
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.sending import Sending, sliced

if TYPE_CHECKING:
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share


class AttachmentHandler(ShareHandler):
    """``attachments/<path>``: the bytes of one attachment."""

    audit_action: ClassVar[str] = "share.attachment"

    async def get(self, share: str, path: str) -> None:
        """Hand out one attachment, whole or in part."""
        opened = await self.visit(share)
        version = await self.version(opened)
        if not await self.send_attachment(opened, version, path):
            raise not_attached()

    head = get

    async def send_attachment(self, share: Share, version: Version, path: str) -> bool:
        """Answer with the attachment at `path`; False when there is none."""
        found = await self.call(_read, version, path)
        if found is None:
            return False
        data, media_type = found
        if self.request.method != "HEAD":
            counted = self.count_use(share)
            if counted is not None:
                await counted
        sending = Sending(
            self,
            filename=path.rpartition("/")[2],
            media_type=media_type,
            etag=hashlib.sha256(data).hexdigest()[:40],
        )
        await sending.send(len(data), sliced(data))
        return True


class ImageHandler(ShareHandler):
    """``images/<ticket>/<path>``: an attachment inside a page, when it is a raster image."""

    async def get(self, share: str, ticket: str, path: str) -> None:
        """Show an image; what only bears the name of one is not found."""
        opened = await self.find(share)
        gate = self.services.shares.gate
        if not gate.is_image_ticket(opened, ticket, now_s=time.time()):
            opened = await self.visit(share)
        version = await self.version(opened)
        media_type = raster_type(path)
        found = await self.call(_read, version, path) if media_type else None
        if found is None or not is_raster(path, found[0]):
            raise not_attached()
        data = found[0]
        sending = Sending(
            self,
            filename=path.rpartition("/")[2],
            media_type=media_type,
            etag=hashlib.sha256(data).hexdigest()[:40],
            is_inline=True,
        )
        await sending.send(len(data), sliced(data))

    head = get


def _read(version: Version, path: str) -> tuple[bytes, str] | None:
    for attachment in version.attachments():
        if attachment.path == path:
            return version.read_attachment(path), attachment.media_type
    return None


def not_attached() -> PathNotFoundError:
    """Return the error for a path without an attachment."""
    return PathNotFoundError(
        "This package has no such attachment.",
        remedy="Look at the share's page for what it holds.",
    )
