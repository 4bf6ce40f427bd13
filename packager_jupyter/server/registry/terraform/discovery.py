"""``/.well-known/terraform.json``: which feed ``HOST/namespace/name`` means.

Source: Terraform's remote service discovery. It is fixed at the root of a host and names no feed,
so one feed of a server can be reached without any setting of the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from packager_jupyter.errors import NotFoundError
from packager_jupyter.server.base import PackagerHandler

if TYPE_CHECKING:
    from packager_jupyter.config import Settings
    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.registries.spec import FeedSpec

_CACHE = "public, max-age=60"


class DiscoveryHandler(PackagerHandler):
    """The services of this host; for everybody, as clients ask before they know of a token."""

    async def get(self) -> None:
        """Answer with the addresses of the root's feed."""
        spec: FeedSpec = await self.call(root_feed, self.services.feeds, self.services.settings)
        base = f"{self.public_url}terraform/{spec.name}/v1/"
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", _CACHE)
        self.finish(
            orjson.dumps({"providers.v1": f"{base}providers/", "modules.v1": f"{base}modules/"})
        )

    head = get


def root_feed(feeds: Feeds, settings: Settings) -> FeedSpec:
    """Return the feed that the root of the host stands for.

    Raises
    ------
    NotFoundError
        There is none, or several and no setting says which.
    """
    if settings.terraform_feed:
        return feeds.spec("terraform", settings.terraform_feed)
    found = [spec for spec in feeds.specs() if spec.ecosystem == "terraform"]
    if len(found) == 1:
        return found[0]
    raise NotFoundError(
        "This host has no Terraform feed."
        if not found
        else f"This host has {len(found)} Terraform feeds and does not say which one it means.",
        remedy="Make one: packager feed create terraform/NAME"
        if not found
        else "Name it in the setting Settings.terraform_feed, or use a `host` block.",
    )
