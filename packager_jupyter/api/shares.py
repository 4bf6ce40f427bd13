"""Calls about shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packager_jupyter.api.shapes.shares import NewShare
    from packager_jupyter.services import Services

LATEST = "latest"


def list_shares(services: Services, owner: str) -> dict[str, Any]:
    """Return the shares of `owner`, newest first, ended ones included."""
    return {"items": [info.to_json() for info in services.shares.list(owner)], "cursor": None}


def create_share(services: Services, new: NewShare, *, owner: str, public_url: str) -> Any:
    """Share a published version, or always the latest; the capability is shown this once."""
    created = services.shares.create(
        new.package,
        version=None if new.version in {None, LATEST} else new.version,
        owner=owner,
        password=new.password,
        expires_in_s=new.expires_in_s,
        description=new.description,
        slug=new.slug,
        max_downloads=new.max_downloads,
    )
    capability = created.capability_segment
    return {
        "share": created.share.to_json(),
        "url": share_url(public_url, created.segment),
        "capability_url": share_url(public_url, capability) if capability else None,
        "token": created.token,
    }


def share_link(services: Services, share_id: str, *, owner: str, public_url: str) -> Any:
    """Return the link again; the capability cannot be had again."""
    return {"url": share_url(public_url, services.shares.link(share_id, owner))}


def share_url(public_url: str, segment: str) -> str:
    """Return the public address of a share."""
    return f"{public_url}s/{segment}/"
