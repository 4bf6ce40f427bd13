"""Shapes about sources: what is connected, what it lists, what it presigns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, NotRequired, TypedDict

from packager_jupyter.api.models import Range
from packager_jupyter.api.shapes.common import Cursor, UnixSeconds  # noqa: TC001  # read at run time


class Options(TypedDict):
    """How a source is reached, beside its address; what is absent is found out."""

    endpoint_url: NotRequired[str]
    region: NotRequired[str]
    path_style: NotRequired[bool]
    ca_bundle: NotRequired[Annotated[str, "File of certificates on the server."]]
    public_endpoint_url: NotRequired[Annotated[str, "Endpoint in presigned URLs."]]
    presign_as: NotRequired[Annotated[str, "The bucket that a local folder is a mount of."]]


class CredentialShown(TypedDict):
    """Where a source's credential comes from; never the credential."""

    kind: str
    ref: NotRequired[Annotated[str, "Name of the variables, folder or profile."]]
    hint: NotRequired[Annotated[str, "Last characters of the key's id."]]


class SourceShown(TypedDict):
    """A connected storage."""

    name: str
    kind: Annotated[str, "`s3`, `azure`, `local`."]
    url: str
    options: Options
    credential: CredentialShown
    is_managed: Annotated[bool, "Comes from the server's secrets folder: cannot be changed here."]


class SourceList(TypedDict):
    """The connected storages."""

    items: list[SourceShown]
    cursor: Annotated[str | None, "Always null."]


@dataclass
class OptionsGiven:
    """How to reach a source; what is absent is found out or left to the vendor's default."""

    endpoint_url: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: str | None = None
    public_endpoint_url: str | None = None
    presign_as: str | None = None


@dataclass
class CredentialGiven:
    """Where the credential comes from."""

    kind: Literal["none", "stored", "env", "dir", "profile", "azure-default", "anonymous"]
    ref: str | None = None


Secret = Annotated[
    dict[str, str], "Variables such as AWS_ACCESS_KEY_ID. Kept encrypted, never shown again."
]


@dataclass
class NewSource:
    """What it takes to connect a storage."""

    name: str
    url: Annotated[str, "s3://bucket/prefix, azure://account/container/prefix, file:///folder"]
    options: OptionsGiven = field(default_factory=OptionsGiven)
    credential: CredentialGiven = field(default_factory=lambda: CredentialGiven("none"))
    secret: Secret | None = None


@dataclass
class SourceChange:
    """What to change; what is absent stays. Another place forgets the stored secret."""

    url: str | None = None
    options: OptionsGiven | None = None
    credential: CredentialGiven | None = None
    secret: Secret | None = None


class CheckShown(TypedDict):
    """One thing that was tried."""

    what: str
    is_ok: bool
    message: str
    remedy: str | None


class SourceReportShown(TypedDict):
    """Whether a source works, and what to do where it does not."""

    name: str
    is_ok: bool
    checks: list[CheckShown]


class EntryShown(TypedDict):
    """One row of a storage's listing."""

    key: Annotated[str, "Relative to the source's root; ends in `/` for a folder."]
    name: Annotated[str, "Last part of the key."]
    is_folder: bool
    size_bytes: int | None
    modified_s: UnixSeconds | None
    etag: str | None
    version_id: str | None
    storage_class: str | None
    is_archived: Annotated[bool, "The bytes must be restored before they can be read."]


class EntryList(TypedDict):
    """One page of one level of a source."""

    items: list[EntryShown]
    cursor: Cursor


@dataclass
class PresignRequest:
    """Which object to presign."""

    key: str
    version_id: str | None = None
    ttl_s: Annotated[int, Range(60, 604800), "At most what the server allows."] | None = None


class Presigned(TypedDict):
    """An address that reads one object until it expires. Keep it as you keep a password."""

    url: str
    expires_s: UnixSeconds
