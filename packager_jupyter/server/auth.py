"""Who is asking: the principal of a request, and the authenticator with which a host names it.

Handlers know nobody's scheme. A host puts an `Authenticator` into the application's settings; the
base handler asks it at every request, for the rule of that very route and verb, so no answer is
remembered from another route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from packager_jupyter.api.owner import local_owner
from packager_jupyter.shares.audience import Visitor

if TYPE_CHECKING:
    from packager_jupyter.server.base import PackagerHandler
    from packager_jupyter.server.rules import Rule

__all__ = ["Authenticator", "HostKind", "Principal", "local_owner"]

HostKind = Literal["jupyter", "standalone", "hub"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or machine with an account.

    Attributes
    ----------
    name : str
        Stable: owner of shares and jobs, and what the audit records.
    display_name : str
    scopes : tuple of str or None
        What the credential is limited to; None: not limited.
    is_owner : bool
        Runs the server: its files, profiles and environment are this person's own.
    groups : frozenset of str or None
        None where the host knows no groups.
    """

    name: str
    display_name: str
    scopes: tuple[str, ...] | None = None
    is_owner: bool = False
    groups: frozenset[str] | None = None

    @property
    def as_visitor(self) -> Visitor:
        """The person as an audience sees them."""
        return Visitor(self.name, self.groups)


class Authenticator(Protocol):
    """How one host knows its users."""

    @property
    def host(self) -> HostKind:
        """Which host this is."""
        ...

    async def principal(self, handler: PackagerHandler) -> Principal | None:
        """Return who asks, or None when nobody has said so or the credential is wrong."""
        ...

    async def is_allowed(self, handler: PackagerHandler, principal: Principal, rule: Rule) -> bool:
        """Say whether `principal` may do what `rule` describes."""
        ...

    async def visitor(self, handler: PackagerHandler) -> Principal | None:
        """Return who reads a share, on a route that asks nobody to sign in; None: nobody known.

        Somebody who may not read shares here counts as nobody.
        """
        ...

    def audiences(self, principal: Principal) -> frozenset[str]:
        """Return the kinds of audience (see `shares.audience`) that this host can check.

        Asked when `principal` makes or changes a share.
        """
        ...

    def sign_in_url(self, handler: PackagerHandler) -> str | None:
        """Return where a browser signs in and comes back from, None where it cannot."""
        ...
