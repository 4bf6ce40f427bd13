"""The ground of the distribution API: who asks, for which repository, and errors in its shape.

Source: distribution-spec 1.1. Clients carry a token of ours as the password of a Basic login (the
user name does not matter) or as a Bearer token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

import orjson

from packager_jupyter.errors import (
    ForbiddenError,
    NameInvalidError,
    NotAuthenticatedError,
    PackagerError,
)
from packager_jupyter.oci.names import check_repository
from packager_jupyter.server.base import PackagerHandler
from packager_jupyter.server.query import parse_query
from packager_jupyter.server.registry.base import REALM, carried_token
from packager_jupyter.server.registry.oci.errors import RepositoryNameError, error_body
from packager_jupyter.server.registry.oci.policy import may
from packager_jupyter.server.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.server.rules import Verb
    from packager_jupyter.shares.api_tokens import TokenInfo
    from packager_jupyter.shares.scopes import RegistryAction, RegistryScope

READ = Rule("registry", "packager:registry", "read")
WRITE = Rule("registry", "packager:registry", "write")
PULL: Mapping[Verb, Rule] = {"GET": READ, "HEAD": READ}
FOREVER = "private, max-age=31536000, immutable"

_ACTIONS: Mapping[str, RegistryAction] = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


class OciHandler(PackagerHandler):
    """A route below ``/v2/``."""

    # What the codes of our errors are called on this route, where it differs from the others.
    codes: ClassVar[Mapping[str, str]] = {}
    token: TokenInfo | None = None
    scopes: tuple[RegistryScope, ...] = ()

    @property
    def store(self) -> OciStore:
        """Where the artifacts are."""
        return self.services.oci

    @property
    def actor(self) -> str:
        """Who asks, for the audit."""
        return self.token.owner if self.token else "anonymous"

    def action(self) -> RegistryAction:
        """Return what this request wants to do."""
        return _ACTIONS.get(self.request.method or "", "publish")

    async def prepare(self) -> None:
        """Let in whoever may do this here.

        Raises
        ------
        NotAuthenticatedError
            Nobody, or a wrong or expired token.
        ForbiddenError
            A known token without the right.
        """
        await super().prepare()
        if self.request.method == "OPTIONS":
            return
        try:
            await self._know()
            await self.admit()
        except PackagerError as error:
            self.refuse(error)

    async def _know(self) -> None:
        """Find out who asks."""
        carried = carried_token(self.request.headers)
        if carried:
            self.token = await self.call(self.services.tokens.verify, carried)
            if self.token is None:
                raise _stranger("The token is wrong or expired.")
            self.scopes = self.token.registry_scopes

    async def admit(self) -> None:
        """Check the right to this repository; overridden where there is none in the path."""
        repository, action = self.path_kwargs["repository"], self.action()
        if not await self.may(repository, action):
            if self.token is None:
                raise _stranger("This repository needs a token.")
            raise ForbiddenError(
                f"The token may not {action} {repository[:200]}.",
                remedy=f"Make one with --scope oci/{repository[:200]}:{action}",
            )
        try:
            check_repository(repository)
        except NameInvalidError as error:
            raise RepositoryNameError(error.message, remedy=error.remedy) from error

    async def may(self, repository: str, action: RegistryAction) -> bool:
        """Whether whoever asks may do `action` in a repository."""
        feeds = self.services.feeds
        return await self.call(may, self.scopes, repository, action, feeds=feeds)

    def parameters(self) -> dict[str, str]:
        """Return the query string."""
        return parse_query(self.request.query)

    def link_next(self, path: str, **parameters: Any) -> None:
        """Say where the next page is (distribution-spec 1.1, "Listing Tags"; RFC 8288)."""
        self.set_header("Link", f'</v2/{path}?{urlencode(parameters)}>; rel="next"')

    async def audit(self, action: str, subject: str) -> None:
        """Record durably who did what."""
        await self.call(
            self.services.audit.record,
            principal=self.actor,
            ip=self.client_ip,
            action=action,
            object=subject[:256],
            result="ok",
            request_id=self.request_id,
        )

    def write_json(self, value: Any, *, media_type: str = "application/json") -> None:
        """Finish with a JSON document."""
        self.set_header("Content-Type", media_type)
        self.finish(orjson.dumps(value))

    def set_default_headers(self) -> None:
        """Name the API, as older clients look for it."""
        super().set_default_headers()
        self.set_header("Docker-Distribution-API-Version", "registry/2.0")

    def render_failure(self, failure: Failure) -> None:
        """Finish with the specification's shape and a challenge that its clients understand."""
        if failure.status == NotAuthenticatedError.status:
            self.set_header("WWW-Authenticate", REALM)
        self.write_json(error_body(failure, codes=self.codes))


class VersionHandler(OciHandler):
    """``/v2/``: whether this is a registry, and whether a login is right."""

    async def admit(self) -> None:
        """Ask everybody for a token, so that clients which have one send it from then on."""
        if self.token is None:
            raise _stranger("This registry wants to know who asks.")

    def get(self) -> None:
        """Answer that it is."""
        self.write_json({})

    head = get


def _stranger(message: str) -> NotAuthenticatedError:
    return NotAuthenticatedError(
        message,
        remedy="Make one with `packager token create --scope oci/REPOSITORY:read` and log in with "
        "it as the password.",
    )
