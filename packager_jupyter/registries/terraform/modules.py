"""Modules: one version is one artifact in the layout that OpenTofu reads directly.

An image manifest (``application/vnd.opentofu.modulepkg``) with exactly one ZIP among its layers;
beside it the README, if any, in a layer that OpenTofu passes over. A tar.gz that was uploaded is
turned into a ZIP of the same files, deterministically.
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
from packager_jupyter.registries.archives.tarscan import scan_tar
from packager_jupyter.registries.archives.zipdir import read_member, read_members
from packager_jupyter.registries.terraform.layout import ARCHIVE_TYPE, VERSION, version_of
from packager_jupyter.registries.terraform.names import (
    check_label,
    check_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from packager_jupyter.oci.base import Descriptor, OciStore
    from packager_jupyter.oci.feed_state import FeedGuard, ProjectState, Release

ECOSYSTEM = "tf-module"
ARTIFACT_TYPE = "application/vnd.opentofu.modulepkg"
README_TYPE = "text/markdown"
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
MAX_README_BYTES = 512 * 1024
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
                self._publish(project, version, self._layers(project, archive, digest), now)
            return True
        if _archive_layer(standing)["digest"] != digest:
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
        found = sorted(_versions(state), key=version_key)
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
        layer = _archive_layer(release)
        return StoredModule(version, layer["digest"], layer["size"])

    def details(
        self, namespace: str, name: str, system: str, version: str | None
    ) -> dict[str, Any]:
        """Return what Terraform's own registry says about a module version; None: the newest.

        Raises
        ------
        PathNotFoundError
            There is no such module or version.
        """
        project = _project(namespace, name, system)
        listed = self.versions(namespace, name, system)
        known = [row["version"] for row in listed["modules"][0]["versions"]] if listed else []
        stable = [one for one in known if "-" not in one.partition("+")[0]] or known
        chosen = check_version(version) if version is not None else next(reversed(stable), None)
        release = self._find(project, chosen) if chosen else None
        if release is None or chosen is None:
            raise PathNotFoundError(
                f"This feed has no module {project}{f' {version}' if version else ''}.",
                remedy="Ask the registry for the versions it has.",
            )
        return {
            "id": f"{project}/{chosen}",
            "namespace": namespace.lower(),
            "name": name.lower(),
            "provider": system.lower(),
            "version": chosen,
            "versions": known,
            "published_at": release.annotations.get(ANNOTATION_CREATED, ""),
            "root": {"readme": self._readme(project, release)},
        }

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

    def _layers(self, project: str, archive: bytes, digest: str) -> list[Descriptor]:
        layers = [self.feed.push_layer(project, archive, media_type=ARCHIVE_TYPE, digest=digest)]
        readme = _find_readme(archive)
        if readme is not None:
            layers.append(
                self.feed.push_layer(project, readme, media_type=README_TYPE, title="README.md")
            )
        return layers

    def _readme(self, project: str, release: Release) -> str:
        for layer in release.layers:
            if layer["mediaType"] == README_TYPE and layer["size"] <= MAX_README_BYTES:
                data = b"".join(self.feed.read(project, layer["digest"]))
                return data.decode("utf-8", "replace")
        return ""

    def _publish(self, project: str, version: str, layers: list[Descriptor], now: datetime) -> None:
        annotations = {
            VERSION: version,
            ANNOTATION_CREATED: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        published = self.feed.publish_bare(
            project,
            version_tag(version),
            layers=layers,
            artifact_type=ARTIFACT_TYPE,
            annotations=annotations,
        )
        state = self.feed.state(project)
        known = _versions(state) if state else set()
        if version == max(known, key=version_key, default=version):
            self.feed.point_latest(project, published.digest)

    def _find(self, project: str, version: str) -> Release | None:
        state = self.feed.state(project)
        if state is None:
            return None
        tag = version_tag(version)
        return state.releases.get(tag) or state.releases.get(f"v{tag}")


def _project(namespace: str, name: str, system: str) -> str:
    parts = (
        check_label(namespace, what="namespace"),
        check_label(name, what="module name"),
        check_label(system, what="target system"),
    )
    return "/".join(parts)


def _versions(state: ProjectState) -> set[str]:
    found = (version_of(release) for release in state.releases.values())
    return {version for version in found if version is not None}


def _archive_layer(release: Release) -> Mapping[str, Any]:
    for layer in release.layers:
        if layer["mediaType"] == ARCHIVE_TYPE:
            return layer
    raise PathNotFoundError(
        f"{release.tag} holds no module archive.", remedy="Publish it again as a new version."
    )


def _find_readme(archive: bytes) -> bytes | None:
    """Return the README.md at the top of the archive, unless it is no text that people read."""
    file = io.BytesIO(archive)
    for member in read_members(file):
        if member.name.lower() == "readme.md" and member.size_bytes <= MAX_README_BYTES:
            return read_member(file, member, max_bytes=MAX_README_BYTES)
    return None


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
