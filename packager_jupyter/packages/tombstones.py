"""Deleting a version: its tag goes on to name a tombstone, so that it never names anything else.

Order: the tag moves to the tombstone, which is the moment of deletion; then ``latest`` moves to the
newest version that is left; then the manifest goes, and what nothing else needs is collected later
(`oci.gc`). Killed anywhere, deleting again completes the rest. Notes on the tag say when it was
deleted and which digest it had.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from packager_jupyter.errors import BlobNotFoundError
from packager_jupyter.oci.base import ANNOTATION_CREATED, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.manifest import EMPTY_BYTES, image_manifest, parse_manifest
from packager_jupyter.packages.artifact import LATEST
from packager_jupyter.packages.tags import ANNOTATIONS, created_s, version_tags
from packager_jupyter.packages.times import format_time

if TYPE_CHECKING:
    from packager_jupyter.oci.base import Manifest, OciStore
    from packager_jupyter.packages.infos import Deleted as DeletedInfo

TOMBSTONE_TYPE = "application/vnd.packager-jupyter.tombstone.v1"
ANNOTATION_VERSION = "vnd.packager-jupyter.deleted-version"
ANNOTATION_DIGEST = "vnd.packager-jupyter.deleted-digest"


def bury(oci: OciStore, repo: str, version: str, *, now_s: int) -> str:
    """Delete a version, or complete a deletion; return the digest that it had.

    Raises
    ------
    BlobNotFoundError
        There is no such version, and never was.
    """
    manifest = oci.get_manifest(repo, version)
    digest = deleted_digest(manifest)
    if digest is None:
        digest = manifest.descriptor.digest
        notes = {ANNOTATION_VERSION: version, ANNOTATION_DIGEST: digest}
        oci.push_blob(repo, EMPTY_BYTES)
        oci.push_manifest(
            repo,
            image_manifest(artifact_type=TOMBSTONE_TYPE, annotations=notes),
            media_type=MEDIA_TYPE_MANIFEST,
            tag=version,
            overwrite=True,
            annotations={ANNOTATION_CREATED: format_time(now_s), ANNOTATION_DIGEST: digest},
        )
    _move_latest(oci, repo, digest)
    # A store that dropped it with its last tag has nothing left to delete.
    with contextlib.suppress(BlobNotFoundError):
        oci.delete_manifest(repo, digest)
    return digest


def _move_latest(oci: OciStore, repo: str, digest: str) -> None:
    """Let ``latest`` name the newest version that is left, if it named the deleted one."""
    try:
        if oci.resolve(repo, LATEST).digest != digest:
            return
    except BlobNotFoundError:
        return
    left = version_tags(oci, repo)
    if not left:
        oci.delete_tag(repo, LATEST)
        return
    newest = left[0].descriptor
    oci.push_manifest(
        repo,
        oci.get_manifest(repo, newest.digest).body,
        media_type=MEDIA_TYPE_MANIFEST,
        tag=LATEST,
        overwrite=True,
        annotations={
            name: newest.annotations[name] for name in ANNOTATIONS if name in newest.annotations
        },
    )


def deleted_digest(manifest: Manifest) -> str | None:
    """Return the digest of the version whose tombstone this is, None for any other manifest."""
    content = parse_manifest(manifest.body)
    if content.artifact_type != TOMBSTONE_TYPE:
        return None
    return content.annotations.get(ANNOTATION_DIGEST, "")


def tombstones(oci: OciStore, repo: str) -> list[DeletedInfo]:
    """Return the deleted versions, the last one first."""
    from packager_jupyter.packages.infos import Deleted

    found = []
    for tag in oci.tags(repo):
        if tag.descriptor.artifact_type != TOMBSTONE_TYPE:
            continue
        digest = deleted_digest(oci.get_manifest(repo, tag.descriptor.digest)) or ""
        found.append(Deleted(tag.tag, digest, created_s(tag.descriptor)))
    return sorted(found, key=lambda one: (one.deleted_s or 0, one.version), reverse=True)
