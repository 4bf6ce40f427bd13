"""Freezing a draft: from its folder and index to an artifact, a tag and ``latest``.

Order: the attachments and the pointer list become blobs, then the config, then the manifest under
the version's tag, which is the moment of publishing, then ``latest`` moves, then the draft
remembers what it was published as. Killed anywhere, the version is there whole or not at all, and
publishing again completes the rest. The pointers are read in one transaction, so what is edited
meanwhile goes into the next version.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    ConflictError,
    VersionExistsError,
)
from packager_jupyter.oci.base import (
    ANNOTATION_CREATED,
    ANNOTATION_TITLE,
    MEDIA_TYPE_MANIFEST,
    Descriptor,
)
from packager_jupyter.oci.names import digest_bytes
from packager_jupyter.packages.artifact import (
    CONFIG_TYPE,
    LATEST,
    POINTERS_TYPE,
    ListFacts,
    PointerList,
    config_bytes,
    config_descriptor,
    facts_of,
    manifest_bytes,
    read_version,
    repository,
)
from packager_jupyter.packages.base import Published
from packager_jupyter.packages.index import META_REVISION, read_meta
from packager_jupyter.packages.index_edit import find_folder
from packager_jupyter.packages.index_query import get as get_pointer
from packager_jupyter.packages.names import check_version, shown
from packager_jupyter.packages.tags import (
    ANNOTATION_BYTES,
    ANNOTATION_FILES,
    ANNOTATION_PACKAGE_TITLE,
    ANNOTATIONS,
    created_s,
    version_tags,
)
from packager_jupyter.packages.texts import attachment_layer, texts_mark
from packager_jupyter.packages.times import format_time
from packager_jupyter.packages.tombstones import deleted_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.packages.artifact import VersionRecord
    from packager_jupyter.packages.attachments import AttachmentFolder
    from packager_jupyter.packages.index import PointerIndex
    from packager_jupyter.packages.metadata import Metadata

META_BASE_VERSION = "base_version"
META_BASE_DIGEST = "base_digest"
META_BASE_REVISION = "base_revision"
META_BASE_TEXTS = "base_texts"
META_LIST = "list"

KeepIndex = Callable[["sqlite3.Connection", str], None]
"""Keeps the index that a transaction sees as that of the list with a fingerprint."""

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Frozen:
    """The content of a draft at one moment, its blobs in the store.

    Attributes
    ----------
    metadata : Metadata
    facts : ListFacts
    attachments : list of Descriptor
    revision : str
        Of the pointers.
    """

    metadata: Metadata
    facts: ListFacts
    attachments: list[Descriptor]
    revision: str

    def manifest(self, name: str, version: str) -> tuple[bytes, bytes]:
        """Return manifest and config of that content under a version."""
        config = config_bytes(name, version, self.metadata, self.facts)
        return manifest_bytes(config, self.facts, self.attachments, self.metadata), config

    def is_same(self, other: VersionRecord) -> bool:
        """Return whether a published version has this content."""
        mine = [(layer.annotations[ANNOTATION_TITLE], layer.digest) for layer in self.attachments]
        theirs = [(path, layer.digest) for path, layer in other.attachments.items()]
        return (
            self.facts.fingerprint == other.facts.fingerprint
            and self.metadata == other.metadata
            and mine == theirs
        )


class Publisher:
    """Publishes one draft; `draft.Draft.publish` holds the draft's lock around it."""

    def __init__(
        self,
        name: str,
        index: PointerIndex,
        folder: AttachmentFolder,
        oci: OciStore,
        keep_index: KeepIndex,
    ) -> None:
        self._keep_index = keep_index
        self._name = name
        self._repo = repository(name)
        self._index = index
        self._folder = folder
        self._oci = oci

    def publish(self, metadata: Metadata, version: str | None, *, now_s: int) -> Published:
        """Publish; see `draft.Draft.publish`."""
        if version is not None:
            check_version(version)
        frozen = self._freeze(metadata)
        if version is None:
            done = self._publish_next(frozen, now_s)
        else:
            done = self._publish_as(frozen, version, now_s)
        self._index.set_meta(
            {
                META_BASE_VERSION: done.version,
                META_BASE_DIGEST: done.digest,
                META_BASE_REVISION: frozen.revision,
                META_BASE_TEXTS: texts_mark(frozen.metadata, frozen.attachments),
                META_LIST: _dump_facts(frozen.revision, frozen.facts),
            }
        )
        return done

    def preview(self, metadata: Metadata, layers: Sequence[Descriptor]) -> str:
        """Return the digest of the version that publishing now would make; stores nothing."""
        with self._index.read() as connection:
            pointers = PointerList(connection)
            layer = _describe_stream(pointers)
        frozen = Frozen(metadata, facts_of(pointers, layer), list(layers), "")
        version = next_version(self._oci.tag_names(self._repo))
        manifest, _ = frozen.manifest(self._name, version)
        return digest_bytes(manifest)

    def _freeze(self, metadata: Metadata) -> Frozen:
        attachments = self._push_attachments()
        with self._index.read() as connection:
            check_attachments(
                connection, [layer.annotations[ANNOTATION_TITLE] for layer in attachments]
            )
            meta = read_meta(connection)
            revision = meta.get(META_REVISION, "")
            facts = self._known_list(meta, revision) or self._push_list(connection)
            self._keep_index(connection, facts.fingerprint)
        if not facts.files and not attachments:
            raise BadInputError(
                f"The draft of {self._name} is empty.",
                remedy="Add files from a source, or attach a text, before publishing.",
            )
        return Frozen(metadata, facts, attachments, revision)

    def _push_attachments(self) -> list[Descriptor]:
        scan = self._folder.scan()
        if scan.refused:
            path, reason = next(iter(scan.refused.items()))
            raise BadInputError(
                f"{shown(path)} in the draft's folder cannot be published: {reason}.",
                remedy="Replace it by an ordinary file, rename it, or take it out of the folder.",
            )
        layers = []
        for attachment in scan.attachments:
            data = self._folder.read(attachment.path)
            layer = attachment_layer(attachment.path, data)
            if self._oci.has_blob(self._repo, layer.digest) != layer.size_bytes:
                self._oci.push_blob(self._repo, data, digest=layer.digest)
            layers.append(layer)
        return layers

    def _known_list(self, meta: dict[str, str], revision: str) -> ListFacts | None:
        """Return the list of the last publishing when the pointers are still those."""
        facts = _load_facts(meta.get(META_LIST), revision)
        if facts is None:
            return None
        layer = facts.layer
        size = self._oci.has_blob(self._repo, layer.digest)
        return facts if size == layer.size_bytes else None

    def _push_list(self, connection: sqlite3.Connection) -> ListFacts:
        pointers = PointerList(connection)
        layer = self._oci.push_blob(self._repo, pointers, media_type=POINTERS_TYPE)
        return facts_of(pointers, layer)

    def _publish_next(self, frozen: Frozen, now_s: int) -> Published:
        """Publish as the next number, or find that the newest version is this content."""
        tags = version_tags(self._oci, self._repo)
        newest = self.find(tags[0].tag) if tags else None
        if newest is not None and frozen.is_same(newest):
            self._mend_latest(newest)
            return _as_published(newest)
        for _ in range(_TRIES):
            version = next_version(self._oci.tag_names(self._repo))
            try:
                return self._publish_as(frozen, version, now_s)
            except VersionExistsError:
                continue  # somebody else took the number just now
        raise ConflictError(
            f"Others publish {self._name} all the time.",
            remedy="Try again later, or name the version yourself.",
        )

    def _publish_as(self, frozen: Frozen, version: str, now_s: int) -> Published:
        existing = self.find(version)
        if existing is None:
            manifest, config = frozen.manifest(self._name, version)
            self._oci.push_blob(self._repo, config, media_type=CONFIG_TYPE)
            notes = _notes(frozen, self._not_before_newest(now_s))
            try:
                descriptor = self._push(manifest, version, notes)
            except ConflictError:
                existing = self.find(version)
            else:
                self._push(manifest, LATEST, notes, overwrite=True)
                return Published(
                    version, descriptor.digest, True, frozen.facts.files, frozen.facts.bytes
                )
        if existing is not None and frozen.is_same(existing):
            self._mend_latest(existing)
            return _as_published(existing)
        raise VersionExistsError(
            f"{self._name}@{version} is published already, with other content."
            if existing is not None
            else f"{self._name}@{version} was deleted, and its name is never given again.",
            remedy="A version never changes: publish under another one, or leave it out to take "
            "the next number.",
        )

    def _not_before_newest(self, now_s: int) -> int:
        """Return the time to note, so that versions stay in order however clocks differ."""
        tags = version_tags(self._oci, self._repo)
        newest = created_s(tags[0].descriptor) if tags else None
        return now_s if newest is None else max(now_s, newest + 1)

    def _push(
        self, manifest: bytes, tag: str, notes: dict[str, str], *, overwrite: bool = False
    ) -> Descriptor:
        return self._oci.push_manifest(
            self._repo,
            manifest,
            media_type=MEDIA_TYPE_MANIFEST,
            tag=tag,
            overwrite=overwrite,
            annotations=notes,
        )

    def _mend_latest(self, record: VersionRecord) -> None:
        """Let ``latest`` name a version whose publishing was interrupted before that.

        It names the newest by time of publishing; a version published again stays where it is.
        """
        newest = version_tags(self._oci, self._repo)[0]
        if newest.descriptor.digest == record.digest:
            body = self._oci.get_manifest(self._repo, record.digest).body
            notes = newest.descriptor.annotations
            kept = {key: notes[key] for key in ANNOTATIONS if key in notes}
            self._push(body, LATEST, kept, overwrite=True)

    def find(self, reference: str) -> VersionRecord | None:
        """Return a published version of this package, or None."""
        with contextlib.suppress(BlobNotFoundError):
            return load_version(self._oci, self._repo, reference)
        return None


