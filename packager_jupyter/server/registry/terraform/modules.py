"""Modules: their versions, where each archive is, and what their README says.

Source: Terraform's module registry protocol. Its own registry answers the address of a version with
JSON about it; we do so too, and browsers get a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from packager_jupyter.server.registry.pages import LIST_CACHE, send_json
from packager_jupyter.server.registry.terraform.base import TerraformHandler, unknown
from packager_jupyter.server.render import OutwardLinks, render_markdown
from packager_jupyter.server.share.pages import CONTENT_POLICY, render_page, static_files

if TYPE_CHECKING:
    from packager_jupyter.server.registry.base import RegistryHandler


class ModuleVersionsHandler(TerraformHandler):
    """``v1/modules/<ns>/<name>/<system>/versions``."""

    async def get(self, feed: str, ns: str, name: str, system: str) -> None:
        """Answer with all versions."""
        self.require("read", f"{ns}/{name}/{system}".lower())
        found = await self.call(self.registry.modules.versions, ns, name, system)
        if found is None:
            raise unknown(f"module {ns}/{name}/{system}")
        send_json(self, found)


class ModuleDownloadHandler(TerraformHandler):
    """``v1/modules/<ns>/<name>/<system>/<version>/download``."""

    async def get(self, feed: str, ns: str, name: str, system: str, version: str) -> None:
        """Say where the archive is: in a header for Terraform, in JSON too for OpenTofu."""
        self.require("read", f"{ns}/{name}/{system}".lower())
        await self.call(self.registry.modules.module, ns, name, system, version)
        address = self.address(
            "module.zip",
            kind="module",
            ns=ns.lower(),
            name=name.lower(),
            system=system.lower(),
            version=version,
        )
        location = f"{address}?archive=zip"
        self.set_header("X-Terraform-Get", location)
        if self.request.headers.get("X-OpenTofu-Version"):
            send_json(self, {"location": location})
            return
        # Terraform refuses a 200 here.
        self.set_status(204)


class ModuleHandler(TerraformHandler):
    """``v1/modules/<ns>/<name>/<system>``: the newest version of a module."""

    async def get(self, feed: str, ns: str, name: str, system: str) -> None:
        """Say what it is."""
        await describe_module(self, ns, name, system, None)

    head = get


async def describe_module(
    handler: RegistryHandler, ns: str, name: str, system: str, version: str | None
) -> None:
    """Answer with a module version (None: the newest): JSON, or a page where HTML is preferred."""
    handler.require("read", f"{ns}/{name}/{system}".lower())
    registry = handler.feeds.terraform(handler.spec.name)
    found = await handler.call(registry.modules.details, ns, name, system, version)
    handler.set_header("Vary", "Accept, Authorization")
    accepted = handler.request.headers.get("Accept", "")
    if "text/html" not in accepted or "application/json" in accepted:
        send_json(handler, found)
        return
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.set_header("Content-Security-Policy", CONTENT_POLICY)
    handler.set_header("Cache-Control", f"{handler.cache_scope}, {LIST_CACHE}")
    body = await handler.call(_page, found, handler.public_url, handler.feed_url)
    handler.finish(body if handler.request.method != "HEAD" else None)


def _page(found: dict[str, Any], root: str, feed_url: str) -> bytes:
    readme = found["root"]["readme"]
    place = f"{found['namespace']}/{found['name']}/{found['provider']}"
    links = OutwardLinks()  # nothing else of the archive has an address
    return render_page(
        "module.html",
        style=f"{root}static/share.css?v={static_files()['share.css'][1]}",
        module=found,
        place=place,
        host=feed_url.split("/")[2],
        addresses={each: f"{feed_url}v1/modules/{place}/{each}" for each in found["versions"]},
        readme=Markup(render_markdown(readme, links)) if readme else None,  # noqa: S704  # sanitised
    )
