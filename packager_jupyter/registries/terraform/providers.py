"""Providers: one version is one image index in the layout that OpenTofu reads directly.

The index (``application/vnd.opentofu.provider``) names one manifest per platform, each with the
archive as its only layer, byte-identical to what was uploaded. SHA256SUMS and its signature stand
in annotations of the index, so one read answers every question of the registry protocol.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.oci.base import ANNOTATION_CREATED, MEDIA_TYPE_MANIFEST, Descriptor
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import version_tag
from packager_jupyter.oci.manifest import EMPTY, EMPTY_BYTES, describe, image_manifest
from packager_jupyter.registries.archives.zipdir import read_members
from packager_jupyter.registries.terraform.names import (
    check_label,
    check_platform,
    check_version,
    parse_archive_name,
    version_key,
)
from packager_jupyter.registries.terraform.signing import verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.feed_state import FeedGuard, Release
    from packager_jupyter.registries.terraform.signing import PublicKey, SigningKey

ECOSYSTEM = "tf-provider"
INDEX_TYPE = "application/vnd.opentofu.provider"
TARGET_TYPE = "application/vnd.opentofu.provider-target"
ARCHIVE_TYPE = "archive/zip"
SUMS, SIGNATURE = "shasum", "shasum-signature-encoded"
FILENAME, FILE_DIGEST = "original-filename", "original-file-digest"
PROTOCOLS = "io.packager-jupyter.tf.protocols"
KEY = "io.packager-jupyter.tf.signing-key"
DEFAULT_PROTOCOLS = ("5.0",)
MAX_SUMS_BYTES = 256 * 1024

_SUMS_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")
_PROTOCOL = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProviderUpload:
    """What an uploader sends for one version of a provider.

    Attributes
    ----------
    archives : mapping of file name to BinaryIO
        ``terraform-provider-TYPE_VERSION_OS_ARCH.zip``, seekable.
    sums, signature : bytes or None
        ``SHA256SUMS`` and its detached signature, kept byte for byte.
    public_key : str or None
        Armored certificate of the signer.
    manifest : bytes or None
        ``terraform-registry-manifest.json``, which names the plugin protocols.
    """

    namespace: str
    type: str
    version: str
    archives: Mapping[str, BinaryIO]
    sums: bytes | None = None
    signature: bytes | None = None
    public_key: str | None = None
    manifest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """One platform's archive of a provider version."""

    os: str
    arch: str
    filename: str
    sha256: str
    manifest_digest: str


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

    def publish(self, upload: ProviderUpload, *, now: datetime) -> bool:
        """Store one checked version; return False when exactly it was there already.

        Raises
        ------
        BadInputError
            Names, archives, checksums and signature do not agree.
        ConflictError
            Another content stands under this version.
        """
        project = _project(upload.namespace, upload.type)
        version = check_version(upload.version)
        digests = _check_archives(upload)
        sums = upload.sums if upload.sums is not None else _make_sums(digests)
        _check_sums(sums, digests)
        standing = self._find(project, version)
        if standing is not None:
            if {a.filename: a.sha256 for a in _archives(standing)} == digests:
                return False
            raise _exists(f"{project} {version}")
        signature, key = self._signature(upload, sums)
        annotations = {
            ANNOTATION_CREATED: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "org.opencontainers.image.version": version,
            SUMS: base64.b64encode(sums).decode(),
            SIGNATURE: base64.b64encode(signature).decode(),
            PROTOCOLS: ",".join(_protocols(upload.manifest)),
            KEY: key.ascii_armor,
        }
        size_bytes = sum(file.seek(0, os.SEEK_END) for file in upload.archives.values())
        with self.feed.room(project, size_bytes):
            self.feed.publish_index(
                project,
                version_tag(version),
                manifests=[
                    self._push_archive(project, name, upload.archives[name], digests[name])
                    for name in sorted(digests)
                ],
                artifact_type=INDEX_TYPE,
                annotations=annotations,
            )
        return True

    def versions(self, namespace: str, type_: str) -> dict[str, Any] | None:
        """Return the answer to ``…/versions``, or None when the provider is unknown."""
        state = self.feed.state(_project(namespace, type_))
        if state is None:
            return None
        rows = [
            {
                "version": _version(release),
                "protocols": _protocol_list(release),
                "platforms": [{"os": a.os, "arch": a.arch} for a in _archives(release)],
            }
            for release in state.releases.values()
        ]
        return {"versions": sorted(rows, key=lambda row: version_key(row["version"]))}

    def download(
        self, namespace: str, type_: str, version: str, os: str, arch: str
    ) -> tuple[dict[str, Any], Archive]:
        """Return the answer to ``…/download/{os}/{arch}`` without its URLs, and the archive.

        Raises
        ------
        PathNotFoundError
            There is no such version or platform.
        """
        release = self._release(namespace, type_, version)
        for archive in _archives(release):
            if (archive.os, archive.arch) == (os, arch):
                return _download(release, archive), archive
        raise _not_found(f"{version} for {os}_{arch}")

    def sums(self, namespace: str, type_: str, version: str) -> bytes:
        """Return ``SHA256SUMS`` byte for byte."""
        return base64.b64decode(self._release(namespace, type_, version).annotations[SUMS])

    def signature(self, namespace: str, type_: str, version: str) -> bytes:
        """Return the binary detached signature over ``SHA256SUMS``."""
        return base64.b64decode(self._release(namespace, type_, version).annotations[SIGNATURE])

    def archive(self, namespace: str, type_: str, version: str, filename: str) -> Archive:
        """Return one archive by its file name; raises `PathNotFoundError`."""
        for archive in _archives(self._release(namespace, type_, version)):
            if archive.filename == filename:
                return archive
        raise _not_found(filename)

    def mirror_index(self, namespace: str, type_: str) -> dict[str, Any] | None:
        """Return ``index.json`` of the network mirror protocol, or None."""
        state = self.feed.state(_project(namespace, type_))
        if state is None:
            return None
        return {"versions": {_version(release): {} for release in state.releases.values()}}

    def mirror_version(self, namespace: str, type_: str, version: str) -> list[Archive]:
        """Return the archives of one version, for ``VERSION.json`` of the network mirror."""
        return _archives(self._release(namespace, type_, version))

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
        chunks: Iterator[bytes] = self.feed.read(
            _project(namespace, type_), f"sha256:{archive.sha256}", start=start, stop=stop
        )
        return chunks

    def size_bytes(self, namespace: str, type_: str, archive: Archive) -> int:
        """Return the length of an archive."""
        repo = self.feed.repository(_project(namespace, type_))
        size = self.feed.store.has_blob(repo, f"sha256:{archive.sha256}")
        if size is None:
            raise _not_found(archive.filename)
        return size

    def _find(self, project: str, version: str) -> Release | None:
        state = self.feed.state(project)
        return state.releases.get(version_tag(version)) if state else None

    def _release(self, namespace: str, type_: str, version: str) -> Release:
        release = self._find(_project(namespace, type_), check_version(version))
        if release is None:
            raise _not_found(f"{namespace}/{type_} {version}")
        return release

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
        self, project: str, filename: str, file: BinaryIO, sha256: str
    ) -> tuple[bytes, Descriptor]:
        layer = self.feed.push_layer(
            project, _chunks(file), media_type=ARCHIVE_TYPE, digest=f"sha256:{sha256}"
        )
        self.feed.push_layer(project, EMPTY_BYTES, media_type=EMPTY.media_type)
        body = image_manifest(layers=(layer,), artifact_type=TARGET_TYPE)
        _, _, os, arch = parse_archive_name(filename)
        plain = describe(body, media_type=MEDIA_TYPE_MANIFEST, artifact_type=TARGET_TYPE)
        described = Descriptor(
            plain.media_type,
            plain.digest,
            plain.size_bytes,
            {FILENAME: filename, FILE_DIGEST: sha256},
            TARGET_TYPE,
            {"os": os, "architecture": arch},
        )
        return body, described


