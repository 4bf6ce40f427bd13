"""What the releases and events of a project mean: which files it offers, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from packager_jupyter.errors import ConflictError, ForbiddenError
from packager_jupyter.oci.feed_names import file_tag
from packager_jupyter.registries.pypi.simple import FileRow, ProjectPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.oci.feed_state import ProjectState
    from packager_jupyter.registries.pypi.simple import Status
    from packager_jupyter.registries.pypi.upload import Upload


class FileExistsInFeedError(ConflictError):
    """Another content, or a deleted file, already took this file name."""

    code = "file_exists"
    status = 400  # twine and uv look for 400 with "already exist" in the text


def check_open(state: ProjectState) -> None:
    """Refuse uploads to an archived or quarantined project (PEP 792); raises `ForbiddenError`."""
    status = fold(state).status
    if status in {"archived", "quarantined"}:
        raise ForbiddenError(
            f"The project {state.project} is {status} and takes no uploads.",
            remedy="Ask its owner to set its status to active.",
        )


def stands_already(state: ProjectState, upload: Upload) -> bool:
    """Whether exactly these bytes are there already.

    Raises
    ------
    FileExistsInFeedError
        Another content, or a deleted file, has this name.
    """
    filename = upload.name.filename
    if filename in fold(state).deleted:
        raise deleted_error(filename)
    release = state.release(file_tag(filename))
    if release is None:
        return False
    if release.config["sha256"] != upload.sha256:
        raise FileExistsInFeedError(
            f"File already exists: {filename} with another content.",
            remedy="Published files never change. Publish a new version.",
        )
    return True


def deleted_error(filename: str) -> FileExistsInFeedError:
    """Return the error for a name whose file was deleted."""
    return FileExistsInFeedError(
        f"File already exists: {filename} was deleted, and a deleted name is never free again.",
        remedy="Publish a new version.",
    )


@dataclass(frozen=True, slots=True)
class Fold:
    """What the events of a project come to: the last one of a kind counts."""

    yanked: Mapping[str, str | bool]
    deleted: frozenset[str]
    status: Status
    status_reason: str | None


def fold(state: ProjectState) -> Fold:
    """Return what the events come to."""
    yanked: dict[str, str | bool] = {}
    deleted: set[str] = set()
    status: Status = "active"
    reason: str | None = None
    for event in state.events:
        kind, filename = event.get("kind"), event.get("filename", "")
        if kind == "yank":
            yanked[filename] = event.get("reason") or True
        elif kind == "unyank":
            yanked.pop(filename, None)
        elif kind == "delete":
            deleted.add(filename)
        elif kind == "status":
            status, reason = event["status"], event.get("reason")
    return Fold(yanked, frozenset(deleted), status, reason)


def page_of(state: ProjectState) -> ProjectPage:
    """Return what a project's page says, files in the order of their versions."""
    folded = fold(state)
    rows = []
    for release in state.releases.values():
        config = release.config
        if config["filename"] in folded.deleted:
            continue
        rows.append(
            FileRow(
                filename=config["filename"],
                version=config["version"],
                sha256=config["sha256"],
                size_bytes=config["size"],
                upload_time=config["upload_time"],
                requires_python=config["requires_python"],
                metadata_sha256=config["metadata_sha256"],
                yanked=folded.yanked.get(config["filename"], False),
            )
        )
    rows.sort(key=lambda row: (Version(row.version), row.filename))
    versions = list(dict.fromkeys(row.version for row in rows))
    return ProjectPage(state.project, rows, versions, folded.status, folded.status_reason)


def with_provenance(page: ProjectPage, state: ProjectState, base_url: str) -> ProjectPage:
    """Return the page with the addresses of attestations, below the feed at `base_url`."""
    proven = {
        release.config["filename"]: release.config["version"]
        for release in state.releases.values()
        if release.config.get("has_provenance")
    }
    if not proven:
        return page
    rows = [
        replace(
            row,
            provenance_url=f"{base_url}integrity/{page.project}/{row.version}/{row.filename}"
            "/provenance",
        )
        if row.filename in proven
        else row
        for row in page.files
    ]
    return replace(page, files=rows)
