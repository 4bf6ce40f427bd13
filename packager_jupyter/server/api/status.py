"""What the server is, the API's own description, its health and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado import web

from packager_jupyter import __version__
from packager_jupyter.api.shapes.common import Status
from packager_jupyter.errors import NotFoundError
from packager_jupyter.server.api.handler import ApiHandler
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.metrics import MEDIA_TYPE
from packager_jupyter.server.rules import Operation, Route, Rule

if TYPE_CHECKING:
    from typing import NoReturn


class StatusHandler(ApiHandler):
    """``api/v1/status``."""

    def get(self) -> None:
        """Say what this server is and who asks."""
        status: Status = {
            "version": __version__,
            "api": 1,
            "host": self.authenticator.host,
            "user": {"name": self.principal.name},
            "root_dir": self.context.root_relative,
            "audiences": sorted(self.authenticator.audiences(self.principal)),
        }
        self.write_json(status)


class OpenApiHandler(ApiHandler):
    """``api/v1/openapi.json``."""

    def get(self) -> None:
        """Describe the API."""
        from packager_jupyter.server.openapi import document_bytes

        self.finish(document_bytes())


class HealthHandler(PackagerHandler):
    """``healthz``: for load balancers, without a word about what is inside."""

    def get(self) -> None:
        """Answer while requests are served."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("ok\n")

    def head(self) -> None:
        """Answer as `get` does, without its body."""
        self.get()


class MetricsHandler(PackagerHandler):
    """``metrics`` in Prometheus' text format."""

    def get(self) -> None:
        """Return the numbers, unless switched off."""
        if not self.services.settings.metrics:
            raise NotFoundError(
                "Metrics are switched off here.", remedy="Set Settings.metrics to True."
            )
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(self.context.metrics.render(self.context.jobs))


class NothingHandler(ApiHandler):
    """Whatever else is asked below ``api/``."""

    def get(self, **_path: str) -> NoReturn:
        """Answer 404 in the API's own shape."""
        raise web.HTTPError(404)

    post = put = patch = delete = get


STATUS_ROUTES = [
    Route(
        "api/v1/status",
        StatusHandler,
        {
            "GET": Rule(
                "user",
                "packager:status",
                "read",
                Operation(summary="What the server is and who asks", responses={200: Status}),
            )
        },
        "The server itself",
    ),
    Route(
        "api/v1/openapi.json",
        OpenApiHandler,
        {"GET": Rule("user", "packager:status", "read", Operation(summary="This description"))},
        "OpenAPI 3.1 description of the API",
    ),
]
SERVICE_ROUTES = [
    Route(
        "healthz",
        HealthHandler,
        {
            "GET": Rule("public", "packager:status", "read"),
            "HEAD": Rule("public", "packager:status", "read"),
        },
        "Whether the server serves",
    ),
    Route(
        "metrics",
        MetricsHandler,
        {"GET": Rule("user", "packager:status", "read")},
        "Prometheus metrics",
    ),
]
NOTHING = Route(
    "api/{rest}",
    NothingHandler,
    {
        verb: Rule("user", "packager:status", "read")
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    "Every other address of the API: 404",
)
