"""What a token may do in the registries: ``ECOSYSTEM/FEED[/PROJECT-GLOB]:ACTION``.

One function, `is_allowed`, decides for every route of a feed; what no scope names is refused. The
artifact store itself is reached with scopes of their own, ``oci/REPOSITORY-GLOB:ACTION``, for which
`is_repository_allowed` decides: ``*`` as an ecosystem never stands for ``oci``, as the repositories
hold data packages too. In both globs ``*`` stands for any text, ``/`` included.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

RegistryAction = Literal["read", "publish", "delete"]
_SCOPE = re.compile(
    r"(?P<ecosystem>[a-z0-9-]{1,40}|\*)/(?P<feed>[a-z0-9._-]{1,64}|\*)"
    r"(?:/(?P<project>[^:\s]{1,200}))?:(?P<action>[a-z]+)"
)
OCI = "oci"
_OCI_SCOPE = re.compile(r"oci/(?P<project>[a-z0-9._/*?-]{1,255}):(?P<action>[a-z]+)")


@dataclass(frozen=True, slots=True)
class RegistryScope:
    """One parsed scope; `project` is a shell-style pattern over normalised project names.

    In a scope of the ecosystem ``oci`` it is a pattern over whole repository names.
    """

    ecosystem: str
    feed: str
    project: str
    action: RegistryAction


def parse_scope(text: str) -> RegistryScope:
    """Return the parsed scope.

    Raises
    ------
    BadInputError
        It is not written as ``ECOSYSTEM/FEED[/PROJECT-GLOB]:read|publish|delete`` or as
        ``oci/REPOSITORY-GLOB:read|publish|delete``.
    """
    grammar = _OCI_SCOPE if text.startswith(f"{OCI}/") else _SCOPE
    match = grammar.fullmatch(text) if len(text) <= 400 else None  # noqa: PLR2004 - longer than any
    if match is None or match["action"] not in get_args(RegistryAction):
        raise BadInputError(
            f"{text[:120]!r} is no scope of a registry.",
            remedy="Write ECOSYSTEM/FEED:ACTION or ECOSYSTEM/FEED/PROJECT-GLOB:ACTION with read, "
            "publish or delete, for example pypi/main/demo-*:publish; for artifacts "
            "oci/REPOSITORY-GLOB:ACTION, for example oci/packages/*:read.",
        )
    action = cast("RegistryAction", match["action"])
    if grammar is _OCI_SCOPE:
        return RegistryScope(OCI, "*", match["project"], action)
    return RegistryScope(match["ecosystem"], match["feed"], match["project"] or "*", action)


def is_allowed(
    scopes: Iterable[RegistryScope],
    *,
    ecosystem: str,
    feed: str,
    project: str | None,
    action: RegistryAction,
) -> bool:
    """Whether one of the scopes allows an action.

    `project` None stands for the feed as a whole (its list of projects), which a scope for all
    projects allows; publishing implies reading the same projects.
    """
    for scope in scopes:
        is_action = scope.action == action or (action == "read" and scope.action == "publish")
        is_place = scope.ecosystem in (ecosystem, "*") and scope.feed in (feed, "*")
        if project is None:
            is_project = scope.project == "*" or action == "read"
        else:
            is_project = fnmatch.fnmatchcase(project, scope.project)
        if is_action and is_place and is_project:
            return True
    return False


def may_somewhere(
    scopes: Iterable[RegistryScope], *, ecosystem: str, feed: str, action: RegistryAction
) -> bool:
    """Whether one of the scopes allows an action on at least some project of a feed."""
    return any(
        (scope.action == action or (action == "read" and scope.action == "publish"))
        and scope.ecosystem in (ecosystem, "*")
        and scope.feed in (feed, "*")
        for scope in scopes
    )


def is_repository_allowed(
    scopes: Iterable[RegistryScope], repository: str, *, action: RegistryAction
) -> bool:
    """Whether one of the ``oci/…`` scopes allows an action on a repository of artifacts.

    Publishing implies reading the same repositories.
    """
    return any(
        scope.ecosystem == OCI
        and (scope.action == action or (action == "read" and scope.action == "publish"))
        and fnmatch.fnmatchcase(repository, scope.project)
        for scope in scopes
    )
