"""Counting the uses of shares without a maximum: in memory first, soon in the database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import case, update

from packager_jupyter.shares.later import Later
from packager_jupyter.store.schema import share as table

if TYPE_CHECKING:
    from packager_jupyter.store.database import Database


class Uses:
    """Adds up uses per share; exact unless the process is killed within the last second."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._later: Later[tuple[str, int, int]] = Later(
            self._write, what="the use counts of shares"
        )

    def add(self, share_id: str, now_s: float, count: int = 1) -> None:
        """Add `count` uses of `share_id` at `now_s`."""
        self._later.add((share_id, int(now_s), count))

    def flush(self) -> None:
        """Write the waiting counts now."""
        self._later.flush()

    def close(self) -> None:
        """Write the waiting counts and stop."""
        self._later.close()

    def _write(self, items: list[tuple[str, int, int]]) -> None:
        counts: Counter[str] = Counter()
        last_s: dict[str, int] = {}
        for share_id, at_s, count in items:
            counts[share_id] += count
            last_s[share_id] = max(last_s.get(share_id, 0), at_s)
        with self._db.begin() as connection:
            for share_id, uses in counts.items():
                used_s = last_s[share_id]
                connection.execute(
                    update(table)
                    .where(table.c.id == share_id)
                    .values(
                        uses=table.c.uses + uses,
                        last_used_s=case(
                            (table.c.last_used_s > used_s, table.c.last_used_s), else_=used_s
                        ),
                    )
                )
