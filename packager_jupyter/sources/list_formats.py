"""Reading lists of files and addresses, in the shapes that people and data portals write them.

Plain text (one address a line, a name and an address, or a name and its address in the line below,
as packageR wrote its pointers), JSON lists as figshare gives them
(``name``, ``size``, ``download_url``, ``computed_md5``), records as Zenodo gives them (``files``
with ``key``, ``size``, ``checksum`` and ``links``), and the ``manifest.jsonl`` of our own shares.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LIST_BYTES = 512 * 1024 * 1024
_NAMES = ("path", "name", "filename", "key", "file", "title")
_ADDRESSES = ("url", "download_url", "downloadUrl", "link", "href", "contentUrl", "content_url")
_SIZES = ("size", "filesize", "size_bytes", "bytes")
_CHECKSUMS = ("checksum", "hash", "md5", "sha256", "sha1", "computed_md5", "supplied_md5")
_LISTS = ("files", "items", "entries", "data", "results", "hits")
_LENGTHS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HEX = re.compile(r"[0-9a-f]+")
_ADDRESS_START = re.compile(r"(?:^|\s)[A-Za-z][A-Za-z0-9+.-]*://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One row: a name (``/``-separated), where it is, and what the list says of it."""

    name: str
    url: str
    size_bytes: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    media_type: str | None = None


def parse_list(data: bytes) -> list[ListedFile]:
    """Return the rows of a list, in its order, each name once.

    Raises
    ------
    BadInputError
        Not UTF-8, none of the known shapes, no row, a row without an ``http`` or ``https``
        address, or two rows of one name.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8 text") from None
    stripped = text.lstrip()
    rows = list(_json_rows(text)) if stripped.startswith(("[", "{")) else list(_text_rows(text))
    if not rows:
        raise _bad("it names no file")
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise _bad(f"it names {row.name[:120]!r} twice")
        seen.add(row.name)
    return rows


def _json_rows(text: str) -> Iterator[ListedFile]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from _json_lines(text)
        return
    for number, row in enumerate(_find_rows(value), 1):
        yield _row(row, f"entry {number}")


def _json_lines(text: str) -> Iterator[ListedFile]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise _bad(f"line {number} is not JSON") from None
            yield _row(row, f"line {number}")


def _find_rows(value: Any) -> list[Any]:
    """Return the list of rows wherever a portal puts it."""
    for _ in range(4):
        if isinstance(value, list):
            return value
        if not isinstance(value, dict):
            break
        inner = next((value[name] for name in _LISTS if name in value), None)
        if inner is None:
            return [value]
        value = inner
    raise _bad("it holds no list of files")


def _row(row: Any, where: str) -> ListedFile:
    if isinstance(row, str):
        return _from_words([row], where)
    if not isinstance(row, dict):
        raise _bad(f"{where} is neither an object nor an address")
    url = _first(row, _ADDRESSES)
    links = row.get("links")
    if url is None and isinstance(links, dict):
        url = links.get("content") or links.get("download") or links.get("self")
    if not isinstance(url, str):
        raise _bad(f"{where} has no address")
    name = _first(row, _NAMES)
    size = _first(row, _SIZES)
    media_type = row.get("media_type") or row.get("mimetype") or row.get("encodingFormat")
    return ListedFile(
        name=_name(name if isinstance(name, str) else None, url, where),
        url=_address(url, where),
        size_bytes=size if isinstance(size, int) and size >= 0 else None,
        checksums=_checksums(row),
        media_type=media_type if isinstance(media_type, str) else None,
    )


def _text_rows(text: str) -> Iterator[ListedFile]:
    name: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        words = re.split(r"\t+|\s{2,}|\s+(?=https?://)", stripped)
        if name is not None:
            words = [name, stripped]
            name = None
        elif _ADDRESS_START.search(stripped) is None:
            name = stripped  # its address stands in the line below
            continue
        yield _from_words(words, f"line {number}")
    if name is not None:
        raise _bad("its last line is a name without an address")


def _from_words(words: list[str], where: str) -> ListedFile:
    addresses = [word for word in words if word.startswith(("http://", "https://"))]
    names = [word for word in words if word not in addresses]
    if len(addresses) != 1 or len(names) > 1:
        raise _bad(f"{where} is not an address, or a name and an address")
    url = addresses[0]
    return ListedFile(_name(names[0] if names else None, url, where), _address(url, where))


def _name(name: str | None, url: str, where: str) -> str:
    if name is None:
        name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    name = name.removeprefix("./")
    if not name or name.endswith("/") or _CONTROL.search(name):
        raise _bad(f"{where} has no name that a file can have")
    return name


def _address(url: str, where: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or _CONTROL.search(url):
        raise _bad(f"{where} has an address that is not http or https")
    if parts.username or parts.password:
        raise _bad(f"{where} has a password in its address")
    return url


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _checksums(row: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    given = row.get("checksums")
    pairs = list(given.items()) if isinstance(given, dict) else []
    pairs += [(name, row[name]) for name in _CHECKSUMS if isinstance(row.get(name), str)]
    for name, value in pairs:
        label, colon, digest = str(value).lower().partition(":")
        kind, hexed = (label, digest) if colon else (str(name), label)
        kind = kind if kind in _LENGTHS.values() else _LENGTHS.get(len(hexed), "")
        if _HEX.fullmatch(hexed) and _LENGTHS.get(len(hexed)) == kind:
            found.setdefault(kind, hexed)
    return found


def _bad(what: str) -> BadInputError:
    return BadInputError(
        f"The list cannot be used: {what}.",
        remedy="Write one address a line, or a JSON list of objects with name and url.",
    )
