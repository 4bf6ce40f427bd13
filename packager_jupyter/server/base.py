"""The handlers' ground: rules, bodies, queries, threads, errors and headers, the same in each host.

A handler reads `services` (the core), declares nothing about authentication and never blocks: its
rule stands in the route table, and `prepare` has enforced it before a verb runs. A host makes one
concrete class per route (see `mount`), which sets `route` and, inside Jupyter, mixes in Jupyter's
own handler for what its users need.

Bodies are streamed and bounded: a request that may not be made, or is too large, is answered
before its body is read.
"""

from __future__ import annotations

import html
import inspect
import itertools
import logging
import secrets
from http.client import responses
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, cast

import orjson
from tornado import web

from packager_jupyter.errors import (
    BusyError,
    ForbiddenError,
    NotAuthenticatedError,
    PackagerError,
    TooLargeError,
)
from packager_jupyter.server.failures import failure_of
from packager_jupyter.server.query import parse_query, specs_of, typed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from tornado.httputil import HTTPServerRequest

    from packager_jupyter.server.auth import Authenticator, Principal
    from packager_jupyter.server.context import ServerContext
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.rules import Route, Rule, Verb
    from packager_jupyter.services import Services

P = ParamSpec("P")
T = TypeVar("T")

FORM_BYTES = 64 * 1024
DRAINED_BYTES = 64 * 1024 * 1024

DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}

log = logging.getLogger(__name__)
_process = secrets.token_hex(4)
_numbers = itertools.count(1)


def new_request_id() -> str:
    """Return the name of one request, unlike that of any other of any process."""
    return f"{_process}-{next(_numbers):x}"


def public_url_of(settings: Mapping[str, Any], request: HTTPServerRequest) -> str:
    """Return the address of our own root; see `PackagerHandler.public_url`."""
    configured = settings["packager"].settings.public_url
    if configured:
        return str(configured)
    return f"{request.protocol}://{request.host}{settings['packager_context'].prefix}"


