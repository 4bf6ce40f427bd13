"""The tags of a package's repository: which of them are versions, and which is the newest.

A version's tag carries notes outside its digest: when it was published and what a list of versions
shows. A store that keeps no notes (a plain registry) is asked for the artifact instead, and there
the order of versions is that of their names, numbers as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.oci.base import ANNOTATION_CREATED
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.packages.artifact import ARTIFACT_TYPE, LATEST
from packager_jupyter.packages.names import check_version
from packager_jupyter.packages.times import parse_time

if TYPE_CHECKING:
    from packager_jupyter.oci.base import Descriptor, OciStore, TagInfo

ANNOTATION_FILES = "vnd.packager-jupyter.files"
ANNOTATION_BYTES = "vnd.packager-jupyter.bytes"
ANNOTATION_PACKAGE_TITLE = "vnd.packager-jupyter.title"
ANNOTATIONS = (ANNOTATION_CREATED, ANNOTATION_FILES, ANNOTATION_BYTES, ANNOTATION_PACKAGE_TITLE)


def version_tags(oci: OciStore, repo: str) -> list[TagInfo]:
    """Return the tags that are versions of data packages, the newest first."""
    found = [one for one in oci.tags(repo) if _is_version(oci, repo, one)]
    return sorted(found, key=_age, reverse=True)


def created_s(descriptor: Descriptor) -> int | None:
    """Return when a version was published, in Unix seconds, if that was noted."""
    text = descriptor.annotations.get(ANNOTATION_CREATED)
    try:
        return None if text is None else parse_time(text)
    except BadInputError:
        return None


def _is_version(oci: OciStore, repo: str, tag: TagInfo) -> bool:
    try:
        if tag.tag != LATEST:
            check_version(tag.tag)
            kind = tag.descriptor.artifact_type or _artifact_type(oci, repo, tag)
            return kind == ARTIFACT_TYPE
    except BadInputError:
        pass
    return False


def _artifact_type(oci: OciStore, repo: str, tag: TagInfo) -> str | None:
    """Ask the manifest, where the store does not tell; raises `BadInputError` for a broken one."""
    manifest = oci.get_manifest(repo, tag.descriptor.digest)
    return parse_manifest(manifest.body).artifact_type


def _age(tag: TagInfo) -> tuple[int, int, str]:
    is_number = tag.tag.isascii() and tag.tag.isdigit()
    created = created_s(tag.descriptor)
    return (-(2**62) if created is None else created, int(tag.tag) if is_number else -1, tag.tag)
