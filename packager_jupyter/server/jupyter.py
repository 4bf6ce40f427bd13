"""Our routes inside jupyter_server: Jupyter's identity, authorizer, XSRF and host checks.

A ``user`` route becomes a class of our handler and Jupyter's `APIHandler`, so whatever identity
provider the server runs with (token, password, a hub) decides who asks, and its authorizer decides
what they may, anew for every request and from this route's own rule. All other routes stay plain
handlers, marked as open: their capability is in the path, and a plain handler is twice as fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
)
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import ensure_async
from tornado import web

from packager_jupyter.errors import ForbiddenError, NotAuthenticatedError
from packager_jupyter.server.auth import Principal, local_owner
from packager_jupyter.shares.audience import GROUP, SIGNED_IN, USER

if TYPE_CHECKING:
    from jupyter_server.auth.identity import User
    from tornado.concurrent import Future

    from packager_jupyter.server.auth import HostKind
    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.server.mount import HandlerClass
    from packager_jupyter.server.rules import Route, Rule

# These name their users anew at each request, so the name says nothing.
_NAMELESS = (IdentityProvider, LegacyIdentityProvider, PasswordIdentityProvider)


class JupyterUserHandler(APIHandler):
    """Jupyter's part of a ``user`` route; stands behind our handler in the resolution order."""

    def check_host(self) -> bool:
        """Refuse a foreign ``Host`` in words (DNS rebinding)."""
        if not super().check_host():
            raise ForbiddenError(
                "This server does not answer to the host name in the address.",
                remedy="Use the address that Jupyter printed, or set "
                "ServerApp.allow_remote_access to allow other names.",
            )
        return True

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Refuse a request that another site's page makes with the person's cookie."""
        if not super().check_origin(origin_to_satisfy_tornado):
            raise ForbiddenError(
                "The page that asked belongs to another site.",
                remedy="Ask from this server's own pages, or send a token.",
            )
        return True

    def check_xsrf_cookie(self) -> None:
        """Require Tornado's XSRF token wherever a cookie alone says who asks."""
        if getattr(self, "_jupyter_current_user", self) is None:
            # Without a user there is nothing to forge, and the sentence about XSRF would mislead
            # whoever sent a wrong token.
            raise _nobody()
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            raise ForbiddenError(
                "The request does not carry this session's XSRF token.",
                remedy="Reload the page and try again; programs send an API token instead.",
            ) from error

    def get_login_url(self) -> str:
        """Answer 401 instead of sending a program to a login page."""
        if not self.current_user:
            raise _nobody()
        return super().get_login_url()

    def finish(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep the media type that our handler has set."""
        kwargs.setdefault("set_content_type", self._headers.get("Content-Type"))
        return super().finish(*args, **kwargs)


class JupyterAuthenticator:
    """Asks the running server's identity provider and authorizer.

    Parameters
    ----------
    provider : IdentityProvider
        The server's.
    """

    host: HostKind = "jupyter"

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider

    async def principal(self, handler: PackagerHandler) -> Principal | None:
        """Return whom Jupyter's `prepare` has found."""
        user = handler.current_user
        if user is None:
            return None
        provider = cast("APIHandler", handler).identity_provider
        return _principal(provider, user)

    async def is_allowed(
        self,
        handler: PackagerHandler,
        principal: Principal,  # noqa: ARG002  # Jupyter's authorizer wants Jupyter's user
        rule: Rule,
    ) -> bool:
        """Ask the authorizer about this very rule."""
        authorizer = cast("APIHandler", handler).authorizer
        answer = authorizer.is_authorized(
            cast("Any", handler), handler.current_user, rule.action, rule.resource
        )
        return bool(await ensure_async(answer))

    async def visitor(self, handler: PackagerHandler) -> Principal | None:
        """Ask Jupyter's identity provider and authorizer about a request to an open route."""
        # Identity providers want a handler of Jupyter's; ours on open routes is none.
        asked = JupyterHandler(handler.application, handler.request)
        connection = cast("Any", handler.request.connection)
        if connection is not None:
            # The new handler has just taken this over.
            connection.set_close_callback(handler.on_connection_close)
        provider = asked.identity_provider
        user = await ensure_async(provider.get_user(asked)) if provider.auth_enabled else None
        if user is None:
            return None
        asked.current_user = user
        is_allowed = asked.authorizer.is_authorized(asked, user, "read", "packager:shares")
        return _principal(provider, user) if await ensure_async(is_allowed) else None

    def audiences(self, principal: Principal) -> frozenset[str]:
        """Nobody without a login, no users where all have one account, no groups unless told."""
        provider = self._provider
        if not provider.auth_enabled:
            return frozenset()
        users = frozenset() if type(provider) in _NAMELESS else frozenset({USER})
        groups = frozenset() if principal.groups is None else frozenset({GROUP})
        return frozenset({SIGNED_IN}) | users | groups

    def sign_in_url(self, handler: PackagerHandler) -> str | None:
        """Jupyter's own login page, which leads back; elsewhere its root, which asks to log in."""
        base_url = str(handler.settings["base_url"])
        if type(self._provider) not in _NAMELESS:
            return base_url
        return f"{base_url}login?next={quote(handler.request.path, safe='')}"


def _principal(provider: IdentityProvider, user: User) -> Principal:
    name = local_owner() if type(provider) in _NAMELESS else user.username
    # Whoever may use a Jupyter server can run code as the account that it runs as.
    return Principal(name, user.display_name or name, is_owner=True, groups=_groups(user))


def _groups(user: User) -> frozenset[str] | None:
    """Return the groups of a user whose identity provider tells them, as a hub's may."""
    found = getattr(user, "groups", None)
    if found is None:
        hub_user = getattr(user, "hub_user", None)
        found = hub_user.get("groups") if isinstance(hub_user, dict) else None
    return None if found is None else frozenset(map(str, found))


def jupyter_class(route: Route) -> HandlerClass:
    """Return the class of `route` for jupyter_server."""
    is_user = any(rule.principal == "user" for rule in route.verbs.values())
    namespace: dict[str, Any] = {"route": route, "answers_cors": is_user}
    for verb, rule in route.verbs.items():
        method = getattr(route.handler, verb.lower())
        guard = web.authenticated if rule.principal == "user" else allow_unauthenticated
        namespace[verb.lower()] = guard(method)
    namespace["options"] = allow_unauthenticated(route.handler.options)
    if not is_user:
        # No cookie of Jupyter's opens these; the one form among them carries a token of its own.
        namespace["check_xsrf_cookie"] = lambda _handler: None
    bases = (route.handler, JupyterUserHandler) if is_user else (route.handler,)
    return type(f"Jupyter{route.handler.__name__}", bases, namespace)


def _nobody() -> NotAuthenticatedError:
    return NotAuthenticatedError(
        "Nobody has said who is asking.",
        remedy="Log in to Jupyter, or send its token in the Authorization header.",
    )
