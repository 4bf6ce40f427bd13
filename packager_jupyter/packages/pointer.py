"""A pointer: what a package knows of one file whose bytes stay in the storage.

This module owns the record and its line in a version's pointer list. The line is one canonical
JSON object: fields in a fixed order, none when unknown, no spaces, UTF-8, ended by a line feed. Its
names are those of the pointer file (`packages.pointer_file`):

``path``, ``size`` (bytes), ``checksums`` (algorithm to lower-case hex), ``etag``, ``modified``
(UTC, whole seconds, ``YYYY-MM-DDTHH:MM:SSZ``), ``media_type``, ``source`` (name), ``key`` (the
full public address of the object), ``version_id``, ``x-key`` (the key relative to the source).

Readers ignore names that they do not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import orjson

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import are_plain_paths, check_path, is_plain_path, shown
from packager_jupyter.packages.times import format_time, parse_time, parse_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_LINE_BYTES = 64 * 1024
MAX_SIZE_BYTES = 2**53 - 1
"""Larger integers do not survive every JSON reader (RFC 8259 6)."""

NO_CHECKSUMS: Mapping[str, str] = MappingProxyType({})
_NEEDED = {"path", "size", "source", "key", "x-key"}
_PLAIN = _NEEDED | {"etag", "modified", "checksums"}
_TEXTS = _PLAIN - {"size", "checksums"}
_ALGORITHM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,128}")


class _Fields(NamedTuple):
    """The fields of a `Pointer`."""

    path: str
    source: str
    key: str
    uri: str
    size_bytes: int
    modified_s: int | None = None
    etag: str | None = None
    version_id: str | None = None
    checksums: Mapping[str, str] = NO_CHECKSUMS
    media_type: str | None = None


class Pointer(_Fields):
    """One file of a package: a named tuple, as millions are made in a row.

    Attributes
    ----------
    path : str
        Where it stands in the package (`names.check_path`).
    source : str
        Name of the source, or empty when it is not known.
    key : str
        Key relative to the source's root, exactly as the storage spells it.
    uri : str
        The full public address, for example ``s3://bucket/raw/x``; never signed.
    size_bytes : int
    modified_s : int or None
        Last modification, UTC, whole Unix seconds.
    etag : str or None
        Entity tag without quotes.
    version_id : str or None
    checksums : mapping of str to str
        Lower-case algorithm to lower-case hex digest; only what was computed or reported.
    media_type : str or None
    """

    __slots__ = ()
    is_folder: ClassVar[bool] = False

    def __hash__(self) -> int:
        """Return the hash of all but the checksums, which have none."""
        return hash((*self[:8], self.media_type))

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]

    def to_line(self) -> bytes:
        """Return the canonical line, its line feed included."""
        return orjson.dumps(self.to_record(), option=orjson.OPT_APPEND_NEWLINE)

    def to_record(self) -> dict[str, Any]:
        """Return the fields of the line in their order."""
        record: dict[str, Any] = {"path": self.path, "size": self.size_bytes}
        if self.checksums:
            record["checksums"] = dict(sorted(self.checksums.items()))
        if self.etag is not None:
            record["etag"] = self.etag
        if self.modified_s is not None:
            record["modified"] = format_time(self.modified_s)
        if self.media_type is not None:
            record["media_type"] = self.media_type
        record["source"] = self.source
        record["key"] = self.uri
        if self.version_id is not None:
            record["version_id"] = self.version_id
        record["x-key"] = self.key
        return record

    def to_json(self) -> dict[str, Any]:
        """Return the pointer as a row of the REST API."""
        return {
            "path": self.path,
            "name": self.name,
            "is_folder": False,
            "size_bytes": self.size_bytes,
            "modified_s": self.modified_s,
            "source": self.source,
            "key": self.key,
            "uri": self.uri,
            "etag": self.etag,
            "version_id": self.version_id,
            "checksums": dict(self.checksums),
            "media_type": self.media_type,
        }

    @classmethod
    def from_line(cls, line: bytes) -> Pointer:
        """Read one line.

        Raises
        ------
        BadInputError
            It is no JSON object, lacks a field or has one of the wrong kind, or its path breaks a
            rule.
        """
        return pointer_of(read_line(line))


Fields = tuple[
    str, str, str, str, int, int | None, str | None, str | None, Mapping[str, str], str | None
]
"""Those of a `Pointer`, in order."""

pointer_of: Callable[[Fields], Pointer] = partial(tuple.__new__, Pointer)
"""Returns the pointer of checked fields, faster than ``Pointer(*fields)``."""


def read_line(line: bytes) -> Fields:
    """Return the checked fields of one line in the order of `Pointer`; see `Pointer.from_line`."""
    if len(line) > MAX_LINE_BYTES:
        raise _bad("it is too long")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _bad("it is no valid JSON") from error
    return read_record(record)


def read_record(record: Any) -> Fields:
    """Return the same of the JSON value that a line holds; raises as `Pointer.from_line` does."""
    if type(record) is not dict:
        raise _bad("it is no JSON object")
    get = record.get
    path = get("path")
    source = get("source", "")
    uri = get("key", "")
    key = get("x-key", "")
    size = get("size")
    if not (type(path) is type(source) is type(uri) is type(key) is str):
        raise _bad("path, source, key and x-key must be text")
    if not is_plain_path(path):
        check_path(path)
    if type(size) is not int or not 0 <= size <= MAX_SIZE_BYTES:
        raise _bad("size must be a number of bytes")
    modified = get("modified")
    etag = get("etag")
    version_id = get("version_id")
    media_type = get("media_type")
    for value in (modified, etag, version_id, media_type):
        if value is not None and type(value) is not str:
            raise _bad("etag, modified, version_id and media_type must be text")
    modified_s = None if modified is None else parse_time(modified)
    checksums = get("checksums")
    checked = NO_CHECKSUMS if checksums is None else check_checksums(checksums)
    return path, source, key, uri, size, modified_s, etag, version_id, checked, media_type


def read_records(records: Sequence[Any]) -> list[Pointer]:
    """Return the pointers of the JSON values of many lines; raises as `Pointer.from_line` does."""
    return list(map(pointer_of, _plain_fields(records) or map(read_record, records)))


def _plain_fields(records: Sequence[Any]) -> Iterable[Fields] | None:
    """Return the checked fields of lines with the same names, None: look at each by itself."""
    first = records[0] if records else {}
    if (
        set(map(type, records)) != {dict}
        or set(map(len, records)) != {len(first)}
        or not _NEEDED <= first.keys() <= _PLAIN
    ):
        return None
    try:
        columns = {name: [record[name] for record in records] for name in first}
    except KeyError:
        return None
    paths, sizes = columns["path"], columns["size"]
    texts = (values for name, values in columns.items() if name in _TEXTS)
    if (
        any(set(map(type, values)) != {str} for values in texts)
        or set(map(type, sizes)) != {int}
        or not 0 <= min(sizes) <= max(sizes) <= MAX_SIZE_BYTES
        or not are_plain_paths(paths)
    ):
        return None
    nothing = repeat(None)
    times = parse_times(columns["modified"]) if "modified" in first else nothing
    checksums: Iterable[Mapping[str, str]] = repeat(NO_CHECKSUMS)
    if "checksums" in first:
        checksums = map(check_checksums, columns["checksums"])
    return zip(
        paths,
        columns["source"],
        columns["x-key"],
        columns["key"],
        sizes,
        times,
        columns.get("etag", nothing),
        nothing,
        checksums,
        nothing,
        strict=False,
    )


def check_checksums(value: object) -> Mapping[str, str]:
    """Return `value` when it maps algorithms to hex digests, else raise `BadInputError`."""
    if not isinstance(value, dict):
        raise _bad("checksums must be an object")
    for algorithm, digest in value.items():
        is_text = isinstance(algorithm, str) and isinstance(digest, str)
        if not is_text or not _ALGORITHM.fullmatch(algorithm) or not _HEX.fullmatch(digest):
            raise _bad(f"the checksum {shown(str(algorithm))} is not lower-case hex")
    return value


def _bad(reason: str) -> BadInputError:
    return BadInputError(
        f"A pointer cannot be read: {reason}.",
        remedy="Check that the file is a pointer or a pointer list, and that it is whole.",
    )
