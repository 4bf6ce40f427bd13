"""One PyPI feed over an OCI feed: publish, pages, yank, status, deletion.

Each distribution file is one artifact: its config says all that a page shows, the first layer is
the file, the second its core metadata, a third its attestations. Yanking and the like are events.
A deleted file's name is never free again.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, get_args

from packaging.version import Version

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    PathNotFoundError,
)
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import file_tag
from packager_jupyter.registries.pypi.simple import (
    FileRow,
    ProjectPage,
    Status,
    index_html,
    index_json,
    project_html,
    project_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.feed import ProjectState, Release
    from packager_jupyter.registries.pypi.upload import Upload

ECOSYSTEM = "pypi"
ARTIFACT_TYPE = "application/vnd.packager-jupyter.pypi.dist.v1"
CONFIG_TYPE = "application/vnd.packager-jupyter.pypi.dist.config.v1+json"
LAYER_TYPES = {
    "bdist_wheel": "application/vnd.packager-jupyter.pypi.wheel.v1+zip",
    "sdist": "application/vnd.packager-jupyter.pypi.sdist.v1.tar+gzip",
}
METADATA_TYPE = "application/vnd.packager-jupyter.pypi.core-metadata.v1"
PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"
_CACHED_PAGES = 2048
_COPY_BYTES = 1024 * 1024


class FileExistsInFeedError(ConflictError):
    """Another content, or a deleted file, already took this file name."""

    code = "file_exists"
    status = 400  # twine and uv look for 400 with "already exist" in the text


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished page: its bytes, the same gzipped, and a strong entity tag."""

    body: bytes
    body_gzip: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A distribution file in the store."""

    filename: str
    size_bytes: int
    digest: str
    content_type: str


class PypiIndex:
    """A PyPI feed; safe to share between threads.

    Parameters
    ----------
    store : OciStore
    name : str
        Name of the feed.
    """

    def __init__(self, store: OciStore, name: str) -> None:
        self.feed = Feed(store, ECOSYSTEM, name)
        self._pages: OrderedDict[tuple[str, str], Rendered] = OrderedDict()
        self._lock = threading.Lock()

    def publish(self, upload: Upload, *, by: str, now: datetime) -> bool:
        """Store one checked upload; return False when exactly these bytes were there already.

        Raises
        ------
        FileExistsInFeedError
            Another content, or a deleted file, has this name.
        ForbiddenError
            The project is archived or quarantined.
        """
        project, filename = upload.name.project, upload.name.filename
        self._check_open(project)
        if self._stands_already(project, upload):
            return False
        layers = [
            self.feed.push_layer(
                project,
                _chunks(upload),
                media_type=LAYER_TYPES[upload.name.filetype],
                title=filename,
                digest=f"sha256:{upload.sha256}",
            ),
            self.feed.push_layer(project, upload.metadata.raw, media_type=METADATA_TYPE),
        ]
        if upload.provenance is not None:
            layers.append(
                self.feed.push_layer(project, upload.provenance, media_type=PROVENANCE_TYPE)
            )
        config = _config(upload, by=by, now=now)
        try:
            self.feed.publish(
                project,
                file_tag(filename),
                config=config,
                config_type=CONFIG_TYPE,
                artifact_type=ARTIFACT_TYPE,
                layers=layers,
            )
        except ConflictError:
            # Somebody was faster with this name; the same bytes are as good as ours.
            if self._stands_already(project, upload):
                return False
            raise
        return True

    def state(self, project: str) -> ProjectState | None:
        """Return the raw state of a project; None when it is unknown."""
        return self.feed.state(project)

    def page(self, project: str) -> ProjectPage | None:
        """Return what a project's page says; None when the project is unknown."""
        state = self.feed.state(project)
        return None if state is None else _page(state)

    def fresh(self, project: str, kind: str, *, base_url: str) -> Rendered | None:
        """Return a finished page that is known to be up to date without waiting, else None.

        Costs one look at the store's tags, which a local layout answers from memory; meant for an
        event loop.
        """
        state = self.feed.fresh(project)
        if state is None:
            return None
        with self._lock:
            return self._pages.get((f"{project}/{kind}/{base_url}", state.etag))

    def rendered(self, project: str, kind: str, *, base_url: str) -> Rendered | None:
        """Return the finished ``json`` or ``html`` page of a project, or None for 404.

        Parameters
        ----------
        base_url : str
            Absolute address of the feed, ending in ``/``; only provenance needs it.
        """
        state = self.feed.state(project)
        if state is None:
            return None
        key = (f"{project}/{kind}/{base_url}", state.etag)
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
                return found
        page = _with_provenance(_page(state), state, base_url)
        body = project_json(page) if kind == "json" else project_html(page)
        made = _render(body, f"{state.etag}-{kind[0]}")
        with self._lock:
            self._pages[key] = made
            while len(self._pages) > _CACHED_PAGES:
                self._pages.popitem(last=False)
        return made

    def rendered_list(self, kind: str) -> Rendered:
        """Return the finished list of all projects."""
        projects = self.feed.projects()
        body = index_json(projects) if kind == "json" else index_html(projects)
        return _render(body, None)

    def file(self, project: str, filename: str) -> StoredFile:
        """Return where a distribution file is; raises `PathNotFoundError` when it is not there."""
        release = self._release(project, filename)
        layer = release.layers[0]
        is_wheel = filename.endswith(".whl")
        content_type = "application/zip" if is_wheel else "application/gzip"
        return StoredFile(filename, layer["size"], layer["digest"], content_type)

    def metadata(self, project: str, filename: str) -> bytes:
        """Return the core metadata of a distribution file as it was packed (PEP 658)."""
        return self._layer_bytes(project, filename, METADATA_TYPE)

    def provenance(self, project: str, filename: str) -> bytes:
        """Return the provenance of a distribution file (PEP 740)."""
        return self._layer_bytes(project, filename, PROVENANCE_TYPE)

    def read(
        self, project: str, file: StoredFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes of a distribution file."""
        chunks: Iterator[bytes] = self.feed.read(project, file.digest, start=start, stop=stop)
        return chunks

    def yank(self, project: str, filename: str, *, reason: str | None, by: str) -> None:
        """Take a file out of ordinary resolution (PEP 592); `reason` is shown to installers."""
        self._release(project, filename)
        self.feed.record(
            project, {"kind": "yank", "filename": filename, "reason": reason, "by": by}
        )

    def unyank(self, project: str, filename: str, *, by: str) -> None:
        """Undo a yank."""
        self._release(project, filename)
        self.feed.record(project, {"kind": "unyank", "filename": filename, "by": by})

    def delete(self, project: str, filename: str, *, by: str) -> None:
        """Take a file away for good; its name is never free again."""
        self._release(project, filename)
        self.feed.record(project, {"kind": "delete", "filename": filename, "by": by})

    def set_status(self, project: str, status: str, *, reason: str | None, by: str) -> None:
        """Mark a project as active, archived, quarantined or deprecated (PEP 792)."""
        if status not in get_args(Status):
            raise BadInputError(
                f"{status[:40]!r} is no project status.",
                remedy=f"Use one of: {', '.join(get_args(Status))}.",
            )
        if self.feed.state(project) is None:
            raise _not_found(project)
        self.feed.record(project, {"kind": "status", "status": status, "reason": reason, "by": by})

    def _release(self, project: str, filename: str) -> Release:
        state = self.feed.state(project)
        release = state.releases.get(file_tag(filename)) if state else None
        if state is None or release is None or filename in _fold(state).deleted:
            raise _not_found(filename)
        return release

    def _layer_bytes(self, project: str, filename: str, media_type: str) -> bytes:
        for layer in self._release(project, filename).layers:
            if layer["mediaType"] == media_type:
                return b"".join(self.feed.read(project, layer["digest"]))
        raise _not_found(filename)

    def _check_open(self, project: str) -> None:
        page = self.page(project)
        if page and page.status in {"archived", "quarantined"}:
            raise ForbiddenError(
                f"The project {project} is {page.status} and takes no uploads.",
                remedy="Ask its owner to set its status to active.",
            )

    def _stands_already(self, project: str, upload: Upload) -> bool:
        filename = upload.name.filename
        state = self.feed.state(project)
        release = state.releases.get(file_tag(filename)) if state else None
        if state is None or release is None:
            return False
        if filename in _fold(state).deleted:
            raise FileExistsInFeedError(
                f"File already exists: {filename} was deleted, and a deleted name is never free "
                "again.",
                remedy="Publish a new version.",
            )
        if release.config["sha256"] != upload.sha256:
            raise FileExistsInFeedError(
                f"File already exists: {filename} with another content.",
                remedy="Published files never change. Publish a new version.",
            )
        return True


@dataclass(frozen=True, slots=True)
class _Fold:
    yanked: Mapping[str, str | bool]
    deleted: frozenset[str]
    status: Status
    status_reason: str | None


def _fold(state: ProjectState) -> _Fold:
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
    return _Fold(yanked, frozenset(deleted), status, reason)


def _page(state: ProjectState) -> ProjectPage:
    fold = _fold(state)
    rows = []
    for release in state.releases.values():
        config = release.config
        if config["filename"] in fold.deleted:
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
                yanked=fold.yanked.get(config["filename"], False),
            )
        )
    rows.sort(key=lambda row: (Version(row.version), row.filename))
    versions = list(dict.fromkeys(row.version for row in rows))
    return ProjectPage(state.project, rows, versions, fold.status, fold.status_reason)


def _with_provenance(page: ProjectPage, state: ProjectState, base_url: str) -> ProjectPage:
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


def _render(body: bytes, etag: str | None) -> Rendered:
    etag = etag or hashlib.sha256(body).hexdigest()[:32]
    return Rendered(body, gzip.compress(body, 6, mtime=0), f'"{etag}"')


def _config(upload: Upload, *, by: str, now: datetime) -> dict[str, Any]:
    requires = upload.metadata.fields.requires_python
    return {
        "filename": upload.name.filename,
        "filetype": upload.name.filetype,
        "name": upload.metadata.fields.name,
        "version": str(upload.name.version),
        "requires_python": str(requires) if requires is not None else None,
        "sha256": upload.sha256,
        "size": upload.size_bytes,
        "metadata_sha256": upload.metadata_sha256,
        "has_provenance": upload.provenance is not None,
        "upload_time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "uploader": by,
    }


def _chunks(upload: Upload) -> Iterator[bytes]:
    upload.file.seek(0)
    while chunk := upload.file.read(_COPY_BYTES):
        yield chunk


def _not_found(what: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"This feed has no {what[:120]!r}.", remedy="Look at the feed's simple/ page for its files."
    )
