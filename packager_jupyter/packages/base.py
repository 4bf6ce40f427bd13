"""What drafts and versions have in common, and the small records that both hand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.packages.index_query import PointerPage, SortName, Totals
    from packager_jupyter.packages.metadata import Metadata
    from packager_jupyter.packages.pointer import Pointer

Progress = Callable[[int, int], None]
"""Called with the files and bytes done so far; what it raises ends the work and undoes it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A small file whose bytes are in the package.

    Attributes
    ----------
    path : str
    size_bytes : int
    media_type : str
    modified_s : int or None
        Unix seconds; of a draft only, as a version does not keep it.
    """

    path: str
    size_bytes: int
    media_type: str
    modified_s: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the attachment as the REST API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A key that was not added, and why."""

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key!r}: {self.reason}"


@dataclass(frozen=True, slots=True)
class AddReport:
    """What adding did.

    Attributes
    ----------
    files_added, files_replaced, files_unchanged : int
    bytes_added : int
        New files whole, replaced ones by how much they grew.
    skipped : list of Skipped
        Keys that could not be added; at most 1,000 of them are listed.
    files_skipped : int
        How many could not be added.
    files_filtered : int
        Left out by the patterns.
    lookalikes : list of (str, str)
        Paths that differ only in upper and lower case or in Unicode form, so that some systems
        take them for one; at most 20, and only from folders that are quickly looked through.
    """

    files_added: int
    files_replaced: int
    files_unchanged: int
    bytes_added: int
    skipped: list[Skipped]
    files_skipped: int = 0
    files_filtered: int = 0
    lookalikes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What removing took away, attachments included."""

    files_removed: int
    bytes_removed: int


@dataclass(frozen=True, slots=True)
class DraftStatus:
    """What publishing a draft now would freeze.

    Attributes
    ----------
    files, bytes : int
        Of the pointers.
    attachments : int
    unhashed_files : int
        Pointers without any checksum.
    base_version : str or None
        The version that the draft was last published as.
    is_changed : bool
        Whether publishing would make a new version.
    added, removed, changed : int or None
        Pointers since `base_version`; None where counting them would take long.
    digest : str or None
        Of the base version while nothing changed; else of the version that publishing would make,
        None where computing it would take long.
    """

    files: int
    bytes: int
    attachments: int
    unhashed_files: int
    base_version: str | None
    is_changed: bool
    added: int | None
    removed: int | None
    changed: int | None
    digest: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the status as the REST API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing gave: a version, and whether it is new."""

    version: str
    digest: str
    is_new: bool
    files: int
    bytes: int


@runtime_checkable
class Contents(Protocol):
    """A package that can be looked into: a draft or a version.

    `page`, `get` and `attachments` never touch the storages behind the pointers.
    """

    @property
    def name(self) -> str:
        """The package's name."""
        ...

    def metadata(self) -> Metadata:
        """Return title, description and so on."""
        ...

    def totals(self, folder: str = "") -> Totals:
        """Return number and bytes of the pointers below a folder; raises `PathNotFoundError`."""
        ...

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
        """Return one page of a folder; see `index.PointerIndex.page`."""
        ...

    def get(self, path: str) -> Pointer:
        """Return the pointer at `path`; raises `PathNotFoundError`."""
        ...

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield every pointer in the order of the paths' bytes, in bounded memory."""
        ...

    def attachments(self) -> list[Attachment]:
        """Return the attachments, sorted by path."""
        ...

    def read_attachment(self, path: str) -> bytes:
        """Return the bytes of an attachment; raises `PathNotFoundError`."""
        ...

    def readme(self) -> str | None:
        """Return the text of ``README.md``, or None."""
        ...
