"""How keys and file names are written into URLs and headers.

Owns percent-encoding of object keys (RFC 3986 2.1, the unreserved set that S3 and Azure sign) and
the ``Content-Disposition`` of downloads (RFC 6266). Nothing here knows a storage.
"""

from __future__ import annotations

import re

from packager_jupyter.errors import BadInputError

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_is_plain_path = re.compile(r"[A-Za-z0-9\-._~/]*").fullmatch
_is_plain_value = re.compile(r"[A-Za-z0-9\-._~]*").fullmatch
_VALUE_TABLE = tuple(chr(b) if b in _UNRESERVED else f"%{b:02X}" for b in range(256))
_PATH_TABLE = tuple("/" if b == ord("/") else text for b, text in enumerate(_VALUE_TABLE))
# Folders that were quoted lately: the keys of a package share them, and quoting is a third of what
# signing an address with other than plain ASCII costs.
_folders: dict[bytes, str] = {}
_MAX_FOLDERS = 4096
# What no file system or header carries as it is: controls, quotes, separators, DEL.
_unsafe_in_filename = re.compile(r'[\x00-\x1f\x7f"\\/]')


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadInputError(
            f"{text!a} holds half of a surrogate pair, which no storage can name.",
            remedy="Rename the object, or leave it out.",
        ) from None


def quote_path(key: str) -> str:
    """Percent-encode `key` for the path of a URL; ``/`` stays, dot segments stay.

    Raises
    ------
    BadInputError
        When `key` has no UTF-8 form (a lone surrogate).
    """
    # A match costs a tenth of the table; most keys of real buckets are plain.
    return key if key.isascii() and _is_plain_path(key) else quote_path_utf8(_utf8(key))


def encode_and_quote(key: str) -> tuple[bytes, str]:
    """Return a key in UTF-8, and `quote_path` of it, for less than one after the other."""
    if key.isascii() and _is_plain_path(key):
        return key.encode(), key
    data = _utf8(key)
    return data, quote_path_utf8(data)


def quote_path_utf8(key: bytes) -> str:
    """Return `quote_path` of a key that is in UTF-8 already."""
    at = key.rfind(b"/") + 1
    folder = key[:at]
    quoted = _folders.get(folder)
    if quoted is None:
        quoted = "".join([_PATH_TABLE[b] for b in folder])
        if len(_folders) >= _MAX_FOLDERS:
            _folders.clear()
        _folders[folder] = quoted
    return quoted + "".join([_PATH_TABLE[b] for b in key[at:]])


def quote_value(value: str) -> str:
    """Percent-encode `value` for a query string; ``/`` and space are encoded (``%20``).

    Raises
    ------
    BadInputError
        When `value` has no UTF-8 form (a lone surrogate).
    """
    if _is_plain_value(value):
        return value
    return "".join([_VALUE_TABLE[b] for b in _utf8(value)])


def attachment_disposition(filename: str) -> str:
    """Return the ``Content-Disposition`` that saves an answer as `filename`.

    The value is pure ASCII: an ASCII fallback, and ``filename*`` (RFC 8187) when the fallback
    differs. Separators, quotes and control characters become ``_``, so the value can neither
    leave its folder nor its header.
    """
    name = _unsafe_in_filename.sub("_", filename)
    fallback = name.encode("ascii", "replace").decode("ascii").replace("?", "_")
    value = f'attachment; filename="{fallback}"'
    if fallback != name:
        value += f"; filename*=UTF-8''{quote_value(name)}"
    return value
