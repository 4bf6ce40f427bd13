"""ListObjectsV2 answers, parsed: pure, and a dozen times cheaper than botocore's parser.

A page counts only when it is a whole ``ListBucketResult`` that names its bucket and says whether
it is truncated; everything else (an HTML page of a proxy, a cut-off body, a document type
declaration) is refused, so that a partial listing is never taken for a complete one.

Pages of the usual shape are read by one strict expression; a page that it does not account for to
the last entry goes through a real XML parser.

Specification: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from packager_jupyter.errors import StorageNotUnderstoodError
from packager_jupyter.sources.base import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

_LEAVES = r"(?:<(?:{})>[^<]*</\w+>\s*)*"
_OTHER = _LEAVES.format(r"Checksum\w+|Type|VersionId|IsLatest")
_OWNER = r"(?:<Owner>\s*(?:<\w+>[^<]*</\w+>\s*)*</Owner>\s*)?"
_find_contents = re.compile(
    r"<Contents>\s*<Key>([^<]*)</Key>\s*<LastModified>([^<]*)</LastModified>\s*"
    rf'<ETag>(?:&quot;|")?([^<&"]*)(?:&quot;|")?</ETag>\s*{_OTHER}<Size>(\d+)</Size>\s*{_OWNER}'
    rf"(?:<StorageClass>([^<]*)</StorageClass>\s*)?{_OWNER}{_OTHER}</Contents>"
).findall
_find_prefixes = re.compile(
    r"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>\s*</CommonPrefixes>"
).findall
_match_frame = re.compile(
    r"\s*(?:<\?xml[^<>]*\?>\s*)?<ListBucketResult(?: [^<>]*)?>.*</ListBucketResult>\s*", re.DOTALL
).fullmatch
_find_reference = re.compile(r"&(?:#(\d+)|#x([0-9A-Fa-f]+)|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# One for all, as no listing reports checksums: a dict for each of ten million rows is a gigabyte.
_NO_CHECKSUMS: Mapping[str, str] = {}
_PIECE_CHARS = 32 * 1024
_S3_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page: keys and prefixes decoded, relative to the prefix that was cut off.

    `token` is None on the last page.
    """

    entries: list[Entry]
    token: str | None


def not_understood(details: str) -> StorageNotUnderstoodError:
    """Return the error for an answer that is no listing."""
    return StorageNotUnderstoodError(
        "What answered is not an S3 listing.",
        remedy="Check the endpoint and the bucket's name: an S3 endpoint without the bucket in "
        "its path is needed. A proxy or a login page may have answered instead.",
        details=details,
    )


def unescape(text: str) -> str:
    """Resolve XML's character references, also those of characters that XML 1.0 forbids.

    Real gateways write control characters of keys as ``&#x01;``, which XML parsers refuse.
    """
    if "&" not in text:
        return text

    def resolve(match: re.Match[str]) -> str:
        decimal, hexadecimal, name = match.groups()
        return _NAMED[name] if name else chr(int(decimal or hexadecimal, 10 if decimal else 16))

    return _find_reference.sub(resolve, text)


def _decode_url(text: str) -> str:
    """Undo ``encoding-type=url``, in which ``+`` is a space and a plus is ``%2B``."""
    if "%" not in text and "+" not in text:
        return unescape(text)
    return _decode_parsed(unescape(text))


