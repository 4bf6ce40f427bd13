"""Providers: one version is one image index in the layout that OpenTofu reads directly.

The index (``application/vnd.opentofu.provider``) names one manifest per platform, each with the
archive as its only layer, byte-identical to what was uploaded. SHA256SUMS and its signature stand
in annotations of the index, so one read answers every question of the registry protocol. Versions
that others pushed into the repository are read too (see `layout`); what they lack, we sign.
"""

from __future__ import annotations

import base64
import os
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.oci.base import ANNOTATION_CREATED, MEDIA_TYPE_MANIFEST, Descriptor
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import version_tag
from packager_jupyter.oci.manifest import EMPTY, EMPTY_BYTES, describe, image_manifest
from packager_jupyter.registries.terraform import layout
from packager_jupyter.registries.terraform.checks import (
    ProviderUpload,
    check_archives,
    check_sums,
    chunks,
    make_sums,
    protocols,
)
from packager_jupyter.registries.terraform.layout import Archive
from packager_jupyter.registries.terraform.names import check_label, check_version, version_key
from packager_jupyter.registries.terraform.signing import verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import BinaryIO

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.feed_state import FeedGuard, ProjectState, Release
    from packager_jupyter.registries.terraform.checks import CheckedArchive
    from packager_jupyter.registries.terraform.layout import StoredProvider
    from packager_jupyter.registries.terraform.signing import PublicKey, SigningKey

__all__ = ["Archive", "ProviderIndex", "ProviderUpload"]

ECOSYSTEM = "tf-provider"
_CACHED_VERSIONS = 4096


