"""``stac/…``: the geospatial files of a package as a SpatioTemporal Asset Catalog, version 1.1.

A package knows of a file its name, size, date and checksums, not where on earth it lies: finding
out would mean to read every one. So an item's geometry is null, which the item specification allows
when there is no ``bbox``, and its ``datetime`` is when the file was last modified; the collection's
description says both. A file without a date has no item and is counted there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.described import (
    description_of,
    document,
    iso,
    license_url,
    slug,
    title_of,
)
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

STAC_VERSION = "1.1.0"
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
GEO_TYPES = {
    "image/tiff": "image/tiff; application=geotiff",
    "application/geo+json": "application/geo+json",
    "application/x-netcdf": "application/x-netcdf",
}
_GEO_ENDINGS = {
    ".gpkg": "application/geopackage+sqlite3",
    ".jp2": "image/jp2",
    ".shp": "application/vnd.shp",
    ".laz": "application/vnd.laszip",
    ".copc.laz": "application/vnd.laszip+copc",
    ".fgb": "application/vnd.flatgeobuf",
}
# Multihash (https://github.com/multiformats/multicodec): code and length before the digest.
_MULTIHASH = {"sha256": "1220", "sha512": "1340", "md5": "d50110", "sha1": "1114"}
_ID_CHARS = 16
_UNKNOWN = (
    "Where they lie on earth is not known: items have no geometry, and the extent is that of the "
    "earth. Their date is that of the last modification of the file."
)


@dataclass(slots=True)
class _Seen:
    """What the items have in common, known after the last."""

    items: int = 0
    undated: int = 0
    first_s: int | None = None
    last_s: int | None = None

    def add(self, at_s: int) -> None:
        self.items += 1
        self.first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        self.last_s = at_s if self.last_s is None else max(self.last_s, at_s)


def geo_type(file: ExportedFile) -> str | None:
    """Return the media type of a geospatial file, ``None`` for another one."""
    ending = next((one for one in _GEO_ENDINGS if file.path.lower().endswith(one)), None)
    return GEO_TYPES.get(file.media_type) or (_GEO_ENDINGS[ending] if ending else None)


def collection(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``stac/collection.json``."""
    seen = _Seen()
    for file in _geo_files(contents, place):
        if file.modified_s is None:
            seen.undated += 1
        else:
            seen.add(file.modified_s)
    return document(_collection(contents, place, seen))


def items(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``stac/items.json``, an item collection."""
    features = (
        _item(contents, place, file)
        for file in _geo_files(contents, place)
        if file.modified_s is not None
    )
    return document({"type": "FeatureCollection"}, ("features", features))


def _geo_files(contents: Exportable, place: Place) -> Iterator[ExportedFile]:
    return (file for file in exported_files(contents, place.base_url) if geo_type(file))


def _collection(contents: Exportable, place: Place, seen: _Seen) -> dict[str, Any]:
    metadata = contents.metadata()
    notes = [
        description_of(contents),
        f"Geospatial files: {seen.items}. {_UNKNOWN}",
    ]
    if seen.undated:
        notes.append(f"Files without a date, which have no item: {seen.undated}.")
    first, last = (None if at_s is None else iso(at_s) for at_s in (seen.first_s, seen.last_s))
    found: dict[str, Any] = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": slug(contents.name),
        "title": title_of(contents),
        "description": "\n\n".join(notes),
        "license": metadata.license or "other",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [[first, last]]},
        },
        "links": [
            {"rel": "self", "href": f"{place.base_url}stac/collection.json",
             "type": "application/json"},
            {"rel": "root", "href": f"{place.base_url}stac/collection.json",
             "type": "application/json"},
            {"rel": "items", "href": f"{place.base_url}stac/items.json",
             "type": "application/geo+json"},
            {"rel": "about", "href": place.base_url, "type": "text/html"},
        ],
    }  # fmt: skip
    if metadata.keywords:
        found["keywords"] = list(metadata.keywords)
    url = license_url(metadata.license) if metadata.license else None
    if url:
        found["links"].append({"rel": "license", "href": url})
    return found


def _item(contents: Exportable, place: Place, file: ExportedFile) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": file.url,
        "title": file.path,
        "type": geo_type(file),
        "roles": ["data"],
        "file:size": file.size_bytes,
    }
    checksum = file.first_checksum(tuple(_MULTIHASH))
    if checksum:
        asset["file:checksum"] = _MULTIHASH[checksum[0]] + checksum[1]
    at = iso(file.modified_s or 0)
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [FILE_EXTENSION],
        "id": _id(file.path),
        "geometry": None,
        "properties": {"datetime": at, "title": file.path, "updated": at},
        "links": [
            {"rel": "collection", "href": f"{place.base_url}stac/collection.json",
             "type": "application/json"},
        ],
        "assets": {"data": asset},
        "collection": slug(contents.name),
    }  # fmt: skip


def _id(path: str) -> str:
    """Return an id without a slash, as the item specification wants it, of this path alone."""
    return f"{slug(path)[:80]}-{hashlib.sha256(path.encode()).hexdigest()[:_ID_CHARS]}"
