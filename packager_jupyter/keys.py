"""The master key of an installation: one private file, from which every other key is derived.

Purposes never share a key: each one is HMAC-SHA256(master, purpose), as in the expand step of
HKDF (RFC 5869) with the purpose as ``info``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.io import make_dirs, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
KEY_VARIABLE = "PACKAGER_KEY"


def check_private(path: Path) -> None:
    """Refuse a secret file or folder that others may read.

    Raises
    ------
    BadInputError
        When group or others have any permission on `path`.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadInputError(
            f"{path.name} holds secrets but its permissions are {mode:04o}.",
            remedy=f"Run: chmod go-rwx {path}",
        )


def load_master_key(file: Path) -> bytes:
    """Return the 32 bytes of the master key, making the file on first use.

    The environment variable ``PACKAGER_KEY`` (64 hex digits, or base64 of 32 bytes) goes first, so
    that several servers of one team share a key that no disk holds.

    Raises
    ------
    BadInputError
        When the file is readable by others or holds something else.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return _decode(given, where=f"the environment variable {KEY_VARIABLE}")
    make_dirs(file.parent)
    if not file.exists():
        with contextlib.suppress(FileExistsError):
            text = secrets.token_bytes(KEY_BYTES).hex() + "\n"
            write_atomic(file, text.encode(), must_not_exist=True)
    check_private(file)
    return _decode(file.read_text("ascii", errors="replace"), where=file.name)


def derive_key(master: bytes, purpose: str) -> bytes:
    """Return the 32-byte key for one `purpose`."""
    return hmac.new(
        master, b"packager_jupyter/" + purpose.encode() + b"\x01", hashlib.sha256
    ).digest()


def _decode(text: str, *, where: str) -> bytes:
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise BadInputError(
            f"The key in {where} is not {KEY_BYTES} bytes in hex or base64.",
            remedy="Restore the right key from a backup. A new key can be made with "
            "`openssl rand -hex 32`, but stored credentials and share links are then lost.",
        )
    return key
