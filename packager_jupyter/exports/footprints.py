"""Where on earth the images of a package lie: the footprint of each, as GeoJSON and as WKB.

Only where it is exact: an image in longitude and latitude of WGS 84 (EPSG:4326) has a polygon. One
in another reference system has the box in its own coordinates, from which whoever has the
definition of the system can compute the place.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packager_jupyter.previews.georeference import Georeference

WGS84 = 4326
_Point = tuple[float, float]
_Box = tuple[float, float, float, float]
_Polygons = tuple[tuple[_Point, ...], ...]
_WKB_POLYGON, _WKB_MULTIPOLYGON = 3, 6
_HALF, _WHOLE, _POLE = 180.0, 360.0, 90.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an image says about its place.

    Attributes
    ----------
    polygons : tuple of rings
        Each the corners of one polygon in longitude and latitude, degrees, counterclockwise, the
        first again at the end; two where it crosses the antimeridian, none where it is not known.
    bbox : tuple of 4 float, or None
        West, south, east, north; west is greater than east where it crosses the antimeridian
        (RFC 7946 5.2).
    projection : Georeference
    """

    polygons: tuple[tuple[_Point, ...], ...]
    bbox: tuple[float, float, float, float] | None
    projection: Georeference

    def geometry(self) -> dict[str, Any] | None:
        """Return the GeoJSON geometry (RFC 7946)."""
        rings = [[[list(point) for point in ring]] for ring in self.polygons]
        if not rings:
            return None
        if len(rings) == 1:
            return {"type": "Polygon", "coordinates": rings[0]}
        return {"type": "MultiPolygon", "coordinates": rings}

    def wkb(self) -> bytes:
        """Return the same geometry as well-known binary (OGC 06-103r4 8.2), little-endian."""
        parts = [
            struct.pack("<BIII", 1, _WKB_POLYGON, 1, len(ring))
            + b"".join(struct.pack("<dd", *point) for point in ring)
            for ring in self.polygons
        ]
        if len(parts) == 1:
            return parts[0]
        return struct.pack("<BII", 1, _WKB_MULTIPOLYGON, len(parts)) + b"".join(parts)

    def properties(self) -> dict[str, Any]:
        """Return the fields of STAC's projection extension 2.0."""
        xs, ys = zip(*self.projection.corners(), strict=True)
        return {
            "proj:code": f"EPSG:{self.projection.epsg}",
            "proj:bbox": [min(xs), min(ys), max(xs), max(ys)],
            "proj:shape": [self.projection.height, self.projection.width],
            "proj:transform": list(self.projection.transform),
        }


@dataclass(frozen=True, slots=True)
class Footprints:
    """What is known of the images of a version.

    Attributes
    ----------
    known : mapping of str to Footprint or None
        By path; ``None`` for a file that was read and says nothing. A path that is missing was
        not read.
    """

    known: Mapping[str, Footprint | None] = field(default_factory=dict)

    def mark(self) -> str:
        """Return a short text that differs where what is known differs; for ETags."""
        digest = hashlib.sha256()
        for path, found in sorted(self.known.items()):
            kind = "-" if found is None else f"{len(found.polygons)}"
            digest.update(f"{kind}{path}\0".encode())
        return digest.hexdigest()[:16]


def footprint_of(found: Georeference) -> Footprint:
    """Return the footprint of an image."""
    polygons, bbox = _on_earth(found) if found.epsg == WGS84 else ((), None)
    return Footprint(polygons, bbox, found)


def _on_earth(found: Georeference) -> tuple[_Polygons, _Box | None]:
    """Return polygons and box in longitude and latitude; nothing where the numbers are no place."""
    corners = found.corners()
    xs, ys = zip(*corners, strict=True)
    west, south, east, north = min(xs), min(ys), max(xs), max(ys)
    _, b, _, d, _, _ = found.transform
    if b or d:  # turned: its corners as they are, or nothing
        is_inside = max(-west, east) <= _HALF and max(-south, north) <= _POLE
        return ((_ring(corners),), (west, south, east, north)) if is_inside else ((), None)
    # Grids whose points lie on the poles and the antimeridian reach half a pixel beyond both.
    columns, rows = (east - west) / found.width, (north - south) / found.height
    is_place = (
        max(north, -south) <= _POLE + rows
        and east - west <= _WHOLE + columns
        and -_WHOLE <= west <= east <= 2 * _WHOLE
    )
    south, north = max(south, -_POLE), min(north, _POLE)
    return _upright(west, south, east, north) if is_place and south < north else ((), None)


def _upright(west: float, south: float, east: float, north: float) -> tuple[_Polygons, _Box]:
    """Return polygons and box of an image along the axes, with longitudes from -180 to 180."""
    if east - west >= _WHOLE:
        west, east = -_HALF, _HALF
    elif west >= _HALF:
        west, east = west - _WHOLE, east - _WHOLE
    elif west < -_HALF:
        west, east = west + _WHOLE, east + _WHOLE
    if east <= _HALF:
        return (_box(west, south, east, north),), (west, south, east, north)
    rest = east - _WHOLE
    halves = _box(west, south, _HALF, north), _box(-_HALF, south, rest, north)
    return halves, (west, south, rest, north)


def _box(west: float, south: float, east: float, north: float) -> tuple[_Point, ...]:
    return _ring([(west, south), (east, south), (east, north), (west, north)])


def _ring(corners: Sequence[_Point]) -> tuple[_Point, ...]:
    """Return the corners counterclockwise (RFC 7946 3.1.6) and closed."""
    following = [*corners[1:], corners[0]]
    area = sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))
    ordered = list(corners) if area > 0 else list(reversed(corners))
    return (*ordered, ordered[0])
