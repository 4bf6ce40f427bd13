"""Footprints on a globe, and how many of them are read."""

from __future__ import annotations

import io
import json
import struct
import sys
from itertools import pairwise

import pytest
from pyarrow import parquet

from exports.contents import Contents, pointer
from packager_jupyter.errors import StorageUnreachableError, ToolMissingError
from packager_jupyter.exports import footprint_reading, stac, stac_parquet
from packager_jupyter.exports.base import Place
from packager_jupyter.exports.footprint_reading import FootprintReader
from packager_jupyter.exports.footprints import Footprints, footprint_of
from packager_jupyter.previews.georeference import Georeference
from packager_jupyter.previews.reprojection import converter
from packager_jupyter.sources.base import Entry
from previews.test_georeference import CORNER, KEYS, keys_of, tiff

BASE = "https://data.example.org/s/abc/"


def upright(west, south, east, north, *, width=10, height=10, epsg=4326):
    across, down = (east - west) / width, (north - south) / height
    grid = Georeference(epsg, width, height, (across, 0.0, west, 0.0, -down, north))
    return footprint_of(grid)


@pytest.mark.parametrize(
    ("told", "bbox", "polygons"),
    [
        ((10, 40, 20, 50), (10, 40, 20, 50), 1),
        ((-180, -90, 180, 90), (-180, -90, 180, 90), 1),
        ((0, -90, 360, 90), (-180, -90, 180, 90), 1),
        ((-190, -99, 190, 99), (-180, -90, 180, 90), 1),  # half a pixel beyond on each side
        ((190, 0, 200, 10), (-170, 0, -160, 10), 1),
        ((170, 0, 190, 10), (170, 0, -170, 10), 2),
        ((-190, 0, -170, 10), (170, 0, -170, 10), 2),
        ((0, 0, 1000, 1000), None, 0),
        ((0, 91, 1, 92), None, 0),
        ((-800, 0, -790, 10), None, 0),
    ],
)
def test_longitudes_and_latitudes_of_the_globe(told, bbox, polygons):
    found = upright(*told)
    assert found.bbox == bbox
    assert len(found.outline.polygons) == polygons
    assert bool(found.outline.reason) == (bbox is None)
    for ring in found.outline.polygons:
        assert ring[0] == ring[-1]
        assert len(ring) == 5
        # Counterclockwise, so its area is positive.
        assert sum(x * v - u * y for (x, y), (u, v) in pairwise(ring)) > 0
        assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)


def test_a_turned_image_keeps_its_corners():
    turned = footprint_of(Georeference(4326, 10, 10, (0.5, 0.5, 0.0, 0.5, -0.5, 0.0)))
    assert set(turned.outline.polygons[0]) == {(0, 0), (5, -5), (10, 0), (5, 5)}
    assert turned.bbox == (0, -5, 10, 5)
    beyond = footprint_of(Georeference(4326, 10, 10, (0.5, 0.5, 175.0, 0.5, -0.5, 0.0)))
    assert (beyond.geometry(), beyond.bbox) == (None, None)


UTM = {
    "proj:code": "EPSG:32633",
    "proj:bbox": [400_000, 5_000_000, 400_100, 5_000_200],
    "proj:shape": [10, 10],
    "proj:transform": [10, 0, 400_000, 0, -20, 5_000_200],
}


def test_another_reference_system_has_its_own_box_beside_the_geometry():
    found = upright(400_000, 5_000_000, 400_100, 5_000_200, epsg=32633)
    assert found.properties() == UTM
    assert found.geometry()["type"] == "Polygon"
    assert found.bbox == pytest.approx((13.727927, 45.1463929, 13.7292388, 45.1482069))


def test_without_a_way_to_convert_it_has_its_own_box_and_says_why(monkeypatch):
    converter.cache_clear()
    monkeypatch.setitem(sys.modules, "pyproj", None)
    found = upright(400_000, 5_000_000, 400_100, 5_000_200, epsg=32633)
    assert (found.geometry(), found.bbox) == (None, None)
    why = found.properties().pop("packager:no_geometry")
    assert "pip install 'packager_jupyter[geo]'" in why
    assert found.properties() == {**UTM, "packager:no_geometry": why}


def test_well_known_binary_is_that_of_the_specification():
    data = upright(10, 40, 20, 50).wkb()
    assert len(data) == 93
    assert struct.unpack_from("<BIII", data) == (1, 3, 1, 5)
    ring = [(10, 40), (20, 40), (20, 50), (10, 50), (10, 40)]
    assert list(struct.iter_unpack("<dd", data[13:])) == ring
    two = upright(170, 0, 190, 10).wkb()
    assert struct.unpack_from("<BII", two) == (1, 6, 2)
    assert len(two) == 9 + 2 * 93


# -- catalogs -------------------------------------------------------------------------------------

EARTH = [-180, -90, 180, 90]
KNOWN = {
    "a.tif": upright(10, 40, 20, 50),
    "b.tif": upright(0, 0, 1, 1, epsg=2053),
    "c.tif": upright(-5, 30, 0, 41),
    "d.tif": None,
}


def catalog(*paths, known=KNOWN):
    """Return collection, items and the table of rows of images at `paths`."""
    contents = Contents([pointer(path) for path in paths])
    place = Place(BASE, 1_700_000_000, Footprints(known))
    table = parquet.read_table(io.BytesIO(b"".join(stac_parquet.items_parquet(contents, place))))
    return (
        json.loads(b"".join(stac.collection(contents, place))),
        json.loads(b"".join(stac.items(contents, place))),
        table,
    )


