"""The sample data: deterministic, of the promised kinds, and valid as what they claim to be."""

import io
import json
import zlib
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from packager_jupyter.demo import formats
from packager_jupyter.demo.survey import survey_files


@pytest.fixture(scope="module")
def files():
    return list(survey_files())


@pytest.fixture(scope="module")
def by_path(files):
    return {file.path: file.data for file in files}


def test_every_run_gives_the_same_files(files):
    assert list(survey_files()) == files


def test_some_hundred_files_of_every_promised_kind(files):
    kinds = Counter(file.path.rpartition(".")[2] for file in files)
    assert len(files) >= 200
    assert kinds["csv"] >= 100
    assert kinds["parquet"] >= 5
    assert kinds["png"] >= 40
    assert kinds["tif"] >= 10
    assert kinds["txt"] >= 10
    assert kinds["json"] >= 1
    assert any("sst.zarr/" in file.path for file in files)
    assert len({file.path for file in files}) == len(files)
    assert sum(len(file.data) for file in files) < 20_000_000


def test_names_are_not_all_tame(files):
    names = "".join(file.path for file in files)
    for char in " #%&()à":
        assert char in names


def test_geotiff_places_its_pixels(by_path):
    image = Image.open(io.BytesIO(by_path["bathymetry/tile_r1_c2.tif"]))
    assert image.tag_v2[33550] == (0.5 / 64, 0.5 / 64, 0.0)
    assert image.tag_v2[33922] == (0.0, 0.0, 0.0, -23.0, 38.5, 0.0)
    assert image.tag_v2[34735][:4] == (1, 1, 0, 3)
    assert image.tag_v2[34735][-4:] == (2048, 0, 1, 4326)
    depth = np.asarray(image)
    assert depth.shape == (64, 64)
    assert depth.min() < -3000 < -300 < depth.max() < 0


def test_tiles_meet_without_a_step(by_path):
    left, right = (
        np.asarray(Image.open(io.BytesIO(by_path[f"bathymetry/tile_r1_c{c}.tif"]))) for c in (1, 2)
    )
    step = np.abs(left[:, -1] - right[:, 0]).max()
    assert step < 2 * np.abs(np.diff(left, axis=1)).max()


def test_zarr_reads_back(by_path):
    header = json.loads(by_path["sst.zarr/sst/.zarray"])
    values = np.empty(header["shape"], header["dtype"])
    depth, height, width = header["chunks"]
    for path, data in by_path.items():
        index = path.removeprefix("sst.zarr/sst/")
        if not index.replace(".", "").isdecimal() or "/" in index:
            continue
        t, y, x = map(int, index.split("."))
        chunk = np.frombuffer(zlib.decompress(data), header["dtype"]).reshape(header["chunks"])
        values[
            t * depth : (t + 1) * depth, y * height : (y + 1) * height, x * width : (x + 1) * width
        ] = chunk
    assert np.isfinite(values).all()
    assert 5 < values.min() < values.max() < 30
    consolidated = json.loads(by_path["sst.zarr/.zmetadata"])["metadata"]
    assert consolidated["sst/.zarray"] == header
    assert consolidated["month/.zattrs"]["_ARRAY_DIMENSIONS"] == ["month"]


def test_a_chunk_at_the_edge_is_padded_to_its_full_shape():
    parts = dict(
        formats.zarr_array(
            "a", np.arange(5, dtype=np.int32), chunks=(3,), dimensions=("x",), attributes={}
        )
    )
    edge = np.frombuffer(zlib.decompress(parts["a/1"]), "<i4")
    assert edge.tolist() == [3, 4, 0]


def test_parquet_reads_back(by_path):
    table = pq.read_table(io.BytesIO(by_path["gliders/mission-01.parquet"]))
    assert table.num_rows == 2000
    assert {"time", "depth_m", "chlorophyll_mg_m3"} <= set(table.column_names)


def test_every_image_opens(by_path):
    for path, data in by_path.items():
        if path.endswith(".png"):
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                assert image.size == (128, 96)
