"""Blob SAS tokens in bulk: one blob, read only, byte-equal to the vendor's library, without I/O.

The library owns the format, which changes with the service version. For each combination of
options this module has it sign one blob with a name that cannot occur, sees where the name and the
options stand in the string to sign and in the token, proves on an awkward blob that filling them in
gives the library's own bytes, and then signs some fifteen times faster. Where the proof fails the
library signs every blob itself.

Format: https://learn.microsoft.com/rest/api/storageservices/create-service-sas
"""

from __future__ import annotations

import base64
import re
from binascii import b2a_base64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

from packager_jupyter.sources.quoting import (
    attachment_disposition,
    encode_and_quote,
    quote_path,
    quote_value,
)

if TYPE_CHECKING:
    from _hashlib import HASH
    from collections.abc import Callable, Mapping

    from packager_jupyter.sources.base import Signer

SNAPSHOT = "snapshot:"  # marks a version id that names a snapshot
_FIELDS = ("name", "pin", "disposition", "type")
_SENTINELS = {name: f"Sentinel{name.title()}7q3zX" for name in _FIELDS}
_split_fields = re.compile("(" + "|".join(_SENTINELS.values()) + ")").split
_FIELD_OF = {sentinel: name for name, sentinel in _SENTINELS.items()}
_AWKWARD = {
    "name": "/a//./../b +&=?#%25~'\"\n é",
    "pin": "2024-01-02T03:04:05.1234567Z",
    "disposition": "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%2Fb.csv",
    "type": "text/csv; charset=utf-8",
}
_BLOCK_BYTES = 64  # of SHA-256 (FIPS 180-4)


