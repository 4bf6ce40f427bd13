"""Calls about shares."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from packager_jupyter.api import recorded
from packager_jupyter.shares.audience import ANYONE, WITHOUT_HOST
from packager_jupyter.shares.audit import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packager_jupyter.api.recorded import Actor
    from packager_jupyter.api.shapes.shares import NewShare
    from packager_jupyter.services import Services
    from packager_jupyter.shares.model import CreatedShare

LATEST = "latest"
LOG_ROWS = 100
"""How many rows of a share's audit come when nobody says otherwise."""
CLEARED: dict[str, Any] = {"description": "", "paths": [], "audience": [ANYONE]}
"""What null means where a share always has a value."""


def list_shares(services: Services, owner: str) -> dict[str, Any]:
    """Return the shares of `owner`, newest first, ended ones included."""
    return {"items": [info.to_json() for info in services.shares.list(owner)], "cursor": None}


def create_share(
    services: Services,
    actor: Actor,
    new: NewShare,
    *,
    public_url: str,
    checkable: Collection[str] = WITHOUT_HOST,
) -> Any:
    """Share a published version, or always the latest; the capability is shown this once."""
    created = recorded.create_share(
        services,
        actor,
        new.package,
        version=None if new.version in {None, LATEST} else new.version,
        password=new.password,
        expires_in_s=new.expires_in_s,
        description=new.description,
        slug=new.slug,
        max_downloads=new.max_downloads,
        paths=new.paths,
        audience=new.audience,
        starts_in_s=new.starts_in_s,
        checkable=checkable,
    )
    return shown_once(created, public_url=public_url)


def prepare_share(
    services: Services, package: str, version: str | None, paths: Sequence[str]
) -> None:
    """Count and build what the first visitors would wait for: some seconds for a million files.

    Raises
    ------
    PackagerError
        The version is gone or cannot be read.
    """
    found = services.packages.version(package, version or LATEST, paths=paths)
    found.prepare()
    found.outline()


def change_share(
    services: Services,
    actor: Actor,
    share_id: str,
    given: Mapping[str, Any],
    *,
    public_url: str,
    checkable: Collection[str] = WITHOUT_HOST,
) -> Any:
    """Change what is `given` (names as in `ShareChange`) and leave the rest; None clears."""
    changes = dict(given)
    for name, empty in CLEARED.items():
        if name in changes and changes[name] is None:
            changes[name] = empty
    if changes.get("version") == LATEST:
        changes["version"] = None
    changed = recorded.update_share(services, actor, share_id, checkable=checkable, **changes)
    return shown_once(changed, public_url=public_url)


def rotate_share(services: Services, actor: Actor, share_id: str, *, public_url: str) -> Any:
    """Give the share another link; the old one, its capability and all cookies end at once."""
    return shown_once(recorded.rotate_share(services, actor, share_id), public_url=public_url)


def share_log(
    services: Services,
    share_id: str,
    *,
    owner: str,
    before_id: int | None = None,
    limit: int = LOG_ROWS,
) -> dict[str, Any]:
    """Return who did what with a share, newest first, `limit` rows older than the row `before_id`.

    Raises
    ------
    ShareNotFoundError
        `owner` has no such share.
    """
    services.shares.get(share_id, owner)
    limit = min(limit, MAX_ROWS)
    services.audit.flush()
    found = services.audit.rows(object=share_id, before_id=before_id, limit=limit)
    items = [asdict(row) for _, row in found]
    for item in items:
        del item["object"]
    return {"items": items, "cursor": str(found[-1][0]) if len(found) == limit else None}


def shown_once(created: CreatedShare, *, public_url: str) -> dict[str, Any]:
    """Return a share with its link and, where one was made now, its capability link."""
    capability = created.capability_segment
    return {
        "share": created.share.to_json(),
        "url": share_url(public_url, created.segment),
        "capability_url": share_url(public_url, capability) if capability else None,
        "token": created.token,
    }


def share_link(services: Services, actor: Actor, share_id: str, *, public_url: str) -> Any:
    """Return the link again; the capability cannot be had again."""
    return {"url": share_url(public_url, recorded.link_share(services, actor, share_id))}


def share_url(public_url: str, segment: str) -> str:
    """Return the public address of a share."""
    return f"{public_url}s/{segment}/"
