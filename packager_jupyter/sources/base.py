"""What a source is: the Protocol that every kind of storage fulfils, and the rows it yields.

A source is a named connection to storage, rooted at a bucket, container or folder plus a prefix.
Keys are always relative to that root, so nothing outside it can be named. All methods block;
callers on an event loop use a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Method = Literal["GET", "HEAD"]
DEFAULT_PAGE = 1000
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a listing: a file, or a folder (a common prefix, whose key ends with ``/``).

    Attributes
    ----------
    key : str
        Key relative to the root of the source, exactly as the storage spells it.
    is_folder : bool
        Folders carry no size, date or etag.
    size_bytes : int or None
    modified_s : int or None
        Last modification, UTC, in whole Unix seconds.
    etag : str or None
        Entity tag without the surrounding quotes.
    version_id : str or None
        Version of the object where the storage keeps versions.
    checksums : mapping of str to str
        What the storage itself reports, lower-case algorithm to lower-case hex digest. Never
        derived from anything that is not certain.
    media_type : str or None
        Content type, when the storage reports it (a listing usually does not).
    storage_class : str or None
        As the storage names it; `is_archived` says whether the bytes must be restored first.
    """

    key: str
    is_folder: bool = False
    size_bytes: int | None = None
    modified_s: int | None = None
    etag: str | None = None
    version_id: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    media_type: str | None = None
    storage_class: str | None = None

    @property
    def is_archived(self) -> bool:
        """Whether reading needs a restore first (S3 Glacier classes, Azure Archive tier)."""
        return self.storage_class in {"GLACIER", "DEEP_ARCHIVE", "Archive"}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one level.

    `cursor` is opaque: hand it back to get the next page; ``None`` says that the level is
    complete. A page that could not be read whole is an error, never a short page.
    """

    entries: list[Entry]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What ``packager source test`` found: each check with its outcome and remedy."""

    name: str
    is_ok: bool
    checks: list[SourceCheck]


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One check: `what` was tried, whether it worked, and what to do when it did not."""

    what: str
    is_ok: bool
    message: str
    remedy: str | None = None


@runtime_checkable
class Signer(Protocol):
    """Turns keys into presigned URLs of one source, one method and one life time.

    A signer is made once and called millions of times: it does no I/O.
    """

    def __call__(
        self,
        key: str,
        *,
        version_id: str | None = None,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Return a URL that reads exactly the object `key`.

        `filename` becomes a signed ``Content-Disposition: attachment`` and `media_type` a signed
        ``Content-Type`` of the storage's answer, where the storage can do so.
        """
        ...


class Source(Protocol):
    """A connected storage, rooted; see the module's text for keys and blocking."""

    @property
    def name(self) -> str:
        """The name under which people know it."""
        ...

    @property
    def kind(self) -> str:
        """The key of this kind in the registry: ``s3``, ``azure``, ``local``, …."""
        ...

    def uri(self, key: str) -> str:
        """Return the full public address of `key` (``s3://bucket/prefix/key``), unsigned."""
        ...

    def list_page(
        self, prefix: str = "", *, cursor: str | None = None, limit: int = DEFAULT_PAGE
    ) -> Page:
        """List one level: files and folders whose key starts with `prefix`, up to the next ``/``.

        One call makes one storage request per started 1,000 rows and never walks below the level.
        `prefix` is a plain key prefix: ``obs/`` lists the folder, ``obs`` what begins so.
        """
        ...

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        """Yield every file below `prefix` in batches of at most 5,000, in the storage's order."""
        ...

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        """Ask the storage for one object.

        Raises
        ------
        ObjectNotFoundError
            When it is not there.
        """
        ...

    def read(
        self, key: str, *, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes ``[start, stop)`` of one object in chunks of at most 1 MiB."""
        ...

    def signer(self, *, ttl_s: int, method: Method = "GET", self_url: str | None = None) -> Signer:
        """Return a signer whose URLs start to live now and end after `ttl_s` seconds.

        Parameters
        ----------
        ttl_s : int
            1 to 604,800 seconds.
        method : {"GET", "HEAD"}
            The one method that the URL is good for, where the storage tells them apart.
        self_url : str, optional
            Our own public address, ending in ``/``; only sources without a storage of their own
            to redirect to (``local``) need it, and raise `BadInputError` without.
        """
        ...

    def test(self) -> SourceReport:
        """Try what the source is for (reach, list, read, presign) and say what fails and why."""
        ...

    def close(self) -> None:
        """Release connections. A closed source is not used again."""
        ...
