"""Shapes about shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

from packager_jupyter.api.models import Range
from packager_jupyter.api.shapes.common import Cursor, UnixSeconds  # noqa: TC001  # read at run time

Audience = Annotated[
    list[str], "`anyone` or `signed-in` alone, or any number of `user:NAME` and `group:NAME`."
]
Paths = Annotated[
    list[str],
    "Share a part: files, folders, patterns such as `*.tif`. Empty: everything.",
]


class ShareShown(TypedDict):
    """A share as its owner sees it."""

    id: str
    package: str
    version: Annotated[str, "The fixed version, or `latest`."]
    owner: str
    description: str
    slug: str | None
    has_password: bool
    created_s: UnixSeconds
    starts_s: UnixSeconds | None
    expires_s: UnixSeconds | None
    max_downloads: int | None
    uses: int
    last_used_s: UnixSeconds | None
    state: Literal["active", "not started", "expired", "revoked", "used up"]
    token_prefix: str
    revision: Annotated[int, "Grows with each change; send it with one to change only this state."]
    paths: Annotated[list[str], "The part that is shared; empty is everything."]
    audience: Audience


class ShareList(TypedDict):
    """The caller's shares, newest first, ended ones included."""

    items: list[ShareShown]
    cursor: Annotated[str | None, "Always null."]


@dataclass
class NewShare:
    """What to share, with whom and for how long."""

    package: str
    version: Annotated[str | None, "A version, or `latest` (the default): always the newest."] = (
        None
    )
    password: str | None = None
    expires_in_s: Annotated[int, Range(60)] | None = None
    description: Annotated[str, "A note of the owner; visitors do not see it."] = ""
    slug: Annotated[str | None, "A readable word in the link."] = None
    max_downloads: Annotated[int, Range(1)] | None = None
    paths: Paths = field(default_factory=list)
    audience: Audience = field(default_factory=lambda: ["anyone"])
    starts_in_s: Annotated[int, Range(0)] | None = None


@dataclass
class ShareChange:
    """What to change of a share; what is absent stays, null clears.

    A new password, or none, ends cookies and the old capability; the new one is in the answer.
    """

    version: Annotated[str | None, "A version, or `latest` or null: always the newest."] = None
    password: str | None = None
    expires_in_s: Annotated[int, Range(60)] | None = None
    description: str | None = None
    slug: str | None = None
    max_downloads: Annotated[int, Range(1)] | None = None
    paths: Paths | None = None
    audience: Audience | None = None
    starts_in_s: Annotated[int, Range(0)] | None = None
    revision: Annotated[int | None, "Refuse with 412 unless the share has this revision."] = None


class CreatedShare(TypedDict):
    """A share with what is shown this once: the capability."""

    share: ShareShown
    url: str
    capability_url: Annotated[str | None, "Opens the share without its password: as secret as it."]
    token: str


class AuditShown(TypedDict):
    """One thing that was done to a share, or with it."""

    at_s: UnixSeconds
    principal: Annotated[str, "A user's name, or `visitor` for somebody the server does not know."]
    ip: Annotated[str | None, "Null when it was done on the command line or in the library."]
    action: str
    result: Annotated[str, "`ok`, `ok N` for N files at once, or what was answered."]
    request_id: str | None


class ShareLog(TypedDict):
    """Who did what with a share, newest first."""

    items: list[AuditShown]
    cursor: Cursor


class Link(TypedDict):
    """The link of a share, to copy it again."""

    url: str