def test_what_is_known_and_what_is_not_is_counted_everywhere():
    collection, items, table = catalog("a.tif", "b.tif", "c.tif", "d.tif", "new.tif", "x.nc")
    counts = {
        "items": 6,
        "with_geometry": 2,
        "other_reference_system": 1,
        "not_read_yet": 1,
        "place_unknown": 2,
        "without_date": 0,
    }
    assert items["packager:footprints"] == counts
    assert json.loads(table.schema.metadata[b"packager:footprints"]) == counts
    inside = json.loads(table.schema.metadata[b"stac-geoparquet"])["collections"]["ocean"]
    assert inside == collection
    assert collection["extent"]["spatial"]["bbox"] == [EARTH]
    for text in ("With a geometry: 2.", "no geometry: 1; ", "not known: 2.", "not read yet: 1;"):
        assert text in collection["description"]
    has_box = [one["properties"]["title"] for one in items["features"] if "bbox" in one]
    has_geometry = [one["properties"]["title"] for one in items["features"] if one["geometry"]]
    assert has_box == has_geometry == table["title"].to_pylist() == ["a.tif", "c.tif"]


def test_the_extent_is_that_of_the_items_when_all_are_known():
    collection, _, _ = catalog("a.tif", "c.tif")
    assert collection["extent"]["spatial"]["bbox"] == [[-5, 30, 20, 50]]
    across = {"a.tif": upright(170, 0, 190, 10), "c.tif": KNOWN["c.tif"]}
    collection, _, _ = catalog("a.tif", "c.tif", known=across)
    assert collection["extent"]["spatial"]["bbox"] == [[-180, 0, 180, 41]]


def test_a_file_without_rows_is_whole_and_says_why():
    _, items, table = catalog("b.tif", "x.nc")
    assert table.num_rows == 0
    assert json.loads(table.schema.metadata[b"packager:footprints"])["items"] == 2
    assert json.loads(table.schema.metadata[b"geo"])["primary_column"] == "geometry"
    assert len(items["features"]) == 2


def test_without_the_library_it_says_what_to_take_instead(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ToolMissingError) as caught:
        stac_parquet.items_parquet(Contents(), Place(BASE))
    assert "stac/items.json" in caught.value.remedy


# -- reading --------------------------------------------------------------------------------------

IMAGE = tiff({KEYS: keys_of(4326), **CORNER})


class Lake:
    """A storage that counts, of which objects can change or fail."""

    def __init__(self):
        self.asked = []
        self.etags = {}
        self.failing = set()

    def open(self, _name):
        return self

    def read(self, key, *, start, stop, version_id):
        assert version_id is None
        self.asked.append(key)
        if key in self.failing:
            raise StorageUnreachableError("The lake is dry.", remedy="Wait for rain.")
        yield IMAGE[start:stop]

    def stat(self, key):
        return Entry(key, size_bytes=len(IMAGE), etag=self.etags.get(key, "abc"))


@pytest.fixture
def lake():
    return Lake()


def images(count):
    named = [pointer(f"{n:03}.tif", size=len(IMAGE)) for n in range(count)]
    return Contents([*named, pointer("z.nc"), pointer("z.tif")._replace(modified_s=None)])


def test_each_file_is_read_once(lake):
    reader = FootprintReader()
    first = reader.read(images(20), lake.open)
    assert set(first.known) == {f"{n:03}.tif" for n in range(20)}
    assert first.known["000.tif"].bbox == (10, 40, 20, 50)
    assert len(lake.asked) == 20
    assert reader.read(images(20), lake.open) == first
    assert len(lake.asked) == 20


def test_a_request_reads_some_and_the_next_goes_on(lake):
    reader = FootprintReader(files_a_request=16, max_files=40)
    found = [reader.read(images(100), lake.open) for _ in range(5)]
    assert [len(one.known) for one in found] == [16, 32, 40, 40, 40]
    assert len(lake.asked) == len(set(lake.asked)) == 40
    assert len({one.mark() for one in found}) == 3


def test_no_file_is_begun_when_the_time_is_over(lake):
    assert FootprintReader(seconds_a_request=0).read(images(9), lake.open).known == {}
    assert lake.asked == []


def test_another_object_than_the_published_one_has_no_footprint(lake):
    lake.etags["raw/001.tif"] = "other"
    known = FootprintReader().read(images(3), lake.open).known
    assert known["001.tif"] is None
    assert known["000.tif"] == known["002.tif"] is not None


def test_what_the_storage_cannot_give_now_is_asked_for_again(lake, caplog):
    lake.failing = {"raw/001.tif"}
    reader = FootprintReader()
    assert set(reader.read(images(3), lake.open).known) == {"000.tif", "002.tif"}
    assert "The lake is dry." in caplog.text
    lake.failing = set()
    assert set(reader.read(images(3), lake.open).known) == {"000.tif", "001.tif", "002.tif"}


def test_few_versions_are_remembered(lake):
    reader = FootprintReader()
    contents = images(1)
    for n in range(footprint_reading.VERSIONS + 1):
        contents.digest = f"sha256:{n}"
        reader.read(contents, lake.open)
    contents.digest = "sha256:0"
    reader.read(contents, lake.open)
    assert len(lake.asked) == footprint_reading.VERSIONS + 2
