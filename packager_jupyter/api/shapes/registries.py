"""Shapes about tokens and feeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from packager_jupyter.api.models import Range
from packager_jupyter.api.shapes.common import UnixSeconds  # noqa: TC001  # read at run time


class TokenShown(TypedDict):
    """A token as its owner sees it: everything but the secret."""

    id: str
    description: str
    scopes: list[str]
    created_s: UnixSeconds
    expires_s: UnixSeconds
    last_used_s: UnixSeconds | None
    state: Literal["active", "expired", "revoked"]


class TokenList(TypedDict):
    """The caller's tokens, newest first, ended ones included."""

    items: list[TokenShown]
    cursor: Annotated[str | None, "Always null."]


@dataclass
class NewToken:
    """What a token may do, and for how long."""

    scopes: Annotated[list[str], "`api`, `pypi/main/demo-*:publish`, `oci/packages/*:read`, …"]
    expires_in_s: Annotated[int, Range(1)] | None = None
    description: str = ""


class CreatedToken(TypedDict):
    """A token with its secret, which is shown this once."""

    token: str
    info: TokenShown


class FeedShown(TypedDict):
    """A package registry."""

    ecosystem: str
    name: str
    is_anonymous_read: Annotated[bool, "Everybody may read; publishing always needs a token."]
    immutability: Annotated[
        Literal["write-once", "append-only"],
        "Published files never change; in an append-only feed they are never deleted either.",
    ]
    max_file_bytes: Annotated[int | None, "Largest file."]
    max_project_bytes: Annotated[int | None, "Most bytes of the files of one project."]
    max_feed_bytes: Annotated[int | None, "Most bytes of all files."]
    is_declared: Annotated[bool, "Stands in the configuration and is changed there."]


class FeedListed(FeedShown):
    """A package registry, how much it holds and how to use it."""

    projects: Annotated[int, "How many projects it holds."]
    url: Annotated[str, "Its address."]
    install: Annotated[str, "A line with which the ecosystem's client installs from it."]


class FeedList(TypedDict):
    """All package registries of this installation."""

    items: list[FeedListed]
    cursor: Annotated[str | None, "Always null."]


@dataclass
class NewFeed:
    """Which package registry to make."""

    ecosystem: str
    name: str
    is_anonymous_read: bool = False
    immutability: Literal["write-once", "append-only"] = "write-once"
    max_file_bytes: Annotated[int, Range(1)] | None = None
    max_project_bytes: Annotated[int, Range(1)] | None = None
    max_feed_bytes: Annotated[int, Range(1)] | None = None
