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

import gzip
import hashlib
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import BlobNotFoundError, ConflictError, StoreCorruptError
from packager_jupyter.oci.base import ANNOTATION_TITLE, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.feed_names import (
    EVENT_PREFIX,
    INDEX_TAG,
    LATEST_TAG,
    event_tag,
    is_project_tag,
    is_truth,
    repository_for,
)
from packager_jupyter.oci.manifest import (
    EMPTY,
    EMPTY_BYTES,
    descriptor_json,
    image_index,
    image_manifest,
    parse_manifest,
)
from packager_jupyter.oci.names import check_repository, digest_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packager_jupyter.oci.base import Descriptor, OciStore

EVENT_TYPE = "application/vnd.packager-jupyter.feed.event.v1"
EVENT_CONFIG_TYPE = "application/vnd.packager-jupyter.feed.event.config.v1+json"
INDEX_TYPE = "application/vnd.packager-jupyter.feed.index.v1"
INDEX_LAYER_TYPE = "application/vnd.packager-jupyter.feed.index.v1+json+gzip"
PROJECT_TYPE = "application/vnd.packager-jupyter.feed.project.v1"
MAX_CONFIG_BYTES = 4 * 1024 * 1024

_INDEX_FORMAT = 1
_CACHED_PROJECTS = 4096
_READ_TRIES = 3


