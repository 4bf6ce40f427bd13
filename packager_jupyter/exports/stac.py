"""``stac/…``: the geospatial files of a package as a SpatioTemporal Asset Catalog, version 1.1.

Where on earth a file lies is told for GeoTIFFs whose footprint was read (`Place.footprints`): they
have the fields of the projection extension and a geometry, or ``packager:no_geometry`` says why
not. The geometry of every other item is null, which the item specification allows when there is no
``bbox``. An item's ``datetime`` is when the file was last modified. The
collection's description says and counts all that; a file without a date has no item and is counted
there.
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
    from packager_jupyter.exports.footprints import Footprint

STAC_VERSION = "1.1.0"
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PROJECTION_EXTENSION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
EARTH = (-180.0, -90.0, 180.0, 90.0)
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
_DATES = "The date of an item is that of the last modification of the file."


@dataclass(slots=True)
class Seen:
    """What the items have in common, known after the last.

    Attributes
    ----------
    items : int
    undated : int
        Geospatial files that have no item.
    located, projected, unread : int
        Items with a geometry; with the box in their own reference system alone, as it cannot be
        converted; images whose place has not been looked for.
    first_s, last_s : int or None
        Dates, Unix seconds.
    bbox : tuple of 4 float, or None
        West, south, east, north of the items with a geometry, degrees.
    """

    items: int = 0
    undated: int = 0
    located: int = 0
    projected: int = 0
    unread: int = 0
    first_s: int | None = None
    last_s: int | None = None
    bbox: tuple[float, float, float, float] | None = None

    def add(self, file: ExportedFile, place: Place) -> None:
        """Count a geospatial file."""
        at_s = file.modified_s
        if at_s is None:
            self.undated += 1
            return
        self.items += 1
        self.first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        self.last_s = at_s if self.last_s is None else max(self.last_s, at_s)
        found = place.footprints.known.get(file.path)
        if found is not None and found.bbox is not None:
            self.located += 1
            self._extend(found.bbox)
        elif found is not None:
            self.projected += 1
        elif file.media_type == "image/tiff" and file.path not in place.footprints.known:
            self.unread += 1

    def _extend(self, box: tuple[float, float, float, float]) -> None:
        west, south, east, north = box
        if west > east:  # across the antimeridian: all around holds it
            west, east = EARTH[0], EARTH[2]
        if self.bbox is not None:
            west, south = min(west, self.bbox[0]), min(south, self.bbox[1])
            east, north = max(east, self.bbox[2]), max(north, self.bbox[3])
        self.bbox = (west, south, east, north)

    def extent(self) -> tuple[float, float, float, float]:
        """Return a box that no item is outside of: the earth while the place of one is unknown."""
        is_whole = self.bbox is not None and self.located == self.items
        return self.bbox if is_whole and self.bbox else EARTH

    def counts(self) -> dict[str, int]:
        """Return how many items have a geometry, and why the others have none."""
        unknown = self.items - self.located - self.projected - self.unread
        return {
            "items": self.items,
            "with_geometry": self.located,
            "other_reference_system": self.projected,
            "not_read_yet": self.unread,
            "place_unknown": unknown,
            "without_date": self.undated,
        }

    def note(self) -> str:
        """Say the same in sentences."""
        counts = self.counts()
        told = [f"Geospatial files: {self.items}. With a geometry: {self.located}."]
        if self.projected:
            told.append(
                "In a reference system that could not be converted, which have proj:bbox and no "
                f"geometry: {self.projected}; their packager:no_geometry says why."
            )
        if counts["place_unknown"]:
            told.append(f"Whose place is not known: {counts['place_unknown']}.")
        if self.unread:
            told.append(
                f"Whose place was not read yet: {self.unread}; some more are read each time "
                "somebody asks."
            )
        if self.located < self.items:
            told.append("So the extent is that of the earth.")
        return " ".join([*told, _DATES])


def geo_type(file: ExportedFile) -> str | None:
    """Return the media type of a geospatial file, ``None`` for another one."""
    ending = next((one for one in _GEO_ENDINGS if file.path.lower().endswith(one)), None)
    return GEO_TYPES.get(file.media_type) or (_GEO_ENDINGS[ending] if ending else None)


def collection(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``stac/collection.json``."""
    return document(collection_of(contents, place))


def items(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``stac/items.json``, an item collection; its last member counts geometries."""
    seen = Seen()
    counts: dict[str, Any] = {"packager:footprints": seen.counts()}

    def features() -> Iterator[dict[str, Any]]:
        for file in _geo_files(contents, place):
            seen.add(file, place)
            if file.modified_s is not None:
                yield _item(contents, place, file)
        # Written behind the features, as only now it is known.
        counts["packager:footprints"] = seen.counts()

    return document({"type": "FeatureCollection"}, ("features", features()), counts)


def located_items(contents: Exportable, place: Place) -> Iterator[tuple[dict[str, Any], Footprint]]:
    """Yield the items that have a geometry, each with its footprint."""
    for file in _geo_files(contents, place):
        found = place.footprints.known.get(file.path)
        if file.modified_s is not None and found is not None and found.bbox is not None:
            yield _item(contents, place, file), found


def seen_of(contents: Exportable, place: Place) -> Seen:
    """Return what the items have in common."""
    seen = Seen()
    for file in _geo_files(contents, place):
        seen.add(file, place)
    return seen


def _geo_files(contents: Exportable, place: Place) -> Iterator[ExportedFile]:
    return (file for file in exported_files(contents, place.base_url) if geo_type(file))


def collection_of(contents: Exportable, place: Place, seen: Seen | None = None) -> dict[str, Any]:
    """Return the collection; counts the items itself unless they are given."""
    seen = seen or seen_of(contents, place)
    metadata = contents.metadata()
    notes = [description_of(contents), seen.note()]
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
            "spatial": {"bbox": [list(seen.extent())]},
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
    properties: dict[str, Any] = {"datetime": at, "title": file.path, "updated": at}
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [FILE_EXTENSION],
        "id": _id(file.path),
        "geometry": None,
        "properties": properties,
        "links": [
            {"rel": "collection", "href": f"{place.base_url}stac/collection.json",
             "type": "application/json"},
        ],
        "assets": {"data": asset},
        "collection": slug(contents.name),
    }  # fmt: skip
    found = place.footprints.known.get(file.path)
    if found is not None:
        item["stac_extensions"].append(PROJECTION_EXTENSION)
        properties.update(found.properties())
        if found.bbox is not None:
            item["geometry"] = found.geometry()
            item["bbox"] = list(found.bbox)
    return item


def _id(path: str) -> str:
    """Return an id without a slash, as the item specification wants it, of this path alone."""
    return f"{slug(path)[:80]}-{hashlib.sha256(path.encode()).hexdigest()[:_ID_CHARS]}"
