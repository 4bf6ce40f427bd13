"""From the coordinates of a reference system to longitude and latitude, by PROJ.

Needs the extra ``geo``. What cannot be converted soundly is refused, never guessed: a system that
PROJ does not know, one whose datum it can only approximate blindly, a point from which there is no
way back.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]

_SYSTEMS = 64
# A way there and back that ends further off than this part of the image's extent is no way.
_TOLERANCE = 1e-3


class NoPlaceError(Exception):
    """Why a place on earth is not known: the rest of a sentence, for people."""


class Converter:
    """Converts the coordinates of one reference system; for any thread.

    Parameters
    ----------
    transformer : pyproj.Transformer
        To OGC:CRS84, x before y on both sides.
    """

    def __init__(self, transformer: Any) -> None:
        self._transformer = transformer

    def to_earth(self, points: Sequence[Point]) -> list[Point]:
        """Return longitude and latitude of each of `points`, degrees.

        Raises
        ------
        NoPlaceError
            One of them lies where the system does not hold.
        """
        xs, ys = zip(*points, strict=True)
        found = self._transformer.transform(xs, ys)
        back = self._transformer.transform(*found, direction="INVERSE")
        most = _TOLERANCE * max(max(xs) - min(xs), max(ys) - min(ys))
        around = self._around()
        is_back = all(
            (abs(x - u) <= most or abs(abs(x - u) - around) <= most) and abs(y - v) <= most
            for x, y, u, v in zip(xs, ys, *back, strict=True)
        )
        if not is_back:
            raise NoPlaceError("it reaches beyond where its reference system holds")
        return list(zip(*found, strict=True))

    def _around(self) -> float:
        """Return how far it is once around the equator, where x grows evenly with the longitude.

        Whoever goes on to the east of such a map comes back from its west.
        """
        (first, second), _ = self._transformer.transform(
            (7.3, 8.3), (0.0, 0.0), direction="INVERSE"
        )
        return abs(float(second - first)) * 360

    def from_earth(self, point: Point) -> Point | None:
        """Return the coordinates of a longitude and latitude, ``None`` where there are none."""
        x, y = self._transformer.transform(*point, direction="INVERSE")
        return (x, y) if math.isfinite(x) and math.isfinite(y) else None


@lru_cache(_SYSTEMS)
def converter(epsg: int) -> Converter:
    """Return what converts a reference system.

    Raises
    ------
    NoPlaceError
        There is no sound way, or the extra is not installed.
    """
    try:
        from pyproj import CRS, Transformer
        from pyproj.exceptions import CRSError, ProjError
    except ImportError:
        raise NoPlaceError(
            f"EPSG:{epsg} is not converted here. Who runs the server can install the extra: "
            "pip install 'packager_jupyter[geo]'"
        ) from None
    try:
        system = CRS.from_epsg(epsg)
        is_flat = system.is_projected or system.is_geographic
        # Some files turn the numbers of a system that counts to the west, others do not.
        if not is_flat or any(axis.direction == "west" for axis in system.axis_info):
            raise NoPlaceError(f"the axes of EPSG:{epsg} do not go east and north")
        # No ballpark: an unknown datum is hundreds of metres, and nobody would see it.
        return Converter(
            Transformer.from_crs(system, "OGC:CRS84", always_xy=True, allow_ballpark=False)
        )
    except (CRSError, ProjError):
        raise NoPlaceError(f"there is no sound way from EPSG:{epsg} to EPSG:4326") from None
