"""How a pointer lies in a row of the index, and the way back.

Most rows of a package repeat what their folder and source say already, so a row keeps only the
rest: `source` and `key` are NULL when the key is the folder's `key_prefix` plus the name; the
address is the source's `root` plus the key; an ETag that is an MD5 lies in 16 bytes, the number of
parts of a multipart upload after it. `extra` is NULL, or 1 when the only checksum is an MD5 equal
to the ETag, or a JSON object: ``v`` version id, ``c`` checksums but SHA-256, ``m`` media type,
``u`` address where it is not root plus key.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple

import orjson

from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.pointer import NO_CHECKSUMS, pointer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packager_jupyter.packages.pointer import Fields, Pointer

COLUMNS = "name, size, modified, etag, source, key, sha256, extra"
MD5_IS_ETAG = 1

_MD5_HEX = 32
_MD5_BYTES = 16
_SHA256_HEX = 64

PackedEtag = bytes | str | None
BoundEtag = bytearray | str | None
"""The same where it is written, see `packages.index_write`."""

Extra = str | int | None
StoredRow = tuple[str, int, int, PackedEtag, int | None, str | None, bytes | None, Extra]
"""The values of `COLUMNS`."""


class Place(NamedTuple):
    """What the rows of one folder share: its path and where its derived keys come from."""

    id: int
    path: str
    source: int | None
    key_prefix: str | None

    @property
    def path_prefix(self) -> str:
        """What stands before the name in a path."""
        return f"{self.path}/" if self.path else ""


Sources = dict[int, tuple[str, str]]
"""Name and root of each source by its number in the index."""


def load_sources(connection: sqlite3.Connection) -> Sources:
    """Return the sources of an index."""
    rows = connection.execute("SELECT id, name, root FROM source").fetchall()
    return {number: (name, root) for number, name, root in rows}


def pack_etag(etag: str | None) -> PackedEtag:
    """Return an ETag as it is stored; `unpack_etag` gives exactly the same text back."""
    if etag is None:
        return None
    try:
        if len(etag) == _MD5_HEX:
            packed = bytes.fromhex(etag)
            return packed if packed.hex() == etag else etag
        packed = bytes.fromhex(etag[:_MD5_HEX])
        if len(packed) != _MD5_BYTES or packed.hex() != etag[:_MD5_HEX]:
            return etag
        parts = int(etag[_MD5_HEX + 1 :])
        if parts > 0 and etag[_MD5_HEX:] == f"-{parts}":
            return packed + parts.to_bytes((parts.bit_length() + 7) // 8)
    except ValueError:
        pass
    return etag


def bind_etag(packed: PackedEtag) -> BoundEtag:
    """Return a packed ETag as it is bound fastest."""
    return bytearray(packed) if type(packed) is bytes else packed  # type: ignore[return-value]


def pack_etags(etags: Sequence[str | None]) -> list[BoundEtag]:
    """Return what `pack_etag` gives for each of them."""
    try:
        joined = "".join(etags)  # type: ignore[arg-type]  # None is what raises
        packed = bytearray.fromhex(joined)
        if set(map(len, etags)) == {_MD5_HEX} and packed.hex() == joined:  # type: ignore[arg-type]
            return [packed[at : at + _MD5_BYTES] for at in range(0, len(packed), _MD5_BYTES)]
    except (TypeError, ValueError):
        pass
    return [bind_etag(pack_etag(etag)) for etag in etags]


def unpack_etag(packed: PackedEtag) -> str | None:
    """Return the ETag that `pack_etag` was given."""
    if type(packed) is bytes:
        if len(packed) == _MD5_BYTES:
            return packed.hex()
        return f"{packed[:_MD5_BYTES].hex()}-{int.from_bytes(packed[_MD5_BYTES:])}"
    return packed  # type: ignore[return-value]  # text or None


def pack_extra(
    etag: str | None,
    version_id: str | None,
    checksums: Mapping[str, str],
    media_type: str | None,
    uri: str | None,
) -> tuple[bytes | None, Extra]:
    """Return the columns ``sha256`` and ``extra``."""
    sha256 = checksums.get("sha256")
    packed = bytes.fromhex(sha256) if sha256 and len(sha256) == _SHA256_HEX else None
    others = {name: value for name, value in sorted(checksums.items()) if name != "sha256"}
    if sha256 and packed is None:
        others["sha256"] = sha256
    if version_id is media_type is uri is None:
        if not others:
            return packed, None
        if len(others) == 1 and etag is not None and others.get("md5") == etag:
            return packed, MD5_IS_ETAG
    extra = {"v": version_id, "c": others or None, "m": media_type, "u": uri}
    known = {name: value for name, value in extra.items() if value is not None}
    return packed, orjson.dumps(known).decode()


class Unpacked(NamedTuple):
    """What `pack_extra` was given."""

    version_id: str | None
    checksums: Mapping[str, str]
    media_type: str | None
    uri: str | None


def unpack_extra(etag: str | None, sha256: bytes | None, extra: Extra) -> Unpacked:
    """Return what `pack_extra` was given."""
    checksums: dict[str, str] = {}
    record = {}
    if extra == MD5_IS_ETAG:
        checksums["md5"] = str(etag)
    elif extra is not None:
        record = orjson.loads(str(extra))
        checksums.update(record.get("c") or {})
    if sha256 is not None:
        checksums["sha256"] = sha256.hex()
    return Unpacked(record.get("v"), checksums or NO_CHECKSUMS, record.get("m"), record.get("u"))


def is_hashed(sha256: bytes | None, extra: Extra) -> bool:
    """Return whether a row has a checksum."""
    return (
        sha256 is not None
        or extra == MD5_IS_ETAG
        or (extra is not None and bool(unpack_extra(None, None, extra).checksums))
    )


def unpack_rows(rows: Iterable[StoredRow], place: Place, sources: Sources) -> list[Pointer]:
    """Return the pointers of rows of one folder.

    Raises
    ------
    sqlite3.DatabaseError
        A row holds what was never written: the file is damaged.
    """
    try:
        return _unpack(rows, place, sources)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise sqlite3.DatabaseError("a row cannot be read") from error


Fact = tuple[str, str, str, int, str | None, str | None, int | None]
"""Source, key, path, size, ETag, version id and modification time of one pointer."""


def unpack_facts(rows: Iterable[StoredRow], place: Place, sources: Sources) -> list[Fact]:
    """Return what `unpack_rows` does without checksums and records: what a check compares.

    Raises
    ------
    sqlite3.DatabaseError
        A row holds what was never written: the file is damaged.
    """
    path_prefix, key_prefix = place.path_prefix, place.key_prefix or ""
    own = sources[place.source][0] if place.source in sources else ""
    try:
        return [
            (
                own if own_key is None else sources[source or 0][0],
                key_prefix + name if own_key is None else own_key,
                path_prefix + name,
                size,
                packed.hex() if type(packed) is bytes and len(packed) == _MD5_BYTES
                else unpack_etag(packed),
                None if extra is None or extra == MD5_IS_ETAG
                else orjson.loads(str(extra)).get("v"),
                None if modified == NO_TIME else modified,
            )
            for name, size, modified, packed, source, own_key, _, extra in rows
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise sqlite3.DatabaseError("a row cannot be read") from error


def _unpack(rows: Iterable[StoredRow], place: Place, sources: Sources) -> list[Pointer]:
    path_prefix, key_prefix = place.path_prefix, place.key_prefix or ""
    own_source, own_root = sources[place.source] if place.source is not None else ("", "")

    def odd(row: StoredRow) -> Fields:
        """Return the fields of a row that does not follow its folder."""
        name, size, modified, packed, source, own_key, sha256, extra = row
        etag = unpack_etag(packed)
        key, source_name, root = key_prefix + name, own_source, own_root
        if own_key is not None:
            key = own_key
            source_name, root = sources[source or 0]
        version_id, checksums, media_type, uri = unpack_extra(etag, sha256, extra)
        return (
            path_prefix + name,
            source_name,
            key,
            root + key if uri is None else uri,
            size,
            None if modified == NO_TIME else modified,
            etag,
            version_id,
            checksums,
            media_type,
        )

    own_address = own_root + key_prefix
    fields: list[Fields] = [
        (
            path_prefix + row[0],
            own_source,
            key_prefix + row[0],
            own_address + row[0],
            row[1],
            None if row[2] == NO_TIME else row[2],
            row[3].hex() if type(row[3]) is bytes and len(row[3]) == _MD5_BYTES
            else unpack_etag(row[3]),
            None,
            NO_CHECKSUMS,
            None,
        )
        if row[5] is None and row[6] is None and row[7] is None
        else odd(row)
        for row in rows
    ]  # fmt: skip
    return list(map(pointer_of, fields))
