"""Where a GeoTIFF lies: read from few of its bytes, and never believed when it does not add up."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import pytest
import tifffile

from packager_jupyter.errors import StorageUnreachableError
from packager_jupyter.previews.georeference import georeference
from packager_jupyter.previews.ranged import RangedFile

SCALE, TIE, MATRIX, KEYS = 33550, 33922, 34264, 34735
CORNER = {SCALE: (0.5, 0.25, 0.0), TIE: (0.0, 0.0, 0.0, 10.0, 50.0, 0.0)}


def keys_of(epsg, *, is_projected=False, is_point=False):
    """Return the key directory of GeoTIFF 7.1."""
    kind = 3072 if is_projected else 2048
    rows = [(1024, 1 if is_projected else 2), (1025, 2 if is_point else 1), (kind, epsg)]
    return (1, 1, 0, len(rows), *(n for key, value in rows for n in (key, 0, 1, value)))


def tiff(tags, *, shape=(40, 20), **options):
    """Return a TIFF of `shape`, rows and columns, with these tags."""
    extra = [
        (tag, "H" if tag == KEYS else "d", len(values), values, True)
        for tag, values in tags.items()
    ]
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros(shape, np.uint8), extratags=extra, **options)
    return file.getvalue()


def opened(data, **limits):
    return RangedFile("a.tif", len(data), lambda start, stop: [data[start:stop]], **limits)


def read(data):
    return georeference(opened(data))


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True},
                                     {"bigtiff": True, "byteorder": ">"}])  # fmt: skip
def test_the_grid_is_read_from_every_kind_of_tiff(options):
    found = read(tiff({KEYS: keys_of(4326), **CORNER}, **options))
    assert (found.epsg, found.width, found.height) == (4326, 20, 40)
    assert found.transform == (0.5, 0.0, 10.0, 0.0, -0.25, 50.0)
    assert found.corners() == [(10, 50), (10, 40), (20, 40), (20, 50)]


def test_a_tie_point_may_be_anywhere():
    tags = {KEYS: keys_of(32633, is_projected=True), SCALE: (10.0, 10.0, 0.0)}
    found = read(tiff({**tags, TIE: (5.0, 2.0, 0.0, 400_050.0, 5_000_000.0, 0.0)}))
    assert (found.epsg, found.transform) == (32633, (10, 0, 400_000, 0, -10, 5_000_020))


def test_a_point_is_the_middle_of_a_pixel():
    found = read(tiff({KEYS: keys_of(4326, is_point=True), **CORNER}))
    assert found.transform == (0.5, 0.0, 9.75, 0.0, -0.25, 50.125)


def test_a_matrix_may_turn_the_image():
    matrix = (1.0, 2.0, 0.0, 100.0, 3.0, -4.0, 0.0, 200.0, *(0.0,) * 7, 1.0)
    found = read(tiff({KEYS: keys_of(3857, is_projected=True), MATRIX: matrix}))
    assert found.transform == (1, 2, 100, 3, -4, 200)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        CORNER,
        {KEYS: keys_of(4326)},
        {KEYS: keys_of(32767), **CORNER},
        {KEYS: keys_of(0), **CORNER},
        {KEYS: keys_of(4326), **CORNER, SCALE: (float("nan"), 1.0, 0.0)},
        {KEYS: keys_of(4326), **CORNER, SCALE: (1e308, 1e308, 0.0)},
        {KEYS: keys_of(4326), **CORNER, SCALE: (0.0, 1.0, 0.0)},
        {KEYS: keys_of(4326), **CORNER, TIE: (0.0,) * 12},
        {KEYS: (1, 1, 0, 9, 1024), **CORNER},
        {KEYS: (*keys_of(4326), *(9, 0, 1, 1) * 600), **CORNER},
    ],
)
def test_what_does_not_add_up_is_no_place(tags):
    assert read(tiff(tags)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0not really",
        b"MM\0*",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"II*\0" + struct.pack("<I", 8) + b"\xff\xff" + bytes(100),
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63),
        b"II*\0" + struct.pack("<IHHHII", 8, 1, SCALE, 12, 3, 2**32 - 8),
    ],
)
def test_what_is_no_tiff_is_no_place(data):
    assert read(data) is None


def test_damaged_files_are_no_error():
    whole = bytearray(tiff({KEYS: keys_of(4326), **CORNER}))
    chance = random.Random(5)
    told = 0
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        told += read(bytes(data[: chance.randint(0, len(data))])) is not None
    assert 0 < told < 3000


def test_little_is_read_of_a_large_file_with_its_tags_at_the_end():
    data = tiff({KEYS: keys_of(4326), **CORNER}, shape=(2000, 3000))
    at = struct.unpack_from("<I", data, 4)[0]
    moved = struct.pack("<I", len(data))
    end = data[:4] + moved + data[8:] + data[at : at + 2 + 12 * 40]  # the directory once more
    file = opened(end)
    assert georeference(file).width == 3000
    assert file.requests <= 3
    assert file.read_bytes <= 3 * 64 * 1024 < len(end) / 20


def test_tags_beyond_the_limits_are_not_read():
    data = tiff({KEYS: keys_of(4326), **CORNER})
    assert georeference(opened(data, max_requests=0)) is None


def test_a_storage_that_fails_is_not_taken_for_a_file_without_a_place():
    data = tiff({KEYS: keys_of(4326), **CORNER})
    file = RangedFile("a.tif", len(data), lambda start, stop: [data[start : stop - 1]])
    with pytest.raises(StorageUnreachableError):
        georeference(file)
