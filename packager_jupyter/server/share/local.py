"""``local/<token>``: the bytes of a local source, for whoever holds an address that we signed.

A folder has no storage to redirect to, so the redirect of a share leads back to us. The token says
which file, until when and under which name; nothing else opens anything here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.errors import PackagerError
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.share.faults import for_visitors
from packager_jupyter.server.share.sending import Sending
from packager_jupyter.sources.local import open_signed

if TYPE_CHECKING:
    from typing import Any

    from packager_jupyter.sources.base import Entry, Source


class LocalHandler(PackagerHandler):
    """Serves one signed file with ranges."""

    cross_origin: ClassVar[str] = "*"

    async def get(self, token: str) -> None:
        """Answer with the file or a part of it; 403 when the address is expired or not ours."""
        services = self.services
        grant = open_signed(token, key=services.local_key, now_s=time.time())
        source, entry = await self.call(self._find, grant.source, grant.key)
        # The address itself is the permission, as that of a storage: any page may use it.
        self.set_header("Access-Control-Allow-Origin", self.cross_origin)
        name = grant.filename or grant.key.rpartition("/")[2]
        sending = Sending(
            self,
            filename=name,
            media_type=grant.media_type or entry.media_type or media_type_for(name),
            etag=entry.etag,
            modified_s=entry.modified_s,
        )
        await sending.send(
            entry.size_bytes or 0,
            lambda start, stop: source.read(grant.key, start=start, stop=stop),
        )

    head = get

    def _find(self, source_name: str, key: str) -> tuple[Source, Entry]:
        source = self.services.sources.open(source_name)
        return source, source.stat(key)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a failure in words for visitors."""
        if "exc_info" in kwargs and isinstance(kwargs["exc_info"][1], PackagerError):
            typ, error, trace = kwargs["exc_info"]
            kwargs["exc_info"] = (typ, for_visitors(error, request_id=self.request_id), trace)
        super().write_error(status_code, **kwargs)