class SignBlob(Protocol):
    """One token from the vendor's library, for fixed account, container, start, end and key."""

    def __call__(
        self,
        name: str,
        *,
        snapshot: str | None,
        version_id: str | None,
        content_disposition: str | None,
        content_type: str | None,
        sts_hook: Callable[[str], None] | None,
    ) -> str:
        """Return the token; tell `sts_hook` the string that was signed."""
        ...


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which options a URL has: each combination has a layout of its own."""

    pin: str  # "", "snapshot" or "versionid": the parameter's name
    has_disposition: bool
    has_type: bool

    def fields(self, values: Mapping[str, str]) -> dict[str, str | None]:
        """Return the keyword arguments of `SignBlob` that `values` mean in this shape."""
        return {
            "snapshot": values["pin"] if self.pin == "snapshot" else None,
            "version_id": values["pin"] if self.pin == "versionid" else None,
            "content_disposition": values["disposition"] if self.has_disposition else None,
            "content_type": values["type"] if self.has_type else None,
        }


_PLAIN = _Shape("", has_disposition=False, has_type=False)


@dataclass(frozen=True, slots=True)
class _Template:
    """How a token is made.

    `start` has read the key and all that is signed before the blob's name; `tail` is signed after
    it; `query` and `after` stand around the signature in the token. Sentinels in `tail` and
    `query` stand for values.
    """

    start: HASH
    tail: tuple[str, ...]
    query: tuple[str, ...]
    after: str


class _Plain(NamedTuple):
    """What is the same for every blob without options: hash states to copy, and texts."""

    inner: Callable[[], HASH]
    outer: Callable[[], HASH]
    tail: bytes
    query: str
    after: str


class BulkSas:
    """Signs blobs of one container for one life time.

    Parameters
    ----------
    sign : SignBlob
        The vendor's library.
    key : str
        What it signs with, in base64: the account's key or the user delegation key.
    """

    def __init__(self, sign: SignBlob, key: str) -> None:
        self._sign = sign
        block = base64.b64decode(key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(b ^ 0x36 for b in block))
        self._outer = sha256(bytes(b ^ 0x5C for b in block))
        self._is_long_key = len(block) > _BLOCK_BYTES
        self._templates: dict[_Shape, _Template | None] = {}

    def token(self, shape: _Shape, values: Mapping[str, str]) -> str:
        """Return the token of the blob ``values["name"]``."""
        template = self._template(shape)
        return self._fill(template, values) if template else self._library(shape, values)

    def plain(self, prefix: str) -> _Plain | None:
        """Return what signing blobs below `prefix` without options takes, or None."""
        template = self._template(_PLAIN)
        if template is None or len(template.tail) > 1 or len(template.query) > 1:
            return None
        start = template.start.copy()
        start.update(prefix.encode())
        return _Plain(
            start.copy,
            self._outer.copy,
            template.tail[0].encode(),
            f"?{template.query[0]}",
            f"%3D{template.after}",
        )

    def _template(self, shape: _Shape) -> _Template | None:
        if shape not in self._templates:
            self._templates[shape] = self._learn(shape)
        return self._templates[shape]

    def _library(
        self, shape: _Shape, values: Mapping[str, str], hook: Callable[[str], None] | None = None
    ) -> str:
        return self._sign(values["name"], **shape.fields(values), sts_hook=hook)

    def _learn(self, shape: _Shape) -> _Template | None:
        signed: list[str] = []
        token = self._library(shape, _SENTINELS, signed.append)
        if len(signed) != 1 or self._is_long_key:
            return None
        head, *rest = _split_fields(signed[0])
        before, separator, after = token.partition(f"sig={quote(self._mac(signed[0]))}")
        if not separator or rest[:1] != [_SENTINELS["name"]] or _SENTINELS["name"] in token:
            return None
        start = self._inner.copy()
        start.update(head.encode())
        query = _split_fields(f"{before}sig=")
        template = _Template(start, tuple(rest[1:]), tuple(query), after)
        proof = self._fill(template, _AWKWARD) == self._library(shape, _AWKWARD)
        return template if proof else None

    def _fill(self, template: _Template, values: Mapping[str, str]) -> str:
        tail = "".join([_value(part, values) for part in template.tail])
        query = "".join(
            [quote(_value(part, values)) if part in _FIELD_OF else part for part in template.query]
        )
        inner = template.start.copy()
        inner.update((values["name"] + tail).encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        mac = b2a_base64(outer.digest(), newline=False).decode()
        return query + quote(mac) + template.after

    def _mac(self, text: str) -> str:
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return b2a_base64(outer.digest(), newline=False).decode()


def _value(part: str, values: Mapping[str, str]) -> str:
    field = _FIELD_OF.get(part)
    return values[field] if field else part


def sas_signer(bulk: BulkSas, *, base_url: str, prefix: str) -> Signer:
    """Return a signer of URLs below ``base_url/prefix``.

    Parameters
    ----------
    bulk : BulkSas
    base_url : str
        Address of the container, without a slash at its end.
    prefix : str
        The root of the source.
    """
    root = f"{base_url}/{quote_path(prefix)}"
    plain = bulk.plain(prefix)
    inner_state, outer_state, tail, query, after = plain or (None, None, b"", "", "")

    def sign(
        key: str,
        *,
        version_id: str | None = None,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        data, path = encode_and_quote(key)
        path = root + path
        if (
            inner_state is not None
            and outer_state is not None
            and version_id is None
            and filename is None
            and media_type is None
        ):
            inner = inner_state()
            inner.update(data + tail)
            outer = outer_state()
            outer.update(inner.digest())
            # 32 bytes always end in one "="; the library leaves "/" as it is.
            mac = b2a_base64(outer.digest(), newline=False)[:-1].decode()
            return path + query + mac.replace("+", "%2B") + after
        parameter, pin = pin_of(version_id)
        shape = _Shape(parameter, filename is not None, media_type is not None)
        token = bulk.token(
            shape,
            {
                "name": prefix + key,
                "pin": pin,
                "disposition": "" if filename is None else attachment_disposition(filename),
                "type": media_type or "",
            },
        )
        return f"{path}?{pin_query(version_id)}{token}"

    return sign


def pin_of(version_id: str | None) -> tuple[str, str]:
    """Return the parameter that pins a version or a snapshot, and its value."""
    if version_id is None:
        return "", ""
    if version_id.startswith(SNAPSHOT):
        return "snapshot", version_id.removeprefix(SNAPSHOT)
    return "versionid", version_id


def pin_query(version_id: str | None) -> str:
    """Return ``snapshot=…&``, ``versionid=…&`` or nothing."""
    parameter, pin = pin_of(version_id)
    return f"{parameter}={quote_value(pin)}&" if parameter else ""
