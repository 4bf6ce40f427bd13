"""Shares over REST: make, list, change, copy the link again, give another link, end."""

from __future__ import annotations

from contextlib import suppress

from packager_jupyter.api import shares as api
from packager_jupyter.api.models import read
from packager_jupyter.api.recorded import revoke_share
from packager_jupyter.api.shapes.shares import (
    CreatedShare,
    Link,
    NewShare,
    ShareChange,
    ShareList,
    ShareLog,
    ShareShown,
)
from packager_jupyter.errors import PackagerError
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.rules import Operation, Query, Route, Rule
from packager_jupyter.server.strict_json import parse_json
from packager_jupyter.shares.audit import MAX_ROWS

RESOURCE = "packager:shares"


class SharesHandler(ApiHandler):
    """``api/v1/shares``."""

    async def get(self) -> None:
        """List the caller's shares, newest first."""
        self.write_json(await self.call(api.list_shares, self.services, self.principal.name))

    async def post(self) -> None:
        """Share a published version, or always the latest."""
        new = self.read_body(NewShare)
        created = await self.call(
            api.create_share,
            self.services,
            self.actor,
            new,
            public_url=self.public_url,
            checkable=self.authenticator.audiences(self.principal),
        )
        self.write_json(created, status=201)
        # The owner has the answer; the first visitor of a million files should not wait for this.
        with suppress(PackagerError):  # what is wrong with the version, its page will say
            await self.call(
                api.prepare_share, self.services, new.package, new.version, new.paths or ()
            )


class ShareHandler(ApiHandler):
    """``api/v1/shares/<id>``."""

    async def get(self, share: str) -> None:
        """Show one share."""
        info = await self.call(self.services.shares.get, share, self.principal.name)
        self.write_json(info.to_json())

    async def patch(self, share: str) -> None:
        """Change what the body names."""
        body = parse_json(self.body)
        change = read(ShareChange, body)
        changed = await self.call(
            api.change_share,
            self.services,
            self.actor,
            share,
            {name: getattr(change, name) for name in body},
            public_url=self.public_url,
            checkable=self.authenticator.audiences(self.principal),
        )
        self.write_json(changed)

    async def delete(self, share: str) -> None:
        """End a share at once."""
        await self.call(revoke_share, self.services, self.actor, share)
        self.write_nothing()


class ShareLinkHandler(ApiHandler):
    """``api/v1/shares/<id>/link``."""

    async def get(self, share: str) -> None:
        """Return the link again; the capability cannot be had again."""
        link = await self.call(
            api.share_link,
            self.services,
            self.actor,
            share,
            public_url=self.public_url,
        )
        self.write_json(link)


class ShareLogHandler(ApiHandler):
    """``api/v1/shares/<id>/log``."""

    async def get(self, share: str) -> None:
        """Say who did what with the share."""
        query = self.query()
        self.write_json(
            await self.call(
                api.share_log,
                self.services,
                share,
                owner=self.principal.name,
                before_id=query["cursor"],
                limit=query["limit"],
            )
        )


class ShareRotateHandler(ApiHandler):
    """``api/v1/shares/<id>/rotate``."""

    async def post(self, share: str) -> None:
        """Give the share another link."""
        rotated = await self.call(
            api.rotate_share,
            self.services,
            self.actor,
            share,
            public_url=self.public_url,
        )
        self.write_json(rotated)


SHARE_API_ROUTES = [
    Route(
        "api/v1/shares",
        SharesHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="The caller's shares, newest first", responses={200: ShareList}),
            ),
            "POST": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(
                    summary="Share a published package",
                    request=NewShare,
                    responses={201: CreatedShare},
                ),
            ),
        },
        "Shares",
    ),
    Route(
        "api/v1/shares/{share}",
        ShareHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(summary="One share", responses={200: ShareShown}),
            ),
            "PATCH": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(
                    summary="Change a share; what is absent stays, null clears",
                    request=ShareChange,
                    responses={200: CreatedShare},
                ),
            ),
            "DELETE": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(summary="End a share at once", responses={204: None}),
            ),
        },
        "A share",
    ),
    Route(
        "api/v1/shares/{share}/link",
        ShareLinkHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "execute",
                Operation(summary="The link, to copy it again", responses={200: Link}),
            )
        },
        "The link of a share",
    ),
    Route(
        "api/v1/shares/{share}/log",
        ShareLogHandler,
        {
            "GET": Rule(
                "user",
                RESOURCE,
                "read",
                Operation(
                    summary="Who did what with the share, newest first",
                    responses={200: ShareLog},
                    query=(
                        Query("cursor", "From the page before.", int, low=1),
                        Query(
                            "limit",
                            "Rows in the page at most.",
                            int,
                            default=api.LOG_ROWS,
                            low=1,
                            high=MAX_ROWS,
                        ),
                    ),
                ),
            )
        },
        "The audit of a share",
    ),
    Route(
        "api/v1/shares/{share}/rotate",
        ShareRotateHandler,
        {
            "POST": Rule(
                "user",
                RESOURCE,
                "write",
                Operation(
                    summary="Another link; the old one, its capability and all cookies end at once",
                    responses={200: CreatedShare},
                ),
            )
        },
        "A new link for a share",
    ),
]
