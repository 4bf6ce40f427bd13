"""A published version: immutable, read from its OCI artifact.

Manifest and config are read when it is opened. Its pointers are looked up in an index that is a
cache: built from the artifact when it is missing, under the fingerprint of the list, so versions
with the same pointers share one, and a damaged one is built anew.
"""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from packager_jupyter.errors import (
    DiskFullError,
    PathNotFoundError,
    StoreCorruptError,
    TooLargeError,
)
from packager_jupyter.io import file_lock, make_dirs, sweep_temp, write_atomic
from packager_jupyter.packages.artifact import repository, totals_of
from packager_jupyter.packages.expected import facts_of_pointers
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.names import shown
from packager_jupyter.packages.outline import Outline, outline_of
from packager_jupyter.packages.pointer_file import ENDING
from packager_jupyter.packages.pointer_rows import iter_written
from packager_jupyter.packages.rebuild import build_index, iter_list, unpack_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.packages.artifact import ListFacts, VersionRecord
    from packager_jupyter.packages.base import Attachment
    from packager_jupyter.packages.index_query import PointerPage, SortName, Totals
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.merge import Order
    from packager_jupyter.packages.metadata import Metadata
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.pointer_files import PointerFiles
    from packager_jupyter.packages.pointer_rows import Written

R = TypeVar("R")

README = "README.md"
MAX_ATTACHMENT_BYTES = 1024 * 1024 * 1024
"""Larger ones, from a store that others fill, are not read into memory."""

_BUILD_TIMEOUT_S = 1800.0


def index_path(folder: Path, digest: str) -> Path:
    """Return where the index lies that a digest names."""
    return folder / f"{digest.rpartition(':')[2]}.sqlite"


