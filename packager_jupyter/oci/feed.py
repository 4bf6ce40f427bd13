"""Feeds: one registry of one ecosystem, kept in an OCI store without any lost update.

Truth is the set of immutable tags: publishing a file pushes one artifact under a tag of its own,
so two publishers can only meet on the same file name, where the first wins. What changes later
(yank, unlist, tombstone) is an append-only event under a tag of its own, folded in tag order. The
tag ``_index`` names a summary of both, from which a list page needs no further call; it is derived
and repairs itself: whoever reads and finds tags that it lacks adds them.

Repositories: ``<ecosystem>/<feed>/<project>``, and ``meta/<ecosystem>/<feed>`` with one grow-only
tag per project.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO
from weakref import WeakValueDictionary

import orjson

from packager_jupyter.errors import BlobNotFoundError, ConflictError
from packager_jupyter.oci.base import ANNOTATION_TITLE, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.feed_index import load_index, read_row, store_index
from packager_jupyter.oci.feed_names import (
    EVENT_PREFIX,
    LATEST_TAG,
    event_tag,
    is_project_tag,
    is_truth,
    repository_for,
)
from packager_jupyter.oci.feed_state import ProjectState
from packager_jupyter.oci.manifest import (
    EMPTY,
    EMPTY_BYTES,
    image_index,
    image_manifest,
    parse_manifest,
)
from packager_jupyter.oci.names import check_repository, digest_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from packager_jupyter.oci.base import Descriptor, OciStore
    from packager_jupyter.oci.feed_state import FeedGuard

EVENT_TYPE = "application/vnd.packager-jupyter.feed.event.v1"
EVENT_CONFIG_TYPE = "application/vnd.packager-jupyter.feed.event.config.v1+json"
PROJECT_TYPE = "application/vnd.packager-jupyter.feed.project.v1"

_CACHED_PROJECTS = 4096
_READ_TRIES = 3
_FEW = 32  # so many new releases are read one by one without a look at the summary


@dataclass(frozen=True, slots=True)
class _Cached:
    tags: frozenset[str]
    rows: Mapping[str, Any]
    state: ProjectState
    is_indexed: bool  # whether the summary in the store has exactly these rows
    stamp: object | None  # of the layout's index file when the tags were read


class Feed:
    """One feed over a store; safe to share between threads.

    Parameters
    ----------
    store : OciStore
    ecosystem : str
        ``pypi``, ``tf-provider``, …: a repository component.
    name : str
        Name of the feed: a repository component.
    guard : FeedGuard, optional
        What the feed takes; without one everything.
    """

    def __init__(
        self, store: OciStore, ecosystem: str, name: str, *, guard: FeedGuard | None = None
    ) -> None:
        self.store = store
        self.guard = guard
        self.ecosystem = ecosystem
        self.name = name
        self._meta = check_repository(f"meta/{ecosystem}/{name}")
        self._root = check_repository(f"{ecosystem}/{name}")
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._turns: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def repository(self, project: str) -> str:
        """Return the repository of a project."""
        return f"{self._root}/{repository_for(project)}"

    def projects(self) -> list[str]:
        """Return the names of all projects, sorted; one call to the store.

        A project whose name is no tag carries it in an annotation and costs a further call.
        """
        names = []
        for tag in self.store.tag_names(self._meta):
            is_hashed = tag.startswith("x-")
            names.append(self._true_name(tag) if is_hashed else tag)
        return sorted(names)

    def project_count(self) -> int:
        """Return how many projects there are; one call to the store."""
        return len(self.store.tag_names(self._meta))

    def publish(
        self,
        project: str,
        tag: str,
        *,
        config: Mapping[str, Any],
        config_type: str,
        artifact_type: str,
        layers: Sequence[Descriptor],
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Publish one artifact whose layers were pushed with `push_layer`; durable on return.

        Parameters
        ----------
        project : str
            The ecosystem's normalised name.
        tag : str
            `file_tag` or `version_tag`: the one name that nobody else may take.
        config : mapping
            JSON document; everything that a list page needs.

        Raises
        ------
        ConflictError
            Another artifact stands under this tag. The same bytes again are a no-op.
        """
        repo = self.repository(project)
        body = orjson.dumps(config, option=orjson.OPT_SORT_KEYS)
        described = self.store.push_blob(repo, body, media_type=config_type)
        manifest = image_manifest(
            config=described, layers=layers, artifact_type=artifact_type, annotations=annotations
        )
        self._announce(project)
        return self.store.push_manifest(repo, manifest, media_type=MEDIA_TYPE_MANIFEST, tag=tag)

    def publish_bare(
        self,
        project: str,
        tag: str,
        *,
        layers: Sequence[Descriptor],
        artifact_type: str,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Publish one artifact with the empty config, whose layers were pushed; see `publish`."""
        repo = self.repository(project)
        self.store.push_blob(repo, EMPTY_BYTES)
        body = image_manifest(layers=layers, artifact_type=artifact_type, annotations=annotations)
        self._announce(project)
        return self.store.push_manifest(repo, body, media_type=MEDIA_TYPE_MANIFEST, tag=tag)

    def publish_index(
        self,
        project: str,
        tag: str,
        *,
        manifests: Sequence[tuple[bytes, Descriptor]],
        artifact_type: str,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Publish an image index and the manifests that it names; durable on return.

        Parameters
        ----------
        manifests : sequence of (bytes, Descriptor)
            Each manifest and how the index describes it (platform, annotations).

        Raises
        ------
        ConflictError
            Another artifact stands under this tag.
        """
        repo = self.repository(project)
        for body, _ in manifests:
            self.store.push_manifest(repo, body, media_type=MEDIA_TYPE_MANIFEST)
        index = image_index(
            [described for _, described in manifests],
            artifact_type=artifact_type,
            annotations=annotations,
        )
        self._announce(project)
        return self.store.push_manifest(repo, index, media_type=MEDIA_TYPE_INDEX, tag=tag)

    def point_latest(self, project: str, digest: str) -> None:
        """Move the tag ``latest``, the default of OCI clients, to a published artifact."""
        repo = self.repository(project)
        manifest = self.store.get_manifest(repo, digest)
        self.store.push_manifest(
            repo,
            manifest.body,
            media_type=manifest.descriptor.media_type,
            tag=LATEST_TAG,
            overwrite=True,
        )

    def push_layer(
        self,
        project: str,
        data: bytes | Iterable[bytes],
        *,
        media_type: str,
        title: str | None = None,
        digest: str | None = None,
    ) -> Descriptor:
        """Store the bytes of one layer and return its descriptor."""
        annotations = {ANNOTATION_TITLE: title} if title else None
        return self.store.push_blob(
            self.repository(project),
            data,
            digest=digest,
            media_type=media_type,
            annotations=annotations,
        )

    def push_file(
        self,
        project: str,
        file: BinaryIO,
        *,
        digest: str,
        size_bytes: int,
        media_type: str,
        title: str,
    ) -> Descriptor:
        """Store an open file as a layer; see `OciStore.push_file`."""
        return self.store.push_file(
            self.repository(project),
            file,
            digest=digest,
            size_bytes=size_bytes,
            media_type=media_type,
            annotations={ANNOTATION_TITLE: title},
        )

    def record(self, project: str, event: Mapping[str, Any]) -> None:
        """Append one event; durable on return. Later events override earlier ones."""
        repo = self.repository(project)
        config = self.store.push_blob(
            repo, orjson.dumps(event, option=orjson.OPT_SORT_KEYS), media_type=EVENT_CONFIG_TYPE
        )
        self.store.push_blob(repo, EMPTY_BYTES)
        body = image_manifest(config=config, layers=(EMPTY,), artifact_type=EVENT_TYPE)
        while True:
            try:
                self.store.push_manifest(
                    repo,
                    body,
                    media_type=MEDIA_TYPE_MANIFEST,
                    tag=event_tag(after=self.events(project)),
                )
            except ConflictError:
                continue  # two events of one millisecond drew the same random end
            return

    def state(self, project: str, *, is_reader: bool = True) -> ProjectState | None:
        """Return what a project holds, or None when there is no such project.

        One call to the store while nothing changes, however many releases there are; three and
        the new tags after a change.

        Parameters
        ----------
        is_reader : bool, default True
            Whether a summary that lacks tags is written anew. A publisher leaves that to the next
            reader, so that the cost of an upload does not grow with the project.
        """
        repo = self.repository(project)
        for attempt in range(_READ_TRIES):
            tags, cached = self._look(repo)
            if tags and not _is_current(cached, tags, is_reader=is_reader):
                with self._turn(repo) as has_waited:
                    if has_waited:
                        tags, cached = self._look(repo)
                    try:
                        if tags and not _is_current(cached, tags, is_reader=is_reader):
                            return self._rebuild(project, repo, tags, cached, is_reader=is_reader)
                    except BlobNotFoundError:
                        if attempt == _READ_TRIES - 1:
                            raise
                        continue
            return cached.state if tags and cached else None
        raise AssertionError  # pragma: no cover - the loop returns or raises

    @contextlib.contextmanager
    def _turn(self, repo: str) -> Iterator[bool]:
        """Let one thread at a time read what is new; whoever waited finds what that one read."""
        with self._lock:
            turn = self._turns.get(repo) or self._turns.setdefault(repo, threading.Lock())
        has_waited = not turn.acquire(blocking=False)
        if has_waited:
            turn.acquire()
        try:
            yield has_waited
        finally:
            turn.release()

    def _look(self, repo: str) -> tuple[frozenset[str], _Cached | None]:
        """Return the tags that count, and what is remembered: with their stamp if it has them."""
        stamp = self.store.change_stamp(repo)
        tags = frozenset(filter(is_truth, self.store.tag_names(repo)))
        with self._lock:
            cached = self._cache.get(repo)
            if cached and cached.tags == tags:
                cached = self._cache[repo] = replace(cached, stamp=stamp)
        return tags, cached

    def fresh(self, project: str) -> ProjectState | None:
        """Return the state when a local store can say without waiting that it is up to date."""
        repo = self.repository(project)
        with self._lock:
            cached = self._cache.get(repo)
        if cached is None or cached.stamp is None or self.store.change_stamp(repo) != cached.stamp:
            return None
        return cached.state

    def read(self, project: str, digest: str, *, start: int = 0, stop: int | None = None) -> Any:
        """Return an iterator over the bytes of one layer; see `OciStore.read_blob`."""
        return self.store.read_blob(self.repository(project), digest, start=start, stop=stop)

    def events(self, project: str) -> frozenset[str]:
        """Return the tags of a project's events; one call to the store."""
        tags = self.store.tag_names(self.repository(project))
        return frozenset(tag for tag in tags if tag.startswith(EVENT_PREFIX))

    def remove(self, project: str, digest: str) -> None:
        """Take a release away; its bytes go with the next collection. Nothing when it is gone."""
        with contextlib.suppress(BlobNotFoundError):
            self.store.delete_manifest(self.repository(project), digest)

    def room(self, project: str, size_bytes: int) -> AbstractContextManager[None]:
        """Book bytes for what the block stores, or refuse; see `registries.quota.Guard.room`."""
        if self.guard is None:
            return contextlib.nullcontext()
        return self.guard.room(project, size_bytes, project_bytes=lambda: self.size_bytes(project))

    def size_bytes(self, project: str) -> int:
        """Return how many bytes the files of a project have: the first layer of each artifact."""
        state = self.state(project, is_reader=False)
        repo = self.repository(project)
        total = 0
        for release in state.releases.values() if state else ():
            total += sum(layer["size"] for layer in release.layers[:1])
            for child in release.manifests:
                content = parse_manifest(self.store.get_manifest(repo, child["digest"]).body)
                total += sum(layer.size_bytes for layer in content.layers[:1])
        return total

    def reindex(self, project: str) -> ProjectState | None:
        """Make the summary of a project anew from its artifacts, whatever the old one says."""
        repo = self.repository(project)
        tags = sorted(filter(is_truth, self.store.tag_names(repo)))
        if not tags:
            return None
        rows = {tag: read_row(self.store, repo, tag) for tag in tags}
        store_index(self.store, repo, rows)
        with self._lock:
            self._cache.pop(repo, None)
        return ProjectState(project, rows)

    def _rebuild(
        self,
        project: str,
        repo: str,
        tags: frozenset[str],
        cached: _Cached | None,
        *,
        is_reader: bool,
    ) -> ProjectState:
        known: Mapping[str, Any] = cached.rows if cached else {}
        if cached is None or len(tags - known.keys()) > _FEW:
            known = {**load_index(self.store, repo), **known}
            is_indexed = tags == known.keys()
        else:
            is_indexed = cached.is_indexed and tags == cached.tags
        missing = tags - known.keys()
        read = {tag: read_row(self.store, repo, tag) for tag in missing}
        rows = {tag: known[tag] if tag in known else read[tag] for tag in sorted(tags)}
        if not is_indexed and (is_reader or len(missing) > _FEW):
            store_index(self.store, repo, rows)
            is_indexed = True
        state = ProjectState(project, rows)
        with self._lock:
            self._cache[repo] = _Cached(tags, rows, state, is_indexed=is_indexed, stamp=None)
            self._cache.move_to_end(repo)
            while len(self._cache) > _CACHED_PROJECTS:
                self._cache.popitem(last=False)
        return state

    def _announce(self, project: str) -> None:
        """Put the project on the feed's list first, so that no published file is ever unlisted."""
        if project in self._known:
            return
        tag = project if is_project_tag(project) else f"x-{digest_bytes(project.encode())[7:47]}"
        self.store.push_blob(self._meta, EMPTY_BYTES)
        body = image_manifest(
            artifact_type=PROJECT_TYPE,
            annotations=None if tag == project else {ANNOTATION_TITLE: project},
        )
        self.store.push_manifest(self._meta, body, media_type=MEDIA_TYPE_MANIFEST, tag=tag)
        self._known.add(project)

    def _true_name(self, tag: str) -> str:
        content = parse_manifest(self.store.get_manifest(self._meta, tag).body)
        return content.annotations.get(ANNOTATION_TITLE, tag)


def _is_current(cached: _Cached | None, tags: frozenset[str], *, is_reader: bool) -> bool:
    return cached is not None and cached.tags == tags and (cached.is_indexed or not is_reader)
