"""Where on earth the images of a package lie: the footprint of each, as GeoJSON and as WKB.

An image in longitude and latitude of WGS 84 (EPSG:4326) has a polygon, and so has one in another
reference system that can be converted (`previews.outline`). One that cannot has the box in its own
coordinates, from which whoever has the definition of the system can compute the place, and says why
there is no more.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packager_jupyter.previews.outline import outline_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.previews.georeference import Georeference
    from packager_jupyter.previews.outline import Outline

_WKB_POLYGON, _WKB_MULTIPOLYGON = 3, 6


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an image says about its place.

    Attributes
    ----------
    outline : Outline
    projection : Georeference
    """

    outline: Outline
    projection: Georeference

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north, degrees; see `Outline`."""
        return self.outline.bbox

    def geometry(self) -> dict[str, Any] | None:
        """Return the GeoJSON geometry (RFC 7946)."""
        rings = [[[list(point) for point in ring]] for ring in self.outline.polygons]
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
            for ring in self.outline.polygons
        ]
        if len(parts) == 1:
            return parts[0]
        return struct.pack("<BII", 1, _WKB_MULTIPOLYGON, len(parts)) + b"".join(parts)

    def properties(self) -> dict[str, Any]:
        """Return the fields of STAC's projection extension 2.0, and why there is no geometry."""
        xs, ys = zip(*self.projection.corners(), strict=True)
        why = {} if self.bbox else {"packager:no_geometry": self.outline.reason}
        return why | {
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
            kind = "-" if found is None else f"{len(found.outline.polygons)}"
            digest.update(f"{kind}{path}\0".encode())
        return digest.hexdigest()[:16]


def footprint_of(found: Georeference) -> Footprint:
    """Return the footprint of an image."""
    return Footprint(outline_of(found), found)
