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
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, get_args

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    PathNotFoundError,
)
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import file_tag
from packager_jupyter.registries.pypi.project import (
    check_open,
    deleted_error,
    fold,
    page_of,
    stands_already,
    with_provenance,
)
from packager_jupyter.registries.pypi.simple import (
    Status,
    index_html,
    index_json,
    project_html,
    project_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from packager_jupyter.oci.base import Descriptor, OciStore
    from packager_jupyter.oci.feed_state import FeedGuard, ProjectState, Release
    from packager_jupyter.registries.pypi.simple import ProjectPage
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
    guard : FeedGuard, optional
        What the feed takes; without one everything.
    """

    def __init__(self, store: OciStore, name: str, *, guard: FeedGuard | None = None) -> None:
        self.feed = Feed(store, ECOSYSTEM, name, guard=guard)
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
        project = upload.name.project
        state = self.feed.state(project, is_reader=False)
        if state is not None:
            check_open(state)
            if stands_already(state, upload):
                return False
        try:
            with self.feed.room(project, upload.size_bytes):
                published = self._push(upload, by=by, now=now)
                self._check_name_is_free(upload, published, before=state)
        except ConflictError:
            # Somebody was faster with this name; the same bytes are as good as ours.
            state = self.feed.state(project, is_reader=False)
            if state is not None and stands_already(state, upload):
                return False
            raise
        return True

    def _push(self, upload: Upload, *, by: str, now: datetime) -> Descriptor:
        project, filename = upload.name.project, upload.name.filename
        layers = [
            self.feed.push_file(
                project,
                upload.file,
                media_type=LAYER_TYPES[upload.name.filetype],
                title=filename,
                digest=f"sha256:{upload.sha256}",
                size_bytes=upload.size_bytes,
            ),
            self.feed.push_layer(project, upload.metadata.raw, media_type=METADATA_TYPE),
        ]
        if upload.provenance is not None:
            layers.append(
                self.feed.push_layer(project, upload.provenance, media_type=PROVENANCE_TYPE)
            )
        return self.feed.publish(
            project,
            file_tag(filename),
            config=_config(upload, by=by, now=now),
            config_type=CONFIG_TYPE,
            artifact_type=ARTIFACT_TYPE,
            layers=layers,
        )

    def state(self, project: str) -> ProjectState | None:
        """Return the raw state of a project; None when it is unknown."""
        return self.feed.state(project)

    def page(self, project: str) -> ProjectPage | None:
        """Return what a project's page says; None when the project is unknown."""
        state = self.feed.state(project)
        return None if state is None else page_of(state)

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
        page = with_provenance(page_of(state), state, base_url)
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
        """Take a file away for good; its name is never free again.

        The event comes first: whoever is stopped in between has hidden the file, and `tidy` takes
        its bytes away later.

        Raises
        ------
        ForbiddenError
            The feed is append-only.
        PathNotFoundError
            There is no such file.
        """
        release = self._release(project, filename)
        if self.feed.guard is not None:
            self.feed.guard.check_delete(filename)
        self.feed.record(project, {"kind": "delete", "filename": filename, "by": by})
        self._remove(project, release)

    def tidy(self, project: str) -> int:
        """Take away files whose deletion was recorded and not finished; return how many."""
        state = self.feed.state(project, is_reader=False)
        deleted = fold(state).deleted if state else frozenset()
        found = [state.release(file_tag(name)) for name in deleted] if state else []
        for release in filter(None, found):
            self._remove(project, release)
        return sum(release is not None for release in found)

    def _remove(self, project: str, release: Release) -> None:
        self.feed.remove(project, release.digest)
        if self.feed.guard is not None:
            self.feed.guard.free(project, release.config["size"])

    def set_status(self, project: str, status: str, *, reason: str | None, by: str) -> None:
        """Mark a project as active, archived, quarantined or deprecated (PEP 792)."""
        if status not in get_args(Status):
            raise BadInputError(
                f"{status[:40]!r} is no project status.",
                remedy=f"Use one of: {', '.join(get_args(Status))}.",
            )
        if self.feed.state(project, is_reader=False) is None:
            raise _not_found(project)
        self.feed.record(project, {"kind": "status", "status": status, "reason": reason, "by": by})

    def _release(self, project: str, filename: str) -> Release:
        state = self.feed.state(project, is_reader=False)
        release = state.release(file_tag(filename)) if state else None
        if state is None or release is None or filename in fold(state).deleted:
            raise _not_found(filename)
        return release

    def _check_name_is_free(
        self, upload: Upload, published: Descriptor, *, before: ProjectState | None
    ) -> None:
        """Take back what was published under a name that was deleted while it was pushed."""
        project, filename = upload.name.project, upload.name.filename
        if self.feed.events(project) == (before.event_tags if before else frozenset()):
            return
        state = self.feed.state(project, is_reader=False)
        if state is not None and filename in fold(state).deleted:
            self.feed.remove(project, published.digest)
            raise deleted_error(filename)

    def _layer_bytes(self, project: str, filename: str, media_type: str) -> bytes:
        for layer in self._release(project, filename).layers:
            if layer["mediaType"] == media_type:
                return b"".join(self.feed.read(project, layer["digest"]))
        raise _not_found(filename)


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


def _not_found(what: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"This feed has no {what[:120]!r}.", remedy="Look at the feed's simple/ page for its files."
    )