@dataclass(frozen=True, slots=True)
class Release:
    """One published artifact of a project, as the index keeps it.

    Attributes
    ----------
    tag, digest : str
        Its immutable tag and the digest of its manifest.
    config : mapping
        The config document: everything that a list page needs.
    layers : sequence of mapping
        Descriptors in their JSON form (``digest``, ``size``, ``mediaType``, ``annotations``).
    manifests : sequence of mapping
        The same for an image index, else empty.
    annotations : mapping of str to str
    """

    tag: str
    digest: str
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    manifests: Sequence[Mapping[str, Any]]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What a project holds now.

    Attributes
    ----------
    releases : mapping of tag to Release
        In tag order.
    events : sequence of mapping
        Payloads of the events, oldest first.
    etag : str
        Changes exactly when releases or events do; key for rendered pages.
    """

    project: str
    releases: Mapping[str, Release]
    events: Sequence[Mapping[str, Any]]
    etag: str


@dataclass(frozen=True, slots=True)
class _Cached:
    tags: frozenset[str]
    state: ProjectState
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
    """

    def __init__(self, store: OciStore, ecosystem: str, name: str) -> None:
        self.store = store
        self.ecosystem = ecosystem
        self.name = name
        self._meta = check_repository(f"meta/{ecosystem}/{name}")
        self._root = check_repository(f"{ecosystem}/{name}")
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._lock = threading.Lock()
        self._known: set[str] = set()

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
                    repo, body, media_type=MEDIA_TYPE_MANIFEST, tag=event_tag()
                )
            except ConflictError:
                continue  # two events of one millisecond drew the same random end
            return

    def state(self, project: str) -> ProjectState | None:
        """Return what a project holds, or None when there is no such project.

        One call to the store while nothing changes, however many releases there are; three and
        the new tags after a change.
        """
        repo = self.repository(project)
        for attempt in range(_READ_TRIES):
            stamp = self.store.change_stamp(repo)
            tags = frozenset(filter(is_truth, self.store.tag_names(repo)))
            if not tags:
                return None
            with self._lock:
                cached = self._cache.get(repo)
            if cached and cached.tags == tags:
                with self._lock:
                    self._cache[repo] = replace(cached, stamp=stamp)
                return cached.state
            try:
                return self._rebuild(project, repo, tags)
            except BlobNotFoundError:
                if attempt == _READ_TRIES - 1:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

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

    def _rebuild(self, project: str, repo: str, tags: frozenset[str]) -> ProjectState:
        known, index_digest = self._load_index(repo)
        rows = {tag: known[tag] if tag in known else self._fetch(repo, tag) for tag in sorted(tags)}
        if rows.keys() != known.keys():
            self._store_index(repo, rows, replaces=index_digest)
        state = _fold(project, rows)
        with self._lock:
            self._cache[repo] = _Cached(tags, state, None)
            self._cache.move_to_end(repo)
            while len(self._cache) > _CACHED_PROJECTS:
                self._cache.popitem(last=False)
        return state

    def reindex(self, project: str) -> ProjectState | None:
        """Make the summary of a project anew from its artifacts, whatever the old one says."""
        repo = self.repository(project)
        tags = sorted(filter(is_truth, self.store.tag_names(repo)))
        if not tags:
            return None
        rows = {tag: self._fetch(repo, tag) for tag in tags}
        self._store_index(repo, rows, replaces=self._load_index(repo)[1])
        with self._lock:
            self._cache.pop(repo, None)
        return _fold(project, rows)

    def _load_index(self, repo: str) -> tuple[dict[str, Any], str | None]:
        try:
            manifest = self.store.get_manifest(repo, INDEX_TAG)
        except BlobNotFoundError:
            return {}, None
        digest = manifest.descriptor.digest
        content = parse_manifest(manifest.body)
        if content.artifact_type != INDEX_TYPE or len(content.layers) != 1:
            return {}, None  # somebody else's: replaced, not deleted
        try:
            body = b"".join(self.store.read_blob(repo, content.layers[0].digest))
            value = orjson.loads(gzip.decompress(body))
        except (BlobNotFoundError, StoreCorruptError, OSError, EOFError, zlib.error, ValueError):
            return {}, digest  # derived: rebuilt from the tags
        return (value["rows"] if value.get("format") == _INDEX_FORMAT else {}), digest

    def _store_index(self, repo: str, rows: Mapping[str, Any], *, replaces: str | None) -> None:
        body = orjson.dumps({"format": _INDEX_FORMAT, "rows": rows})
        layer = self.store.push_blob(
            repo, gzip.compress(body, 6, mtime=0), media_type=INDEX_LAYER_TYPE
        )
        self.store.push_blob(repo, EMPTY_BYTES)
        manifest = image_manifest(layers=(layer,), artifact_type=INDEX_TYPE)
        new = self.store.push_manifest(
            repo, manifest, media_type=MEDIA_TYPE_MANIFEST, tag=INDEX_TAG, overwrite=True
        )
        if replaces and replaces != new.digest:
            try:
                self.store.delete_manifest(repo, replaces)
            except BlobNotFoundError:
                return  # another reader compacted at the same time and took it away

    def _fetch(self, repo: str, tag: str) -> dict[str, Any]:
        manifest = self.store.get_manifest(repo, tag)
        content = parse_manifest(manifest.body)
        config: object = {}
        described = content.config
        if described and described.digest != EMPTY.digest and _is_json(described):
            config = self._read_config(repo, described)
        return {
            "digest": manifest.descriptor.digest,
            "config": config,
            "layers": [descriptor_json(layer) for layer in content.layers],
            "manifests": [descriptor_json(row) for row in content.manifests],
            "annotations": dict(content.annotations),
        }

    def _read_config(self, repo: str, config: Descriptor) -> object:
        if config.size_bytes > MAX_CONFIG_BYTES:
            return {}
        return orjson.loads(b"".join(self.store.read_blob(repo, config.digest)))

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


def _is_json(described: Descriptor) -> bool:
    return described.media_type.endswith("+json")


def _fold(project: str, rows: Mapping[str, Any]) -> ProjectState:
    releases, events, digest = {}, [], hashlib.sha256()
    for tag, row in rows.items():
        digest.update(f"{tag}={row['digest']}\n".encode())
        if tag.startswith(EVENT_PREFIX):
            events.append(row["config"])
        else:
            releases[tag] = Release(tag=tag, **row)
    return ProjectState(project, releases, events, digest.hexdigest()[:32])
