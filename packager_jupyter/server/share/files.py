"""``files/…``: every file of the package under its own path, and an index of each folder.

GET of a file answers 307 to a presigned address, HEAD answers itself (several tools send the
signature of the one method with the other, or take the redirect's headers for the file's). An
index is plain HTML with relative links, which rclone, ``wget -r`` and people read alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.server.share.attachments import AttachmentHandler
from packager_jupyter.server.share.index import folder_index, has_folder
from packager_jupyter.server.share.names import content_disposition, media_type_header
from packager_jupyter.server.share.objects import PointerHandler
from packager_jupyter.server.share.pages import CONTENT_POLICY
from packager_jupyter.server.share.ranges import http_date
from packager_jupyter.server.share.redirect import AUDIT_ACTION
from packager_jupyter.server.share.sending import EXPOSED, stream

if TYPE_CHECKING:
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share


class FileAnswers(PointerHandler):
    """How GET and HEAD of a file are answered, whatever named it."""

    async def redirect_to(self, share: Share, pointer: Pointer) -> None:
        """Answer GET for a file: the address of its bytes, counted."""
        url = await self.signed_url(share, pointer)
        counted = self.count_use(share)
        if counted is not None:
            await counted
        self.set_status(307)
        self.clear_header("Content-Type")
        self.set_header("Location", url)
        self.finish()

    async def describe_file(self, pointer: Pointer) -> None:
        """Answer HEAD for a file: what the storage says of it now."""
        entry = await self.check(pointer) or await self.entry(pointer)
        etag = entry.etag or pointer.etag
        modified_s = entry.modified_s if entry.modified_s is not None else pointer.modified_s
        self.set_header("Content-Length", str(pointer.size_bytes))
        self.set_header("Content-Type", _media_type(pointer))
        self.set_header("Content-Disposition", content_disposition(pointer.name))
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Access-Control-Expose-Headers", EXPOSED)
        if etag is not None and etag.isascii() and etag.isprintable():
            self.set_header("ETag", f'"{etag}"')
        if modified_s is not None:
            self.set_header("Last-Modified", http_date(modified_s))
        self.finish()


class FilesHandler(FileAnswers, AttachmentHandler):
    """A file, an attachment or a folder, by its path."""

    audit_action: ClassVar[str] = AUDIT_ACTION

    async def get(self, share: str, path: str) -> None:
        """Redirect to the bytes of a file, or list a folder."""
        opened = await self.visit(share)
        version = await self.version(opened)
        pointer = await self.pointer(version, path) if path else None
        if pointer is not None:
            await self.check(pointer)
            await self.redirect_to(opened, pointer)
        elif not await self.send_attachment(opened, version, path):
            await self._send_folder(version, path)

    async def head(self, share: str, path: str) -> None:
        """Say size, type and tag of a file, as the storage has it now."""
        opened = await self.visit(share)
        version = await self.version(opened)
        pointer = await self.pointer(version, path) if path else None
        if pointer is not None:
            await self.describe_file(pointer)
        elif not await self.send_attachment(opened, version, path):
            await self._send_folder(version, path)

    async def _send_folder(self, version: Version, path: str) -> None:
        folder = path.removesuffix("/")
        if not await self.call(has_folder, version, folder):
            raise _not_here(path)
        if path and not path.endswith("/"):
            # Relative, as a proxy before us may have another idea of the whole address.
            self.set_status(301)
            self.set_header("Location", f"./{quote(folder.rpartition('/')[2], safe='')}/")
            self.finish()
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", CONTENT_POLICY)
        self.set_header("X-Robots-Tag", "noindex, nofollow")
        if self.request.method == "HEAD":
            self.finish()
            return
        up = self.up
        await stream(self, lambda: folder_index(version, folder, up=up))


def _media_type(pointer: Pointer) -> str:
    # Not what the storage says now: it must not depend on how the storage was asked.
    return media_type_header(pointer.media_type or media_type_for(pointer.path))


def _not_here(path: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"This package has no file or folder {path[:200]!r}.",
        remedy="Look at the share's page for what it holds.",
    )
