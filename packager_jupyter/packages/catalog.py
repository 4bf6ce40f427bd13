"""All packages: the drafts below ``<root_dir>/packages`` and what is published in the OCI store."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    ConflictError,
    DiskFullError,
    PackageNotFoundError,
    PackagerError,
)
from packager_jupyter.io import fsync_dir, make_dirs, write_atomic
from packager_jupyter.oci.names import is_digest
from packager_jupyter.packages.artifact import LATEST, REPOSITORY_ROOT, repository
from packager_jupyter.packages.disk import explain_disk
from packager_jupyter.packages.draft import INDEX_FILE, PRIVATE_FOLDER, Draft, draft_not_found
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.index_db import copy_of_draft, create_index_file
from packager_jupyter.packages.infos import DraftInfo, PackageInfo, VersionInfo
from packager_jupyter.packages.kept import Kept
from packager_jupyter.packages.metadata import FILE_NAME, Metadata, update_yaml
from packager_jupyter.packages.names import check_package_name, check_version, shown
from packager_jupyter.packages.part import PartIndex, PathFilter
from packager_jupyter.packages.publish import load_version
from packager_jupyter.packages.tags import (
    ANNOTATION_BYTES,
    ANNOTATION_FILES,
    ANNOTATION_PACKAGE_TITLE,
    created_s,
    version_tags,
)
from packager_jupyter.packages.texts import DigestMemory
from packager_jupyter.packages.tombstones import bury, tombstones
from packager_jupyter.packages.version import Version, VersionIndex, index_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from packager_jupyter.oci.base import OciStore, TagInfo
    from packager_jupyter.packages.infos import Deleted
    from packager_jupyter.sources.catalog import SourceCatalog

__all__ = ["DraftInfo", "PackageInfo", "Packages", "VersionInfo"]

_MAX_OPEN = 64
_MAX_VERSIONS = 512
_TRASH_PREFIX = ".packager-trash-"


class Packages:
    """The packages of one root folder and one store; safe to share between threads.

    Parameters
    ----------
    root_dir : Path
        Holds ``packages/``, where drafts live.
    oci : OciStore
    sources : SourceCatalog
    cache_dir : Path
        Holds ``pointers/``, the indexes of versions; may be deleted at any time.
    max_attachment_bytes : int
    """

    def __init__(
        self,
        root_dir: Path,
        oci: OciStore,
        sources: SourceCatalog,
        cache_dir: Path,
        *,
        max_attachment_bytes: int,
    ) -> None:
        self.root_dir = root_dir
        self._oci = oci
        self._sources = sources
        self._index_folder = cache_dir / "pointers"
        self._max_attachment_bytes = max_attachment_bytes
        self._digests = DigestMemory()
        self._drafts: Kept[PointerIndex] = Kept(_MAX_OPEN, PointerIndex.close)
        self._indexes: Kept[VersionIndex] = Kept(_MAX_OPEN, VersionIndex.close)
        self._parts: Kept[PartIndex] = Kept(_MAX_OPEN, PartIndex.close)
        self._versions: Kept[Version] = Kept(_MAX_VERSIONS)

    def close(self) -> None:
        """Release every open file; the catalog may be used again."""
        self._versions.clear()
        self._drafts.clear()
        self._indexes.clear()
        self._parts.clear()

    @property
    def folder(self) -> Path:
        """Where the drafts lie."""
        return self.root_dir / "packages"

    @explain_disk()
    def names(self) -> list[PackageInfo]:
        """Return every package, sorted by name; a damaged draft is listed with its problem."""
        published = (
            repo.removeprefix(f"{REPOSITORY_ROOT}/")
            for repo in self._oci.repositories(REPOSITORY_ROOT)
        )
        found = {name for name in published if _is_name(name)} | set(self._draft_names())
        infos = [self._info(name) for name in sorted(found)]
        return [info for info in infos if info.draft is not None or info.latest is not None]

    def info(self, name: str) -> PackageInfo:
        """Return the row of one package.

        Raises
        ------
        PackageNotFoundError
        """
        info = self._info(check_package_name(name))
        if info.draft is None and info.latest is None:
            raise _package_not_found(name)
        return info

    def _info(self, name: str) -> PackageInfo:
        versions = self._version_infos(name)
        latest = versions[0] if versions else None
        title = latest.title if latest else ""
        draft = None
        if self.has_draft(name):
            try:
                opened = self.draft(name)
                totals, state, title = opened.totals(), opened.state(), opened.metadata().title
                draft = DraftInfo(totals.files, totals.bytes, state.is_changed, state.base_version)
            except PackagerError as error:
                draft = DraftInfo(0, 0, True, None, error.message)
        return PackageInfo(name, title, draft, latest, len(versions))

    def _draft_names(self) -> Iterator[str]:
        """Yield the names of drafts: folders with a package.yaml, one or two levels down."""
        for name in _folders(self.folder):
            if self.has_draft(name):
                yield name
            else:
                for child in _folders(self.folder / name):
                    if self.has_draft(f"{name}/{child}"):
                        yield f"{name}/{child}"

    def has_draft(self, name: str) -> bool:
        """Return whether a package has a draft."""
        if not _is_name(name):
            return False
        folder = self.folder
        for part in name.split("/"):
            folder /= part
            if not _is_real_folder(folder):
                return False
        return (folder / FILE_NAME).is_file()

    @explain_disk()
    def create(
        self,
        name: str,
        *,
        title: str | None = None,
        description: str | None = None,
        license: str | None = None,  # noqa: A002  # the name of the field
        authors: Any = (),
        keywords: Any = (),
    ) -> Draft:
        """Begin a package: make the folder of its draft.

        A folder that is there already without ``package.yaml`` becomes the draft, and its files
        attachments.

        Raises
        ------
        BadInputError
            A name or field that is none.
        ConflictError
            There is a draft of that name, or a package that would lie inside another.
        """
        check_package_name(name)
        values = {"title": title, "description": description, "license": license}
        metadata = Metadata().changed({**values, "authors": authors, "keywords": keywords})
        self._check_place(name)
        folder = self.folder / name
        make_dirs(folder, mode=0o755)
        make_dirs(folder / PRIVATE_FOLDER)
        create_index_file(folder / PRIVATE_FOLDER / INDEX_FILE)
        data = update_yaml(b"", metadata) if metadata != Metadata() else b"title: ''\n"
        try:
            write_atomic(folder / FILE_NAME, data, mode=0o644, must_not_exist=True)
        except FileExistsError as error:
            raise ConflictError(
                f"There is already a draft of {name}.",
                remedy="Go on with it, or choose another name.",
            ) from error
        return self.draft(name)

    def _check_place(self, name: str) -> None:
        """Refuse a draft inside another one's folder, or behind a link."""
        namespace, _, _ = name.rpartition("/")
        if namespace and self.has_draft(namespace):
            raise ConflictError(
                f"{namespace} is a package, so it cannot be the namespace of {name}.",
                remedy="Choose another namespace.",
            )
        inner = [] if namespace else [f"{name}/{one}" for one in _folders(self.folder / name)]
        inside = next((one for one in inner if self.has_draft(one)), None)
        if inside is not None:
            raise ConflictError(
                f"{name} is the namespace of {inside}, so it cannot be a package.",
                remedy="Choose another name.",
            )
        folder = self.folder
        for part in name.split("/"):
            folder /= part
            if os.path.lexists(folder) and not _is_real_folder(folder):
                raise _in_the_way(folder)

    def draft(self, name: str) -> Draft:
        """Return the draft of a package.

        Raises
        ------
        PackageNotFoundError
        """
        check_package_name(name)
        if not self.has_draft(name):
            raise draft_not_found(name)
        folder = self.folder / name
        private = folder / PRIVATE_FOLDER
        if os.path.lexists(private) and not _is_real_folder(private):
            raise _in_the_way(private)
        make_dirs(private)
        path = private / INDEX_FILE
        return Draft(
            name,
            folder,
            index=self._drafts.get(name, lambda: PointerIndex(path)),
            oci=self._oci,
            digests=self._digests,
            open_source=self._sources.open,
            open_version=lambda ref: self.version(name, ref),
            max_attachment_bytes=self._max_attachment_bytes,
            keep_index=self._keep_index,
        )

    def _keep_index(self, connection: sqlite3.Connection, fingerprint: str) -> None:
        """Keep a draft's index for the version that it becomes, so that nobody waits for it."""
        path = index_path(self._index_folder, fingerprint)
        if not path.exists():
            make_dirs(path.parent)
            # Without room for it the version is published all the same, and built when visited.
            with contextlib.suppress(DiskFullError):
                copy_of_draft(connection, path)

    @explain_disk()
    def delete_draft(self, name: str) -> None:
        """Delete the draft's folder with everything in it; versions stay.

        Raises
        ------
        PackageNotFoundError
        """
        folder = self.draft(name).folder
        self._drafts.drop(name)
        trash = folder.parent / f"{_TRASH_PREFIX}{secrets.token_hex(8)}"
        # One rename takes it away; what is left of a killed removal is no draft any more.
        folder.rename(trash)
        fsync_dir(folder.parent)
        shutil.rmtree(trash)
        for leftover in folder.parent.glob(f"{_TRASH_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if "/" in name:
            with contextlib.suppress(OSError):
                folder.parent.rmdir()

    def versions(self, name: str, *, or_none: bool = False) -> list[VersionInfo]:
        """Return what is published of a package, the newest first.

        With `or_none` a package of which nothing is left has no versions.

        Raises
        ------
        PackageNotFoundError
            There is neither a draft nor a version.
        """
        infos = self._version_infos(check_package_name(name))
        if not infos and not or_none and not self.has_draft(name):
            raise _package_not_found(name)
        return infos

    def _version_infos(self, name: str) -> list[VersionInfo]:
        tags = version_tags(self._oci, repository(name))
        return [self._version_info(name, tag) for tag in tags]

    def _version_info(self, name: str, tag: TagInfo) -> VersionInfo:
        notes = tag.descriptor.annotations
        created = created_s(tag.descriptor)
        files, size = notes.get(ANNOTATION_FILES, ""), notes.get(ANNOTATION_BYTES, "")
        if files.isdecimal() and size.isdecimal():
            title = notes.get(ANNOTATION_PACKAGE_TITLE, "")
            return VersionInfo(
                tag.tag, tag.descriptor.digest, created, int(files), int(size), title
            )
        opened = self._open_version(name, tag.descriptor.digest)
        totals = opened.totals()
        title = opened.metadata().title
        return VersionInfo(tag.tag, opened.digest, created, totals.files, totals.bytes, title)

    @explain_disk()
    def delete_version(self, name: str, version: str, *, now_s: int) -> None:
        """Delete a version for good; its name is never given again.

        ``latest`` moves to the newest version that is left. Deleting it again changes nothing.

        Raises
        ------
        PackageNotFoundError
        BadInputError
            A name or version that is none, ``latest`` for example.
        """
        check_package_name(name)
        check_version(version)
        try:
            digest = bury(self._oci, repository(name), version, now_s=now_s)
        except BlobNotFoundError as error:
            raise self._version_not_found(name, version) from error
        self._versions.drop(f"{name} {digest}")

    def deleted_versions(self, name: str) -> list[Deleted]:
        """Return the deleted versions of a package, the last one first."""
        return tombstones(self._oci, repository(check_package_name(name)))

    def version(self, name: str, ref: str = LATEST, *, paths: Sequence[str] = ()) -> Version:
        """Return a published version, or a part of one.

        Parameters
        ----------
        name : str
        ref : str, default "latest"
            A version, ``latest``, or the digest ``sha256:…`` of a version.
        paths : sequence of str
            Files, folders or patterns (see `part.PathFilter`): the version then holds only what
            they name. None is everything.

        Raises
        ------
        PackageNotFoundError
        BadInputError
            A name, version or path that is none.
        StoreCorruptError
            Its artifact is damaged.
        """
        check_package_name(name)
        if ref != LATEST and not is_digest(ref):
            check_version(ref)
        try:
            digest = self._oci.resolve(repository(name), ref).digest
            whole = self._open_version(name, digest)
            return self._open_part(whole, PathFilter(paths)) if paths else whole
        except BlobNotFoundError as error:
            raise self._version_not_found(name, ref) from error

    def _open_version(self, name: str, digest: str) -> Version:
        repo = repository(name)

        def make() -> Version:
            record = load_version(self._oci, repo, digest)
            index = self._indexes.get(
                f"{name} {record.facts.fingerprint}",
                lambda: VersionIndex(self._index_folder, self._oci, repo, record.facts),
            )
            return Version(name, self._oci, record, index)

        return self._versions.get(f"{name} {digest}", make)

    def _open_part(self, whole: Version, wanted: PathFilter) -> Version:
        def make() -> Version:
            record, folder = whole.record, self._index_folder
            repo, facts = repository(whole.name), record.facts
            index = self._parts.get(
                f"{whole.name} {wanted.digest(facts.fingerprint)}",
                lambda: PartIndex(folder, self._oci, repo, facts, wanted),
            )
            return Version(whole.name, self._oci, index.part_of(record), index)

        return self._versions.get(f"{whole.name} {wanted.digest(whole.digest)}", make)

    def _version_not_found(self, name: str, ref: str) -> PackageNotFoundError:
        tags = version_tags(self._oci, repository(name))
        if tags:
            known = ", ".join(tag.tag for tag in tags[:10])
            return PackageNotFoundError(
                f"{name} has no version {shown(ref)}.",
                remedy=f"There are: {known}{', …' if len(tags) > 10 else ''}.",  # noqa: PLR2004
            )
        if self.has_draft(name):
            return PackageNotFoundError(
                f"{name} was never published.", remedy=f"Publish it: packager publish {name}"
            )
        return _package_not_found(name)


def _package_not_found(name: str) -> PackageNotFoundError:
    return PackageNotFoundError(
        f"There is no package {shown(name)}.",
        remedy="List the packages for the right name: packager show",
    )


def _in_the_way(folder: Path) -> ConflictError:
    return ConflictError(
        f"{folder.name!r} in {folder.parent.name!r} is a link or no folder.",
        remedy="Move it away, or choose another name.",
    )


def _is_name(name: str) -> bool:
    try:
        check_package_name(name)
    except BadInputError:
        return False
    return True


def _is_real_folder(path: Path) -> bool:
    """Return whether `path` is a folder and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _folders(path: Path) -> list[str]:
    """Return the names of the real folders in `path` that may name a part of a package."""
    try:
        with os.scandir(path) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and _is_name(entry.name)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
