"""Claims with a MAC: cookies, form tokens and URLs that are checked without being stored.

The MAC covers canonical JSON that names its purpose, so that no two sets of claims give the same
bytes and a token made for one purpose is worth nothing for another. The MAC is checked before
anything else is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Claims = dict[str, str | int]
MAX_CHARS = 16 * 1024
MAX_SKEW_S = 60
_URL_SAFE = bytes.maketrans(b"+/", b"-_")  # RFC 4648 5, here without the padding


def canonical(claims: Mapping[str, str | int]) -> bytes:
    """Return the one JSON text of `claims`: sorted keys, no blanks, ASCII."""
    # Every redirect to a folder's file signs claims; `json.dumps` takes four times as long.
    text = encode_basestring_ascii
    pairs = [
        f"{text(name)}:{text(value) if isinstance(value, str) else int(value)}"
        for name, value in sorted(claims.items())
    ]
    return f"{{{','.join(pairs)}}}".encode()


def sign(
    claims: Mapping[str, str | int], *, purpose: str, iat_s: int, exp_s: int, key: bytes
) -> str:
    """Return ``base64url(claims).base64url(HMAC-SHA256)``, valid from `iat_s` until `exp_s`."""
    body = canonical({**claims, "purpose": purpose, "iat": iat_s, "exp": exp_s})
    mac = hmac.digest(key, body, hashlib.sha256)
    return f"{_encode(body)}.{_encode(mac)}"


def verify(text: str, *, purpose: str, now_s: float, key: bytes) -> Claims | None:
    """Return the claims of a token that `sign` made for `purpose` and that lives now, else None."""
    if len(text) > MAX_CHARS:
        return None
    head, dot, tail = text.partition(".")
    body, mac = _decode(head), _decode(tail)
    if not dot or body is None or mac is None:
        return None
    if not hmac.compare_digest(mac, hmac.digest(key, body, hashlib.sha256)):
        return None
    claims: Claims = json.loads(body)
    iat_s, exp_s = claims["iat"], claims["exp"]
    if claims["purpose"] != purpose or not isinstance(iat_s, int) or not isinstance(exp_s, int):
        return None
    return claims if iat_s - MAX_SKEW_S <= now_s < exp_s else None


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _decode(text: str) -> bytes | None:
    """Decode unpadded base64url strictly: exactly one text stands for each byte string."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encode(data) == text else None
