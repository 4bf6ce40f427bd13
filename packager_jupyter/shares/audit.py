"""The audit: an append-only list of who did what to which object, with what result.

It never holds a secret: objects are ids and names, principals are user names or ``visitor``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from packager_jupyter.shares.later import Later
from packager_jupyter.store.schema import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.store.database import Database

MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that happened; `at_s` in whole Unix seconds, UTC."""

    at_s: int
    principal: str
    ip: str | None
    action: str
    object: str
    result: str
    request_id: str | None


class Audit:
    """Writes and reads the audit table; safe to share between threads."""

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock
        self._later: Later[dict[str, Any]] = Later(self._insert, what="the audit")

    def record(  # noqa: PLR0917  the order of the columns
        self,
        principal: str,
        ip: str | None,
        action: str,
        object: str,  # noqa: A002  the column's own name
        result: str,
        request_id: str | None,
    ) -> None:
        """Append one row and return when it is durable; for what changes something."""
        self._insert([self._row(principal, ip, action, object, result, request_id)])

    def note(  # noqa: PLR0917
        self,
        principal: str,
        ip: str | None,
        action: str,
        object: str,  # noqa: A002
        result: str,
        request_id: str | None,
    ) -> None:
        """Append one row within the next second, without waiting for it; for accesses."""
        self._later.add(self._row(principal, ip, action, object, result, request_id))

    def rows(
        self,
        *,
        object: str,  # noqa: A002
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[tuple[int, AuditRow]]:
        """Return the newest rows about `object` with their ids; page on with `before_id`."""
        query = select(audit).where(audit.c.object == object)
        if before_id is not None:
            query = query.where(audit.c.id < before_id)
        query = query.order_by(audit.c.id.desc()).limit(min(limit, MAX_ROWS))
        with self._db.connect() as connection:
            found = connection.execute(query).all()
        return [(row[0], AuditRow(*row[1:])) for row in found]

    def prune(self, *, before_s: int) -> int:
        """Delete rows older than `before_s` and return how many."""
        with self._db.begin() as connection:
            return connection.execute(delete(audit).where(audit.c.at_s < before_s)).rowcount

    def flush(self) -> None:
        """Write the noted rows now."""
        self._later.flush()

    def close(self) -> None:
        """Write what was noted and stop noting."""
        self._later.close()

    def _row(  # noqa: PLR0917
        self,
        principal: str,
        ip: str | None,
        action: str,
        what: str,
        result: str,
        request_id: str | None,
    ) -> dict[str, Any]:
        return {
            "at_s": int(self._clock()),
            "principal": principal[:256],
            "ip": ip[:64] if ip else None,
            "action": action[:64],
            "object": what[:256],
            "result": result[:64],
            "request_id": request_id[:64] if request_id else None,
        }

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        with self._db.begin() as connection:
            connection.execute(insert(audit), rows)
