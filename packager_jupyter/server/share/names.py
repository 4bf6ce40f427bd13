"""File names and addresses in HTTP headers, whatever the names hold."""

from __future__ import annotations

import re
from urllib.parse import quote

_NOT_PLAIN = re.compile(r'[^\x20-\x7e]|["\\%;/]')
_MAX_FALLBACK = 150
# attr-char of RFC 8187 3.2.1, besides letters and digits.
_ATTR_CHARS = "!#$&+-.^_`|~"


def content_disposition(filename: str, *, kind: str = "attachment") -> str:
    """Return a ``Content-Disposition`` from which every client gets `filename` or close to it.

    RFC 6266 4.3 and its appendix D: an ASCII fallback without quotes, percent signs and other
    characters that old clients trip over, then the exact name as ``filename*`` (RFC 8187).

    Parameters
    ----------
    filename : str
        A name without folders; characters that a header cannot hold are encoded.
    kind : {"attachment", "inline"}
    """
    fallback = _NOT_PLAIN.sub("_", filename)[:_MAX_FALLBACK].strip() or "file"
    exact = quote(filename.encode("utf-8", "replace"), safe=_ATTR_CHARS)
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{exact}"


def media_type_header(media_type: str | None) -> str:
    """Return `media_type` when it may stand in a header, else the type of unknown bytes."""
    if media_type and re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{0,255}", media_type):
        return media_type
    return "application/octet-stream"
