"""What changes packages and shares, each with its entry in the audit: the one way for every host.

The server, the command line and the Python client only say who asks. An entry is written once the
change is made; what was refused has changed nothing and leaves none, except for a job, whose end
nobody may be there to see.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packager_jupyter.api.owner import local_owner
from packager_jupyter.errors import PackagerError

if TYPE_CHECKING:
    from packager_jupyter.packages.base import Published
    from packager_jupyter.packages.draft import Draft
    from packager_jupyter.services import Services
    from packager_jupyter.shares.model import CreatedShare, ShareInfo


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, as the audit records it.

    Attributes
    ----------
    name : str
        The owner of the shares that it makes.
    ip, request_id : str or None
        None where nothing came over a network.
    """

    name: str
    ip: str | None = None
    request_id: str | None = None


def local_actor() -> Actor:
    """Return the person who runs this process."""
    return Actor(local_owner())


def record(
    services: Services, actor: Actor, action: str, subject: str, *, result: str = "ok"
) -> None:
    """Record durably that `actor` did `action` to `subject`."""
    services.audit.record(actor.name, actor.ip, action, subject, result, actor.request_id)


def create_package(services: Services, actor: Actor, name: str, **metadata: Any) -> Draft:
    """Begin a package; see `packages.catalog.PackageCatalog.create`."""
    draft = services.packages.create(name, **metadata)
    record(services, actor, "package.create", draft.name)
    return draft


def delete_draft(services: Services, actor: Actor, name: str) -> None:
    """Delete a draft; published versions stay."""
    services.packages.delete_draft(name)
    record(services, actor, "package.delete_draft", name)


def publish(services: Services, actor: Actor, name: str, version: str | None = None) -> Published:
    """Freeze the draft as a version; the same content again is no new version."""
    done = services.packages.draft(name).publish(version, now_s=int(time.time()))
    record(services, actor, "package.publish", f"{name}@{done.version}")
    return done


def publish_in_job(
    services: Services, actor: Actor, name: str, version: str | None = None
) -> Published:
    """Do what `publish` does; record its start too, and its failure with the code of the error."""
    record(services, actor, "package.publish", name, result="started")
    try:
        return publish(services, actor, name, version)
    except Exception as error:
        code = f" {error.code}" if isinstance(error, PackagerError) else ""
        record(services, actor, "package.publish", name, result=f"failed{code}")
        raise


def delete_version(services: Services, actor: Actor, name: str, version: str) -> None:
    """Delete a published version for good."""
    services.packages.delete_version(name, version, now_s=int(time.time()))
    record(services, actor, "package.delete_version", f"{name}@{version}")


def create_share(services: Services, actor: Actor, package: str, **terms: Any) -> CreatedShare:
    """Share a package as `actor`; see `shares.shares.Shares.create`."""
    created = services.shares.create(package, owner=actor.name, **terms)
    record(services, actor, "share.create", created.share.id)
    return created


def update_share(services: Services, actor: Actor, share_id: str, **changes: Any) -> CreatedShare:
    """Change a share of `actor`; see `shares.shares.Shares.update`."""
    changed = services.shares.update(share_id, actor.name, **changes)
    record(services, actor, "share.update", share_id)
    return changed


def rotate_share(services: Services, actor: Actor, share_id: str) -> CreatedShare:
    """Give a share of `actor` another link."""
    rotated = services.shares.rotate(share_id, actor.name)
    record(services, actor, "share.rotate", share_id)
    return rotated


def link_share(services: Services, actor: Actor, share_id: str) -> str:
    """Return the path segment of the link of a share of `actor` again."""
    segment = services.shares.link(share_id, actor.name)
    record(services, actor, "share.link", share_id)
    return segment


def revoke_share(services: Services, actor: Actor, share_id: str) -> ShareInfo:
    """End a share of `actor` at once."""
    info = services.shares.revoke(share_id, actor.name)
    record(services, actor, "share.revoke", share_id)
    return info
