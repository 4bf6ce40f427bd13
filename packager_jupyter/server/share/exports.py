"""Lists and archives of a share: ``urls.txt``, ``manifest.jsonl``, ``package.zip``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.exports import lists
from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.exports.zip import ZipPlan
    from packager_jupyter.packages.version import Version

FORMAT = "list-1"


@dataclass(frozen=True, slots=True)
class ListKind:
    """One list: its name in the address, its type, how it is made."""

    name: str
    media_type: str
    make: Callable[[Exportable, str], Iterator[bytes]]


class ListHandler(ShareHandler):
    """A list of the share's files, made while it is sent: complete, or cut off visibly."""

    audit_action: ClassVar[str] = "share.list"
    kind: ClassVar[ListKind]

    async def get(self, share: str) -> None:
        """Send the list."""
        opened = await self.visit(share)
        version = await self.version(opened)
        kind, base_url = self.kind, self.share_url
        text = f"{FORMAT} {kind.name} {version.digest} {version.name}@{version.version} {base_url}"
        sending = Sending(
            self,
            filename=kind.name,
            media_type=kind.media_type,
            etag=hashlib.sha256(text.encode()).hexdigest()[:40],
            is_inline=True,
        )
        self.note(self.audit_action, "ok")
        await sending.send_all(lambda: kind.make(version, base_url))

    head = get


class UrlsHandler(ListHandler):
    """``urls.txt``."""

    kind = ListKind("urls.txt", "text/plain; charset=utf-8", lists.urls)


class ManifestHandler(ListHandler):
    """``manifest.jsonl``."""

    kind = ListKind("manifest.jsonl", "application/jsonl", lists.manifest)


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
