"""The draft of a package: an ordinary folder that people edit, and its pointer index.

``<root_dir>/packages/<name>/`` holds ``package.yaml`` (what the package says about itself), the
attachments (every other ordinary file), and ``.packager/pointers.sqlite``. A draft may be edited by
any number of processes: pointers change in transactions, files by atomic replacement, and
publishing takes a lock of its own.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    PackageNotFoundError,
    PathNotFoundError,
)
from packager_jupyter.io import file_lock, make_dirs, write_atomic
from packager_jupyter.packages import index_edit, index_query
from packager_jupyter.packages.adding import add_fetched, fetch, prefetch, select
from packager_jupyter.packages.adding_keys import fetch_keys
from packager_jupyter.packages.attachments import AttachmentFolder
from packager_jupyter.packages.base import (
    AddReport,
    Attachment,
    DraftStatus,
    Published,
    RemoveReport,
)
from packager_jupyter.packages.disk import explain_disk
from packager_jupyter.packages.metadata import FILE_NAME, parse_metadata, update_yaml
from packager_jupyter.packages.names import check_path, shown
from packager_jupyter.packages.publish import Publisher, check_attachments
from packager_jupyter.packages.status import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.packages.adding import Fetched
    from packager_jupyter.packages.base import Progress
    from packager_jupyter.packages.index import PointerIndex
    from packager_jupyter.packages.index_query import PointerPage, SortName, Totals
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.inventory import KeyFile
    from packager_jupyter.packages.merge import Order
    from packager_jupyter.packages.metadata import Metadata
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.publish import KeepIndex
    from packager_jupyter.packages.texts import DigestMemory
    from packager_jupyter.packages.version import Version
    from packager_jupyter.sources.base import Source

__all__ = ["AddReport", "Attachment", "Draft", "DraftStatus", "Published", "RemoveReport"]

PRIVATE_FOLDER = ".packager"
INDEX_FILE = "pointers.sqlite"
README = "README.md"
_PUBLISH_TIMEOUT_S = 600.0


class Draft:
    """One draft; made by `catalog.Packages`, safe to share between threads.

    Attributes
    ----------
    name : str
    folder : Path
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        index: PointerIndex,
        oci: OciStore,
        digests: DigestMemory,
        open_source: Callable[[str], Source],
        open_version: Callable[[str], Version],
        max_attachment_bytes: int,
        keep_index: KeepIndex,
    ) -> None:
        self.name = name
        self.folder = folder
        self._index = index
        self._digests = digests
        self._open_source = open_source
        self._open_version = open_version
        self._files = AttachmentFolder(folder, max_bytes=max_attachment_bytes)
        self._publisher = Publisher(name, index, self._files, oci, keep_index)

    def __repr__(self) -> str:
        return f"Draft({self.name})"

    @explain_disk()
    def metadata(self) -> Metadata:
        """Return what ``package.yaml`` says.

        Raises
        ------
        BadInputError
            The file cannot be read as such; the message says why.
        PackageNotFoundError
            The draft was deleted.
        """
        return parse_metadata(self._read_package_file())

    def _read_package_file(self) -> bytes:
        try:
            return self._files.read_package_file()
        except (FileNotFoundError, PathNotFoundError) as error:
            raise draft_not_found(self.name) from error

    @explain_disk()
    def set_metadata(self, **values: Any) -> Metadata:
        """Change some of title, description, license, authors and keywords; None empties one.

        Raises
        ------
        BadInputError
            A field or value that is none; nothing was changed.
        """
        with self._lock("edit.lock"):
            data = self._read_package_file()
            metadata = parse_metadata(data).changed(values)
            target = self.folder / FILE_NAME
            mode = stat.S_IMODE(target.lstat().st_mode)
            write_atomic(target, update_yaml(data, metadata), mode=mode)
        return metadata

    def _lock(self, name: str, *, timeout_s: float = 30.0) -> Any:
        private = self.folder / PRIVATE_FOLDER
        make_dirs(private)
        return file_lock(private / name, timeout_s=timeout_s)

    @explain_disk()
    def add(
        self,
        source: str,
        keys: Sequence[str],
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        rename: str | None = None,
        progress: Progress | None = None,
    ) -> AddReport:
        """Add files and folders of a source as pointers, all of them or none.

        Parameters
        ----------
        source : str
            Name of a connected source.
        keys : sequence of str
            A key that ends in ``/`` is a folder with everything below, the empty one the whole
            source; a folder keeps its last name in the package.
        to : str
            Folder of the package that they go to; made when it is not there.
        include, exclude : sequence of str
            Patterns (`packages.globs`) on paths below a chosen folder.
        rename : str, optional
            Another path below `to` for the one key. ``.`` puts the content of a folder directly
            into `to`.
        progress : callable, optional
            Called after each batch with files and bytes; what it raises undoes all.

        Raises
        ------
        SourceNotFoundError, StorageError
        ObjectNotFoundError
            A chosen file is not there, or nothing lies below a chosen folder.
        ConflictError
            Two files would get one path, or a path would be a file and a folder, or an attachment.
        BadInputError
        BusyError
        """
        selections = select(keys, to=to, rename=rename)
        opened = self._open_source(source)
        batches = fetch(opened, selections)
        return self._add(opened, batches, include=include, exclude=exclude, progress=progress)

    @explain_disk()
    def add_keys(
        self,
        source: str,
        keys: KeyFile,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> AddReport:
        """Add the objects that a file of keys names, without listing the source; all or none.

        Each goes to its key below `to`. A row without a size is looked up in the storage; what is
        no row's newest version, and what an inventory lists outside of the source, is left out.
        The options and errors are those of `add`.
        """
        opened = self._open_source(source)
        batches = fetch_keys(opened, keys, to=to)
        return self._add(opened, batches, include=include, exclude=exclude, progress=progress)

    def _add(
        self,
        opened: Source,
        fetched: Iterator[Fetched],
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        progress: Progress | None,
    ) -> AddReport:
        batches = prefetch(fetched)
        attached = [one.path for one in self._files.scan().attachments]
        with self._index.write() as writer:
            adding = add_fetched(
                writer, opened, batches, include=include, exclude=exclude, progress=progress
            )
            writer.finish()
            check_attachments(writer.connection, attached)
            return adding.report(writer.counts)

    @explain_disk()
    def set_checksums(self, found: Sequence[tuple[Pointer, Mapping[str, str]]]) -> int:
        """Add computed checksums to pointers that still are what they were; return how many."""
        if not found:
            return 0
        with self._index.write() as writer:
            kept = [
                pointer._replace(checksums={**pointer.checksums, **checksums})
                for pointer, checksums in found
                if index_query.get(writer.connection, pointer.path) == pointer
            ]
            writer.add_pointers(kept)
        return len(kept)

    @explain_disk()
    def attach(self, data: bytes, path: str) -> Attachment:
        """Write a small file into the package, replacing an earlier one.

        Raises
        ------
        BadInputError
            The path breaks a rule.
        ConflictError
            A pointer has that path.
        TooLargeError
        """
        check_path(path)
        with self._index.read() as connection:
            check_attachments(connection, [path])
        return self._files.write(path, data)

    @explain_disk()
    def attachments(self) -> list[Attachment]:
        """See `Contents.attachments`; links and special files are left out."""
        return self._files.scan().attachments

    @explain_disk()
    def read_attachment(self, path: str) -> bytes:
        """See `Contents.read_attachment`; raises `ForbiddenError` for a link."""
        return self._files.read(path)

    @explain_disk()
    def readme(self) -> str | None:
        """See `Contents.readme`."""
        if not self._files.has(README):
            return None
        return self._files.read(README).decode(errors="replace")

    @explain_disk()
    def remove(self, paths: Sequence[str]) -> RemoveReport:
        """Take files, folders and attachments out of the package.

        Raises
        ------
        PathNotFoundError
            One of them is not there; nothing was removed.
        """
        wanted = _outermost([path.removesuffix("/") for path in paths])
        if "" in wanted or not wanted:
            raise BadInputError("No path was given.", remedy="Name the files and folders.")
        files = size_bytes = 0
        with self._index.write() as writer:
            attached = [one for path in wanted for one in self._attached_below(path)]
            for path in wanted:
                try:
                    removed = index_edit.remove(writer.connection, path)
                except PathNotFoundError:
                    if not any(_is_below(one.path, path) for one in attached):
                        raise
                    continue
                files += removed.files
                size_bytes += removed.size_bytes
                writer.is_changed = True
        # After the pointers: what is interrupted here can be asked for again.
        for one in attached:
            self._files.remove(one.path)
        total = sum(one.size_bytes for one in attached)
        return RemoveReport(files + len(attached), size_bytes + total)

    def _attached_below(self, path: str) -> list[Attachment]:
        return [one for one in self._files.scan().attachments if _is_below(one.path, path)]

    @explain_disk()
    def move(self, old: str, new: str) -> None:
        """Give a file, folder or attachment another path.

        Parameters
        ----------
        old : str
        new : str
            The new path; with a ``/`` at its end the folder to move into.

        Raises
        ------
        PathNotFoundError, ConflictError, BadInputError
            Nothing was moved.
        """
        old = old.removesuffix("/")
        if new.endswith("/"):
            new += old.rpartition("/")[2]
        check_path(new)
        attached = self._attached_below(old)
        with self._index.write() as writer:
            moved = {one.path: new + one.path[len(old) :] for one in attached}
            self._check_free(old, new, moved)
            try:
                index_edit.move(writer.connection, old, new)
                writer.is_changed = old != new
            except PathNotFoundError:
                if not attached:
                    raise
            if old == new:
                return
            stay = [one.path for one in self.attachments() if one.path not in moved]
            check_attachments(writer.connection, [*stay, *moved.values()])
            self._copy(moved)
        for path in moved:
            self._files.remove(path)

    def _copy(self, moved: Mapping[str, str]) -> None:
        """Write attachments to other paths, all of them or none."""
        copies: list[str] = []
        try:
            for path, target in moved.items():
                self._files.write(target, self._files.read(path))
                copies.append(target)
        except BaseException:
            for target in copies:
                self._files.remove(target)
            raise

    def _check_free(self, old: str, new: str, moved: Mapping[str, str]) -> None:
        if old != new and (self._files.has(new) or self._attached_below(new)):
            raise ConflictError(
                f"There is already an attachment at {shown(new)}.",
                remedy="Remove it first, or choose another name.",
            )
        if moved and new.startswith(f"{old}/"):
            raise BadInputError(
                f"{shown(old)} cannot be moved into itself.",
                remedy="Choose a place outside of it.",
            )

    @explain_disk()
    def totals(self, folder: str = "") -> Totals:
        """See `Contents.totals`."""
        return self._index.totals(folder)

    @explain_disk()
    def page(
        self,
        folder: str = "",
        *,
        cursor: str | None = None,
        limit: int = 500,
        sort: SortName = "name",
        descending: bool = False,
        match: str | None = None,
    ) -> PointerPage:
        """See `Contents.page`."""
        return self._index.page(
            folder, cursor=cursor, limit=limit, sort=sort, descending=descending, match=match
        )

    @explain_disk()
    def get(self, path: str) -> Pointer:
        """See `Contents.get`."""
        return self._index.get(path)

    def iter_pointers(self) -> Iterator[Pointer]:
        """See `Contents.iter_pointers`; all of one state, whatever is edited meanwhile."""
        return self._index.iter_sorted()

    def iter_facts(self) -> Iterator[list[Fact]]:
        """Yield what `expected.facts_of` wants; of one state, too."""
        return self._index.iter_facts()

    def key_order(self) -> Order | None:
        """See `expected.WithOrder`."""
        return self._index.key_order()

    @explain_disk()
    def state(self) -> State:
        """Return how the draft stands to its base version, in time that no pointer costs."""
        scan = self._files.scan()
        return State(self._index, self.metadata(), self._digests.layers(self._files, scan))

    @explain_disk()
    def status(self) -> DraftStatus:
        """Return what publishing now would freeze, and what changed since the base version."""
        return self.state().status(self._publisher, self._open_version)

    @explain_disk()
    def publish(self, version: str | None = None, *, now_s: int) -> Published:
        """Publish the draft as an immutable version.

        Parameters
        ----------
        version : str, optional
            Default: the next whole number; when the newest version has this very content, nothing
            is published and that one is returned.
        now_s : int
            Unix seconds; noted beside the version, never in it.

        Raises
        ------
        VersionExistsError
            The version is there with other content.
        BadInputError
            The draft is empty, or its folder holds a link or a name that cannot be published.
        ConflictError
            An attachment and a pointer have one path.
        """
        with self._lock("publish.lock", timeout_s=_PUBLISH_TIMEOUT_S):
            return self._publisher.publish(self.metadata(), version, now_s=now_s)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return the paths once each, without those that lie below another one."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda one: f"{one}/"):
        if not kept or not _is_below(path, kept[-1]):
            kept.append(path)
    return kept


def draft_not_found(name: str) -> PackageNotFoundError:
    """Return the error for a package without a draft."""
    return PackageNotFoundError(
        f"There is no draft of a package {shown(name)}.",
        remedy=f"Make it: packager new {name}",
    )
