"""What an administrator decides about a feed, and how it is written in a configuration.

One table, `OPTIONS`, names every option; the configuration, the database, the REST API and the
command line all read it. An option that is unknown or of another kind is refused, so that a slip of
the pen never opens or loosens a feed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Immutability = Literal["write-once", "append-only"]

ROOTS: dict[str, tuple[str, ...]] = {"pypi": ("pypi",), "terraform": ("tf-provider", "tf-module")}
"""The first components of the repositories in which an ecosystem keeps its feeds."""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What an administrator decided about a feed.

    Attributes
    ----------
    is_anonymous_read : bool
        Whether everybody may read; publishing always needs a token.
    immutability : str
        What was published never changes. ``write-once``: it may be deleted, and its name is never
        free again; ``append-only``: nothing is ever deleted.
    max_file_bytes, max_project_bytes, max_feed_bytes : int or None
        Largest file, and most bytes of the files of a project and of the whole feed.
    is_declared : bool
        Stands in the configuration; it is changed there, not here.
    """

    ecosystem: str
    name: str
    is_anonymous_read: bool = False
    immutability: Immutability = "write-once"
    max_file_bytes: int | None = None
    max_project_bytes: int | None = None
    max_feed_bytes: int | None = None
    is_declared: bool = False

    @property
    def path(self) -> str:
        """``ECOSYSTEM/NAME``."""
        return f"{self.ecosystem}/{self.name}"

    @property
    def repositories(self) -> tuple[str, ...]:
        """Below which repositories of the artifact store everything of this feed lies."""
        roots = ROOTS[self.ecosystem]
        places = [f"{prefix}{root}/{self.name}" for root in roots for prefix in ("", "meta/")]
        return tuple(places)

    def options(self) -> dict[str, Any]:
        """Return the options that are not as they are by default, as a configuration holds them."""
        values = {name: getattr(self, option.attribute) for name, option in OPTIONS.items()}
        return {name: value for name, value in values.items() if value != OPTIONS[name].default}

    def to_json(self) -> dict[str, Any]:
        """Return what the REST API and ``--json`` show."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a feed: where `FeedSpec` keeps it, its default, and what a right value is."""

    attribute: str
    default: object
    is_right: Callable[[object], bool]
    right: str


def _is_size(value: object) -> bool:
    return value is None or (
        isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**62
    )


def _size(name: str) -> Option:
    return Option(name, None, _is_size, "a number of bytes above 0")


OPTIONS: Mapping[str, Option] = {
    "anonymous_read": Option(
        "is_anonymous_read", False, lambda value: isinstance(value, bool), "True or False"
    ),
    "immutability": Option(
        "immutability",
        "write-once",
        lambda value: value in get_args(Immutability),
        " or ".join(map(repr, get_args(Immutability))),
    ),
    "max_file_bytes": _size("max_file_bytes"),
    "max_project_bytes": _size("max_project_bytes"),
    "max_feed_bytes": _size("max_feed_bytes"),
}


def make_spec(
    ecosystem: str, name: str, options: Mapping[str, Any], *, is_declared: bool = False
) -> FeedSpec:
    """Return the feed with these options.

    Raises
    ------
    BadInputError
        An option is unknown, or its value is none that it can have.
    """
    unknown = set(options) - set(OPTIONS)
    if unknown:
        raise BadInputError(
            f"The feed {ecosystem}/{name} has an unknown option {min(unknown)[:80]!r}.",
            remedy=f"The options are: {', '.join(OPTIONS)}.",
        )
    for key, value in options.items():
        if not OPTIONS[key].is_right(value):
            raise BadInputError(
                f"The option {key} of the feed {ecosystem}/{name} cannot be {str(value)[:80]!r}.",
                remedy=f"Give {OPTIONS[key].right}.",
            )
    values = {OPTIONS[key].attribute: value for key, value in options.items()}
    return FeedSpec(ecosystem, name, **values, is_declared=is_declared)