@web.stream_request_body
class PackagerHandler(web.RequestHandler):
    """One route's handler, free of any host."""

    route: ClassVar[Route]
    answers_cors: ClassVar[bool] = False  # whether the host's own handler answers preflights

    def initialize(self) -> None:
        """Start with an empty body."""
        self.is_refused = False
        self._body = bytearray()
        self._body_too_large = False

    # -- what a handler works with --------------------------------------------------------------

    @property
    def context(self) -> ServerContext:
        """What the host has set up for all requests."""
        return cast("ServerContext", self.settings["packager_context"])

    @property
    def services(self) -> Services:
        """The core: sources, packages, shares."""
        return cast("Services", self.settings["packager"])

    @property
    def request_id(self) -> str:
        """Name of this request in the answer's ``X-Request-Id``, the log and the audit."""
        if "_request_id" not in self.__dict__:
            self._request_id = new_request_id()
        return self._request_id

    @property
    def client_ip(self) -> str:
        """Address of the client, as the host's proxy settings let us believe it."""
        return self.request.remote_ip or "unknown"

    @property
    def public_url(self) -> str:
        """Address of our own root, ending in ``/``: configured, else as this request names it."""
        return public_url_of(self.settings, self.request)

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that blocks in a thread; see `pool.BoundedPool`."""
        return await self.context.pool.run(function, *args, **kwargs)

    # -- the request ----------------------------------------------------------------------------

    def body_limit(self) -> int:
        """Return how many bytes the body of this request may have."""
        return FORM_BYTES

    async def prepare(self) -> None:
        """Enforce the table: an unlisted verb, a stranger or a large body goes no further.

        Raises
        ------
        HTTPError
            405 for a verb without a rule.
        BusyError
            While the server drains before it stops.
        TooLargeError
            The body is announced as larger than `body_limit`.
        """
        self.context.in_flight.add(self)
        if self.context.is_draining:
            raise BusyError(
                "The server is about to stop.", remedy="Try again soon.", retry_after_s=30
            )
        rule = self._rule()
        if rule is None and self.request.method != "OPTIONS":
            raise web.HTTPError(405)
        self._limit_body()
        parent = super().prepare()
        if inspect.isawaitable(parent):
            await parent
        if rule is not None and rule.principal == "user":
            await self._authorize(rule)
        if self.context.start_error is not None:
            raise self.context.start_error

    def _rule(self) -> Rule | None:
        return self.route.verbs.get(cast("Verb", self.request.method))

    def _limit_body(self) -> None:
        limit = self.body_limit()
        # A body of unknown length is cut off by data_received; beyond twice the limit Tornado
        # itself closes the connection.
        connection = cast("Any", self.request.connection)
        if hasattr(connection, "set_max_body_size"):
            connection.set_max_body_size(2 * limit)
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > limit:
            raise self._too_large()

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"The body of the request is larger than {self.body_limit()} bytes.",
            remedy="Send less at a time, or ask the administrator to raise the limit.",
        )

    def refuse(self, error: PackagerError) -> None:
        """Answer with `error`: at once, or when a body that is on its way has come.

        To answer earlier is to close the connection under a client that still sends: it reports a
        reset instead of what was wrong. Large bodies, and clients that wait for leave to send
        (RFC 9110 10.1.1), are refused at once.
        """
        length = self.request.headers.get("Content-Length", "")
        is_short = length.isdecimal() and 0 < int(length) <= min(self.body_limit(), DRAINED_BYTES)
        if not is_short or "Expect" in self.request.headers:
            raise error
        self.is_refused = True

        def answer(*_arguments: str, **_parameters: str) -> None:
            raise error

        # Tornado looks the verb up here, once the body has come.
        setattr(self, str(self.request.method).lower(), answer)

    async def _authorize(self, rule: Rule) -> None:
        authenticator = self.authenticator
        principal = await authenticator.principal(self)
        if principal is None:
            raise NotAuthenticatedError(
                "Nobody has said who is asking.",
                remedy="Log in, or send an API token in the Authorization header.",
            )
        self.principal: Principal = principal
        if not await authenticator.is_allowed(self, principal, rule):
            raise ForbiddenError(
                f"{principal.display_name} may not {rule.action} {rule.resource}.",
                remedy="Ask the administrator of this server for the right to do so.",
            )

    @property
    def authenticator(self) -> Authenticator:
        """How this host knows its users."""
        return cast("Authenticator", self.settings["packager_auth"])

    def data_received(self, chunk: bytes) -> None:
        """Collect the body up to its limit."""
        if len(self._body) + len(chunk) > self.body_limit():
            self._body_too_large = True
            self._body.clear()
        elif not self._body_too_large:
            self._body += chunk

    @property
    def body(self) -> bytes:
        """The whole body.

        Raises
        ------
        TooLargeError
            More came than `body_limit` allows.
        """
        if self._body_too_large:
            raise self._too_large()
        return bytes(self._body)

    def query(self) -> dict[str, Any]:
        """Return this verb's parameters as the table describes them, with their defaults."""
        rule = self._rule()
        found = parse_query(self.request.query)
        operation = rule.operation if rule else None
        return {spec.name: typed(spec, found.get(spec.name)) for spec in specs_of(operation)}

    # -- the answer -----------------------------------------------------------------------------

    def set_default_headers(self) -> None:
        """Set what is right for an answer that is no page; pages set their own policy."""
        super().set_default_headers()
        headers = self._headers
        # Set on every answer of every redirect: constants need no check of their characters.
        for name, value in DEFAULT_HEADERS.items():
            headers[name] = value
        headers["X-Request-Id"] = self.request_id
        self.clear_header("Server")

    def compute_etag(self) -> str | None:
        """Return None: what has an entity tag sets its own."""
        return None

    def options(self, **_path: str) -> Awaitable[None] | None:
        """Answer which verbs this address has (RFC 9110 9.3.7)."""
        if self.answers_cors:
            super().options()
        self.set_status(204)
        self.set_header("Allow", self._allow())
        return None

    def on_finish(self) -> None:
        """Count the request."""
        self.context.in_flight.discard(self)
        self.context.metrics.observe(
            route=self.route.path,
            method=self.request.method or "",
            status=self.get_status(),
            seconds=self.request.request_time(),
        )

    def _allow(self) -> str:
        return ", ".join(sorted({*self.route.verbs, "OPTIONS"}))

    def on_connection_close(self) -> None:
        """Forget a request whose client has gone."""
        self.context.in_flight.discard(self)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the one error shape; Tornado calls this for everything that is raised."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        failure = failure_of(error, status=status_code, request_id=self.request_id)
        self.set_status(failure.status)
        for name, value in failure.headers.items():
            self.set_header(name, value)
        if failure.status == 405:  # noqa: PLR2004  # RFC 9110 15.5.6 wants Allow
            self.set_header("Allow", self._allow())
        self.render_failure(failure)

    def render_failure(self, failure: Failure) -> None:
        """Finish with `failure`: a small page for a browser, JSON for everybody else."""
        if "text/html" not in self.request.headers.get("Accept", ""):
            self.set_header("Content-Type", "application/json")
            self.finish(orjson.dumps(failure.body))
            return
        title = html.escape(f"{failure.status} {responses.get(failure.status, 'Error')}")
        message, remedy = (html.escape(failure.body[name]) for name in ("message", "remedy"))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f"<h1>{title}</h1><p>{message}</p><p>{remedy}</p></html>"
        )

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log a defect with its traceback, and what storage or disk did wrong in one line.

        Tornado's own version would log the address with its query.
        """
        failure = failure_of(value, status=500, request_id=self.request_id)
        if failure.is_defect:
            log.error(
                "request %s failed in %s",
                self.request_id,
                self.route.path,
                exc_info=(typ, value, tb),  # type: ignore[arg-type]  # all three or none are None
            )
        elif isinstance(value, PackagerError) and failure.status >= 500:  # noqa: PLR2004
            log.warning("request %s: %s %s", self.request_id, value.code, value.message)
