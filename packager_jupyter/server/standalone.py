"""How the standalone server knows its users: by tokens in the ``Authorization`` header alone.

Cookies and tokens in addresses are ignored, so no page of another site can act in a user's name
and no XSRF token is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from packager_jupyter.server.auth import Principal, local_owner
from packager_jupyter.server.rules import Rule
from packager_jupyter.shares.audience import SIGNED_IN, USER

if TYPE_CHECKING:
    from packager_jupyter.server.auth import HostKind
    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.shares.api_tokens import ApiTokens

_READ_SHARES = Rule("share", "packager:shares", "read")
_HEADER = re.compile(r"(?:bearer|token) +(\S+)", re.IGNORECASE)  # RFC 6750 2.1, and Jupyter's


class TokenAuthenticator:
    """Accepts API tokens, and the one token that was printed when the server started.

    Parameters
    ----------
    tokens : ApiTokens
    startup_token : str, optional
        Stands for whoever runs the server, for as long as it runs.
    """

    host: HostKind = "standalone"

    def __init__(self, tokens: ApiTokens, *, startup_token: str | None = None) -> None:
        self._tokens = tokens
        self._startup = _digest(startup_token) if startup_token else None

    async def principal(self, handler: PackagerHandler) -> Principal | None:
        """Return the owner of the token in the request."""
        match = _HEADER.fullmatch(handler.request.headers.get("Authorization", "").strip())
        if match is None:
            return None
        if self._startup and hmac.compare_digest(_digest(match[1]), self._startup):
            name = local_owner()
            return Principal(name, name, is_owner=True)
        info = await handler.call(self._tokens.verify, match[1])
        return Principal(info.owner, info.owner, info.scopes) if info else None

    async def is_allowed(
        self,
        handler: PackagerHandler,  # noqa: ARG002  # the Protocol's signature
        principal: Principal,
        rule: Rule,
    ) -> bool:
        """Compare the action with the token's scopes."""
        allowed = {"api", f"api:{rule.action}"}
        return principal.scopes is None or not allowed.isdisjoint(principal.scopes)

    async def visitor(self, handler: PackagerHandler) -> Principal | None:
        """Return the owner of a token in the request that may read."""
        principal = await self.principal(handler)
        if principal is None or not await self.is_allowed(handler, principal, _READ_SHARES):
            return None
        return principal

    def audiences(self, principal: Principal) -> frozenset[str]:  # noqa: ARG002
        """Whoever has a token, by the name of its owner; nobody has told us of groups."""
        return frozenset({SIGNED_IN, USER})

    def sign_in_url(self, handler: PackagerHandler) -> str | None:  # noqa: ARG002
        """Tokens come in a header only."""
        return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
