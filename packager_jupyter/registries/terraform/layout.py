"""How a provider version lies in the store: ours, which OpenTofu reads, and that of others.

An image index names one manifest per platform, each with the archive as a layer. OpenTofu's
artifact types need nothing more. Ours carries file names, hashes, checksums and their signature in
annotations, so that one read answers every question of the registry protocol. oci-package-proxy has
types of its own, a ``v`` before the version in the tag, and may wrap the index in another one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import BadInputError, BlobNotFoundError
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX
from packager_jupyter.oci.manifest import descriptor_json, parse_manifest
from packager_jupyter.registries.terraform.names import check_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.feed_state import Release

INDEX_TYPE = "application/vnd.opentofu.provider"
TARGET_TYPE = "application/vnd.opentofu.provider-target"
PROXY_TARGET_TYPE = "application/vnd.tf.provider.v1+json"  # oci-package-proxy's
ARCHIVE_TYPE = "archive/zip"
VERSION = "org.opencontainers.image.version"
SUMS, SIGNATURE = "shasum", "shasum-signature-encoded"
FILENAME, FILE_DIGEST = "original-filename", "original-file-digest"
PROTOCOLS = "io.packager-jupyter.tf.protocols"
KEY = "io.packager-jupyter.tf.signing-key"
HASH = "io.packager-jupyter.tf.h1"
DEFAULT_PROTOCOLS = ("5.0",)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TARGETS = (TARGET_TYPE, PROXY_TARGET_TYPE)


@dataclass(frozen=True, slots=True)
class Archive:
    """One platform's archive of a provider version.

    Attributes
    ----------
    sha256 : str
        64 hexadecimal digits; names the blob too.
    h1 : str or None
        See `hashes`; None where whoever pushed it did not say.
    """

    os: str
    arch: str
    filename: str
    sha256: str
    h1: str | None = None


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """What the store says about one version; `sums`, `signature` and `key` may be missing."""

    version: str
    archives: tuple[Archive, ...]
    protocols: tuple[str, ...]
    sums: bytes | None
    signature: bytes | None
    key: str | None


def version_of(release: Release) -> str | None:
    """Return the version that a tag stands for, or None when it stands for none.

    OpenTofu ignores all tags that are no versions; so do we.
    """
    stated = release.annotations.get(VERSION)
    text = stated or release.tag.removeprefix("v").replace("_", "+")
    try:
        return check_version(text)
    except BadInputError:
        return None


def read_provider(
    release: Release, store: OciStore, repository: str, *, type_: str
) -> StoredProvider | None:
    """Return what a tag of a provider's repository holds; None when it is no provider version."""
    version = version_of(release)
    if version is None:
        return None
    rows, annotations = release.manifests, release.annotations
    if len(rows) == 1 and rows[0].get("mediaType") == MEDIA_TYPE_INDEX:
        inner = parse_manifest(store.get_manifest(repository, rows[0]["digest"]).body)
        rows = [descriptor_json(row) for row in inner.manifests]
        annotations = {**annotations, **inner.annotations}
    archives = tuple(_archives(rows, store, repository, name=f"{type_}_{version}"))
    if not archives:
        return None
    return StoredProvider(
        version,
        archives,
        tuple(annotations.get(PROTOCOLS, ",".join(DEFAULT_PROTOCOLS)).split(",")),
        _decoded(annotations.get(SUMS)),
        _decoded(annotations.get(SIGNATURE)),
        annotations.get(KEY),
    )


def _archives(
    rows: Sequence[Mapping[str, Any]], store: OciStore, repository: str, *, name: str
) -> Iterable[Archive]:
    for row in rows:
        if row.get("artifactType") not in _TARGETS:
            continue
        annotations, platform = row.get("annotations", {}), row.get("platform", {})
        os, arch = platform.get("os", ""), platform.get("architecture", "")
        digest = annotations.get(FILE_DIGEST, "").removeprefix("sha256:")
        if not _SHA256.fullmatch(digest):
            digest = _archive_digest(store, repository, row)
        if digest is None or not os or not arch:
            continue
        filename = annotations.get(FILENAME) or f"terraform-provider-{name}_{os}_{arch}.zip"
        yield Archive(os, arch, filename, digest, annotations.get(HASH))


def _archive_digest(store: OciStore, repository: str, row: Mapping[str, Any]) -> str | None:
    """Return the digest of the one archive in a platform's manifest."""
    try:
        content = parse_manifest(store.get_manifest(repository, row["digest"]).body)
    except BlobNotFoundError:
        return None
    layers = [layer for layer in content.layers if layer.media_type == ARCHIVE_TYPE]
    if len(layers) != 1 or not layers[0].digest.startswith("sha256:"):
        return None
    return layers[0].digest.removeprefix("sha256:")


def _decoded(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
