"""Outlines on earth of images in every kind of reference system.

What an image holds is asked of PROJ point by point, which is another way than that of its edges.
"""

from __future__ import annotations

import random
import sys
from itertools import pairwise

import pytest
from pyproj import Transformer

from packager_jupyter.previews.georeference import Georeference
from packager_jupyter.previews.outline import outline_of
from packager_jupyter.previews.reprojection import converter

WORLD = 20_037_508.342789244
AROUND = {3857: 2 * WORLD, 4258: 360}
"""How far it is around the earth, for the maps here that go on beyond the antimeridian."""


def upright(epsg, west, south, east, north, *, width=100, height=50):
    across, down = (east - west) / width, (north - south) / height
    return Georeference(epsg, width, height, (across, 0.0, west, 0.0, -down, north))


def at(image, column, row):
    a, b, c, d, e, f = image.transform
    return a * column + b * row + c, d * column + e * row + f


def is_in(image, x, y, *, margin):
    a, b, c, d, e, f = image.transform
    x, y, scale = x - c, y - f, a * e - b * d
    column, row = (e * x - b * y) / scale / image.width, (a * y - d * x) / scale / image.height
    return -margin < column < 1 + margin and -margin < row < 1 + margin


def holds(polygons, lon, lat):
    """Say whether a point lies in a geometry: even or odd, as for any polygon of GeoJSON."""
    crossed = 0
    for ring in polygons:
        for (x, y), (u, v) in pairwise(ring):
            if (y > lat) != (v > lat) and lon < x + (lat - y) * (u - x) / (v - y):
                crossed += 1
    return crossed % 2 == 1


IMAGES = {
    "zone": upright(32633, 400_000, 5_000_000, 500_000, 5_100_000),
    "upside down": Georeference(32633, 10, 10, (10_000.0, 0.0, 400_000.0, 0.0, 9_000.0, 5e6)),
    "turned": Georeference(32633, 100, 100, (900.0, 400.0, 4e5, 400.0, -900.0, 5e6)),
    "zone 60, over the antimeridian": upright(32660, 600_000, 7_000_000, 900_000, 7_300_000),
    "zone 1, over the antimeridian": upright(32701, 100_000, 8_000_000, 500_000, 8_400_000),
    "Mercator over the antimeridian": upright(3857, 19e6, 0, 21e6, 1e6),
    "the whole world in Mercator": upright(3857, -WORLD, -WORLD, WORLD, WORLD),
    "a bit more than the world": upright(6933, -17367530.45, -7314540.83, 17367530.45, 7314540.83),
    "Pacific": upright(3832, 0, -2_000_000, 4_000_000, 0),
    "New Zealand": upright(2193, 1_000_000, 4_700_000, 2_200_000, 6_300_000),
    "Europe": upright(3035, 2_500_000, 1_400_000, 7_400_000, 5_500_000),
    "Britain": upright(27700, 400_000, 200_000, 500_000, 300_000),
    "Arctic": upright(3413, -4e6, -3e6, 4e6, 4e6),
    "Antarctica": upright(3031, -3e6, -2e6, 2e6, 3e6),
    "the Arctic, turned": Georeference(3413, 100, 100, (3e4, 2e4, -2e6, 2e4, -3e4, 1e6)),
    "a corner on the pole": upright(3413, 0, 0, 1e6, 1e6),
    "beside the pole": upright(3413, 2e5, -1e6, 1e6, 1e6),
    "old longitudes": upright(4269, -111, 36, -110, 37),
    "longitudes to 360": upright(4258, 175, -10, 190, 10),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_an_outline_holds_what_the_image_holds_and_nothing_else(image):
    found = outline_of(image)
    assert found.reason == ""
    west, south, east, north = found.bbox
    to_earth = Transformer.from_crs(f"EPSG:{image.epsg}", "OGC:CRS84", always_xy=True)
    dice, margin = random.Random(4), 0.01
    for _ in range(400):
        x, y = dice.uniform(margin, 1 - margin), dice.uniform(margin, 1 - margin)
        lon, lat = to_earth.transform(*at(image, x * image.width, y * image.height))
        lon = (lon + 180) % 360 - 180
        assert holds(found.polygons, lon, lat), (lon, lat)
        assert south <= lat <= north
        assert (west <= lon <= east) if west <= east else (lon >= west or lon <= east)
    tested = 0
    for _ in range(4000):
        lon, lat = dice.uniform(-180, 180), dice.uniform(-90, 90)
        x, y = to_earth.transform(lon, lat, direction="INVERSE")
        if to_earth.transform(x, y) != pytest.approx((lon, lat), abs=1e-6):
            continue  # nowhere on this map
        again = x + AROUND.get(image.epsg, 0)
        if not any(is_in(image, one, y, margin=margin) for one in (x, again)):
            assert not holds(found.polygons, lon, lat), (lon, lat)
            tested += 1
    assert tested or found.bbox[0::2] == (-180, 180)


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_an_outline_is_geojson(image):
    found = outline_of(image)
    west, _, east, _ = found.bbox
    assert len(found.polygons) == (1 if west < east else 2)
    for ring in found.polygons:
        assert ring[0] == ring[-1]
        assert len(ring) < 300
        assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in ring)
        assert all(len(repr(number)) < 13 for point in ring for number in point)
        # Counterclockwise, so its area is positive.
        assert sum(x * v - u * y for (x, y), (u, v) in pairwise(ring)) > 0


def test_boxes_are_those_of_the_definition():
    quarter = outline_of(upright(3857, 0, 0, WORLD / 2, WORLD))
    assert quarter.bbox == pytest.approx((0, 0, 90, 85.0511288), abs=1e-7)
    assert len(quarter.polygons[0]) == 5  # its edges are straight on earth
    assert outline_of(IMAGES["the whole world in Mercator"]).bbox[0::2] == (-180, 180)
    assert outline_of(IMAGES["Arctic"]).bbox[0::2] == (-180, 180)
    assert outline_of(IMAGES["Arctic"]).bbox[3] == 90
    assert outline_of(IMAGES["Antarctica"]).bbox[1] == -90
    over = outline_of(upright(3857, WORLD - 1e6, 0, WORLD + 1e6, 1e6)).bbox
    assert over[0] == pytest.approx(-over[2], abs=1e-6)
    assert over[0] > 171


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (upright(9999, 0, 0, 1, 1), "no sound way from EPSG:9999"),
        (upright(4978, 0, 0, 1, 1), "axes of EPSG:4978"),
        (upright(2053, 0, 0, 1, 1), "axes of EPSG:2053"),
        (upright(32633, 1e9, 1e9, 2e9, 2e9), "beyond where its reference system holds"),
        (upright(6931, -9.5e6, -9.5e6, 9.5e6, 9.5e6), "beyond where its reference system holds"),
        (upright(3413, -1e6, 0, 1e6, 1e6), "too near to a pole"),
        (upright(4258, 0, 80, 10, 100), "no place on earth"),
        (upright(4326, 0, 91, 1, 92), "no place on earth"),
    ],
)
def test_what_has_no_outline_says_why(image, reason):
    found = outline_of(image)
    assert (found.polygons, found.bbox) == ((), None)
    assert reason in found.reason


def test_without_the_library_it_says_which_extra_is_missing(monkeypatch):
    converter.cache_clear()
    monkeypatch.setitem(sys.modules, "pyproj", None)
    assert "packager_jupyter[geo]" in outline_of(IMAGES["zone"]).reason
    assert outline_of(upright(4326, 10, 40, 20, 50)).bbox == (10, 40, 20, 50)
