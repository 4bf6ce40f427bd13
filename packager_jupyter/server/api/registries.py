"""Tokens and feeds over REST: who may use the package registries, and which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.api.shapes.registries import (
    CreatedToken,
    FeedList,
    FeedShown,
    NewFeed,
    NewToken,
    TokenList,
)
from packager_jupyter.errors import ForbiddenError
from packager_jupyter.registries.recipes import install_line
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.rules import Operation, Route, Rule
from packager_jupyter.shares.api_tokens import DEFAULT_LIFE_S

if TYPE_CHECKING:
    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.server.rules import Action

RESOURCE = "packager:registry"


class TokensHandler(ApiHandler):
    """``api/v1/tokens``."""

    async def get(self) -> None:
        """List the caller's tokens, newest first."""
        infos = await self.call(self.services.tokens.list, self.principal.name)
        self.write_json({"items": [info.to_json() for info in infos], "cursor": None})

    async def post(self) -> None:
        """Make a token; its secret is in this answer alone.

        Raises
        ------
        ForbiddenError
            The caller came with a token that is limited: it could make one that is not.
        """
        new = self.read_body(NewToken)
        if self.principal.scopes is not None:
            raise ForbiddenError(
                "A token cannot make further tokens.",
                remedy="Log in as a person, or run: packager token create",
            )
        created = await self.call(
            self.services.tokens.create,
            self.principal.name,
            scopes=tuple(new.scopes),
            expires_in_s=DEFAULT_LIFE_S if new.expires_in_s is None else new.expires_in_s,
            description=new.description,
        )
        await self.audit("token.create", created.info.id)
        self.write_json({"token": created.secret, "info": created.info.to_json()}, status=201)


class TokenHandler(ApiHandler):
    """``api/v1/tokens/<id>``."""

    async def delete(self, token_id: str) -> None:
        """End a token at once."""
        await self.call(self.services.tokens.revoke, token_id, owner=self.principal.name)
        await self.audit("token.revoke", token_id)
        self.write_nothing()


class FeedsHandler(ApiHandler):
    """``api/v1/feeds``."""

    async def get(self) -> None:
        """List all feeds."""
        items = await self.call(_listed, self.services.feeds, self.public_url)
        self.write_json({"items": items, "cursor": None})

    async def post(self) -> None:
        """Make a feed."""
        new = self.read_body(NewFeed)
        path = f"{new.ecosystem}/{new.name}"
        spec = await self.call(
            self.services.feeds.create,
            path,
            is_anonymous_read=new.is_anonymous_read,
            immutability=new.immutability,
            max_file_bytes=new.max_file_bytes,
            max_project_bytes=new.max_project_bytes,
            max_feed_bytes=new.max_feed_bytes,
        )
        await self.audit("feed.create", path)
        self.write_json(spec.to_json(), status=201)


class FeedHandler(ApiHandler):
    """``api/v1/feeds/<ecosystem>/<name>``."""

    async def delete(self, ecosystem: str, feed: str) -> None:
        """Take a feed off the air; what it holds stays."""
        path = f"{ecosystem}/{feed}"
        await self.call(self.services.feeds.remove, path)
        await self.audit("feed.remove", path)
        self.write_nothing()


def _listed(feeds: Feeds, root: str) -> list[dict[str, Any]]:
    rows = []
    for spec in feeds.specs():
        url = f"{root}{spec.path}/"
        rows.append(
            {
                **spec.to_json(),
                "projects": sum(part.project_count() for part in feeds.parts(spec)),
                "url": url,
                "install": install_line(spec.ecosystem, url),
            }
        )
    return rows


def _rule(action: Action, operation: Operation) -> Rule:
    return Rule("user", RESOURCE, action, operation)


REGISTRY_API_ROUTES = [
    Route(
        "api/v1/tokens",
        TokensHandler,
        {
            "GET": _rule(
                "read",
                Operation(summary="The caller's tokens, newest first", responses={200: TokenList}),
            ),
            "POST": _rule(
                "write",
                Operation(
                    summary="Make a token; its secret is shown this once",
                    request=NewToken,
                    responses={201: CreatedToken},
                ),
            ),
        },
        "Tokens",
    ),
    Route(
        "api/v1/tokens/{token_id}",
        TokenHandler,
        {"DELETE": _rule("write", Operation(summary="End a token", responses={204: None}))},
        "A token",
    ),
    Route(
        "api/v1/feeds",
        FeedsHandler,
        {
            "GET": _rule("read", Operation(summary="All feeds", responses={200: FeedList})),
            "POST": _rule(
                "write",
                Operation(summary="Make a feed", request=NewFeed, responses={201: FeedShown}),
            ),
        },
        "Package registries",
    ),
    Route(
        "api/v1/feeds/{ecosystem}/{feed}",
        FeedHandler,
        {
            "DELETE": _rule(
                "write", Operation(summary="Take a feed off the air", responses={204: None})
            )
        },
        "A package registry",
    ),
]
