"""The derived summary of a project: one blob under ``_index`` that says what its tags hold.

It is never the truth. A summary that is missing, damaged or somebody else's reads as empty, and the
rows are then made from the artifacts again.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import BlobNotFoundError, StoreCorruptError
from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.feed_names import INDEX_TAG
from packager_jupyter.oci.manifest import (
    EMPTY,
    EMPTY_BYTES,
    descriptor_json,
    image_manifest,
    parse_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.oci.base import Descriptor, OciStore

INDEX_TYPE = "application/vnd.packager-jupyter.feed.index.v1"
INDEX_LAYER_TYPE = "application/vnd.packager-jupyter.feed.index.v1+json+gzip"
MAX_CONFIG_BYTES = 4 * 1024 * 1024
_FORMAT = 1


def load_index(store: OciStore, repo: str) -> dict[str, Any]:
    """Return the rows of a project's summary by tag; empty where there is none that can be read."""
    try:
        content = parse_manifest(store.get_manifest(repo, INDEX_TAG).body)
        if content.artifact_type != INDEX_TYPE or len(content.layers) != 1:
            return {}
        body = b"".join(store.read_blob(repo, content.layers[0].digest))
        value = orjson.loads(gzip.decompress(body))
    except (BlobNotFoundError, StoreCorruptError, OSError, EOFError, zlib.error, ValueError):
        return {}
    rows: dict[str, Any] = value["rows"] if value.get("format") == _FORMAT else {}
    return rows


def store_index(store: OciStore, repo: str, rows: Mapping[str, Any]) -> None:
    """Put a new summary in the place of the one that is there, which goes."""
    old = _standing(store, repo)
    body = orjson.dumps({"format": _FORMAT, "rows": rows})
    layer = store.push_blob(repo, gzip.compress(body, 6, mtime=0), media_type=INDEX_LAYER_TYPE)
    store.push_blob(repo, EMPTY_BYTES)
    new = store.push_manifest(
        repo,
        image_manifest(layers=(layer,), artifact_type=INDEX_TYPE),
        media_type=MEDIA_TYPE_MANIFEST,
        tag=INDEX_TAG,
        overwrite=True,
    )
    if old is not None and old != new.digest:
        # Another reader may have written one at the same time and taken this away.
        with contextlib.suppress(BlobNotFoundError):
            store.delete_manifest(repo, old)


def read_row(store: OciStore, repo: str, tag: str) -> dict[str, Any]:
    """Return what the summary says of one tag, from its artifact; raises `BlobNotFoundError`."""
    manifest = store.get_manifest(repo, tag)
    content = parse_manifest(manifest.body)
    described = content.config
    is_json = described is not None and described.media_type.endswith("+json")
    config: object = {}
    if described is not None and is_json and described.digest != EMPTY.digest:
        config = _read_config(store, repo, described)
    return {
        "digest": manifest.descriptor.digest,
        "config": config,
        "layers": [descriptor_json(layer) for layer in content.layers],
        "manifests": [descriptor_json(row) for row in content.manifests],
        "annotations": dict(content.annotations),
    }


def _read_config(store: OciStore, repo: str, config: Descriptor) -> object:
    if config.size_bytes > MAX_CONFIG_BYTES:
        return {}
    return orjson.loads(b"".join(store.read_blob(repo, config.digest)))


def _standing(store: OciStore, repo: str) -> str | None:
    try:
        manifest = store.get_manifest(repo, INDEX_TAG)
        is_ours = parse_manifest(manifest.body).artifact_type == INDEX_TYPE
    except (BlobNotFoundError, StoreCorruptError):
        return None
    return manifest.descriptor.digest if is_ours else None  # somebody else's stays
