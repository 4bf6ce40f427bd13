"""Sources over REST: connect, list, test, browse, presign.

What a person at the command line may do with the server's own files, profiles and environment is
not open to everybody who may call the API; `sources_allowed` draws that line.
"""

from __future__ import annotations

from packager_jupyter.api import sources as api
from packager_jupyter.api.shapes.sources import (
    EntryList,
    NewSource,
    Presigned,
    PresignRequest,
    SourceChange,
    SourceList,
    SourceReportShown,
    SourceShown,
)
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.api.sources_allowed import check_allowed, credential_of, options_of
from packager_jupyter.server.rules import Operation, Query, Route, Rule
from packager_jupyter.sources.base import DEFAULT_PAGE, MAX_PAGE
from packager_jupyter.sources.kinds import settle_options

RESOURCE = "packager:sources"


class SourcesHandler(ApiHandler):
    """``api/v1/sources``."""

    async def get(self) -> None:
        """List what is connected."""
        self.write_json(await self.call(api.list_sources, self.services))

    async def post(self) -> None:
        """Connect a storage."""
        new = self.read_body(NewSource)
        options = settle_options(new.url, options_of(new.options), new.secret)
        credential = credential_of(new.credential)
        await self.call(
            check_allowed,
            self.services.settings,
            url=new.url,
            options=options,
            credential=credential,
            is_owner=self.is_owner,
        )
        spec = await self.call(
            self.services.sources.add,
            new.name,
            new.url,
            options=options,
            credential=credential,
            secret=new.secret,
        )
        await self.audit("source.add", spec.name)
        self.write_json(spec.to_json(), status=201)


class SourceHandler(ApiHandler):
    """``api/v1/sources/<name>``."""

    async def get(self, source: str) -> None:
        """Show one."""
        spec = await self.call(self.services.sources.spec, source)
        self.write_json(spec.to_json())

    async def patch(self, source: str) -> None:
        """Change one; another place forgets its secret."""
        change = self.read_body(SourceChange)
        present = await self.call(self.services.sources.spec, source)
        options = settle_options(
            change.url or present.url,
            options_of(change.options) if change.options else present.options,
            change.secret,
        )
        credential = credential_of(change.credential) if change.credential else present.credential
        await self.call(
            check_allowed,
            self.services.settings,
            url=change.url or present.url,
            options=options,
            credential=credential,
            is_owner=self.is_owner,
        )
        spec = await self.call(
            self.services.sources.update,
            source,
            url=change.url,
            options=options,
            credential=credential if change.credential else None,
            secret=change.secret,
        )
        await self.audit("source.update", spec.name)
        self.write_json(spec.to_json())

    async def delete(self, source: str) -> None:
        """Disconnect one; packages keep their pointers."""
        await self.call(self.services.sources.remove, source)
        await self.audit("source.remove", source)
        self.write_nothing()


class SourceTestHandler(ApiHandler):
    """``api/v1/sources/<name>/test``."""

    async def post(self, source: str) -> None:
        """Try what the source is for."""
        self.write_json(await self.call(api.test_source, self.services, source))


class EntriesHandler(ApiHandler):
    """``api/v1/sources/<name>/entries``."""

    async def get(self, source: str) -> None:
        """List one page of one level: one storage request, whatever lies below."""
        page = await self.call(api.list_entries, self.services, source, **self.query())
        self.write_json(page)


class PresignHandler(ApiHandler):
    """``api/v1/sources/<name>/presign``."""

    async def post(self, source: str) -> None:
        """Sign an address that reads one object."""
        wanted = self.read_body(PresignRequest)
        body = await self.call(
            api.presign,
            self.services,
            source,
            wanted.key,
            version_id=wanted.version_id,
            ttl_s=wanted.ttl_s,
            self_url=self.public_url,
        )
        await self.audit("source.presign", source)
        self.write_json(body)


SOURCE_ROUTES = [
    Route(
        "api/v1/sources",
        SourcesHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="The connected storages", responses={200: SourceList}),
            ),
            "POST": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(
                    summary="Connect a storage", request=NewSource, responses={201: SourceShown}
                ),
            ),
        },
        "Sources",
    ),
    Route(
        "api/v1/sources/{source}",
        SourceHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="One source", responses={200: SourceShown}),
            ),
            "PATCH": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(
                    summary="Change a source", request=SourceChange, responses={200: SourceShown}
                ),
            ),
            "DELETE": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(summary="Disconnect a source", responses={204: None}),
            ),
        },
        "A source",
    ),
    Route(
        "api/v1/sources/{source}/test",
        SourceTestHandler,
        {
            "POST": Rule(
                "user",
                RESOURCE,
                "execute",
                Operation(
                    summary="Try to reach, list, read and presign",
                    responses={200: SourceReportShown},
                ),
            )
        },
        "The test of a source",
    ),
    Route(
        "api/v1/sources/{source}/entries",
        EntriesHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(
                    summary="One page of one level",
                    responses={200: EntryList},
                    query=(
                        Query("prefix", "What keys begin with; `obs/` is a folder.", default=""),
                        Query("cursor", "From the page before."),
                        Query(
                            "limit",
                            "Rows in the page at most.",
                            int,
                            default=DEFAULT_PAGE,
                            low=1,
                            high=MAX_PAGE,
                        ),
                    ),
                ),
            )
        },
        "What a source holds",
    ),
    Route(
        "api/v1/sources/{source}/presign",
        PresignHandler,
        {
            "POST": Rule(
                "user",
                RESOURCE,
                "execute",
                Operation(
                    summary="An address that reads one object for a while",
                    request=PresignRequest,
                    responses={200: Presigned},
                ),
            )
        },
        "Presigned addresses",
    ),
]
