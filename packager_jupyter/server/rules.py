"""What a route is: a path, a handler, and for every verb who may use it and how it is described.

The table in `routes` is made of these. Hosts mount it, `base` enforces its rules at each request,
`openapi` describes it and the tests walk over it, so none of the four can disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.server.shortcut import Shortcut

PrincipalKind = Literal["user", "share", "signed", "registry", "public"]
Action = Literal["read", "write", "execute"]
Verb = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_SEGMENT = "[^/]+"
# A package name may hold one "/", as it is or as %2F (see packages.names).
_PATTERNS = {
    "package": f"{_SEGMENT}(?:/{_SEGMENT})?",
    "path": ".*",
    "rest": ".*",
    "repository": ".+",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter of the query string.

    Parameters
    ----------
    name : str
    doc : str
        One sentence for the OpenAPI description.
    kind : type, default str
        `str`, `int` or `bool` (``1``, ``true``, ``0``, ``false``).
    default : object, optional
        What a handler gets when the parameter is absent.
    low, high : int, optional
        Bounds of an `int`. Below `low` is an error, above `high` counts as `high`.
    choices : tuple of str
        The allowed values of a `str`; empty allows all.
    is_required : bool, default False
    """

    name: str
    doc: str
    kind: type[str | int | bool] = str
    default: str | int | bool | None = None
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How one verb is described: the source of its OpenAPI entry.

    Parameters
    ----------
    summary : str
        One line.
    request : type, optional
        Dataclass of the JSON body.
    request_media_type : str, optional
        Media type of a raw body, for verbs that take bytes.
    responses : mapping of int to (type or None)
        Success status to the shape of the JSON body (a dataclass or TypedDict), None without one.
    response_media_type : str, default "application/json"
    query : tuple of Query
    """

    summary: str
    request: type[Any] | None = None
    request_media_type: str | None = None
    responses: Mapping[int, Any] = field(default_factory=lambda: MappingProxyType({200: None}))
    response_media_type: str = "application/json"
    query: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use one verb of one route.

    Parameters
    ----------
    principal : {"user", "share", "signed", "registry", "public"}
        The one scheme by which this verb knows who is asking. ``user``: Jupyter identity or API
        token, checked before the handler runs. ``share`` and ``signed``: the capability in the
        path, checked by the handler. ``registry``: a token with a scope for the feed, or nobody
        where the feed is open for reading. ``public``: nobody is asked.
    resource : str
        What is touched, as an authorizer names it: ``packager:sources``.
    action : {"read", "write", "execute"}
        ``execute`` is what reaches beyond our own state: presign, publish, test.
    operation : Operation, optional
        The description; the REST API has one for every verb.
    """

    principal: PrincipalKind
    resource: str
    action: Action
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    Parameters
    ----------
    path : str
        Below the host's prefix, without a leading ``/``. ``{package}`` matches a package name
        (one segment or two), ``{repository}`` one segment or more, ``{path}`` and ``{rest}``
        anything, every other ``{name}`` one segment. They reach the handler's methods as keyword
        arguments, percent-decoded once.
    handler : subclass of PackagerHandler
    verbs : mapping of verb to Rule
        Exactly the verbs that the handler implements, ``OPTIONS`` apart.
    summary : str
        What stands behind the path.
    shortcut : Shortcut, optional
        Answers GET before the handler where it can; see `server.shortcut`.
    """

    path: str
    handler: type[PackagerHandler]
    verbs: Mapping[Verb, Rule]
    summary: str
    shortcut: Shortcut | None = None

    @property
    def pattern(self) -> str:
        """The path as a regular expression, for a host to put its prefix before."""
        pieces = _PARAMETER.split(self.path)
        for index in range(0, len(pieces), 2):
            pieces[index] = re.escape(pieces[index])
        for index in range(1, len(pieces), 2):
            name = pieces[index]
            pieces[index] = f"(?P<{name}>{_PATTERNS.get(name, _SEGMENT)})"
        return "".join(pieces)

    @property
    def parameters(self) -> list[str]:
        """The names in the path, in order."""
        return _PARAMETER.findall(self.path)
