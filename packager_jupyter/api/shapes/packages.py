"""Shapes about packages: drafts, versions and what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NotRequired, TypedDict

from packager_jupyter.api.shapes.common import Bytes, Cursor, UnixSeconds  # noqa: TC001  # read at run time


class DraftShown(TypedDict):
    """The draft of a package, in short."""

    files: int
    bytes: Bytes
    is_changed: Annotated[bool, "Differs from the version it was begun from."]
    base_version: str | None


class VersionShown(TypedDict):
    """A published version."""

    version: str
    digest: str
    files: int
    bytes: Bytes
    created_s: UnixSeconds | None
    title: NotRequired[str | None]


class PackageShown(TypedDict):
    """A package in the list of packages."""

    name: str
    title: str | None
    draft: DraftShown | None
    latest: VersionShown | None
    versions: Annotated[int, "How many are published."]


class PackageList(TypedDict):
    """The packages."""

    items: list[PackageShown]
    cursor: Annotated[str | None, "Always null."]


class MetadataShown(TypedDict):
    """What a package says about itself; empty where it says nothing."""

    title: str
    description: str
    license: Annotated[str, "SPDX identifier."]
    authors: list[str]
    keywords: list[str]


class AttachmentShown(TypedDict):
    """A small file whose bytes are in the package."""

    path: str
    size_bytes: int
    media_type: str | None


class PackageWhole(PackageShown):
    """One package with its metadata and attachments (the draft's, else the latest version's)."""

    metadata: MetadataShown
    folder: Annotated[str | None, "The draft, as Jupyter's contents API names it."]
    attachments: list[AttachmentShown]


@dataclass
class NewPackage:
    """A package to begin."""

    name: str
    title: str | None = None
    description: str | None = None


@dataclass
class MetadataChange:
    """Metadata to change; what is absent stays, null clears."""

    title: str | None = None
    description: str | None = None
    license: str | None = None
    authors: list[str] | None = None
    keywords: list[str] | None = None


class FileShown(TypedDict):
    """One row of a package: a file or a folder."""

    path: str
    name: str
    is_folder: bool
    size_bytes: int | None
    files: NotRequired[Annotated[int, "How many are below the folder."]]
    modified_s: UnixSeconds | None
    source: str | None
    key: Annotated[str | None, "Relative to the source's root."]
    uri: Annotated[str | None, "Full public address, never signed."]
    etag: str | None
    version_id: str | None
    checksums: dict[str, str]
    media_type: str | None


class Totals(TypedDict):
    """How many files, how many bytes."""

    files: int
    bytes: Bytes


class FileList(TypedDict):
    """One page of one folder of a package."""

    items: list[FileShown]
    cursor: Cursor
    totals: Annotated[Totals, "Of the folder, everything below included."]


@dataclass
class FilesToAdd:
    """Files and folders of one source, all or nothing."""

    source: str
    keys: Annotated[list[str], "A key that ends in `/` is a folder, an empty one the whole source."]
    to: Annotated[str, "Folder in the package."] = ""
    rename: Annotated[str | None, "Another name for the one file."] = None
    include: Annotated[list[str], "Only paths like one of these globs."] = field(
        default_factory=list
    )
    exclude: Annotated[list[str], "No paths like one of these globs."] = field(default_factory=list)


@dataclass
class KeysToAdd:
    """Objects that a list of keys names, which lies in a source; all or nothing."""

    source: Annotated[str, "The source that the keys are about."]
    list_source: Annotated[str, "Where the list lies."]
    list_key: Annotated[
        str,
        "A CSV, JSONL or Parquet file with a column `key`, or the `manifest.json` of an S3 "
        "Inventory.",
    ]
    to: Annotated[str, "Folder in the package."] = ""
    include: Annotated[list[str], "Only paths like one of these globs."] = field(
        default_factory=list
    )
    exclude: Annotated[list[str], "No paths like one of these globs."] = field(default_factory=list)


@dataclass
class FilesToRemove:
    """Paths to take out of a draft; a folder goes with everything below."""

    paths: list[str]


class Removed(TypedDict):
    """What was taken out."""

    files_removed: int
    bytes_removed: Bytes


@dataclass
class FilesToMove:
    """A file or folder of a draft to rename."""

    from_: Annotated[str, "Path of a file or folder of the draft."]
    to: Annotated[str, "Its new path."]


class DraftStatusShown(TypedDict):
    """What publishing the draft now would freeze."""

    files: int
    bytes: Bytes
    attachments: int
    unhashed_files: Annotated[int, "Files without a checksum of their content."]
    base_version: str | None
    is_changed: bool
    added: int | None
    removed: int | None
    changed: int | None
    digest: str | None


class VersionList(TypedDict):
    """The versions of a package, newest first."""

    items: list[VersionShown]
    cursor: Annotated[str | None, "Always null."]


@dataclass
class PublishRequest:
    """How to publish the draft."""

    version: Annotated[str | None, "Default: the next whole number."] = None
    async_: Annotated[bool, "Answer with a job at once."] = False


class Published(TypedDict):
    """A version, new or as it was already."""

    version: str
    digest: str
    is_new: bool
    files: int
    bytes: Bytes
