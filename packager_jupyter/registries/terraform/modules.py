"""Modules: one version is one artifact in the layout that OpenTofu reads directly.

An image manifest (``application/vnd.opentofu.modulepkg``) with exactly one layer, a ZIP. A tar.gz
that was uploaded is turned into a ZIP of the same files, deterministically.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.oci.base import ANNOTATION_CREATED
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import version_tag
from packager_jupyter.oci.manifest import EMPTY, EMPTY_BYTES
from packager_jupyter.registries.archives.tarscan import scan_tar
from packager_jupyter.registries.archives.zipdir import read_members
from packager_jupyter.registries.terraform.names import (
    check_label,
    check_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.feed_state import FeedGuard, Release

ECOSYSTEM = "tf-module"
ARTIFACT_TYPE = "application/vnd.opentofu.modulepkg"
ARCHIVE_TYPE = "archive/zip"
VERSION = "org.opencontainers.image.version"
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class StoredModule:
    """One module version in the store."""

    version: str
    digest: str
    size_bytes: int


class ModuleIndex:
    """The modules of one feed; safe to share between threads."""

    def __init__(self, store: OciStore, name: str, *, guard: FeedGuard | None = None) -> None:
        self.feed = Feed(store, ECOSYSTEM, name, guard=guard)

    def publish(
        self, namespace: str, name: str, system: str, version: str, file: BinaryIO, *, now: datetime
    ) -> bool:
        """Store one module archive (ZIP or tar.gz); False when exactly it was there already.

        Raises
        ------
        BadInputError
            A name, the version or the archive is not one, or holds no ``.tf`` file.
        ConflictError
            Another content stands under this version.
        """
        project = _project(namespace, name, system)
        version = check_version(version)
        archive = _as_zip(file)
        digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        standing = self._find(project, version)
        if standing is None:
            with self.feed.room(project, len(archive)):
                layer = self.feed.push_layer(
                    project, archive, media_type=ARCHIVE_TYPE, digest=digest
                )
                self.feed.push_layer(project, EMPTY_BYTES, media_type=EMPTY.media_type)
                self._publish(project, version, layer, now)
            return True
        if standing.layers[0]["digest"] != digest:
            raise ConflictError(
                f"{project} {version} is published already, with another content.",
                remedy="Published versions never change. Publish a new version.",
            )
        return False

    def versions(self, namespace: str, name: str, system: str) -> dict[str, Any] | None:
        """Return the answer to ``…/versions``, or None when the module is unknown."""
        state = self.feed.state(_project(namespace, name, system))
        if state is None:
            return None
        found = sorted((_version(r) for r in state.releases.values()), key=version_key)
        return {"modules": [{"versions": [{"version": version} for version in found]}]}

    def module(self, namespace: str, name: str, system: str, version: str) -> StoredModule:
        """Return one version; raises `PathNotFoundError`."""
        project = _project(namespace, name, system)
        release = self._find(project, check_version(version))
        if release is None:
            raise PathNotFoundError(
                f"This feed has no module {project} {version}.",
                remedy="Ask the registry for the versions it has.",
            )
        layer = release.layers[0]
        return StoredModule(version, layer["digest"], layer["size"])

    def read(
        self,
        namespace: str,
        name: str,
        system: str,
        module: StoredModule,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a module's ZIP."""
        project = _project(namespace, name, system)
        chunks: Iterator[bytes] = self.feed.read(project, module.digest, start=start, stop=stop)
        return chunks

    def _publish(self, project: str, version: str, layer: Any, now: datetime) -> None:
        annotations = {
            VERSION: version,
            ANNOTATION_CREATED: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        published = self.feed.publish_bare(
            project,
            version_tag(version),
            layers=[layer],
            artifact_type=ARTIFACT_TYPE,
            annotations=annotations,
        )
        state = self.feed.state(project)
        known = [_version(r) for r in state.releases.values()] if state else []
        if version == max(known, key=version_key, default=version):
            self.feed.point_latest(project, published.digest)

    def _find(self, project: str, version: str) -> Release | None:
        state = self.feed.state(project)
        return state.releases.get(version_tag(version)) if state else None


def _project(namespace: str, name: str, system: str) -> str:
    parts = (
        check_label(namespace, what="namespace"),
        check_label(name, what="module name"),
        check_label(system, what="target system"),
    )
    return "/".join(parts)


def _version(release: Release) -> str:
    return release.annotations.get(VERSION, release.tag)


def _as_zip(file: BinaryIO) -> bytes:
    """Return the archive as a ZIP whose members were checked."""
    size = file.seek(0, 2)
    if size > MAX_ARCHIVE_BYTES:
        raise BadInputError(
            f"The module archive is larger than {MAX_ARCHIVE_BYTES:,} bytes.",
            remedy="A module holds configuration; keep data and programs elsewhere.",
        )
    file.seek(0)
    if file.read(2) == b"PK":
        members = read_members(file)
        file.seek(0)
        data = file.read()
        names = [member.name for member in members]
    else:
        file.seek(0)
        scan = scan_tar(file, want=lambda _: True, max_member_bytes=MAX_ARCHIVE_BYTES)
        names = [member.name for member in scan.members]
        if len(scan.contents) != sum(not name.endswith("/") for name in names):
            raise BadInputError(
                "The module archive holds links.", remedy="Pack plain files and folders only."
            )
        data = _pack(scan.contents)
    if not any(name.endswith((".tf", ".tf.json", ".tofu")) for name in names):
        raise BadInputError(
            "The module archive holds no .tf file.",
            remedy="Pack the module's folder, for example with tar -czf module.tar.gz *.tf.",
        )
    return data


def _pack(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, contents[name])
    return buffer.getvalue()
