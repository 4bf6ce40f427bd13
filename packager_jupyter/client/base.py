"""What a client can do: the Protocol that both implementations fulfil.

Answers are the JSON of the REST API as plain dictionaries (see `packager_jupyter.api.shapes`);
failures are the classes of `packager_jupyter.errors`, wherever they happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packager_jupyter.api.shapes.common import Status
    from packager_jupyter.api.shapes.packages import (
        AttachmentShown,
        DraftStatusShown,
        FileShown,
        PackageShown,
        PackageWhole,
        Published,
        VersionShown,
    )
    from packager_jupyter.api.shapes.shares import CreatedShare, ShareShown
    from packager_jupyter.api.shapes.sources import (
        EntryShown,
        Presigned,
        SourceReportShown,
        SourceShown,
    )

    Progress = Callable[[int, int], None]


class Sources(Protocol):
    """Connected storages."""

    def list(self) -> list[SourceShown]:
        """Return what is connected."""
        ...

    def add(
        self,
        name: str,
        url: str,
        *,
        options: Mapping[str, Any] | None = None,
        credential: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
    ) -> SourceShown:
        """Connect a storage.

        Parameters
        ----------
        name : str
        url : str
            ``s3://bucket/prefix``, ``azure://account/container/prefix`` or ``file:///folder``.
        options : mapping, optional
            ``endpoint_url``, ``region``, ``path_style``, ``ca_bundle``, ….
        credential : mapping, optional
            ``{"kind": "env", "ref": "LAKE"}`` and the like.
        secret : mapping, optional
            Variables to keep with ``{"kind": "stored"}``. Write no secret into a notebook: read it
            from a file or a prompt.
        """
        ...

    def remove(self, name: str) -> None:
        """Disconnect a storage and forget its secret."""
        ...

    def test(self, name: str) -> SourceReportShown:
        """Try to reach, list, read and presign."""
        ...

    def entries(self, name: str, prefix: str = "") -> Iterator[EntryShown]:
        """Yield one level of a source, page by page as it is consumed."""
        ...

    def presign(
        self, name: str, key: str, *, version_id: str | None = None, ttl_s: int | None = None
    ) -> Presigned:
        """Sign an address that reads one object for a while; keep it as you keep a password."""
        ...


class Packages(Protocol):
    """Drafts and published packages."""

    def list(self) -> list[PackageShown]:
        """Return all of them."""
        ...

    def create(
        self, name: str, *, title: str | None = None, description: str | None = None
    ) -> PackageWhole:
        """Begin a package."""
        ...

    def get(self, name: str) -> PackageWhole:
        """Return one package."""
        ...

    def delete_draft(self, name: str) -> None:
        """Delete the draft; published versions stay."""
        ...

    def add(
        self,
        name: str,
        source: str,
        keys: Sequence[str],
        *,
        to: str = "",
        rename: str | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Add files and folders of a source to the draft, all or none, and wait for it.

        Parameters
        ----------
        keys : sequence of str
            A key that ends in ``/`` is a folder, an empty one the whole source.
        progress : callable, optional
            Called with files and bytes so far; what it raises cancels the work.
        """
        ...

    def add_keys(
        self,
        name: str,
        source: str,
        file: str | Path,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Add the objects that a file of keys names, all or none, without listing the source.

        Parameters
        ----------
        file : str or Path
            A CSV, JSONL or Parquet file with a column ``key``, or the ``manifest.json`` of an S3
            Inventory with its data files beside it; a file of this computer.
        to, include, exclude, progress
            As with `add`.
        """
        ...

    def add_stored_keys(
        self,
        name: str,
        source: str,
        list_source: str,
        list_key: str,
        *,
        to: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Add the objects that a list of keys names which lies in a source; see `add_keys`."""
        ...

    def attach(self, name: str, path: str, data: bytes) -> AttachmentShown:
        """Put a small file into the draft."""
        ...

    def remove(self, name: str, paths: Sequence[str]) -> dict[str, Any]:
        """Take files and folders out of the draft, all or none."""
        ...

    def files(
        self, name: str, *, version: str | None = None, path: str = "", match: str | None = None
    ) -> Iterator[FileShown]:
        """Yield one folder of the draft or of a version, page by page as it is consumed."""
        ...

    def status(self, name: str) -> DraftStatusShown:
        """Return what publishing the draft now would freeze."""
        ...

    def publish(self, name: str, version: str | None = None) -> Published:
        """Freeze the draft as a version; default: the next whole number."""
        ...

    def versions(self, name: str) -> builtins.list[VersionShown]:
        """Return what is published, newest first."""
        ...


class Shares(Protocol):
    """Links that read a package."""

    def list(self) -> list[ShareShown]:
        """Return yours, newest first."""
        ...

    def create(
        self,
        package: str,
        *,
        version: str | None = None,
        password: str | None = None,
        expires_in_s: int | None = None,
        description: str = "",
        slug: str | None = None,
        max_downloads: int | None = None,
        paths: builtins.list[str] = ...,
        audience: builtins.list[str] = ...,
        starts_in_s: int | None = None,
    ) -> CreatedShare:
        """Share a version, or always the latest (the default).

        `paths` shares a part (files, folders, patterns); `audience` is ``["anyone"]``,
        ``["signed-in"]``, or any number of ``user:NAME`` and ``group:NAME``.
        """
        ...

    def update(self, share_id: str, **changes: Any) -> CreatedShare:
        """Change what is given, by the names of `create`; None clears, the rest stays.

        `revision` refuses the change unless the share still has it.
        """
        ...

    def rotate(self, share_id: str) -> CreatedShare:
        """Give the share another link; the old one ends at once."""
        ...

    def link(self, share_id: str) -> str:
        """Return the link again."""
        ...

    def revoke(self, share_id: str) -> None:
        """End a share at once."""
        ...


class Client(Protocol):
    """What `packager_jupyter.connect` returns."""

    @property
    def sources(self) -> Sources:
        """Connected storages."""
        ...

    @property
    def packages(self) -> Packages:
        """Drafts and published packages."""
        ...

    @property
    def shares(self) -> Shares:
        """Links that read a package."""
        ...

    def status(self) -> Status:
        """Say what answers."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exc: object) -> None: ...
