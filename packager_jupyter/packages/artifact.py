"""A version as an OCI artifact: media types, the compressed pointer list, config and manifest.

The artifact is made of content alone, so the same draft always gives the same digest: no time is in
it (when it was published stands beside the tag), the list is sorted by the bytes of its paths, and
every JSON document is canonical. The list is compressed by zlib, level 3, fed in blocks of one size
and framed by a gzip header of our own (no name, time 0, system 255; RFC 1952 2.3). zlib gives the
same bytes wherever it is the classic one; another implementation (zlib-ng) may compress otherwise.
So what decides whether two versions are the same is the fingerprint, the SHA-256 of the
uncompressed list, never the compressed bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import PackagerError, StoreCorruptError
from packager_jupyter.oci.base import ANNOTATION_TITLE
from packager_jupyter.oci.manifest import describe, image_manifest, parse_manifest
from packager_jupyter.oci.names import check_digest
from packager_jupyter.packages.base import Attachment
from packager_jupyter.packages.index_lines import LineMaker
from packager_jupyter.packages.index_query import Totals
from packager_jupyter.packages.index_rows import load_sources
from packager_jupyter.packages.index_walk import sorted_rows
from packager_jupyter.packages.metadata import metadata_from_record
from packager_jupyter.packages.names import check_package_name, check_version, is_plain_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from packager_jupyter.oci.base import Descriptor, Manifest
    from packager_jupyter.packages.metadata import Metadata

ARTIFACT_TYPE = "application/vnd.packager-jupyter.datapackage.v1"
CONFIG_TYPE = "application/vnd.packager-jupyter.datapackage.config.v1+json"
POINTERS_TYPE = "application/vnd.packager-jupyter.pointers.v1+jsonl+gzip"
POINTERS_TITLE = ".packager/pointers.jsonl.gz"
"""Where OCI clients put the pointer list; no attachment can have that path."""

LATEST = "latest"
REPOSITORY_ROOT = "packages"
MAX_CONFIG_BYTES = 1024 * 1024
MAX_ADDRESSES = 1000

_LEVEL = 3
_BLOCK_BYTES = 256 * 1024
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def repository(name: str) -> str:
    """Return the repository of a package."""
    return f"{REPOSITORY_ROOT}/{name}"


class PointerList:
    """The compressed pointer list of an index, made while it is iterated (once).

    Attributes
    ----------
    fingerprint : str
        ``sha256:…`` of the uncompressed list; right after the iteration.
    maker : LineMaker
        Counts files, bytes and addresses.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._hash = hashlib.sha256()
        self.maker = LineMaker(load_sources(connection))

    def __iter__(self) -> Iterator[bytes]:
        """Yield compressed chunks."""
        return gzip_blocks(self._lines())

    def _lines(self) -> Iterator[bytes]:
        for place, rows in sorted_rows(self._connection):
            data = self.maker.lines(place, rows)
            self._hash.update(data)
            yield data

    def skim(self) -> None:
        """Find out the fingerprint and the counts without compressing."""
        for _ in self._lines():
            pass

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of what was iterated."""
        return f"sha256:{self._hash.hexdigest()}"


def gzip_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip member of all pieces; the same bytes however they were cut."""
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum = size = 0
    waiting = bytearray()
    yield _GZIP_HEADER
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        waiting += piece
        while len(waiting) >= _BLOCK_BYTES:
            yield squeeze.compress(waiting[:_BLOCK_BYTES])
            del waiting[:_BLOCK_BYTES]
    yield squeeze.compress(waiting) + squeeze.flush()
    yield struct.pack("<LL", checksum, size & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What is known of a pointer list that lies in the store.

    Attributes
    ----------
    layer : Descriptor
    fingerprint : str
    files, bytes : int
    addresses : list of (str, str)
        Name and public address of every source.
    """

    layer: Descriptor
    fingerprint: str
    files: int
    bytes: int
    addresses: list[tuple[str, str]]


def facts_of(pointers: PointerList, layer: Descriptor) -> ListFacts:
    """Return the facts of a list that was iterated to its end."""
    maker = pointers.maker
    addresses = sorted(maker.addresses)[:MAX_ADDRESSES]
    return ListFacts(layer, pointers.fingerprint, maker.files, maker.size_bytes, addresses)


def config_bytes(name: str, version: str, metadata: Metadata, facts: ListFacts) -> bytes:
    """Return the canonical config of a version."""
    record: dict[str, Any] = {"name": name, "version": version}
    record |= {field: value for field, value in metadata.to_json().items() if value}
    record["totals"] = {"files": facts.files, "bytes": facts.bytes}
    record["fingerprint"] = facts.fingerprint
    record["sources"] = [
        {"name": source, "address": address} for source, address in facts.addresses
    ]
    return orjson.dumps(record)


def manifest_bytes(
    config: bytes, facts: ListFacts, attachments: Sequence[Descriptor], metadata: Metadata
) -> bytes:
    """Return the canonical manifest; raises `TooLargeError` over 4 MiB."""
    annotations = {
        "org.opencontainers.image.title": metadata.title,
        "org.opencontainers.image.licenses": metadata.license,
    }
    pointers = replace(facts.layer, annotations={ANNOTATION_TITLE: POINTERS_TITLE})
    return image_manifest(
        config=describe(config, media_type=CONFIG_TYPE),
        layers=[pointers, *attachments],
        artifact_type=ARTIFACT_TYPE,
        annotations={key: value for key, value in annotations.items() if value},
    )


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """The checked content of a version's manifest and config.

    Attributes
    ----------
    name, version, digest : str
    config : dict
        As it is in the artifact.
    metadata : Metadata
    facts : ListFacts
    attachments : dict of str to Descriptor
        By path, in the order of the manifest.
    unmatched : tuple of str or None
        Of a part (see `packages.part`): entries of its filter that match nothing.
    """

    name: str
    version: str
    digest: str
    config: dict[str, Any]
    metadata: Metadata
    facts: ListFacts
    attachments: dict[str, Descriptor]
    unmatched: tuple[str, ...] | None = None

    def attachment_list(self) -> list[Attachment]:
        """Return the attachments as the API shows them."""
        return [
            Attachment(path, layer.size_bytes, layer.media_type)
            for path, layer in self.attachments.items()
        ]


def config_descriptor(manifest: Manifest) -> Descriptor:
    """Return where the config of a version lies.

    Raises
    ------
    StoreCorruptError
        The manifest is not one of a version.
    """
    try:
        content = parse_manifest(manifest.body)
    except PackagerError as error:
        raise _corrupt(manifest.descriptor.digest, error.message) from error
    config = content.config
    if config is None or config.media_type != CONFIG_TYPE or config.size_bytes > MAX_CONFIG_BYTES:
        raise _corrupt(manifest.descriptor.digest, "It is no version of a data package.")
    return config


def read_version(manifest: Manifest, config: bytes) -> VersionRecord:
    """Check a manifest and its config, and return what they say.

    Raises
    ------
    StoreCorruptError
        They are not those of a version, or contradict each other.
    """
    digest = manifest.descriptor.digest
    content = parse_manifest(manifest.body)
    try:
        record = orjson.loads(config)
        totals, fingerprint = record["totals"], check_digest(record["fingerprint"])
        layer = content.layers[0]
        if layer.media_type != POINTERS_TYPE:
            raise _corrupt(digest, "Its first layer is no pointer list.")
        addresses = [(one["name"], one["address"]) for one in record["sources"]]
        facts = ListFacts(
            layer, fingerprint, _count(totals["files"]), _count(totals["bytes"]), addresses
        )
        return VersionRecord(
            name=check_package_name(record["name"]),
            version=check_version(record["version"]),
            digest=digest,
            config=record,
            metadata=metadata_from_record(record),
            facts=facts,
            attachments=_attachments(digest, content.layers[1:]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _corrupt(digest, f"{type(error).__name__}: {error}") from error
    except StoreCorruptError:
        raise
    except PackagerError as error:
        raise _corrupt(digest, error.message) from error


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a total is no count")
    return value


def _attachments(digest: str, layers: Sequence[Descriptor]) -> dict[str, Descriptor]:
    found: dict[str, Descriptor] = {}
    for layer in layers:
        path = layer.annotations.get(ANNOTATION_TITLE, "")
        if not is_plain_path(path) or path in found:
            raise _corrupt(digest, "An attachment has no path of its own.")
        found[path] = layer
    return found


def totals_of(record: VersionRecord) -> Totals:
    """Return the totals that a version states."""
    return Totals(record.facts.files, record.facts.bytes)


def _corrupt(digest: str, details: str) -> StoreCorruptError:
    return StoreCorruptError(
        "The published version cannot be read: its artifact is damaged or of another kind.",
        remedy="Check the store with 'packager registry fsck', or publish the version again.",
        details=f"{digest}: {details}",
    )
