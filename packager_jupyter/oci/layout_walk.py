"""Where repositories lie in a folder of layouts, and which manifests hang together in one.

Owns the mapping between repository names and folders (see `oci.layout` for the escape) and a small
cache of parsed manifests, which never go stale because a digest always names the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BlobNotFoundError,
    ManifestInvalidError,
    NameInvalidError,
    StoreCorruptError,
)
from packager_jupyter.oci.base import MAX_MANIFEST_BYTES
from packager_jupyter.oci.blobs import corrupt
from packager_jupyter.oci.layout_index import LayoutIndex
from packager_jupyter.oci.manifest import IS_INDEX, parse_manifest
from packager_jupyter.oci.names import check_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.oci.base import Descriptor
    from packager_jupyter.oci.blobs import BlobFolder
    from packager_jupyter.oci.manifest import ManifestContent

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
MEMBER_NAMES = frozenset({LAYOUT_FILE, INDEX_FILE, "blobs"})
"""Names inside a layout; a repository component of such a name is escaped with ``_``."""

_MAX_CACHED = 4096
_EMPTY_INDEX_BYTES = len(LayoutIndex.empty().to_bytes())


def repository_folder(root: Path, repo: str) -> Path:
    """Return the folder of a repository whose name was checked."""
    return root.joinpath(
        *(f"_{part}" if part in MEMBER_NAMES else part for part in repo.split("/"))
    )


def walk_repositories(root: Path, repo: str = "", *, every: bool = False) -> Iterator[str]:
    """Yield `repo` and the repositories below it, in no order.

    Only those that hold a manifest, unless `every`: then also those where somebody has begun to
    push, or from which everything was deleted.
    """
    stack = [(repository_folder(root, repo) if repo else root, repo)]
    while stack:
        folder, name = stack.pop()
        is_repository = False
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as rows:
            for row in rows:
                if row.name == INDEX_FILE:
                    is_repository |= every or row.stat().st_size > _EMPTY_INDEX_BYTES
                elif row.name in MEMBER_NAMES:
                    is_repository |= every
                elif (part := _component(row.name)) and row.is_dir(follow_symlinks=False):
                    stack.append((Path(row.path), f"{name}/{part}" if name else part))
        if name and is_repository:
            yield name


def _component(folder_name: str) -> str | None:
    """Return the repository component that lies in a folder, or None when it is no such folder."""
    if folder_name in MEMBER_NAMES:
        return None
    part = folder_name.removeprefix("_")
    if part != folder_name and part not in MEMBER_NAMES:
        return None
    try:
        return check_repository(part)
    except NameInvalidError:
        return None


class ManifestReader:
    """Reads manifests of layout repositories and remembers what they say."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], ManifestContent] = OrderedDict()

    def content(self, blobs: BlobFolder, descriptor: Descriptor) -> ManifestContent:
        """Return the checked fields of a manifest that the repository lists.

        Raises
        ------
        StoreCorruptError
            Its file is missing, too long, damaged or no manifest.
        """
        key = (descriptor.digest, descriptor.media_type)
        with self._lock:
            known = self._known.get(key)
        if known:
            return known
        try:
            content = parse_manifest(self.body(blobs, descriptor), media_type=descriptor.media_type)
        except ManifestInvalidError as error:
            raise corrupt(descriptor.digest) from error
        with self._lock:
            self._known[key] = content
            if len(self._known) > _MAX_CACHED:
                self._known.popitem(last=False)
        return content

    def body(self, blobs: BlobFolder, descriptor: Descriptor) -> bytes:
        """Return the bytes of a listed manifest; raises `StoreCorruptError` as `content` does."""
        size = blobs.size(descriptor.digest)
        if size != descriptor.size_bytes or size > MAX_MANIFEST_BYTES:
            raise corrupt(descriptor.digest)
        try:
            return blobs.read_all(descriptor.digest)
        except BlobNotFoundError as error:
            raise corrupt(descriptor.digest) from error

    def nested(self, blobs: BlobFolder, index: LayoutIndex) -> dict[str, Descriptor]:
        """Return the manifests that listed indexes name, at any depth, by digest.

        Raises
        ------
        StoreCorruptError
            One of the indexes is damaged.
        """
        found: dict[str, Descriptor] = {}
        # Of thousands of entries few are indexes: only those are worth a descriptor.
        indexes = {
            entry["digest"]: entry
            for entry in index.entries
            if IS_INDEX.get(str(entry.get("mediaType")))
        }
        todo = [index.descriptor(entry) for entry in indexes.values()]
        while todo:
            for child in self.content(blobs, todo.pop()).manifests:
                if child.digest not in found:
                    found[child.digest] = child
                    if IS_INDEX.get(child.media_type):
                        todo.append(child)
        return found

    def has_subject(self, blobs: BlobFolder, descriptor: Descriptor) -> bool:
        """Return whether a manifest refers to another one; a damaged one does not."""
        try:
            return self.content(blobs, descriptor).subject is not None
        except StoreCorruptError:
            return False
