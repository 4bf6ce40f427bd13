"""Checks a layout store: every blob against its name, manifests against blobs, both ways.

A repository is checked without its lock; when something is wrong it is checked again under the
lock, so that a publish or a collection at the same moment is never reported. Repairs are those that
cannot lose anything: a missing blob comes back from the trash, a damaged one is moved to
``.packager/damaged`` so that a client that asks whether it exists pushes it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from packager_jupyter.errors import PackagerError, StoreCorruptError
from packager_jupyter.io import make_dirs
from packager_jupyter.oci.blobs import PRIVATE_FOLDER, explain_disk
from packager_jupyter.oci.gc import restore, trash_path
from packager_jupyter.oci.layout_walk import INDEX_FILE, LAYOUT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.oci.base import Descriptor
    from packager_jupyter.oci.layout import LayoutStore
    from packager_jupyter.oci.manifest import ManifestContent

ProblemKind = Literal[
    "index_unreadable", "layout_file_missing", "manifest_damaged", "blob_missing", "blob_damaged",
    "size_differs", "stray_file",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `digest` says with what, `needed_by` which manifest needs it."""

    repo: str
    kind: ProblemKind
    message: str
    remedy: str
    digest: str | None = None
    needed_by: str | None = None
    is_repaired: bool = False


@dataclass(slots=True)
class FsckReport:
    """What was looked at and what is wrong.

    `orphans` are blobs that no manifest names: normal for a while (a push under way, a deleted
    version), taken by ``gc``.
    """

    repositories: int = 0
    manifests: int = 0
    blobs: int = 0
    size_bytes: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong (any more)."""
        return all(problem.is_repaired for problem in self.problems)

    def add(self, other: FsckReport) -> None:
        """Add the figures and problems of another report."""
        self.repositories += other.repositories
        self.manifests += other.manifests
        self.blobs += other.blobs
        self.size_bytes += other.size_bytes
        self.orphans += other.orphans
        self.orphan_bytes += other.orphan_bytes
        self.problems += other.problems


@explain_disk()
def check(
    store: LayoutStore,
    *,
    prefix: str = "",
    rehash: bool = True,
    repair: bool = False,
    progress: Callable[[str], None] | None = None,
) -> FsckReport:
    """Check every repository at or below `prefix`.

    Parameters
    ----------
    store : LayoutStore
    prefix : str
        Whole components, as in `OciStore.repositories`.
    rehash : bool, default True
        Read and hash every blob; without it only presence and sizes are checked.
    repair : bool, default False
        Mend what can be mended without losing anything; see the module's text.
    progress : callable, optional
        Called with the name of each repository before it is checked.
    """
    report = FsckReport()
    for repo in store.repositories(prefix, every=True):
        if progress:
            progress(repo)
        found = _Check(store, repo, rehash=rehash).run()
        if found.problems:
            with store.lock(repo):
                found = _Check(store, repo, rehash=rehash).run()
                if repair and found.problems:
                    found = _mended(store, repo, found, rehash=rehash)
        report.add(found)
    return report


class _Check:
    def __init__(self, store: LayoutStore, repo: str, *, rehash: bool) -> None:
        self._store = store
        self._repo = repo
        self._rehash = rehash
        self._blobs = store.blobs(repo)
        self._report = FsckReport(repositories=1)
        self._missing: set[str] = set()

    def run(self) -> FsckReport:
        listed = self._listed()
        needed = {digest for descriptor in listed for digest in self._check_manifest(descriptor)}
        self._check_files(needed)
        return self._report

    def _problem(
        self,
        kind: ProblemKind,
        message: str,
        *,
        remedy: str = "Push the content again or restore a backup.",
        digest: str | None = None,
        needed_by: str | None = None,
    ) -> None:
        self._report.problems.append(
            Problem(self._repo, kind, message, remedy, digest=digest, needed_by=needed_by)
        )

    def _listed(self) -> list[Descriptor]:
        """Return every manifest that can be reached, noting indexes that cannot be read."""
        folder = self._store.folder(self._repo)
        try:
            index = self._store.index(self._repo)
            todo = index.unique()
        except PackagerError as error:
            self._problem("index_unreadable", error.message, remedy=error.remedy)
            return []
        if (folder / INDEX_FILE).exists() and not (folder / LAYOUT_FILE).exists():
            self._problem(
                "layout_file_missing",
                f"{self._repo} has no {LAYOUT_FILE} file, so other tools do not read it.",
                remedy="Run 'packager registry fsck --repair'.",
            )
        found: dict[str, Descriptor] = {}
        while todo:
            descriptor = todo.pop()
            if descriptor.digest in found:
                continue
            found[descriptor.digest] = descriptor
            content = self._content(descriptor)
            todo += content.manifests if content else ()
        return list(found.values())

    def _content(self, descriptor: Descriptor) -> ManifestContent | None:
        try:
            return self._store.manifests.content(self._blobs, descriptor)
        except StoreCorruptError:
            return None

    def _check_manifest(self, descriptor: Descriptor) -> list[str]:
        """Check one manifest and what it names; return every digest that must be there."""
        self._report.manifests += 1
        digest = descriptor.digest
        is_whole = self._check_part(descriptor, needed_by=None)
        content = self._content(descriptor)
        if content is None:
            # A damaged file is reported once, as such, when every file is hashed.
            if is_whole and not (self._rehash and not self._blobs.is_sound(digest)):
                self._problem(
                    "manifest_damaged",
                    f"{digest} is listed as {descriptor.media_type}, but cannot be read as that.",
                    digest=digest,
                )
            return [digest]
        for part in content.blobs():
            self._check_part(part, needed_by=digest)
        return [digest, *(part.digest for part in content.blobs())]

    def _check_part(self, part: Descriptor, *, needed_by: str | None) -> bool:
        if part.digest in self._missing:
            return False
        size = self._blobs.size(part.digest)
        if size is None:
            self._missing.add(part.digest)
            self._problem(
                "blob_missing",
                f"{part.digest} is missing.",
                digest=part.digest,
                needed_by=needed_by,
            )
        elif size != part.size_bytes:
            self._problem(
                "size_differs",
                f"{part.digest} has {size:,} bytes instead of {part.size_bytes:,}.",
                digest=part.digest,
                needed_by=needed_by,
            )
        return size == part.size_bytes

    def _check_files(self, needed: set[str]) -> None:
        """Check every file below ``blobs`` against its own name."""
        self._report_strays()
        for digest in self._blobs.digests():
            size = self._blobs.size(digest)
            if size is None:
                continue
            self._report.blobs += 1
            self._report.size_bytes += size
            if digest not in needed:
                self._report.orphans += 1
                self._report.orphan_bytes += size
            if self._rehash and not self._is_sound(digest):
                self._problem("blob_damaged", f"{digest} is damaged.", digest=digest)

    def _is_sound(self, digest: str) -> bool:
        """Return whether a file is sound, or has gone since it was listed."""
        return self._blobs.is_sound(digest) or self._blobs.size(digest) is None

    def _report_strays(self) -> None:
        for name in self._blobs.strays():
            self._problem(
                "stray_file",
                f"Among the blobs of {self._repo} is a file that is none.",
                remedy=f"Move {name[:80]!r} away.",
            )


def _mended(store: LayoutStore, repo: str, before: FsckReport, *, rehash: bool) -> FsckReport:
    """Mend what can be mended, holding the lock; return what another check finds."""
    blobs = store.blobs(repo)
    for problem in before.problems:
        digest = problem.digest
        if problem.kind == "layout_file_missing":
            store.write_layout_file(repo)
        elif digest is not None and not blobs.is_sound(digest):
            if blobs.size(digest) is not None:
                damaged = store.folder(repo) / PRIVATE_FOLDER / "damaged"
                make_dirs(damaged)
                blobs.path(digest).rename(trash_path(damaged, digest))
            restore(store, repo, digest)
    after = _Check(store, repo, rehash=rehash).run()
    left = {(problem.kind, problem.digest) for problem in after.problems}
    after.problems += [
        replace(problem, is_repaired=True)
        for problem in before.problems
        if (problem.kind, problem.digest) not in left
    ]
    return after
