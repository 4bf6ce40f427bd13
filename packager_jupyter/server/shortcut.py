"""Answers that need nothing but what is in memory, without one of Tornado's request handlers.

Making a `tornado.web.RequestHandler` and running its coroutines costs more than a redirect has to
do. So a route may have a `shortcut`: a function that answers at once what it is certain of, and
leaves everything else (other verbs, bodies, strangers, failures) to the handler, whose answer to
the same request is the same. Whoever writes one compares the two in a test.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses
from typing import TYPE_CHECKING, Any, cast

from tornado import httputil, web
from tornado.routing import PathMatches, Router, Rule

from packager_jupyter.errors import PackagerError
from packager_jupyter.server.base import DEFAULT_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tornado.httputil import HTTPServerRequest

    from packager_jupyter.server.context import ServerContext
    from packager_jupyter.server.rules import Route


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without a body.

    Attributes
    ----------
    status : int
    headers : mapping of str to str
        Those that come after the ones of every answer.
    request_id : str
        As it stands in the audit.
    """

    status: int
    headers: Mapping[str, str]
    request_id: str


Shortcut = Callable[..., "Answer | None"]
"""Called with the application's settings (see `context.settings_for`), the request and, by name,
the parameters in the path, percent-decoded once. Answers a GET without a body, counted and noted,
or returns None and changes nothing. A `PackagerError` counts as None too: the handler meets it
again and says what is wrong.
"""


class _Finished:
    """What the hosts' log functions read of a handler that has finished."""

    current_user = None

    def __init__(
        self, settings: dict[str, Any], request: HTTPServerRequest, answer: Answer
    ) -> None:
        self.settings = settings
        self.request = request
        self.request_id = answer.request_id
        self._status = answer.status

    def get_status(self) -> int:
        return self._status


class _Delegate(httputil.HTTPMessageDelegate):
    """Sends one answer as soon as the request is whole."""

    def __init__(self, router: ShortcutRouter, request: HTTPServerRequest, answer: Answer) -> None:
        self._router = router
        self._request = request
        self._answer = answer

    def finish(self) -> None:
        answer = self._answer
        headers = httputil.HTTPHeaders()
        headers["Date"] = _date()
        for name, value in DEFAULT_HEADERS.items():
            headers[name] = value
        headers["X-Request-Id"] = answer.request_id
        for name, value in answer.headers.items():
            headers[name] = value
        headers["Content-Length"] = "0"
        start = httputil.ResponseStartLine("", answer.status, responses[answer.status])
        connection = cast("httputil.HTTPConnection", self._request.connection)
        connection.write_headers(start, headers)
        connection.finish()
        self._router.note(self._request, answer)


class ShortcutRouter(Router):
    """Stands before one route: answers at once, or lets Tornado look on for the handler.

    Parameters
    ----------
    settings : dict
        The application's.
    route : Route
    shortcut : Shortcut
        The route's.
    """

    def __init__(self, settings: dict[str, Any], route: Route, shortcut: Shortcut) -> None:
        self._settings = settings
        self._path = route.path
        self._shortcut = shortcut

    def find_handler(
        self, request: HTTPServerRequest, **found: Any
    ) -> httputil.HTTPMessageDelegate | None:
        """Return what sends the answer, None when the handler is wanted."""
        headers, settings = request.headers, self._settings
        if request.method != "GET" or "Content-Length" in headers or "Transfer-Encoding" in headers:
            return None
        context: ServerContext = settings["packager_context"]
        if context.is_draining or context.start_error is not None:
            return None
        try:
            path = {name: value.decode() for name, value in found["path_kwargs"].items()}
            answer = self._shortcut(settings, request, **path)
        except (PackagerError, UnicodeDecodeError):
            return None
        return None if answer is None else _Delegate(self, request, answer)

    def note(self, request: HTTPServerRequest, answer: Answer) -> None:
        """Log and count an answer, as is done for every handler."""
        self._settings["log_function"](_Finished(self._settings, request, answer))
        context: ServerContext = self._settings["packager_context"]
        context.metrics.observe(
            route=self._path, method="GET", status=answer.status, seconds=request.request_time()
        )


def add_shortcuts(app: web.Application, routes: Iterable[Route], *, prefix: str) -> None:
    """Put the shortcuts of `routes` before the handlers of `app`, which logs by `log_function`.

    Jupyter's own `add_handlers` looks for the decorators of handler classes, and these are none:
    only what a share opens to everybody takes a shortcut.
    """
    root = re.escape(prefix)
    rules = [
        Rule(
            PathMatches(f"{root}{route.pattern}$"),
            ShortcutRouter(app.settings, route, route.shortcut),
        )
        for route in routes
        if route.shortcut is not None
    ]
    web.Application.add_handlers(app, ".*$", rules)


def _date() -> str:
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return httputil.format_timestamp(second)
