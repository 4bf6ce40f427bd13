"""The pointer file: one pointer as a small text file that people read, grep and compare.

The file is flat YAML in UTF-8 with line feeds, at most 16 KiB: line 1 says what it is, then one
``name: value`` a line in a fixed order. A value stands plain when every YAML reader takes it as
that text, else as a JSON string. Nothing in it depends on the time of writing, so the same version
gives the same bytes. Names that a reader does not know are ignored; our own additions begin with
``x-``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, TooLargeError
from packager_jupyter.packages.names import check_path
from packager_jupyter.packages.pointer import MAX_SIZE_BYTES, Pointer, check_checksums
from packager_jupyter.packages.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = "packager/v1"
ENDING = ".pointer"
MAX_FILE_BYTES = 16 * 1024

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SAFE = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+=-]*(?::[A-Za-z0-9_./@+=-]+)*")
_SAFE_HEX = re.compile(r"(?=[0-9be]*[acdf])[0-9][0-9a-f]*(?:-[0-9]+)?")
_RESERVED = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
LONGEST_RESERVED = max(map(len, _RESERVED))
_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class PointerFile:
    """What stands in a pointer file.

    Attributes
    ----------
    pointer : Pointer
        `source`, `key` and `uri` are empty when the file hides them.
    package, version : str or None
        The version that the file was written for.
    url : str or None
        Where the bytes are to be had; a share's address, never a presigned one.
    """

    pointer: Pointer
    package: str | None = None
    version: str | None = None
    url: str | None = None


def pointer_file(
    pointer: Pointer,
    *,
    package: str,
    version: str,
    url: str | None = None,
    hide_key: bool = False,
) -> bytes:
    """Return the pointer file of one pointer.

    Parameters
    ----------
    pointer : Pointer
    package, version : str
        Written as ``package: name@version``.
    url : str, optional
        A lasting address of the bytes; it must not be presigned.
    hide_key : bool, default False
        Leave out where the object lies in the storage.

    Raises
    ------
    TooLargeError
        Over 16 KiB.
    """
    lines = [f"pointer: {MAGIC}", f"path: {scalar(pointer.path)}", f"size: {pointer.size_bytes}"]
    if pointer.checksums:
        sums = [f"{name}:{value}" for name, value in sorted(pointer.checksums.items())]
        lines.append(f"checksums: {' '.join(sums)}" if sums[0][0].isalpha() else _quoted_sums(sums))
    modified = None if pointer.modified_s is None else format_time(pointer.modified_s)
    optional = {
        "etag": pointer.etag,
        "modified": modified,
        "media_type": pointer.media_type,
        "source": pointer.source or None,
        "key": None if hide_key else pointer.uri or None,
        "version_id": pointer.version_id,
        "package": f"{package}@{version}",
        "url": url,
        "x-key": None if hide_key or not pointer.source else pointer.key,
    }
    lines += [f"{name}: {scalar(value)}" for name, value in optional.items() if value is not None]
    data = ("\n".join(lines) + "\n").encode()
    if len(data) > MAX_FILE_BYTES:
        raise TooLargeError(
            f"The pointer file of {pointer.path[:120]!r} would have {len(data):,} bytes.",
            remedy=f"A pointer file holds at most {MAX_FILE_BYTES:,} bytes; shorten the address.",
        )
    return data


def parse_pointer_file(data: bytes) -> PointerFile:
    """Read a pointer file.

    Raises
    ------
    BadInputError
        It is none, lacks a field, repeats one, or has one that cannot be understood.
    TooLargeError
        Over 16 KiB.
    """
    if len(data) > MAX_FILE_BYTES:
        raise TooLargeError(
            f"A pointer file holds at most {MAX_FILE_BYTES:,} bytes; this one has {len(data):,}.",
            remedy="Check that it is a pointer file.",
        )
    try:
        fields = dict(_fields(data.decode()))
    except UnicodeDecodeError as error:
        raise _bad("it is no UTF-8 text") from error
    size = fields.get("size", "")
    if "path" not in fields or not _NUMBER.fullmatch(size) or int(size) > MAX_SIZE_BYTES:
        raise _bad("path and size are needed")
    package, at, version = fields.get("package", "").rpartition("@")
    pointer = Pointer(
        path=check_path(fields["path"]),
        source=fields.get("source", ""),
        key=fields.get("x-key", ""),
        uri=fields.get("key", ""),
        size_bytes=int(size),
        modified_s=parse_time(fields["modified"]) if "modified" in fields else None,
        etag=fields.get("etag"),
        version_id=fields.get("version_id"),
        checksums=_checksums(fields.get("checksums", "")),
        media_type=fields.get("media_type"),
    )
    return PointerFile(pointer, package if at else None, version if at else None, fields.get("url"))


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and values, line by line."""
    lines = text.split("\n")
    if lines[0].rstrip("\r") != f"pointer: {MAGIC}":
        raise _bad(f"its first line is not 'pointer: {MAGIC}'")
    seen = set()
    for line in lines[1:]:
        stripped = line.rstrip("\r")
        if not stripped or stripped.startswith("#"):
            continue
        name, colon, value = stripped.partition(": ")
        if not colon or not _NAME.fullmatch(name):
            raise _bad(f"the line {stripped[:60]!r} is no 'name: value'")
        if name in seen:
            raise _bad(f"{name} stands in it twice")
        seen.add(name)
        yield name, _value(name, value)


def _value(name: str, text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        value = json.loads(text)
        value.encode()
    except ValueError as error:
        raise _bad(f"the value of {name} is no JSON string") from error
    return str(value)


def _checksums(text: str) -> dict[str, str]:
    checksums = {}
    for word in text.split(" ") if text else ():
        name, _, value = word.partition(":")
        checksums[name] = value
    return dict(check_checksums(checksums))


def is_plain(value: str) -> bool:
    """Return whether every YAML reader takes `value` as that text, so that it needs no quotes."""
    if _SAFE.fullmatch(value):
        return len(value) > LONGEST_RESERVED or value.lower() not in _RESERVED
    return _SAFE_HEX.fullmatch(value) is not None


def scalar(value: str) -> str:
    """Return `value` as it stands in a pointer file."""
    if is_plain(value):
        return value
    quoted = encode_basestring(value)
    if quoted.isprintable():
        return quoted
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _quoted_sums(sums: list[str]) -> str:
    return f"checksums: {json.dumps(' '.join(sums))}"


def _bad(reason: str) -> BadInputError:
    return BadInputError(
        f"This is no pointer file that can be read: {reason}.",
        remedy="Take the file anew from the package.",
    )