def _project(namespace: str, type_: str) -> str:
    return f"{check_label(namespace, what='namespace')}/{check_label(type_, what='provider type')}"


def _check_archives(upload: ProviderUpload) -> dict[str, str]:
    if not upload.archives:
        raise BadInputError(
            "The upload holds no provider archive.",
            remedy="Send at least one terraform-provider-TYPE_VERSION_OS_ARCH.zip.",
        )
    digests = {}
    for filename, file in upload.archives.items():
        type_, version, os, arch = parse_archive_name(filename)
        check_platform(os, what="operating system")
        check_platform(arch, what="architecture")
        if type_ != upload.type.lower() or version != upload.version:
            raise BadInputError(
                f"{filename} is not of provider {upload.type} {upload.version}.",
                remedy="Send only the archives of this version.",
            )
        members = read_members(file)
        if not any(m.name.startswith(f"terraform-provider-{type_}") for m in members):
            raise BadInputError(
                f"{filename} holds no program terraform-provider-{type_}….",
                remedy="Put the provider's program at the top of the archive.",
            )
        digests[filename] = _sha256(file)
    return digests


def _make_sums(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def _check_sums(sums: bytes, digests: Mapping[str, str]) -> None:
    if len(sums) > MAX_SUMS_BYTES or not sums.isascii():
        raise BadInputError(
            "SHA256SUMS is no checksum file.", remedy="Make it with sha256sum *.zip."
        )
    stated = {}
    for line in sums.decode("ascii").splitlines():
        match = _SUMS_LINE.fullmatch(line.rstrip())
        if match is None or match[2] in stated:
            raise BadInputError(
                f"SHA256SUMS has a line that is none, or one file twice: {line[:100]!r}.",
                remedy="Make it with sha256sum *.zip.",
            )
        stated[match[2]] = match[1]
    for filename, digest in digests.items():
        if stated.get(filename) != digest:
            raise BadInputError(
                f"SHA256SUMS does not state the checksum of {filename}.",
                remedy="Make it again over the archives that you upload.",
            )


def _protocols(manifest: bytes | None) -> Sequence[str]:
    if manifest is None:
        return DEFAULT_PROTOCOLS
    try:
        rows = json.loads(manifest)["metadata"]["protocol_versions"]
        if rows and all(_PROTOCOL.fullmatch(row) for row in rows):
            return [str(row) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadInputError(
        "The registry manifest states no plugin protocols.",
        remedy='Write {"version": 1, "metadata": {"protocol_versions": ["6.0"]}}.',
    )


def _archives(release: Release) -> list[Archive]:
    rows = []
    for row in release.manifests:
        if row.get("artifactType") != TARGET_TYPE:
            continue
        annotations, platform = row.get("annotations", {}), row.get("platform", {})
        rows.append(
            Archive(
                os=platform.get("os", ""),
                arch=platform.get("architecture", ""),
                filename=annotations.get(FILENAME, ""),
                sha256=annotations.get(FILE_DIGEST, ""),
                manifest_digest=row["digest"],
            )
        )
    return rows


def _version(release: Release) -> str:
    return release.annotations.get("org.opencontainers.image.version", release.tag)


def _protocol_list(release: Release) -> list[str]:
    return release.annotations.get(PROTOCOLS, ",".join(DEFAULT_PROTOCOLS)).split(",")


def _download(release: Release, archive: Archive) -> dict[str, Any]:
    armor = release.annotations[KEY]
    return {
        "protocols": _protocol_list(release),
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


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_COPY_BYTES):
        yield chunk


def _exists(what: str) -> ConflictError:
    return ConflictError(
        f"{what} is published already, with other archives.",
        remedy="Published versions never change. Publish a new version.",
    )


def _not_found(what: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"This feed has no {what[:120]!r}.", remedy="Ask the registry for the versions it has."
    )