def load_version(oci: OciStore, repo: str, reference: str) -> VersionRecord:
    """Read a version; raises `BlobNotFoundError` and `StoreCorruptError`."""
    manifest = oci.get_manifest(repo, reference)
    if deleted_digest(manifest) is not None:
        raise BlobNotFoundError("That version was deleted.", remedy="Ask for another one.")
    config = config_descriptor(manifest)
    return read_version(manifest, b"".join(oci.read_blob(repo, config.digest)))


def next_version(tags: Sequence[str]) -> str:
    """Return the whole number after the largest one among the tags."""
    numbers = [int(tag) for tag in tags if tag.isascii() and tag.isdigit() and tag[0] != "0"]
    return str(max(numbers, default=0) + 1)


def check_attachments(connection: sqlite3.Connection, paths: Sequence[str]) -> None:
    """Raise `ConflictError` when an attachment and a pointer are in each other's way."""
    for path in paths:
        parents = path.split("/")
        above = ["/".join(parents[:number]) for number in range(1, len(parents))]
        is_taken = find_folder(connection, path) is not None
        if is_taken or any(get_pointer(connection, one) for one in (path, *above)):
            raise ConflictError(
                f"The package has both an attachment {shown(path)} and a file of a source there.",
                remedy="Rename or remove one of the two; files of a source can be added to a "
                "folder of their own or left out by a pattern.",
            )