class ProviderIndex:
    """The providers of one feed; safe to share between threads.

    Parameters
    ----------
    store : OciStore
    name : str
        Name of the feed.
    key : SigningKey
        Signs the checksums of uploads that bring no signature.
    guard : FeedGuard, optional
        What the feed takes; without one everything.
    """

    def __init__(
        self, store: OciStore, name: str, *, key: SigningKey, guard: FeedGuard | None = None
    ) -> None:
        self.feed = Feed(store, ECOSYSTEM, name, guard=guard)
        self._key = key
        self._read: OrderedDict[tuple[str, str, str], StoredProvider | None] = OrderedDict()
        self._lock = threading.Lock()

    def publish(self, upload: ProviderUpload, *, now: datetime) -> bool:
        """Store one checked version; return False when exactly it was there already.

        Raises
        ------
        BadInputError
            Names, archives, checksums, stated hashes and signature do not agree.
        ConflictError
            Another content stands under this version.
        """
        project = _project(upload.namespace, upload.type)
        version = check_version(upload.version)
        checked = check_archives(upload)
        digests = {name: one.sha256 for name, one in checked.items()}
        sums = upload.sums if upload.sums is not None else make_sums(digests)
        check_sums(sums, digests)
        standing = self._find(project, version)
        if standing is not None:
            if {a.filename: a.sha256 for a in standing.archives} == digests:
                return False
            raise _exists(f"{project} {version}")
        signature, key = self._signature(upload, sums)
        annotations = {
            ANNOTATION_CREATED: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            layout.VERSION: version,
            layout.SUMS: base64.b64encode(sums).decode(),
            layout.SIGNATURE: base64.b64encode(signature).decode(),
            layout.PROTOCOLS: ",".join(protocols(upload.manifest)),
            layout.KEY: key.ascii_armor,
        }
        size_bytes = sum(file.seek(0, os.SEEK_END) for file in upload.archives.values())
        with self.feed.room(project, size_bytes):
            self.feed.publish_index(
                project,
                version_tag(version),
                manifests=[
                    self._push_archive(project, name, upload.archives[name], one)
                    for name, one in checked.items()
                ],
                artifact_type=layout.INDEX_TYPE,
                annotations=annotations,
            )
        return True

    def versions(self, namespace: str, type_: str) -> dict[str, Any] | None:
        """Return the answer to ``…/versions``, or None when the provider is unknown."""
        found = self._all(_project(namespace, type_))
        if found is None:
            return None
        rows = [
            {
                "version": one.version,
                "protocols": list(one.protocols),
                "platforms": [{"os": a.os, "arch": a.arch} for a in one.archives],
            }
            for one in found
        ]
        return {"versions": rows}

    def download(
        self, namespace: str, type_: str, version: str, os: str, arch: str
    ) -> tuple[dict[str, Any], Archive]:
        """Return the answer to ``…/download/{os}/{arch}`` without its URLs, and the archive.

        Raises
        ------
        PathNotFoundError
            There is no such version or platform.
        """
        stored = self._version(namespace, type_, version)
        for archive in stored.archives:
            if (archive.os, archive.arch) == (os, arch):
                return _download(stored, archive), archive
        raise _not_found(f"{version} for {os}_{arch}")

    def sums(self, namespace: str, type_: str, version: str) -> bytes:
        """Return ``SHA256SUMS``: the uploader's byte for byte, else made of the archives."""
        return cast("bytes", self._version(namespace, type_, version).sums)

    def signature(self, namespace: str, type_: str, version: str) -> bytes:
        """Return the binary detached signature over ``SHA256SUMS``."""
        return cast("bytes", self._version(namespace, type_, version).signature)

    def archive(self, namespace: str, type_: str, version: str, filename: str) -> Archive:
        """Return one archive by its file name; raises `PathNotFoundError`."""
        for archive in self._version(namespace, type_, version).archives:
            if archive.filename == filename:
                return archive
        raise _not_found(filename)

    def mirror_index(self, namespace: str, type_: str) -> dict[str, Any] | None:
        """Return ``index.json`` of the network mirror protocol, or None."""
        found = self._all(_project(namespace, type_))
        return None if found is None else {"versions": {one.version: {} for one in found}}

    def mirror_version(self, namespace: str, type_: str, version: str) -> tuple[Archive, ...]:
        """Return the archives of one version, for ``VERSION.json`` of the network mirror."""
        return self._version(namespace, type_, version).archives

    def read(
        self,
        namespace: str,
        type_: str,
        archive: Archive,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of an archive."""
        found: Iterator[bytes] = self.feed.read(
            _project(namespace, type_), f"sha256:{archive.sha256}", start=start, stop=stop
        )
        return found

    def size_bytes(self, namespace: str, type_: str, archive: Archive) -> int:
        """Return the length of an archive."""
        repo = self.feed.repository(_project(namespace, type_))
        size = self.feed.store.has_blob(repo, f"sha256:{archive.sha256}")
        if size is None:
            raise _not_found(archive.filename)
        return size

    def _all(self, project: str) -> list[StoredProvider] | None:
        """Return every version in order, each once; None when there is no such provider."""
        state = self.feed.state(project)
        if state is None:
            return None
        found: dict[str, StoredProvider] = {}
        for release in state.releases.values():
            stored = self._stored(project, release)
            if stored and (stored.version not in found or not release.tag.startswith("v")):
                found[stored.version] = stored
        return sorted(found.values(), key=lambda one: version_key(one.version)) or None

    def _find(self, project: str, version: str) -> StoredProvider | None:
        state: ProjectState | None = self.feed.state(project)
        if state is None:
            return None
        tag = version_tag(version)
        release = state.releases.get(tag) or state.releases.get(f"v{tag}")
        return self._stored(project, release) if release else None

    def _stored(self, project: str, release: Release) -> StoredProvider | None:
        """Return what a release holds; read once, as its digest names it for good."""
        key = (project, release.tag, release.digest)
        with self._lock:
            if key in self._read:
                self._read.move_to_end(key)
                return self._read[key]
        found = layout.read_provider(
            release,
            self.feed.store,
            self.feed.repository(project),
            type_=project.rpartition("/")[2],
        )
        with self._lock:
            self._read[key] = found
            while len(self._read) > _CACHED_VERSIONS:
                self._read.popitem(last=False)
        return found

    def _version(self, namespace: str, type_: str, version: str) -> StoredProvider:
        """Return one version with checksums and a signature, ours where others left none."""
        stored = self._find(_project(namespace, type_), check_version(version))
        if stored is None:
            raise _not_found(f"{namespace}/{type_} {version}")
        digests = {one.filename: one.sha256 for one in stored.archives}
        sums = stored.sums
        try:
            check_sums(sums or b"", digests)
        except BadInputError:
            sums = None
        if sums is not None and stored.signature is not None and stored.key is not None:
            return stored
        sums = sums or make_sums(digests)
        own = self._key.public().ascii_armor
        return replace(stored, sums=sums, signature=self._key.sign(sums), key=own)

    def _signature(self, upload: ProviderUpload, sums: bytes) -> tuple[bytes, PublicKey]:
        if upload.signature is None:
            return self._key.sign(sums), self._key.public()
        if upload.sums is None or upload.public_key is None:
            raise BadInputError(
                "A signature came without SHA256SUMS or without the public key of its signer.",
                remedy="Upload SHA256SUMS, SHA256SUMS.sig and the armored public key together.",
            )
        return upload.signature, verify_signature(sums, upload.signature, [upload.public_key])

    def _push_archive(
        self, project: str, filename: str, file: BinaryIO, checked: CheckedArchive
    ) -> tuple[bytes, Descriptor]:
        layer = self.feed.push_layer(
            project,
            chunks(file),
            media_type=layout.ARCHIVE_TYPE,
            digest=f"sha256:{checked.sha256}",
        )
        self.feed.push_layer(project, EMPTY_BYTES, media_type=EMPTY.media_type)
        kind = layout.TARGET_TYPE
        body = image_manifest(layers=(layer,), artifact_type=kind)
        plain = describe(body, media_type=MEDIA_TYPE_MANIFEST, artifact_type=kind)
        described = Descriptor(
            plain.media_type,
            plain.digest,
            plain.size_bytes,
            {
                layout.FILENAME: filename,
                layout.FILE_DIGEST: checked.sha256,
                layout.HASH: checked.h1,
            },
            kind,
            {"os": checked.os, "architecture": checked.arch},
        )
        return body, described


def _project(namespace: str, type_: str) -> str:
    return f"{check_label(namespace, what='namespace')}/{check_label(type_, what='provider type')}"


def _download(stored: StoredProvider, archive: Archive) -> dict[str, Any]:
    armor = cast("str", stored.key)
    return {
        "protocols": list(stored.protocols),
        "os": archive.os,
        "arch": archive.arch,
        "filename": archive.filename,
        "shasum": archive.sha256,
        "signing_keys": {
            "gpg_public_keys": [
                {
                    "key_id": _key_id(armor),
                    "ascii_armor": armor,
                    "trust_signature": "",
                    "source": "",
                    "source_url": None,
                }
            ]
        },
    }


def _key_id(armor: str) -> str:
    from pysequoia import Cert

    return str(Cert.from_bytes(armor.encode()).fingerprint)[-16:].upper()


def _exists(what: str) -> ConflictError:
    return ConflictError(
        f"{what} is published already, with other archives.",
        remedy="Published versions never change. Publish a new version.",
    )


def _not_found(what: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"This feed has no {what[:120]!r}.", remedy="Ask the registry for the versions it has."
    )
