"""The secrets in a share's address: made here, hashed for look-up, sealed for copying again.

A share is addressed by one path segment, ``[<slug>-]<token>[~<capability>]``. The token (192 random
bits) names the share; the capability (256 random bits) opens it without a password, in the path
because most download tools forward or drop headers when they are redirected to the storage. The
slug is decoration: it is never looked up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from packager_jupyter.errors import BadInputError, ConflictError

TOKEN_BYTES = 24
TOKEN_CHARS = 32
CAPABILITY_BYTES = 32
PREFIX_CHARS = 6
_NONCE_BYTES = 12
_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
_SEGMENT = re.compile(
    rf"(?:(?P<slug>{_SLUG})-)?(?P<token>[A-Za-z0-9_-]{{32}})(?:~(?P<capability>[A-Za-z0-9_-]{{43}}))?"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """The path segment of a share, taken apart; its secrets do not show in its repr."""

    token: str = field(repr=False)
    capability: str | None = field(default=None, repr=False)
    slug: str | None = None


def new_token() -> str:
    """Return a fresh token of 192 random bits in 32 URL-safe characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_capability() -> str:
    """Return a fresh capability of 256 random bits in 43 URL-safe characters."""
    return secrets.token_urlsafe(CAPABILITY_BYTES)


def secret_hash(secret: str) -> bytes:
    """Return the SHA-256 under which a random secret is kept and looked up.

    A plain hash is enough for secrets with 192 and more random bits: there is nothing to guess.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def parse_segment(text: str) -> Segment | None:
    """Take a share's path segment apart; ``None`` when it cannot be one."""
    match = _SEGMENT.fullmatch(text)
    if match is None:
        return None
    return Segment(match["token"], match["capability"], match["slug"])


def format_segment(token: str, *, slug: str | None = None, capability: str | None = None) -> str:
    """Put a share's path segment together; the inverse of `parse_segment`."""
    head = f"{slug}-{token}" if slug else token
    return f"{head}~{capability}" if capability else head


def check_slug(slug: str) -> str:
    """Return `slug` when it may stand in a link.

    Raises
    ------
    BadInputError
        Unless it is 1 to 64 of ``a-z``, ``0-9`` and ``-``, with no ``-`` at its ends.
    """
    if not re.fullmatch(_SLUG, slug):
        raise BadInputError(
            f"{slug[:80]!r} cannot stand in a link.",
            remedy="Use 1 to 64 lower-case letters, digits and dashes, such as ocean-2024.",
        )
    return slug


def seal(token: str, *, share_id: str, key: bytes) -> bytes:
    """Encrypt `token` for the database (AES-256-GCM), bound to the share that it belongs to."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, token.encode(), share_id.encode())


def unseal(sealed: bytes, *, share_id: str, key: bytes) -> str:
    """Decrypt what `seal` made.

    Raises
    ------
    ConflictError
        The key of this installation is not the one that sealed it.
    """
    try:
        plain = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], share_id.encode())
    except (InvalidTag, ValueError) as error:
        raise ConflictError(
            "The link of this share cannot be shown again: the key of this server has changed.",
            remedy="The link itself still works. Restore the old key, or revoke the share and make "
            "a new one.",
        ) from error
    return plain.decode()
