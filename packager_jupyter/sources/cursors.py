"""Cursors of listings: opaque to who holds them, checked when they come back.

A cursor says which listing it continues, so that one handed to another prefix or source kind is a
clear error instead of rows from the wrong place.
"""

from __future__ import annotations

import base64
import binascii
import json

from packager_jupyter.errors import BadInputError


def encode_cursor(kind: str, prefix: str, position: str) -> str:
    """Return the cursor for `position` in the listing of `prefix`."""
    body = json.dumps([kind, prefix, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: str, prefix: str) -> str:
    """Return the position in `cursor`.

    Raises
    ------
    BadInputError
        When it is none of ours, or belongs to another listing.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    if (
        not isinstance(parts, list)
        or parts[:2] != [kind, prefix]
        or len(parts) != len(("kind", "prefix", "position"))
        or not isinstance(parts[2], str)
    ):
        raise BadInputError(
            "The cursor does not belong to this listing.",
            remedy="Start the listing again without a cursor.",
        )
    return parts[2]
