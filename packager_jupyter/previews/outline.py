"""The outline of an image on earth: polygons in longitude and latitude, or why there are none.

An image in EPSG:4326 has its own corners. The edges of one in another reference system are curves
on earth, so many points of them are converted, and those kept that matter. RFC 7946 holds: rings
are counterclockwise (3.1.6), what crosses the antimeridian is cut there (3.1.9), its box has a west
greater than its east (5.2), and what surrounds a pole reaches up to it (5.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from packager_jupyter.previews.reprojection import NoPlaceError, converter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packager_jupyter.previews.georeference import Georeference
    from packager_jupyter.previews.reprojection import Converter, Point

WGS84 = 4326
_HALF, _WHOLE, _POLE = 180.0, 360.0, 90.0
_Box = tuple[float, float, float, float]
_STEPS = 64
"""Parts of an edge whose ends are converted."""
_THIN = 1e-4
"""A point nearer to the line than this part of the outline's extent is left out."""
_DIGITS = 7
"""Of a degree: a centimetre."""
_AT_POLE = _POLE - 1e-9
_BEYOND = "its numbers are no place on earth"
_MOST_TURN = 120.0
"""Degrees of longitude between two neighbouring points, above which nobody knows which way."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Where an image lies.

    Attributes
    ----------
    polygons : tuple of rings
        Each the points of one polygon in longitude and latitude, degrees, counterclockwise, the
        first again at the end; two where it crosses the antimeridian, none where it is not known.
    bbox : tuple of 4 float, or None
        West, south, east, north; west is greater than east where it crosses the antimeridian.
    reason : str
        Why there are no polygons, empty when there are.
    """

    polygons: tuple[tuple[Point, ...], ...]
    bbox: _Box | None
    reason: str = ""


def outline_of(found: Georeference) -> Outline:
    """Return the outline of an image."""
    try:
        if found.epsg == WGS84:
            return _on_earth(found)
        return _converted(found, converter(found.epsg))
    except NoPlaceError as error:
        return Outline((), None, str(error))


# -- longitude and latitude -----------------------------------------------------------------------


def _on_earth(found: Georeference) -> Outline:
    corners = found.corners()
    xs, ys = zip(*corners, strict=True)
    west, south, east, north = min(xs), min(ys), max(xs), max(ys)
    _, b, _, d, _, _ = found.transform
    if b or d:  # turned: its corners as they are, or nothing
        is_inside = max(-west, east) <= _HALF and max(-south, north) <= _POLE
        if not is_inside:
            raise NoPlaceError(_BEYOND)
        return Outline((_ring(corners),), (west, south, east, north))
    # Grids whose points lie on the poles and the antimeridian reach half a pixel beyond both.
    columns, rows = (east - west) / found.width, (north - south) / found.height
    is_place = (
        max(north, -south) <= _POLE + rows
        and east - west <= _WHOLE + columns
        and -_WHOLE <= west <= east <= 2 * _WHOLE
    )
    south, north = max(south, -_POLE), min(north, _POLE)
    if not is_place or south >= north:
        raise NoPlaceError(_BEYOND)
    return _upright(west, south, east, north)


def _upright(west: float, south: float, east: float, north: float) -> Outline:
    """Return polygons and box of an image along the axes, with longitudes from -180 to 180."""
    if east - west >= _WHOLE:
        west, east = -_HALF, _HALF
    elif west >= _HALF:
        west, east = west - _WHOLE, east - _WHOLE
    elif west < -_HALF:
        west, east = west + _WHOLE, east + _WHOLE
    if east <= _HALF:
        return Outline((_box(west, south, east, north),), (west, south, east, north))
    rest = east - _WHOLE
    halves = _box(west, south, _HALF, north), _box(-_HALF, south, rest, north)
    return Outline(halves, (west, south, rest, north))


def _box(west: float, south: float, east: float, north: float) -> tuple[Point, ...]:
    return _ring([(west, south), (east, south), (east, north), (west, north)])


def _ring(corners: Sequence[Point]) -> tuple[Point, ...]:
    """Return the corners counterclockwise (RFC 7946 3.1.6) and closed."""
    following = [*corners[1:], corners[0]]
    area = sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))
    ordered = list(corners) if area > 0 else list(reversed(corners))
    return (*ordered, ordered[0])


# -- other reference systems ----------------------------------------------------------------------


def _converted(found: Georeference, to: Converter) -> Outline:
    points = _with_poles(to.to_earth(_edges(found)))
    if any(abs(lat) > _POLE for _, lat in points):
        raise NoPlaceError(_BEYOND)
    ring = _unwrapped(points)
    turn = ring[-1][0] - ring[0][0]
    ring = [(round(lon, _DIGITS), round(lat, _DIGITS)) for lon, lat in ring]  # away with the noise
    if abs(turn) > _HALF:
        return _around_pole(ring, _pole_in(found, to))
    lons, lats = zip(*ring, strict=True)
    west, south, east, north = min(lons), min(lats), max(lons), max(lats)
    if east - west >= _WHOLE:
        return _upright(-_HALF, south, _HALF, north)
    shift = _WHOLE * math.floor((west + _HALF) / _WHOLE)
    west, east = round(west - shift, _DIGITS), round(east - shift, _DIGITS)
    ring = _shifted(_thinned(ring)[:-1], shift)
    if east <= _HALF:
        return Outline((_ring(ring),), (west, south, east, north))
    halves = (_ring(_clipped(ring, -1)), _ring(_shifted(_clipped(ring, 1), _WHOLE)))
    return Outline(halves, (west, south, round(east - _WHOLE, _DIGITS), north))


