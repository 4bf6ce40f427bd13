"""From the table to a host: one concrete handler class per route.

The standalone server and the hub service use `plain_class`; Jupyter's host has its own maker (see
`jupyter`), as its users are known by Jupyter's handlers.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.server.rules import Route

HandlerClass = type["PackagerHandler"]
_BODILESS = frozenset({"GET", "HEAD"})


def plain_class(route: Route) -> HandlerClass:
    """Return the handler of `route` bound to it, with nothing of a host mixed in.

    Where no verb takes a body, Tornado need not stream one: that spares a redirect two turns of
    the event loop. Our own server bounds what a stranger may send nevertheless (see `serve`).
    """
    namespace = {"route": route, "_stream_request_body": not _BODILESS.issuperset(route.verbs)}
    return type(route.handler.__name__, (route.handler,), namespace)


def mount(
    routes: Iterable[Route],
    *,
    prefix: str,
    make_class: Callable[[Route], HandlerClass] = plain_class,
) -> list[tuple[str, HandlerClass]]:
    """Return Tornado's url specs for `routes` below `prefix`.

    Parameters
    ----------
    routes : iterable of Route
    prefix : str
        Path beginning and ending with ``/``, as it stands in a request (percent-encoded).
    make_class : callable
        Makes a host's concrete class.
    """
    root = re.escape(prefix)
    return [(f"{root}{route.pattern}$", make_class(route)) for route in routes]


def mount_by_folder(
    routes: Iterable[Route], *, prefix: str
) -> list[tuple[str, HandlerClass | list[tuple[str, HandlerClass]]]]:
    """Return the same for our own server, where neighbours in one folder stand behind one pattern.

    A table of a hundred patterns is tried from its beginning for each request; so only those of the
    request's own folder are.
    """
    specs: list[tuple[str, HandlerClass | list[tuple[str, HandlerClass]]]] = []
    for folder, neighbours in groupby(routes, key=lambda route: route.path.partition("/")[0]):
        specs.append((f"{re.escape(prefix + folder)}(?:/.*)?$", mount(neighbours, prefix=prefix)))
    return specs
