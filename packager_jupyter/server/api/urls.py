"""Signed addresses of a whole package over REST, streamed."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from tornado.iostream import StreamClosedError

from packager_jupyter.api.packages import get_contents
from packager_jupyter.api.sources import presign_life_s
from packager_jupyter.exports.signed import SignedLists
from packager_jupyter.server.api.packages import RESOURCE, VERSION, PackageHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MEDIA_TYPES = MappingProxyType(
    {"text": "text/plain; charset=utf-8", "ndjson": "application/x-ndjson", "csv": "text/csv"}
)


class UrlsHandler(PackageHandler):
    """``api/v1/packages/<name>/urls``."""

    async def get(self, package: str) -> None:
        """Stream one signed address for each file of a source; a list that breaks off is cut."""
        query = self.query()
        ttl_s = presign_life_s(self.services, query["ttl_s"])
        shape = query["format"]
        self_url = self.public_url

        def make() -> Iterator[bytes]:
            contents = get_contents(self.services, package, query["version"])
            lists = SignedLists(self.services.sources.open, ttl_s=ttl_s, self_url=self_url)
            return lists.chunks(contents.iter_pointers(), shape=shape, match=query["match"] or None)

        chunks = await self.call(make)
        # The first chunk comes before the headers go out, so its failure has its own status.
        chunk = await self.call(next, chunks, None)
        await self.audit("package.presign", package)
        self.set_header("Content-Type", MEDIA_TYPES[shape])
        self.set_header("Cache-Control", "no-store")
        try:
            while chunk is not None:
                if chunk:
                    self.write(chunk)
                    await self.flush()
                # A fast client never makes flush wait: let the others have their turn.
                await asyncio.sleep(0)
                chunk = await self.call(next, chunks, None)
        except StreamClosedError:
            return  # the client went away: there is nobody left to tell
        except Exception:
            if self._headers_written:
                cast("Any", self.request.connection).stream.close()
            raise
        finally:
            await self.call(getattr(chunks, "close", bool))
        self.finish()


URL_ROUTES = [
    Route(
        "api/v1/packages/{package}/urls",
        UrlsHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "execute",
                Operation(
                    summary="A signed address of every file of a source, streamed",
                    response_media_type="text/plain",
                    query=(
                        VERSION,
                        Query("match", "Part of a path or a glob; absent: every file."),
                        Query("ttl_s", "How many seconds the addresses live.", int, low=1),
                        Query(
                            "format",
                            "`text` is one address a line; `ndjson` and `csv` have path, source, "
                            "key, url and expires_s.",
                            default="text",
                            choices=tuple(MEDIA_TYPES),
                        ),
                    ),
                ),
            )
        },
        "Signed addresses",
    ),
]
