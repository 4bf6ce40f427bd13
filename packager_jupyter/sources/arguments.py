"""What callers may ask of any source: page sizes and life times."""

from __future__ import annotations

from packager_jupyter.config import MAX_TTL_S
from packager_jupyter.errors import BadInputError


def check_limit(limit: int) -> int:
    """Return `limit` when it asks for at least one row, else raise `BadInputError`."""
    if limit < 1:
        raise BadInputError(
            f"A page of {limit} rows cannot be listed.", remedy="Ask for 1 to 1000 rows."
        )
    return limit


def check_ttl(ttl_s: int) -> int:
    """Return `ttl_s` when a presigned URL may live so long: up to seven days.

    Less than the minute that the settings allow is right here: the share may end sooner.

    Raises
    ------
    BadInputError
    """
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise BadInputError(
            f"A presigned URL cannot live {ttl_s} seconds.",
            remedy=f"Choose 1 to {MAX_TTL_S} seconds (seven days).",
        )
    return ttl_s