def _describe_stream(chunks: Iterable[bytes]) -> Descriptor:
    found = hashlib.sha256()
    size = 0
    for chunk in chunks:
        found.update(chunk)
        size += len(chunk)
    return Descriptor(POINTERS_TYPE, f"sha256:{found.hexdigest()}", size)


def _notes(frozen: Frozen, now_s: int) -> dict[str, str]:
    return {
        ANNOTATION_CREATED: format_time(now_s),
        ANNOTATION_FILES: str(frozen.facts.files),
        ANNOTATION_BYTES: str(frozen.facts.bytes),
        ANNOTATION_PACKAGE_TITLE: frozen.metadata.title,
    }


def _as_published(record: VersionRecord) -> Published:
    facts = record.facts
    return Published(record.version, record.digest, False, facts.files, facts.bytes)


def _dump_facts(revision: str, facts: ListFacts) -> str:
    layer = facts.layer
    record: list[Any] = [revision, layer.digest, layer.size_bytes, facts.fingerprint]
    return orjson.dumps([*record, facts.files, facts.bytes, facts.addresses]).decode()


def _load_facts(text: str | None, revision: str) -> ListFacts | None:
    """Return the noted facts when they are of that revision."""
    if text is None:
        return None
    noted, digest, size, fingerprint, files, total, addresses = orjson.loads(text)
    if noted != revision:
        return None
    layer = Descriptor(POINTERS_TYPE, digest, size)
    return ListFacts(layer, fingerprint, files, total, [(one, two) for one, two in addresses])
