"""API tokens: credentials for machines, made once, kept as SHA-256, scoped and expiring.

A token reads ``pkgr_<kind>_<id>_<secret>``, so that secret scanners find a leaked one. The id looks
it up, the 256 random bits of the secret are compared in constant time. Whoever cannot present
exactly the secret learns nothing about the id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from packager_jupyter.errors import BadInputError, NotFoundError
from packager_jupyter.shares.scopes import parse_scope
from packager_jupyter.store.schema import token as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Row

    from packager_jupyter.shares.scopes import RegistryScope
    from packager_jupyter.store.database import Database

API_SCOPES = ("api", "api:read", "api:write", "api:execute")
DEFAULT_LIFE_S = 90 * 24 * 3600
MAX_LIFE_S = 365 * 24 * 3600
_USED_EVERY_S = 60
_ID_BYTES = 6
_SECRET_BYTES = 32
_FORM = re.compile(r"pkgr_[a-z]+_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as its owner sees it: everything but the secret."""

    id: str
    owner: str
    description: str
    scopes: tuple[str, ...]
    created_s: int
    expires_s: int
    last_used_s: int | None
    revoked_s: int | None

    @property
    def registry_scopes(self) -> tuple[RegistryScope, ...]:
        """What it may do in the registries."""
        return tuple(parse_scope(scope) for scope in self.scopes if scope not in API_SCOPES)

    def to_json(self) -> dict[str, Any]:
        """Return what the REST API and ``--json`` show."""
        is_expired = self.expires_s <= time.time()
        return {
            "id": self.id,
            "description": self.description,
            "scopes": list(self.scopes),
            "created_s": self.created_s,
            "expires_s": self.expires_s,
            "last_used_s": self.last_used_s,
            "state": "revoked" if self.revoked_s else "expired" if is_expired else "active",
        }


@dataclass(frozen=True, slots=True)
class CreatedToken:
    """A token with its secret, which is shown this once."""

    info: TokenInfo
    secret: str = field(repr=False)


class ApiTokens:
    """The API tokens of one database; safe to share between threads.

    Parameters
    ----------
    db : Database
    clock : callable
        Returns Unix seconds.
    """

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    def create(
        self,
        owner: str,
        *,
        scopes: tuple[str, ...] = ("api",),
        expires_in_s: int = DEFAULT_LIFE_S,
        description: str = "",
    ) -> CreatedToken:
        """Make a token of `owner`.

        Raises
        ------
        BadInputError
            A scope that is none (`API_SCOPES`, or see `scopes.parse_scope`), or a life time
            outside 1 second to 1 year.
        """
        if not scopes:
            raise BadInputError(
                "The token has no scope.",
                remedy=f"Use {', '.join(API_SCOPES)}, or ECOSYSTEM/FEED:ACTION for a registry.",
            )
        for scope in scopes:
            if scope not in API_SCOPES:
                parse_scope(scope)
        if not 1 <= expires_in_s <= MAX_LIFE_S:
            raise BadInputError(
                f"A token cannot live for {expires_in_s} seconds.",
                remedy=f"Choose 1 to {MAX_LIFE_S} seconds (one year).",
            )
        token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        now = int(self._clock())
        values = {
            "id": token_id,
            "secret_hash": _hash(secret),
            "owner": owner,
            "description": description,
            "scopes": list(scopes),
            "created_s": now,
            "expires_s": now + expires_in_s,
        }
        with self._db.begin() as connection:
            connection.execute(insert(table).values(**values))
        info = TokenInfo(
            token_id, owner, description, tuple(scopes), now, now + expires_in_s, None, None
        )
        return CreatedToken(info, f"pkgr_api_{token_id}_{secret}")

    def verify(self, text: str) -> TokenInfo | None:
        """Return whose living token `text` is, or None."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        with self._db.connect() as connection:
            row = connection.execute(select(table).where(table.c.id == match[1])).one_or_none()
        expected = row.secret_hash if row is not None else b"\0" * 32
        is_same = hmac.compare_digest(_hash(match[2]), expected)
        now = int(self._clock())
        if row is None or not is_same or row.revoked_s is not None or row.expires_s <= now:
            return None
        if row.last_used_s is None or row.last_used_s + _USED_EVERY_S <= now:
            with self._db.begin() as connection:
                connection.execute(
                    update(table).where(table.c.id == row.id).values(last_used_s=now)
                )
        return _info(row)

    def list(self, owner: str) -> list[TokenInfo]:
        """Return the tokens of `owner`, newest first."""
        query = select(table).where(table.c.owner == owner)
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(table.c.created_s.desc(), table.c.id)).all()
        return [_info(row) for row in rows]

    def revoke(self, token_id: str, *, owner: str) -> None:
        """End a token of `owner` at once.

        Raises
        ------
        NotFoundError
            `owner` has no such token.
        """
        query = update(table).where(table.c.id == token_id, table.c.owner == owner)
        with self._db.begin() as connection:
            if connection.execute(query.values(revoked_s=int(self._clock()))).rowcount == 0:
                raise NotFoundError(
                    "There is no such token.", remedy="List yours with: packager token ls"
                )


def _hash(secret: str) -> bytes:
    # A plain hash is enough for 256 random bits: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


def _info(row: Row[tuple[object, ...]]) -> TokenInfo:
    return TokenInfo(
        row.id,
        row.owner,
        row.description,
        tuple(row.scopes),
        row.created_s,
        row.expires_s,
        row.last_used_s,
        row.revoked_s,
    )
