"""Copies artifacts between stores, byte for byte, with what refers to them.

The order keeps the target sound at every moment: blobs, manifests of an index, signatures and other
referrers, and the artifact itself with its tag last. What the target has already is not sent, so a
copy that was interrupted goes on where it stopped when it is started again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import PackagerError
from packager_jupyter.oci.layout_index import RESERVED_KEYS
from packager_jupyter.oci.manifest import parse_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packager_jupyter.oci.base import Descriptor, Manifest, OciStore

_MAX_TRIES = 3
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """A repository in a store."""

    store: OciStore
    repo: str


@dataclass(slots=True)
class CopyReport:
    """What was sent (`manifests`, `blobs`, `size_bytes`), and how many blobs were there already."""

    tags: int = 0
    manifests: int = 0
    blobs: int = 0
    size_bytes: int = 0
    blobs_present: int = 0


def copy_artifact(
    source: Place,
    reference: str,
    target: Place,
    *,
    tag: str | None = None,
    overwrite: bool = False,
    with_referrers: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> CopyReport:
    """Copy what `reference` names, with everything below it.

    Parameters
    ----------
    source, target : Place
    reference : str
        Tag or digest in the source.
    tag : str, optional
        Tag in the target. Default: `reference` when that is a tag, else none.
    overwrite : bool, default False
        As in `OciStore.push_manifest`.
    with_referrers : bool, default True
        Whether signatures and whatever else refers to it come along.
    progress : callable, optional
        Called with the blobs and bytes sent so far; raising from it ends the copy.

    Raises
    ------
    BlobNotFoundError
        The source has no such manifest or blob.
    ConflictError
        The tag names other content in the target.
    StoreCorruptError
        Bytes of the source are damaged; nothing of them is visible in the target.
    """
    copier = _Copier(source, target, with_referrers=with_referrers, progress=progress)
    manifest = source.store.get_manifest(source.repo, reference)
    is_tag = manifest.descriptor.digest != reference
    copier.copy(manifest, tag=tag or (reference if is_tag else None), overwrite=overwrite)
    return copier.report


def copy_repository(
    source: Place,
    target: Place,
    *,
    overwrite: bool = False,
    with_referrers: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> CopyReport:
    """Copy every tag of a repository; the other arguments are those of `copy_artifact`."""
    copier = _Copier(source, target, with_referrers=with_referrers, progress=progress)
    for tag in source.store.tag_names(source.repo):
        manifest = source.store.get_manifest(source.repo, tag)
        copier.copy(manifest, tag=tag, overwrite=overwrite)
    return copier.report


class _Copier:
    def __init__(
        self,
        source: Place,
        target: Place,
        *,
        with_referrers: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        self._target = target
        self._with_referrers = with_referrers
        self._progress = progress
        self._done: set[str] = set()
        self.report = CopyReport()

    def copy(self, manifest: Manifest, *, tag: str | None, overwrite: bool = False) -> None:
        """Copy one manifest; what hangs on it first."""
        digest = manifest.descriptor.digest
        if digest not in self._done:
            self._done.add(digest)
            self._copy_below(manifest)
        elif tag is None:
            return
        self._target.store.push_manifest(
            self._target.repo,
            manifest.body,
            media_type=manifest.descriptor.media_type,
            tag=tag,
            overwrite=overwrite,
            annotations=_notes(manifest.descriptor) if tag else None,
        )
        self.report.manifests += 1
        self.report.tags += tag is not None

    def _copy_below(self, manifest: Manifest) -> None:
        content = parse_manifest(manifest.body, media_type=manifest.descriptor.media_type)
        for blob in content.blobs():
            if blob.digest not in self._done:
                self._done.add(blob.digest)
                self._copy_blob(blob)
        for child in content.manifests:
            self.copy(self._get(child), tag=None)
        if self._with_referrers:
            store, repo = self._source.store, self._source.repo
            for referrer in store.referrers(repo, manifest.descriptor.digest):
                self.copy(self._get(referrer), tag=None)

    def _get(self, descriptor: Descriptor) -> Manifest:
        return self._source.store.get_manifest(self._source.repo, descriptor.digest)

    def _copy_blob(self, blob: Descriptor) -> None:
        source, target = self._source, self._target
        if target.store.has_blob(target.repo, blob.digest) == blob.size_bytes:
            self.report.blobs_present += 1
            return
        is_mounted = source.store is target.store and target.store.mount_blob(
            target.repo, blob.digest, from_repo=source.repo
        )
        if not is_mounted:
            self._send_blob(blob)
        self.report.blobs += 1
        self.report.size_bytes += blob.size_bytes
        if self._progress:
            self._progress(self.report.blobs, self.report.size_bytes)

    def _send_blob(self, blob: Descriptor) -> None:
        """Send the bytes, from the beginning again when a registry lost them on the way."""
        source, target = self._source, self._target
        for turn in range(_MAX_TRIES):
            try:
                chunks = source.store.read_blob(source.repo, blob.digest)
                target.store.push_blob(target.repo, chunks, digest=blob.digest)
            except PackagerError as error:
                if error.retry_after_s is None or turn + 1 == _MAX_TRIES:
                    raise
                time.sleep(_PAUSE_S * 2**turn)
            else:
                return


def _notes(descriptor: Descriptor) -> Mapping[str, str]:
    return {
        name: text for name, text in descriptor.annotations.items() if name not in RESERVED_KEYS
    }
