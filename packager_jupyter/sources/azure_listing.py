"""List Blobs answers, parsed: pure, and a dozen times cheaper than the SDK's models.

A page counts only when it is a whole ``EnumerationResults`` with a ``NextMarker``; everything else
is refused, so that a partial listing is never taken for a complete one.

Specification: https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packager_jupyter.errors import StorageNotUnderstoodError
from packager_jupyter.sources.base import Entry
from packager_jupyter.sources.s3_listing import ListingPage, unescape

if TYPE_CHECKING:
    from collections.abc import Mapping

_match_frame = re.compile(
    r"\s*(?:<\?xml[^<>]*\?>\s*)?<EnumerationResults(?: [^<>]*)?>.*</EnumerationResults>\s*",
    re.DOTALL,
).fullmatch
_find_leaves = re.compile(r"<([\w-]+)(?: [^<>]*)?>([^<]*)</\1>").findall
_find_name = re.compile(r'\s*<Name(?: Encoded="(true|false)")?>([^<]*)</Name>').match
_find_marker = re.compile(r"<NextMarker(?:\s*/>|>([^<]*)</NextMarker>)").search
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_MD5_BYTES = 16


def not_understood(details: str) -> StorageNotUnderstoodError:
    """Return the error for an answer that is no listing."""
    return StorageNotUnderstoodError(
        "What answered is not an Azure Blob listing.",
        remedy="Check the endpoint, the account and the container. A proxy or a login page may "
        "have answered instead.",
        details=details,
    )


def http_seconds(text: str) -> int:
    """Return Unix seconds of an HTTP date (RFC 9110 5.6.7, IMF-fixdate).

    Raises
    ------
    ValueError
    """
    try:
        month = _MONTHS[text[8:11]]
    except KeyError:
        raise ValueError(text) from None
    clock = (int(text[17:19]), int(text[20:22]), int(text[23:25]))
    return int(datetime(int(text[12:16]), month, int(text[5:7]), *clock, tzinfo=UTC).timestamp())


def md5_of(text: str | None) -> dict[str, str]:
    """Return the checksum that ``Content-MD5`` (base64, RFC 1864) says, as a mapping."""
    if not text:
        return {}
    try:
        digest = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return {}
    return {"md5": digest.hex()} if len(digest) == _MD5_BYTES else {}


def parse_blobs(body: bytes, *, cut: int = 0) -> ListingPage:
    """Parse one List Blobs answer.

    Parameters
    ----------
    body : bytes
    cut : int, default 0
        Length of the source's root, which is taken off every key.

    Raises
    ------
    StorageNotUnderstoodError
        When the answer is not a whole listing.
    """
    try:
        text = body.decode("utf-8-sig")
        if not _match_frame(text) or "<!" in text:
            raise not_understood(f"begins with {body[:40]!r}")
        marker = _find_marker(text, text.rfind("</Blobs>") + 1)
        if marker is None:
            raise not_understood("NextMarker is missing")
        _, *blobs = text.split("<Blob>")
        entries = [_blob(blob, cut) for blob in blobs]
        entries += [
            Entry(_name(prefix)[cut:], is_folder=True) for prefix in text.split("<BlobPrefix>")[1:]
        ]
        if len(entries) != text.count("</Blob>") + text.count("</BlobPrefix>"):
            raise not_understood("entries do not end where they begin")
    except (ValueError, KeyError, OverflowError) as error:
        raise not_understood(type(error).__name__) from None
    files = [entry for entry in entries if entry is not None]
    return ListingPage(files, unescape(marker[1]) if marker[1] else None)


def _name(text: str) -> str:
    match = _find_name(text)
    if match is None:
        raise not_understood("an entry without Name")
    is_encoded, name = match.groups()
    name = unescape(name)
    return unquote(name, errors="strict") if is_encoded == "true" else name


def _blob(text: str, cut: int) -> Entry | None:
    """Return the blob, or None for the directory objects of hierarchical accounts."""
    properties = text.partition("</Properties>")[0]
    leaves: Mapping[str, str] = dict(_find_leaves(properties))
    if leaves.get("ResourceType") == "directory":
        return None
    return Entry(
        _name(text)[cut:],
        size_bytes=int(leaves["Content-Length"]),
        modified_s=http_seconds(leaves["Last-Modified"]),
        etag=unescape(leaves.get("Etag", "")).strip('"') or None,
        version_id=leaves.get("VersionId"),
        checksums=md5_of(leaves.get("Content-MD5")),
        media_type=unescape(leaves.get("Content-Type", "")) or None,
        storage_class=leaves.get("AccessTier"),
    )
