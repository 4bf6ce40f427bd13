"""What may happen to which repository through the distribution API.

Repositories of feeds and data packages obey their own rules also when a client speaks OCI: what was
published stays, and what a package index must check first is not published past it. All other
repositories are an ordinary registry, whose tags move.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packager_jupyter.errors import ForbiddenError
from packager_jupyter.oci.names import is_digest
from packager_jupyter.registries.feeds import FeedNotFoundError
from packager_jupyter.shares.scopes import is_allowed, is_repository_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.registries.feeds import Feeds
    from packager_jupyter.shares.scopes import RegistryAction, RegistryScope

RepositoryKind = Literal["index", "releases", "plain"]

_KINDS: Mapping[str, RepositoryKind] = {
    "pypi": "index",
    "meta": "index",
    "tf-provider": "releases",
    "tf-module": "releases",
    "packages": "releases",
}
_ECOSYSTEMS: Mapping[str, str] = {
    "pypi": "pypi",
    "tf-provider": "terraform",
    "tf-module": "terraform",
}
_LATEST = "latest"
_RESERVED = re.compile(r"_.*|[ef]\..*")  # derived summaries, events, files (see oci.feed)
# The list of referrers for registries without that API, and where cosign keeps signatures.
_ABOUT = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z0-9]+)?")
_META_PARTS = 3


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """The feed that a repository belongs to; `project` None is its list of projects."""

    ecosystem: str
    feed: str
    project: str | None


def kind_of(repository: str) -> RepositoryKind:
    """Return which rules a repository obeys."""
    first, slash, _ = repository.partition("/")
    return _KINDS.get(first, "plain") if slash else "plain"


def place_of(repository: str) -> FeedPlace | None:
    """Return the feed that a repository belongs to, if any."""
    parts = repository.split("/")
    if parts[0] == "meta" and len(parts) == _META_PARTS and parts[1] in _ECOSYSTEMS:
        return FeedPlace(_ECOSYSTEMS[parts[1]], parts[2], None)
    if len(parts) >= _META_PARTS and parts[0] in _ECOSYSTEMS:
        return FeedPlace(_ECOSYSTEMS[parts[0]], parts[1], "/".join(parts[2:]))
    return None


def may(
    scopes: Sequence[RegistryScope], repository: str, action: RegistryAction, *, feeds: Feeds
) -> bool:
    """Whether somebody with `scopes` (nobody: none) may do `action` in a repository.

    Scopes of repositories decide. Beyond them, whoever may read a feed may read its artifacts.
    """
    if is_repository_allowed(scopes, repository, action=action):
        return True
    place = place_of(repository)
    if action != "read" or place is None:
        return False
    try:
        spec = feeds.spec(place.ecosystem, place.feed)
    except FeedNotFoundError:
        return False
    return spec.is_anonymous_read or is_allowed(
        scopes, ecosystem=place.ecosystem, feed=place.feed, project=place.project, action="read"
    )


def may_move(repository: str, tag: str) -> bool:
    """Whether a push may move a tag of a repository from one manifest to another.

    Raises
    ------
    ForbiddenError
        The tag may not be pushed here at all.
    """
    kind = kind_of(repository)
    if kind == "plain" or _ABOUT.fullmatch(tag):
        return True
    if kind == "index":
        raise ForbiddenError(
            "Files of a package index are published through the index, which checks them.",
            remedy="Upload with a client of the ecosystem, such as twine. Signatures and other "
            "artifacts that refer to a file may be pushed here.",
        )
    if _RESERVED.fullmatch(tag):
        raise ForbiddenError(
            f"Tags like {tag!r} are the server's own in {repository}.",
            remedy="Choose a tag that begins with a letter or a digit.",
        )
    return tag == _LATEST


def check_delete(store: OciStore, repository: str, reference: str) -> None:
    """Refuse to delete what only the package index may delete, as a name is never used again.

    Raises
    ------
    ForbiddenError
    """
    if kind_of(repository) != "index":
        return
    if is_digest(reference):
        tags = [one.tag for one in store.tags(repository) if one.descriptor.digest == reference]
    else:
        tags = [reference]
    if not all(map(_ABOUT.fullmatch, tags)):
        raise ForbiddenError(
            "Files of a package index are deleted through the index, which remembers their names.",
            remedy='Send {"action": "delete"} to its manage/ address.',
        )
