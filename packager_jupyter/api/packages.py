"""Calls about packages: what there is, what is in them, and publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.packages.index_query import FolderRow

if TYPE_CHECKING:
    from pathlib import Path

    from packager_jupyter.api.shapes import packages as shapes
    from packager_jupyter.packages.base import Contents, Published
    from packager_jupyter.packages.catalog import PackageInfo, VersionInfo
    from packager_jupyter.packages.index_query import Row, SortName
    from packager_jupyter.services import Services

DEFAULT_ROWS = 500
MAX_ROWS = 5000


def list_packages(services: Services) -> shapes.PackageList:
    """Return drafts and published packages."""
    return {"items": [_package(info) for info in services.packages.names()], "cursor": None}


def get_package(
    services: Services, name: str, *, root_relative: str | None = None
) -> shapes.PackageWhole:
    """Return one package.

    Parameters
    ----------
    root_relative : str, optional
        The folder of drafts as Jupyter's contents API names it; None without Jupyter.
    """
    info = services.packages.info(name)
    contents = get_contents(services, name)
    folder = None
    if info.draft is not None and root_relative is not None:
        draft = services.packages.draft(name)
        folder = _folder(draft.folder, services.packages.root_dir, root_relative)
    return {
        **_package(info),
        "metadata": _metadata(contents),
        "folder": folder,
        "attachments": _attachments(contents),
    }


def get_contents(services: Services, name: str, version: str | None = None) -> Contents:
    """Return a version, or without one the draft, or the latest version where there is none."""
    if version:
        return services.packages.version(name, version)
    if services.packages.has_draft(name):
        return services.packages.draft(name)
    return services.packages.version(name)


def list_files(
    services: Services,
    name: str,
    *,
    version: str | None = None,
    path: str = "",
    cursor: str | None = None,
    limit: int = DEFAULT_ROWS,
    sort: SortName = "name",
    descending: bool = False,
    match: str | None = None,
) -> shapes.FileList:
    """Return one page of one folder with the totals of everything below it."""
    contents = get_contents(services, name, version)
    folder = path.strip("/")
    page = contents.page(
        folder, cursor=cursor, limit=limit, sort=sort, descending=descending, match=match
    )
    totals = contents.totals(folder)
    return {
        "items": [_row(row) for row in page.rows],
        "cursor": page.cursor,
        "totals": {"files": totals.files, "bytes": totals.bytes},
    }


def attach(services: Services, name: str, path: str, data: bytes) -> shapes.AttachmentShown:
    """Create or replace an attachment of the draft.

    Raises
    ------
    PathNotFoundError
        Somebody took it away at the same moment.
    """
    draft = services.packages.draft(name)
    draft.attach(data, path)
    for one in _attachments(draft):
        if one["path"] == path:
            return one
    raise PathNotFoundError(
        f"{path!r} was taken away while it was being attached.", remedy="Attach it again."
    )


def published(done: Published) -> shapes.Published:
    """Return what publishing has done."""
    return {
        "version": done.version,
        "digest": done.digest,
        "is_new": done.is_new,
        "files": done.files,
        "bytes": done.bytes,
    }


def list_versions(services: Services, name: str) -> shapes.VersionList:
    """Return what is published of a package, newest first."""
    return {
        "items": [_version(info) for info in services.packages.versions(name)],
        "cursor": None,
    }


def _package(info: PackageInfo) -> shapes.PackageShown:
    draft, latest = info.draft, info.latest
    return {
        "name": info.name,
        "title": info.title,
        "draft": None
        if draft is None
        else {
            "files": draft.files,
            "bytes": draft.bytes,
            "is_changed": draft.is_changed,
            "base_version": draft.base_version,
        },
        "latest": None if latest is None else _version(latest),
        "versions": info.versions,
    }


def _version(info: VersionInfo) -> shapes.VersionShown:
    return {
        "version": info.version,
        "digest": info.digest,
        "files": info.files,
        "bytes": info.bytes,
        "created_s": info.created_s,
        "title": info.title,
    }


def _metadata(contents: Contents) -> Any:
    return contents.metadata().to_json()


def _attachments(contents: Contents) -> list[shapes.AttachmentShown]:
    return [
        {"path": one.path, "size_bytes": one.size_bytes, "media_type": one.media_type}
        for one in contents.attachments()
    ]


def _row(row: Row) -> shapes.FileShown:
    if isinstance(row, FolderRow):
        return {
            "path": row.path,
            "name": row.name,
            "is_folder": True,
            "size_bytes": row.size_bytes,
            "files": row.files,
            "modified_s": None,
            "source": None,
            "key": None,
            "uri": None,
            "etag": None,
            "version_id": None,
            "checksums": {},
            "media_type": None,
        }
    return {
        "path": row.path,
        "name": row.name,
        "is_folder": False,
        "size_bytes": row.size_bytes,
        "modified_s": row.modified_s,
        "source": row.source,
        "key": row.key,
        "uri": row.uri,
        "etag": row.etag,
        "version_id": row.version_id,
        "checksums": dict(row.checksums),
        "media_type": row.media_type,
    }


def _folder(folder: Path, root_dir: Path, root_relative: str) -> str:
    below = folder.relative_to(root_dir).as_posix()
    return f"{root_relative}/{below}" if root_relative else below
