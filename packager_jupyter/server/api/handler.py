"""The ground of the REST API's handlers: JSON in, JSON out, and the audit of who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from packager_jupyter.api.models import read
from packager_jupyter.api.recorded import Actor, record
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.strict_json import parse_json

if TYPE_CHECKING:
    from packager_jupyter.server.failures import Failure

T = TypeVar("T")

JSON_BYTES = 1024 * 1024


class ApiHandler(PackagerHandler):
    """A handler of the REST API: JSON in, JSON out."""

    def body_limit(self) -> int:
        """Return the limit of a JSON body."""
        return JSON_BYTES

    def set_default_headers(self) -> None:
        """Say that the answer is JSON."""
        super().set_default_headers()
        self.set_header("Content-Type", "application/json")

    def read_body(self, model: type[T]) -> T:
        """Return the JSON body as the dataclass `model`; see `models.read`."""
        return read(model, parse_json(self.body))

    def write_json(self, value: Any, *, status: int = 200) -> None:
        """Finish with `value` as JSON."""
        self.set_status(status)
        self.finish(orjson.dumps(value))

    def write_nothing(self) -> None:
        """Finish with 204."""
        self.set_status(204)
        self.finish()

    @property
    def is_owner(self) -> bool:
        """Whether the caller runs this server, and so may use its files and environment."""
        return self.principal.is_owner

    @property
    def actor(self) -> Actor:
        """The caller, as the audit records it."""
        return Actor(self.principal.name, self.client_ip, self.request_id)

    async def audit(self, action: str, subject: str, *, result: str = "ok") -> None:
        """Record durably that the caller did `action` to `subject`."""
        await self.call(record, self.services, self.actor, action, subject, result=result)

    def render_failure(self, failure: Failure) -> None:
        """Finish with `failure` as JSON, whatever the client accepts."""
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps(failure.body))
