"""The collector: takes what no manifest names out of a layout store, and never anything else.

Per repository and under its publish lock: manifests that lost their last tag longer than the grace
ago leave ``index.json``; every manifest that is listed or nested is marked with its blobs; blob
files that are not marked and older than the grace move to ``.packager/trash``. Whatever is in the
trash longer than `TRASH_S` is purged. A blob's age counts from its last push (see `oci.blobs`), so
a push that has sent its blobs and not yet its manifest loses nothing. A repository with a damaged
manifest is left alone, because what that manifest names is not known.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    DigestMismatchError,
    PackagerError,
)
from packager_jupyter.io import make_dirs, sweep_temp
from packager_jupyter.oci.base import CHUNK_BYTES
from packager_jupyter.oci.blobs import GRACE_S, PRIVATE_FOLDER, explain_disk, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from packager_jupyter.oci.base import Descriptor
    from packager_jupyter.oci.blobs import BlobFolder
    from packager_jupyter.oci.layout import LayoutStore
    from packager_jupyter.oci.layout_index import LayoutIndex

TRASH_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a collection did, or with ``dry_run`` would do.

    Attributes
    ----------
    repositories : int
        How many were looked at.
    manifests, blobs, size_bytes : int
        How many manifests left the listing, and how many blobs of how many bytes the trash got.
    purged, purged_bytes : int
        What left the trash; only this frees space on the disk.
    temp_files : int
        Leftovers of killed writers that were removed.
    failures : sequence of (repository, error)
        Repositories that were left alone, and why.
    """

    repositories: int = 0
    manifests: int = 0
    blobs: int = 0
    size_bytes: int = 0
    purged: int = 0
    purged_bytes: int = 0
    temp_files: int = 0
    failures: Sequence[tuple[str, PackagerError]] = ()

    def __add__(self, other: GcReport) -> GcReport:
        return GcReport(
            self.repositories + other.repositories,
            self.manifests + other.manifests,
            self.blobs + other.blobs,
            self.size_bytes + other.size_bytes,
            self.purged + other.purged,
            self.purged_bytes + other.purged_bytes,
            self.temp_files + other.temp_files,
            (*self.failures, *other.failures),
        )