def _decode_parsed(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode()


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def parse_listing(body: bytes, *, prefix: str = "", cut: int = 0) -> ListingPage:
    """Parse one ListObjectsV2 answer.

    Parameters
    ----------
    body : bytes
    prefix : str, default ""
        What was asked for; an answer about another prefix is refused.
    cut : int, default 0
        Length of the source's root, which is taken off every key.

    Raises
    ------
    StorageNotUnderstoodError
        When the answer is not a whole listing.
    """
    try:
        text = body.decode()
        if not _match_frame(text) or "<!" in text:
            raise not_understood(f"begins with {body[:40]!r}")
        return _parse_usual(text, prefix, cut) or _parse_any(body, prefix, cut)
    except (ValueError, OverflowError) as error:
        raise not_understood(type(error).__name__) from None


def _parse_usual(text: str, prefix: str, cut: int) -> ListingPage | None:
    """Return the page when one expression accounts for all of it, else None."""
    contents = _all_contents(text)
    prefixes = _find_prefixes(text)
    if len(contents) != text.count("<Contents") or len(prefixes) != text.count("<CommonPrefixes"):
        return None
    frame = text.partition("<Contents>")[0] + text.rpartition("</Contents>")[2]
    if _leaf(frame, "Name") is None:
        return None
    is_url = _leaf(frame, "EncodingType") == "url"
    decode = _decode_url if is_url else unescape
    _check_prefix(_leaf(frame, "Prefix"), prefix, is_url=is_url)
    entries = [
        Entry(
            decode(key)[cut:],
            size_bytes=int(size),
            modified_s=_seconds(modified),
            etag=etag or None,
            checksums=_NO_CHECKSUMS,
            storage_class=intern(storage_class) or None,
        )
        for key, modified, etag, size, storage_class in contents
    ]
    entries += [Entry(decode(prefix)[cut:], is_folder=True) for prefix in prefixes]
    return ListingPage(
        entries, _token(_leaf(frame, "IsTruncated"), _leaf(frame, "NextContinuationToken"))
    )


def _all_contents(text: str) -> list[tuple[str, ...]]:
    """Return what `_find_contents` finds, in pieces: all other threads stand still for each."""
    found, start = [], 0
    while (end := text.find("<Contents>", start + _PIECE_CHARS)) >= 0:
        found += _find_contents(text, start, end)
        start = end
    return found + _find_contents(text, start)


def _leaf(frame: str, name: str) -> str | None:
    start = frame.find(f"<{name}>")
    if start < 0:
        return None
    start += len(name) + 2
    end = frame.find(f"</{name}>", start)
    return unescape(frame[start:end]) if end >= 0 else None


def _check_prefix(answered: str | None, asked: str, *, is_url: bool) -> None:
    # Some servers leave this one element unencoded.
    if answered not in {None, asked} and not (is_url and _decode_parsed(answered or "") == asked):
        raise not_understood("the answer is about another prefix")


def _token(is_truncated: str | None, token: str | None) -> str | None:
    if is_truncated not in {"true", "false"}:
        raise not_understood("IsTruncated is missing")
    if is_truncated == "false":
        return None
    if not token:
        raise not_understood("truncated, but no way to continue")
    return token


def _parse_any(body: bytes, prefix: str, cut: int) -> ListingPage:
    """Parse a listing of any order, spacing and namespace; slow."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

    try:
        root: Element = fromstring(body)
    except ParseError as error:
        raise not_understood(f"XML: {error}") from None
    space = _S3_NAMESPACE if root.tag.startswith("{") else ""
    if root.find(f"{space}Name") is None:
        raise not_understood("Name is missing")
    is_url = root.findtext(f"{space}EncodingType") == "url"
    decode: Callable[[str], str] = _decode_parsed if is_url else str
    _check_prefix(root.findtext(f"{space}Prefix"), prefix, is_url=is_url)
    entries = [
        Entry(
            decode(_need(item, f"{space}Key"))[cut:],
            size_bytes=int(_need(item, f"{space}Size")),
            modified_s=_seconds(_need(item, f"{space}LastModified")),
            etag=(item.findtext(f"{space}ETag") or "").strip('"') or None,
            storage_class=item.findtext(f"{space}StorageClass") or None,
        )
        for item in root.findall(f"{space}Contents")
    ]
    entries += [
        Entry(decode(_need(item, f"{space}Prefix"))[cut:], is_folder=True)
        for item in root.findall(f"{space}CommonPrefixes")
    ]
    return ListingPage(
        entries,
        _token(
            root.findtext(f"{space}IsTruncated"), root.findtext(f"{space}NextContinuationToken")
        ),
    )


def _need(item: Element, name: str) -> str:
    text = item.findtext(name)
    if text is None:
        raise not_understood(f"an entry without {name.rpartition('}')[2]}")
    return text