def _shifted(points: Sequence[Point], west: float) -> list[Point]:
    """Return the points so many degrees further to the west."""
    return [(round(lon - west, _DIGITS), lat) for lon, lat in points]


def _edges(found: Georeference) -> list[Point]:
    """Return points around an image in its own coordinates, from the first corner on."""
    corners = found.corners()
    return [
        (x + (u - x) * step / _STEPS, y + (v - y) * step / _STEPS)
        for (x, y), (u, v) in pairwise([*corners, corners[0]])
        for step in range(_STEPS)
    ]


def _with_poles(points: list[Point]) -> list[Point]:
    """Return the points with two for each pole: it has the longitudes of both its neighbours."""
    found: list[Point] = []
    for at, (lon, lat) in enumerate(points):
        if abs(lat) < _AT_POLE or abs(lat) > _POLE + 1e-9:
            found.append((lon, lat))
            continue
        pole = math.copysign(_POLE, lat)
        following = points[(at + 1) % len(points)]
        found += [(points[at - 1][0], pole), (following[0], pole)]
    return found


def _unwrapped(points: list[Point]) -> list[Point]:
    """Return the points with longitudes that do not jump, and the first again at the end."""
    found = [points[0]]
    for lon, lat in [*points[1:], points[0]]:
        before = found[-1][0]
        step = (lon - before + _HALF) % _WHOLE - _HALF
        if abs(step) > _MOST_TURN:
            raise NoPlaceError("an edge of it runs too near to a pole")
        found.append((before + step, lat))
    return found


def _pole_in(found: Georeference, to: Converter) -> float:
    """Return the latitude of the pole that lies in an image."""
    a, b, c, d, e, f = found.transform
    inside = []
    for pole in (_POLE, -_POLE):
        place = to.from_earth((0.0, pole))
        if place is not None:
            x, y = place[0] - c, place[1] - f
            scale = a * e - b * d
            column, row = (e * x - b * y) / scale, (a * y - d * x) / scale
            if 0 <= column <= found.width and 0 <= row <= found.height:
                inside.append(pole)
    if len(inside) != 1:
        raise NoPlaceError("it goes around the earth")
    return inside[0]


def _around_pole(ring: list[Point], pole: float) -> Outline:
    """Return what lies between a ring around a pole and the pole."""
    ring = ring if ring[0][0] < ring[-1][0] else ring[::-1]
    if any(lon > following for (lon, _), (following, _) in pairwise(ring)):
        raise NoPlaceError("an edge of it runs too near to a pole")
    ring = _thinned(ring)
    start = _WHOLE * math.ceil((ring[0][0] + _HALF) / _WHOLE) - _HALF
    twice = [*ring, *[(lon + _WHOLE, lat) for lon, lat in ring[1:]]]
    inside = [(lon, lat) for lon, lat in twice if start < lon < start + _WHOLE]
    seam = next(
        lat + (other - lat) * (start - lon) / (following - lon)
        for (lon, lat), (following, other) in pairwise(twice)
        if lon <= start < following
    )
    seam = round(seam, _DIGITS)
    inside = _shifted(inside, start + _HALF)
    points = [(-_HALF, seam), *inside, (_HALF, seam), (_HALF, pole), (-_HALF, pole)]
    lats = [lat for _, lat in points]
    return Outline((_ring(points),), (-_HALF, min(lats), _HALF, max(lats)))


def _thinned(ring: list[Point]) -> list[Point]:
    """Return the points that matter (Douglas and Peucker 1973); first, middle and last stay."""
    lons, lats = zip(*ring, strict=True)
    most = _THIN * math.hypot(max(lons) - min(lons), max(lats) - min(lats))
    middle = len(ring) // 2
    kept = {0, middle, len(ring) - 1}
    waiting = [(0, middle), (middle, len(ring) - 1)]
    while waiting:
        first, last = waiting.pop()
        (x, y), (u, v) = ring[first], ring[last]
        length = math.hypot(u - x, v - y)
        far, at = most, 0
        for between in range(first + 1, last):
            p, q = ring[between]
            away = abs((u - x) * (q - y) - (v - y) * (p - x)) / length if length else math.inf
            if away > far:
                far, at = away, between
        if at:
            kept.add(at)
            waiting += [(first, at), (at, last)]
    return [ring[at] for at in sorted(kept)]


def _clipped(ring: list[Point], side: int) -> list[Point]:
    """Return the part of a ring that lies west (-1) or east (1) of the antimeridian."""
    found: list[Point] = []
    for (lon, lat), (following, other) in pairwise([*ring, ring[0]]):
        if side * (lon - _HALF) >= 0:
            found.append((lon, lat))
        if (lon - _HALF) * (following - _HALF) < 0:
            there = lat + (other - lat) * (_HALF - lon) / (following - lon)
            found.append((_HALF, round(there, _DIGITS)))
    return found
