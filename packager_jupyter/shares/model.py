"""What a share is: to its owner (`ShareInfo`) and to the visitor who holds its link (`Share`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from packager_jupyter.errors import ShareNotFoundError
from packager_jupyter.shares.audience import ANYBODY, read_audience
from packager_jupyter.shares.tokens import format_segment

if TYPE_CHECKING:
    from sqlalchemy import Row

    from packager_jupyter.shares.audience import Audience

State = Literal["active", "not started", "expired", "revoked", "used up"]


@dataclass(frozen=True, slots=True)
class ShareInfo:
    """A share as its owner sees it; holds no secret and no hash.

    Attributes
    ----------
    version : str or None
        The one version that is shared, or ``None`` for always the latest.
    description : str
        The owner's own note; visitors do not see it.
    uses : int
        Files, ZIPs and attachments handed out.
    token_prefix : str
        The first characters of the link's token, to tell links apart.
    revision : int
        Grows with each edit, for ``If-Match``.
    paths : tuple of str
        The part of the package that is shared (see `packages.part`); empty is all of it.
    audience : Audience
    """

    id: str
    package: str
    version: str | None
    owner: str
    description: str
    slug: str | None
    has_password: bool
    created_s: int
    starts_s: int | None
    expires_s: int | None
    max_downloads: int | None
    uses: int
    last_used_s: int | None
    state: State
    token_prefix: str
    revision: int
    paths: tuple[str, ...] = ()
    audience: Audience = ANYBODY

    def to_json(self) -> dict[str, Any]:
        """Return the share as the REST API and ``--json`` show it."""
        return {
            "id": self.id,
            "package": self.package,
            "version": self.version or "latest",
            "owner": self.owner,
            "description": self.description,
            "slug": self.slug,
            "has_password": self.has_password,
            "created_s": self.created_s,
            "starts_s": self.starts_s,
            "expires_s": self.expires_s,
            "max_downloads": self.max_downloads,
            "uses": self.uses,
            "last_used_s": self.last_used_s,
            "state": self.state,
            "token_prefix": self.token_prefix,
            "revision": self.revision,
            "paths": list(self.paths),
            "audience": self.audience.texts(),
        }


@dataclass(frozen=True, slots=True)
class CreatedShare:
    """A share with the secrets that are shown this once.

    `token` can be had again with `Shares.link`; `capability`, which only a share with a password
    has, cannot.
    """

    share: ShareInfo
    token: str = field(repr=False)
    capability: str | None = field(default=None, repr=False)

    @property
    def segment(self) -> str:
        """The path segment of the share's address: ``s/<segment>/``."""
        return format_segment(self.token, slug=self.share.slug)

    @property
    def capability_segment(self) -> str | None:
        """The path segment that opens the share without its password."""
        if self.capability is None:
            return None
        return format_segment(self.token, slug=self.share.slug, capability=self.capability)


@dataclass(frozen=True, slots=True)
class Share:
    """An active share as its visitor meets it; made by `Shares.open`.

    Attributes
    ----------
    has_capability : bool
        A valid capability came in the path.
    epoch : int
        Grows when the password or the link changes; cookies of older epochs are void.
    paths : tuple of str
        The part of the package that is shared; empty is all of it.
    created_s : int
        When it was made, Unix seconds.
    """

    id: str
    package: str
    version: str | None
    owner: str
    epoch: int
    expires_s: int | None
    max_downloads: int | None
    has_capability: bool
    password_hash: str | None = field(repr=False)
    paths: tuple[str, ...] = ()
    created_s: int = 0
    audience: Audience = ANYBODY

    @property
    def has_password(self) -> bool:
        """Whether a password stands before the content."""
        return self.password_hash is not None

    @property
    def needs_password(self) -> bool:
        """Whether the visitor must give the password: there is one, and no capability came."""
        return self.password_hash is not None and not self.has_capability

    @property
    def is_open(self) -> bool:
        """Whether the link alone opens it, to anyone."""
        return not self.needs_password and self.audience.is_anyone

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds until the share expires, ``None`` when it never does."""
        return None if self.expires_s is None else self.expires_s - now_s


def state_of(row: Row[Any], now_s: float) -> State:
    """Return the state of a row of the ``share`` table at `now_s`."""
    if row.revoked_s is not None:
        return "revoked"
    if row.expires_s is not None and row.expires_s <= now_s:
        return "expired"
    if row.max_downloads is not None and row.uses >= row.max_downloads:
        return "used up"
    if row.starts_s is not None and row.starts_s > now_s:
        return "not started"
    return "active"


def paths_of(row: Row[Any]) -> tuple[str, ...]:
    """Return the path filter of a row of the ``share`` table; empty is the whole package."""
    return () if row.path_filter is None else tuple(json.loads(row.path_filter))


def info_of(row: Row[Any], now_s: float) -> ShareInfo:
    """Return what the owner may see of a row of the ``share`` table."""
    return ShareInfo(
        id=row.id,
        package=row.package,
        version=row.version,
        owner=row.owner,
        description=row.description,
        slug=row.slug,
        has_password=row.password_hash is not None,
        created_s=row.created_s,
        starts_s=row.starts_s,
        expires_s=row.expires_s,
        max_downloads=row.max_downloads,
        uses=row.uses,
        last_used_s=row.last_used_s,
        state=state_of(row, now_s),
        token_prefix=row.token_prefix,
        revision=row.revision,
        paths=paths_of(row),
        audience=read_audience(row.audience),
    )


def share_gone() -> ShareNotFoundError:
    """Return the one answer for unknown, expired, revoked, used up and not yet started."""
    return ShareNotFoundError(
        "This share is not available.",
        remedy="Ask the person who sent you the link for a new one.",
    )
