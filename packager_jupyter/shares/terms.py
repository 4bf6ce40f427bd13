"""The terms of a share: what of which package, for whom, from when, until when, how often.

`columns_of` turns what an owner gives, for a new share or as a change of one, into columns of the
``share`` table. Everything is checked here and nowhere else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import shown
from packager_jupyter.packages.part import PathFilter
from packager_jupyter.shares.audience import parse_audience
from packager_jupyter.shares.model import paths_of
from packager_jupyter.shares.rules import (
    check_description,
    check_expiry,
    check_max_downloads,
    check_start,
    check_window,
)
from packager_jupyter.shares.tokens import check_slug

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Row


class HasUnmatched(Protocol):
    """The part of `packages.version.Version` that shares need."""

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Entries of a path filter that match nothing."""
        ...


class HasVersions(Protocol):
    """The part of `packages.catalog.Packages` that shares need."""

    def version(self, name: str, ref: str = "latest", *, paths: Sequence[str] = ()) -> HasUnmatched:
        """Return a version, or a part of one, or raise `PackageNotFoundError`."""
        ...


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "description": check_description,
    "slug": lambda slug: check_slug(slug) if slug else None,
    "max_downloads": check_max_downloads,
}


def columns_of(
    given: Mapping[str, Any],
    *,
    package: str,
    packages: HasVersions,
    now_s: int,
    checkable: Collection[str],
    row: Row[Any] | None = None,
) -> dict[str, Any]:
    """Return the columns that `given` sets; names and meanings as in `Shares.create`.

    Parameters
    ----------
    given : mapping
        Any of ``version``, ``paths``, ``audience``, ``starts_in_s``, ``expires_in_s``,
        ``description``, ``slug`` and ``max_downloads``.
    package : str
    packages : HasVersions
        Asked whether what is to be shared exists.
    now_s : int
    checkable : collection of str
        Kinds of audience that the host can check.
    row : Row, optional
        The share as it is, when it is changed.

    Raises
    ------
    PackageNotFoundError
        Nothing is published under that name and version.
    BadInputError
        A value is out of its range.
    """
    found = {name: check(given[name]) for name, check in _PLAIN.items() if name in given}
    if "version" in given or "paths" in given:
        version = given.get("version", row.version if row is not None else None)
        paths = given.get("paths", paths_of(row) if row is not None else ())
        checked = _check_part(packages, package, version, paths)
        found["version"] = version
        found["path_filter"] = json.dumps(checked) if checked else None
    if "audience" in given:
        audience = parse_audience(given["audience"]).check_host(checkable)
        found["audience"] = audience.to_record()
    if "starts_in_s" in given:
        found["starts_s"] = check_start(given["starts_in_s"], now_s)
    if "expires_in_s" in given:
        found["expires_s"] = check_expiry(given["expires_in_s"], now_s)
    check_window(
        found.get("starts_s", row.starts_s if row is not None else None),
        found.get("expires_s", row.expires_s if row is not None else None),
    )
    return found


def _check_part(
    packages: HasVersions, package: str, version: str | None, paths: Sequence[str]
) -> tuple[str, ...]:
    """Return the path filter as it is kept, when all that is to be shared exists."""
    checked = PathFilter(paths).paths if paths else ()
    found = packages.version(package, version or "latest", paths=checked)
    if checked and found.unmatched:
        raise BadInputError(
            f"Nothing in {package} matches {shown(found.unmatched[0])}.",
            remedy=f"List what is there: packager show {package}@{version or 'latest'}",
        )
    return checked