class VersionIndex:
    """The cached index of one pointer list; safe to share between threads.

    Parameters
    ----------
    folder : Path
        Where the indexes of all versions lie.
    oci : OciStore
    repo : str
        The repository that holds the list.
    facts : ListFacts
        What a version says about the list.
    name : str, optional
        Digest that names the file; default: the fingerprint of the list.
    """

    def __init__(
        self, folder: Path, oci: OciStore, repo: str, facts: ListFacts, *, name: str | None = None
    ) -> None:
        self._oci = oci
        self._repo = repo
        self._facts = facts
        self.path = index_path(folder, name or facts.fingerprint)
        self._index = PointerIndex(self.path, is_draft=False)
        self._read_bytes = 0

    @property
    def exists(self) -> bool:
        """Whether it is built already."""
        return self.path.exists()

    def use(self, ask: Callable[[PointerIndex], R]) -> R:
        """Return what `ask` says of the index, built first when it is missing or damaged.

        Raises
        ------
        StoreCorruptError
            The version's own list is damaged.
        """
        self.ensure()
        try:
            return ask(self._index)
        except (FileNotFoundError, StoreCorruptError):
            self._drop()
        self.ensure()
        return ask(self._index)

    def ensure(self) -> None:
        """Build it when it is missing; of several who want that, one builds and all wait."""
        if self.exists:
            return
        folder = self.path.parent
        make_dirs(folder)
        with file_lock(folder / f"build-{self.path.name[0]}.lock", timeout_s=_BUILD_TIMEOUT_S):
            if not self.exists:
                sweep_temp(folder)
                self.build()

    @property
    def progress(self) -> float:
        """Which part of the list was read by `build`: 0 to 1."""
        return self._read_bytes / max(1, self._facts.layer.size_bytes)

    def build(self) -> None:
        """Make the index from the list in the store, whole or not at all."""
        blocks = unpack_lines(self.list_bytes(), fingerprint=self._facts.fingerprint)
        build_index(self.path, blocks, expected=(self._facts.files, self._facts.bytes))

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield every pointer, sorted by the bytes of its path; read from the list itself."""
        return iter_list(self.list_bytes(), self._facts)

    def iter_pointers_from(self, path: str) -> Iterator[Pointer]:
        """Yield the pointer at `path` and all that sort behind it; read from the index."""
        self.ensure()
        yield from self._index.iter_sorted(start=path)

    def iter_written(self, files: PointerFiles, start: str = "") -> Iterator[Written]:
        """Yield names and bytes of pointer files, from that of the path `start` on.

        An index that turns out to be damaged on the way is built anew; it goes on where it was.
        """
        self.ensure()
        done = 0
        try:
            with self._index.read() as connection:
                for names, written in iter_written(connection, files, start):
                    yield names, written
                    start, done = names[-1].decode().removesuffix(ENDING), 1
            return
        except (FileNotFoundError, StoreCorruptError):
            self._drop()
        self.ensure()
        with self._index.read() as connection:
            # The first batch holds the file at `start` alone.
            yield from islice(iter_written(connection, files, start), done, None)

    def outline(self, files: int) -> Outline:
        """Return the outline of the pointer files, counted once and kept beside the index."""
        path = self.path.with_suffix(".outline")
        with contextlib.suppress(FileNotFoundError, StoreCorruptError):
            return Outline.from_bytes(path.read_bytes(), files=files)
        found = self.use(_outline)
        with contextlib.suppress(DiskFullError):  # then it is counted again the next time
            write_atomic(path, found.to_bytes())
        return found

    def _drop(self) -> None:
        """Take a damaged index away."""
        self._index.close()
        self.path.unlink(missing_ok=True)

    def key_order(self) -> Order | None:
        """Return what `expected.WithOrder` wants, from the index where there is one."""
        if self.exists:
            with contextlib.suppress(FileNotFoundError, StoreCorruptError):
                return self._index.key_order()
        return None

    def iter_facts(self) -> Iterator[list[Fact]]:
        """Yield what `expected.facts_of` wants: from the index where there is one.

        What an index that is missing or turns out to be damaged did not give comes from the list.
        """
        last = ""
        if self.exists:
            try:
                for rows in self._index.iter_facts():
                    yield rows
                    _, _, last, *_ = rows[-1]
            except (FileNotFoundError, StoreCorruptError):
                self._drop()
            else:
                return
        for rows in facts_of_pointers(self.iter_pointers()):
            yield [row for row in rows if row[2] > last]

    def list_bytes(self) -> Iterator[bytes]:
        """Yield the compressed list from the store."""
        self._read_bytes = 0
        for chunk in self._oci.read_blob(self._repo, self._facts.layer.digest):
            self._read_bytes += len(chunk)
            yield chunk

    def close(self) -> None:
        """Release the connections."""
        self._index.close()


def _outline(index: PointerIndex) -> Outline:
    with index.read() as connection:
        return outline_of(connection)


class Version:
    """One published version of a package; made by `catalog.Packages.version`.

    Attributes
    ----------
    name, version, digest : str
    config : dict
        The artifact's config as it is.
    """

    def __init__(
        self, name: str, oci: OciStore, record: VersionRecord, index: VersionIndex
    ) -> None:
        self._oci = oci
        self._record = record
        self._index = index
        self.name = name
        self.version = record.version
        self.digest = record.digest
        self.config: dict[str, Any] = record.config

    def __repr__(self) -> str:
        return f"Version({self.name}@{self.version}, {self.digest})"

    @property
    def record(self) -> VersionRecord:
        """What its artifact says."""
        return self._record

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of the uncompressed pointer list."""
        return self._record.facts.fingerprint

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Of a part: the entries of its filter that match nothing in this version."""
        return self._record.unmatched or ()

    @property
    def is_part(self) -> bool:
        """Whether this is a part of a version (see `packages.part`), with a digest of its own."""
        return self._record.unmatched is not None

    @property
    def is_ready(self) -> bool:
        """Whether its index is there, so that no question takes long."""
        return self._index.exists

    @property
    def progress(self) -> float:
        """How far `prepare` is: 0 to 1."""
        return self._index.progress

    def prepare(self) -> None:
        """Build the index unless it is there: some seconds for a million files.

        Raises
        ------
        StoreCorruptError
            The version's list is damaged.
        """
        self._index.ensure()

    def metadata(self) -> Metadata:
        """See `Contents.metadata`."""
        return self._record.metadata

    def totals(self, folder: str = "") -> Totals:
        """See `Contents.totals`; those of the whole version need no index."""
        if not folder:
            return totals_of(self._record)
        return self._index.use(lambda index: index.totals(folder))

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
        return self._index.use(
            lambda index: index.page(
                folder, cursor=cursor, limit=limit, sort=sort, descending=descending, match=match
            )
        )

    def get(self, path: str) -> Pointer:
        """See `Contents.get`."""
        return self._index.use(lambda index: index.get(path))

    def iter_pointers(self) -> Iterator[Pointer]:
        """See `Contents.iter_pointers` and `VersionIndex.iter_pointers`."""
        return self._index.iter_pointers()

    def iter_pointers_from(self, path: str) -> Iterator[Pointer]:
        """See `VersionIndex.iter_pointers_from`."""
        return self._index.iter_pointers_from(path)

    def iter_written(self, files: PointerFiles, start: str = "") -> Iterator[Written]:
        """See `VersionIndex.iter_written`."""
        return self._index.iter_written(files, start)

    def outline(self) -> Outline:
        """See `VersionIndex.outline`."""
        return self._index.outline(self._record.facts.files)

    def iter_facts(self) -> Iterator[list[Fact]]:
        """See `VersionIndex.iter_facts`."""
        return self._index.iter_facts()

    def key_order(self) -> Order | None:
        """See `VersionIndex.key_order`."""
        return self._index.key_order()

    def attachments(self) -> list[Attachment]:
        """See `Contents.attachments`."""
        return self._record.attachment_list()

    def read_attachment(self, path: str) -> bytes:
        """See `Contents.read_attachment`; also raises `StoreCorruptError`."""
        layer = self._record.attachments.get(path)
        if layer is None:
            raise PathNotFoundError(
                f"{self.name}@{self.version} has no attachment {shown(path)}.",
                remedy="Look at the package's attachments for the right path.",
            )
        if layer.size_bytes > MAX_ATTACHMENT_BYTES:
            raise TooLargeError(
                f"The attachment {shown(path)} has {layer.size_bytes:,} bytes.",
                remedy="Fetch it from the OCI store with a tool such as oras.",
            )
        return b"".join(self._oci.read_blob(repository(self.name), layer.digest))

    def readme(self) -> str | None:
        """See `Contents.readme`."""
        if README not in self._record.attachments:
            return None
        return self.read_attachment(README).decode(errors="replace")