def collect(
    store: LayoutStore,
    *,
    prefix: str = "",
    grace_s: float = GRACE_S,
    trash_s: float = TRASH_S,
    untagged: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> GcReport:
    """Collect every repository at or below `prefix`.

    Parameters
    ----------
    store : LayoutStore
    prefix : str
        Whole components, as in `OciStore.repositories`.
    grace_s : float, default 3600
        Seconds for which unnamed blobs and manifests are left alone; at least 3600.
    trash_s : float, default 86400
        Seconds after which the trash is purged.
    untagged : bool, default False
        Whether manifests that were pushed without a tag go too, unless an index names them or
        they refer to another manifest.
    dry_run : bool, default False
        Only say what would be done.
    progress : callable, optional
        Called with the name of each repository before it is collected.

    Raises
    ------
    BadInputError
        The grace is shorter than an hour.
    """
    if grace_s < GRACE_S:
        raise BadInputError(
            f"A grace of {grace_s:g} seconds could take blobs that are being pushed right now.",
            remedy=f"Use at least {GRACE_S} seconds.",
        )
    report = GcReport()
    for repo in store.repositories(prefix, every=True):
        if progress:
            progress(repo)
        collector = Collector(
            store, repo, grace_s=grace_s, trash_s=trash_s, untagged=untagged, dry_run=dry_run
        )
        try:
            report += collector.run()
        except PackagerError as error:
            report += GcReport(repositories=1, failures=((repo, error),))
    return report


class Collector:
    """One collection of one repository; `collect` checks the grace and reports failures."""

    def __init__(
        self,
        store: LayoutStore,
        repo: str,
        *,
        grace_s: float = GRACE_S,
        trash_s: float = TRASH_S,
        untagged: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._repo = repo
        self._blobs: BlobFolder = store.blobs(repo)
        self._trash = store.folder(repo) / PRIVATE_FOLDER / "trash"
        self._grace_s = grace_s
        self._before_s = time.time() - grace_s
        self._trash_before_s = time.time() - trash_s
        self._untagged = untagged
        self._dry_run = dry_run

    @explain_disk()
    def run(self) -> GcReport:
        """Collect; raises `StoreCorruptError` or `BusyError` and then every manifest stays."""
        temp_files = 0
        if not self._dry_run:
            folders = (self._blobs.ingest_folder, self._blobs.folder)
            temp_s = max(self._grace_s, GRACE_S)
            temp_files = sum(sweep_temp(folder, older_than_s=temp_s) for folder in folders)
        report = GcReport(repositories=1, temp_files=temp_files) + self._purge()
        # Looking needs no lock; most repositories have nothing to sweep and block nobody.
        plan = self._sweep(is_plan=True)
        if self._dry_run or not (plan.manifests or plan.blobs):
            return report + plan
        with self._store.lock(self._repo):
            return report + self._sweep(is_plan=False)

    def _sweep(self, *, is_plan: bool) -> GcReport:
        index = self._store.index(self._repo)
        kept = index.without_digests(self._dispensable(index))
        marked = self._mark(kept)
        removed = len(index.by_digest) - len(kept.by_digest)
        if removed and not is_plan:
            self._store.write_index(self._repo, kept)
        blobs = size_bytes = 0
        for digest, size in self._old_blobs():
            if digest not in marked and (is_plan or self._discard(digest)):
                blobs += 1
                size_bytes += size
        return GcReport(manifests=removed, blobs=blobs, size_bytes=size_bytes)

    def _dispensable(self, index: LayoutIndex) -> set[str]:
        """Return the listed manifests that nobody asks for any more."""
        gone = {descriptor.digest for descriptor in index.untagged(before_s=self._before_s)}
        nested = self._store.manifests.nested(self._blobs, index.without_digests(gone))
        known = {*index.by_digest, *nested} - gone
        for descriptor in index.untagged():
            if descriptor.digest in gone or not self._is_old(descriptor):
                continue
            subject = self._store.manifests.content(self._blobs, descriptor).subject
            is_orphan = subject is not None and subject.digest not in known
            is_loose = self._untagged and subject is None and descriptor.digest not in nested
            if is_orphan or is_loose:
                gone.add(descriptor.digest)
        return gone

    def needed(self) -> set[str]:
        """Return the digests of all manifests of the repository and of what they name."""
        return self._mark(self._store.index(self._repo))

    def _mark(self, index: LayoutIndex) -> set[str]:
        """Return the digests of all manifests and blobs that must stay."""
        reader = self._store.manifests
        marked: set[str] = set()
        nested = reader.nested(self._blobs, index)
        for descriptor in {**nested, **{d.digest: d for d in index.unique()}}.values():
            content = reader.content(self._blobs, descriptor)
            marked.add(descriptor.digest)
            marked.update(part.digest for part in content.blobs())
        return marked

    def _is_old(self, descriptor: Descriptor) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return self._blobs.path(descriptor.digest).stat().st_mtime < self._before_s
        return False

    def _old_blobs(self) -> Iterator[tuple[str, int]]:
        for digest in self._blobs.digests():
            with contextlib.suppress(FileNotFoundError):
                stat = self._blobs.path(digest).stat()
                if stat.st_mtime < self._before_s:
                    yield digest, stat.st_size

    def _discard(self, digest: str) -> bool:
        """Move a blob to the trash, and back when somebody pushed it again meanwhile."""
        make_dirs(self._trash)
        path = self._blobs.path(digest)
        target = trash_path(self._trash, digest)
        path.rename(target)
        if target.stat().st_mtime >= self._before_s:
            target.rename(path)
            return False
        return True

    def _purge(self) -> GcReport:
        purged = purged_bytes = 0
        for path in self._trash.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.lstat()
                # A rename sets the change time: the moment when it came into the trash.
                if stat.st_ctime < self._trash_before_s:
                    if not self._dry_run:
                        path.unlink()
                    purged += 1
                    purged_bytes += stat.st_size
        return GcReport(purged=purged, purged_bytes=purged_bytes)


@explain_disk()
def is_needed(store: LayoutStore, repo: str, digest: str) -> bool:
    """Whether some manifest of a repository names a blob, or is it."""
    return digest in Collector(store, repo).needed()


def delete_blob(store: LayoutStore, repo: str, digest: str) -> None:
    """Move a blob that no manifest needs to the trash, however young it is.

    Raises
    ------
    BlobNotFoundError
        The repository does not hold it.
    ConflictError
        A manifest needs it.
    """
    if store.blobs(repo).size(digest) is None:
        raise not_found(digest)
    with store.lock(repo):
        if digest in Collector(store, repo).needed():
            raise ConflictError(
                f"A manifest of {repo} needs {digest}.",
                remedy="Delete the manifests that name it first.",
            )
        trash = store.folder(repo) / PRIVATE_FOLDER / "trash"
        make_dirs(trash)
        try:
            store.blobs(repo).path(digest).rename(trash_path(trash, digest))
        except FileNotFoundError:
            raise not_found(digest) from None


def trash_path(folder: Path, digest: str) -> Path:
    """Return the name under which a blob lies in a folder that holds all algorithms."""
    return folder / digest.replace(":", "-")


def restore(store: LayoutStore, repo: str, digest: str) -> bool:
    """Take a blob back out of the trash; return whether a sound one was there."""
    blobs = store.blobs(repo)
    try:
        file = trash_path(store.folder(repo) / PRIVATE_FOLDER / "trash", digest).open("rb")
    except FileNotFoundError:
        return False
    with file, blobs.ingest(digest=digest) as writer:
        while chunk := file.read(CHUNK_BYTES):
            writer.write(chunk)
        try:
            writer.commit()
        except DigestMismatchError:
            return False
    return True
