"""Lays out a feed of many projects as our own store would have left it, without its fsyncs.

Publishing 100,000 files one by one takes an hour of disk time; what is measured is what comes
after. Every project has the same wheel under other names.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from packager_jupyter.oci.base import ANNOTATION_REF_NAME, MEDIA_TYPE_MANIFEST, Descriptor
from packager_jupyter.oci.feed import PROJECT_TYPE
from packager_jupyter.oci.feed_names import file_tag
from packager_jupyter.oci.layout_index import LayoutIndex
from packager_jupyter.oci.manifest import EMPTY_BYTES, descriptor_json, image_manifest
from packager_jupyter.registries.pypi.index import (
    ARTIFACT_TYPE,
    CONFIG_TYPE,
    LAYER_TYPES,
    METADATA_TYPE,
)

if TYPE_CHECKING:
    from pathlib import Path

FILES_EACH = 10
_WHEEL, _METADATA = b"PK made up", b"Metadata-Version: 2.1\nName: x\nVersion: 1\n"


class _Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._entries: list[dict[str, object]] = []

    def blob(self, data: bytes, media_type: str) -> Descriptor:
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return Descriptor(media_type, f"sha256:{digest}", len(data), {})

    def manifest(self, body: bytes, tag: str, artifact_type: str) -> None:
        made = self.blob(body, MEDIA_TYPE_MANIFEST)
        notes = {ANNOTATION_REF_NAME: tag}
        entry = Descriptor(made.media_type, made.digest, made.size_bytes, notes, artifact_type)
        self._entries.append(descriptor_json(entry))

    def close(self) -> None:
        (self.folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
        index = LayoutIndex(LayoutIndex.empty().document, tuple(self._entries))
        (self.folder / "index.json").write_bytes(index.to_bytes())


def fill_large_feed(root: Path, projects: int) -> None:
    """Write `projects` projects of `FILES_EACH` files into the feed ``pypi/main`` at `root`."""
    meta = _Repository(root / "meta" / "pypi" / "main")
    meta.blob(EMPTY_BYTES, "application/octet-stream")
    body = image_manifest(artifact_type=PROJECT_TYPE)
    for number in range(projects):
        name = f"project-{number}"
        meta.manifest(body, name, PROJECT_TYPE)
        _fill(_Repository(root / "pypi" / "main" / name), name)
    meta.close()


def _fill(repository: _Repository, project: str) -> None:
    layers = (
        repository.blob(_WHEEL, LAYER_TYPES["bdist_wheel"]),
        repository.blob(_METADATA, METADATA_TYPE),
    )
    for number in range(FILES_EACH):
        filename = f"{project.replace('-', '_')}-1.{number}-py3-none-any.whl"
        config = {
            "filename": filename,
            "filetype": "bdist_wheel",
            "name": project,
            "version": f"1.{number}",
            "requires_python": ">=3.9",
            "sha256": layers[0].digest.removeprefix("sha256:"),
            "size": len(_WHEEL),
            "metadata_sha256": layers[1].digest.removeprefix("sha256:"),
            "has_provenance": False,
            "upload_time": "2026-01-02T03:04:05.000000Z",
            "uploader": "bench",
        }
        described = repository.blob(orjson.dumps(config, option=orjson.OPT_SORT_KEYS), CONFIG_TYPE)
        body = image_manifest(config=described, layers=layers, artifact_type=ARTIFACT_TYPE)
        repository.manifest(body, file_tag(filename), ARTIFACT_TYPE)
    repository.close()
