"""Rows of the lists of packages and versions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A row of the list of versions; `created_s` is None where the store keeps no such note."""

    version: str
    digest: str
    created_s: int | None
    files: int
    bytes: int
    title: str

    def to_json(self) -> dict[str, Any]:
        """Return the row as the REST API shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted version: its name and digest are never used again."""

    version: str
    digest: str
    deleted_s: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as lists show it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """What a list of packages says about a draft.

    `problem` says why it cannot be read; its numbers are 0 then.
    """

    files: int
    bytes: int
    is_changed: bool
    base_version: str | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """A row of the list of packages; it has a draft, versions, or both."""

    name: str
    title: str
    draft: DraftInfo | None
    latest: VersionInfo | None
    versions: int

    def to_json(self) -> dict[str, Any]:
        """Return the row as the REST API shows it."""
        return asdict(self)
