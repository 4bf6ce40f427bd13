"""Conditional and partial requests (RFC 9110 sections 13 and 14), as far as downloads need them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``[start, stop)`` of a whole of `size_bytes`."""

    start: int
    stop: int
    size_bytes: int

    @property
    def content_range(self) -> str:
        """The ``Content-Range`` of this part (RFC 9110 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size_bytes}"


class UnsatisfiableRangeError(Exception):
    """No byte of the whole lies in the range: 416 (RFC 9110 15.5.17)."""


def requested_part(header: str | None, size_bytes: int) -> Part | None:
    """Return the part that a ``Range`` header asks for.

    ``None`` stands for the whole: without a header, for another unit, for several ranges and for
    what is no range, all of which RFC 9110 14.2 lets a server ignore.

    Raises
    ------
    UnsatisfiableRangeError
        The range begins behind the end, or is the last zero bytes.
    """
    found = _RANGE.fullmatch(header) if header else None
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        length = min(int(found[2]), size_bytes)
        start, stop = size_bytes - length, size_bytes
    else:
        start = int(found[1])
        stop = min(int(found[2]) + 1, size_bytes) if found[2] else size_bytes
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableRangeError
    return Part(start, stop, size_bytes)


def is_same_whole(if_range: str | None, *, etag: str | None, modified_s: int | None) -> bool:
    """Whether ``If-Range`` lets a part be sent: absent, or naming exactly what is here.

    Entity tags are compared strongly; a date must be the very date (RFC 9110 13.1.5).

    Parameters
    ----------
    if_range : str or None
        The header.
    etag : str or None
        Entity tag of what is here, without quotes.
    modified_s : int or None
        Its last modification in Unix seconds.
    """
    if if_range is None:
        return True
    if if_range.startswith('"'):
        return etag is not None and if_range == f'"{etag}"'
    return modified_s is not None and if_range == http_date(modified_s)


def http_date(at_s: float) -> str:
    """Return Unix seconds as an HTTP date (RFC 9110 5.6.7)."""
    return formatdate(at_s, usegmt=True)
