"""Parquet and TIFF: read by range in a process of their own, which may die and harms nobody."""

from __future__ import annotations

import base64
import io
import os
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tifffile
from PIL import Image
from pyarrow import parquet

from packager_jupyter.errors import NotPreviewableError, PackagerError, StorageUnreachableError
from packager_jupyter.previews.ranged import RangedFile
from packager_jupyter.previews.registry import preview_kind

WORLD = [
    (33550, 12, 3, (0.25, 0.25, 0), True),
    (33922, 12, 6, (0, 0, 0, -20, 60, 0), True),
    (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326), True),
    (42113, 2, 0, "-9999", True),
]


def parquet_bytes(rows=1000, **columns):
    columns = columns or {
        "n": range(rows),
        "text <b>": [f"row {n}" for n in range(rows)],
        "list": [[1, 2, 3, 4, 5, 6, 7]] * rows,
        "bytes": [b"xyz"] * rows,
        "none": [None] * rows,
    }
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def tiff_bytes(side=1024, *, compression="deflate", levels=(2, 4), extratags=WORLD):
    y, x = np.mgrid[0:side, 0:side]
    values = np.sin(x / 50).astype("float32") + y.astype("float32") / side
    values += np.random.default_rng(1).random(values.shape).astype("float32") / 100
    values[:10, :10] = -9999
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        options = {"tile": (256, 256), "compression": compression}
        writer.write(values, extratags=extratags, **options)
        for step in levels:
            writer.write(values[::step, ::step], subfiletype=1, **options)
    return file.getvalue()


def ranged(name, data, **limits):
    return RangedFile(name, len(data), lambda start, stop: [data[start:stop]], **limits)


def preview(name, data, **limits):
    file = ranged(name, data, **limits)
    return preview_kind(name).make(file), file


def facts_of(made):
    return dict(next(block for block in made.blocks if block.kind == "facts").facts)


def test_parquet_shows_its_schema_and_its_first_rows():
    made, _ = preview("a.parquet", parquet_bytes())
    facts, head, schema = made.blocks
    assert dict(facts.facts)["Rows"] == "1,000"
    assert head.columns == ("n", "text <b>", "list", "bytes", "none")
    assert head.rows[3] == ("3", "row 3", "[1, 2, 3, 4, 5, …]", "3 bytes", "")
    assert len(head.rows) == 20
    assert [row[:2] for row in schema.rows][:2] == [("n", "int64"), ("text <b>", "string")]
    assert made.notes == ("Only the first 20 rows are shown.",)


def test_a_large_parquet_is_read_in_small_parts():
    data = parquet_bytes(big=np.random.default_rng(1).random(4_000_000), small=range(4_000_000))
    made, file = preview("a.parquet", data)
    assert len(data) > 40_000_000
    assert file.read_bytes < 8_000_000
    assert len(made.blocks[1].rows) == 20


def test_thousands_of_columns_are_cut_with_a_note():
    made, _ = preview("a.parquet", parquet_bytes(**{f"c{n}": [n] for n in range(3000)}))
    assert len(made.blocks[1].columns) == 20
    assert len(made.blocks[2].rows) == 200
    assert any("200 of 3,000 columns" in note for note in made.notes)


def test_rows_that_cost_too_much_leave_the_schema():
    data = parquet_bytes(n=range(100), big=[os.urandom(100_000) for _ in range(100)])
    made, _ = preview("a.parquet", data, max_bytes=128 * 1024)
    assert [block.title for block in made.blocks] == ["", "Columns"]
    assert any("The first rows cannot be shown" in note for note in made.notes)


def test_an_empty_parquet_has_a_schema():
    file = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([], pa.int8())}), file)
    made, _ = preview("a.parquet", file.getvalue())
    assert facts_of(made)["Rows"] == "0"


@pytest.mark.parametrize("compression", ["deflate", "lzw", "zstd", None])
def test_a_geotiff_shows_its_size_its_place_and_a_picture(compression):
    data = tiff_bytes(compression=compression)
    made, file = preview("a.tif", data)
    facts = facts_of(made)
    assert facts["Size"] == "1,024 by 1,024 pixels"
    assert facts["Overviews"] == "2"
    assert facts["Reference system"] == "EPSG:4326 WGS 84"
    assert facts["Bounds"] == "-20, -196 to 236, 60 (x, y)"
    picture = made.blocks[1]
    assert "overview of 512 by 512" in picture.title
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png_base64))))
    assert shown.shape == (512, 512)
    assert shown[0, 0] == 0  # no data
    assert shown[-1].mean() > shown[20].mean()
    assert file.read_bytes < len(data) / 2


def test_a_projected_image_shows_where_on_earth_it_is():
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
    tags = [
        (33550, 12, 3, (100, 100, 0), True),
        (33922, 12, 6, (0, 0, 0, 400_000, 5_100_000, 0), True),
        (34735, 3, 16, keys, True),
    ]
    facts = facts_of(preview("a.tif", tiff_bytes(extratags=tags))[0])
    assert facts["Bounds"] == "400000, 4997600 to 502400, 5100000 (x, y)"
    west, south, east, north = re.findall(r"-?\d+\.\d{6}", facts["On earth"])
    assert (west[:5], south[:5], east[:5], north[:5]) == ("13.70", "45.12", "15.03", "46.05")
    elsewhere = (*keys[:-1], 9999)
    made, _ = preview("a.tif", tiff_bytes(extratags=[*tags[:2], (34735, 3, 16, elsewhere, True)]))
    assert "On earth" not in facts_of(made)
    assert facts_of(made)["Bounds"] == facts["Bounds"]


def test_colour_images_and_plain_ones():
    file = io.BytesIO()
    values = np.zeros((40, 60, 3), "uint8")
    values[:, :, 2] = 200
    tifffile.imwrite(file, values, photometric="rgb")
    made, _ = preview("a.tiff", file.getvalue())
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(made.blocks[1].png_base64))))
    assert (shown == values).all()
    assert "image of 60 by 40" in made.blocks[1].title


def test_a_large_image_without_overviews_is_not_read():
    data = tiff_bytes(side=2048, levels=())
    made, file = preview("a.tif", data)
    assert file.read_bytes < 500_000
    assert facts_of(made)["Size"] == "2,048 by 2,048 pixels"
    assert made.notes == ("No picture of it: it has no overview that is small enough.",)


def ifd(tags, following):
    return b"II*\0" + struct.pack("<I", 8) + directory(tags, following)


def directory(tags, following):
    body = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + body + struct.pack("<I", following)


def chained(*following, tags=()):
    """Return a TIFF of as many directories, 1,000 bytes apart, each with the offset of its next."""
    data = b"II*\0" + struct.pack("<I", 1000)
    for number, offset in enumerate(following, 1):
        data = data.ljust(1000 * number, b"\0") + directory([*SIZE_TAGS, *tags], offset)
    return data.ljust(200_000, b"\0")


SIZE_TAGS = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]


@pytest.mark.parametrize(
    "following", [(1000,), (2000, 1000), (2000, 3000, 2000), (2000, 3000, 3000)]
)
def test_directories_that_go_in_circles_are_read_once(following):
    started = time.monotonic()
    made, file = preview("a.tif", chained(*following))
    assert facts_of(made)["Size"] == "64 by 64 pixels"
    listed = [block for block in made.blocks if block.kind == "table"]
    # One image alone needs no list of images.
    assert [len(block.rows) for block in listed] == ([len(following)] if len(following) > 1 else [])
    assert not any("Only the first" in note for note in made.notes)
    assert file.requests < 10
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("target", [1000, 2000])
def test_directories_below_themselves_are_no_images(target):
    made, file = preview("a.tif", chained(0, 1000, tags=[(330, 4, 1, target)]))
    assert facts_of(made)["Size"] == "64 by 64 pixels"
    assert [block for block in made.blocks if block.kind == "table"] == []
    assert file.requests < 10


def test_a_strip_that_unpacks_to_gigabytes_harms_nobody():
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(600)) + packer.flush()
    tags = [*SIZE_TAGS, (259, 3, 1, 8), (273, 4, 1, 4096), (278, 4, 1, 64), (279, 4, 1, len(bomb))]
    data = ifd(sorted(tags), following=0).ljust(4096, b"\0") + bomb
    made, _ = preview("a.tif", data)
    assert facts_of(made)["Size"] == "64 by 64 pixels"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1" + b"\0" * 100 + b"\xff\xff\xff\x7fPAR1",
        b"PAR1" + b"\0" * 100 + b"\x10\0\0\0PAR1",
        b"PAR1" + b"\0" * 100 + b"\x10\0\0\0PARE",
        b"<script>",
    ],
)
def test_what_is_no_parquet_is_a_sentence(data):
    with pytest.raises(NotPreviewableError, match="cannot be read as Parquet: ") as caught:
        preview("a.parquet", data)
    assert "Traceback" not in caught.value.message


@pytest.mark.parametrize(("name", "make"), [("a.parquet", parquet_bytes), ("a.tif", tiff_bytes)])
def test_damaged_files_show_something_or_say_why_not(name, make):
    whole, chance = make(), random.Random(7)
    for _ in range(8):
        data = bytearray(whole)
        for _ in range(40):
            edge = chance.choice([range(min(2000, len(data))), range(len(data) - 2000, len(data))])
            data[max(0, chance.choice(edge))] = chance.randrange(256)
        try:
            made, _ = preview(name, bytes(data))
        except NotPreviewableError as error:
            assert error.remedy  # noqa: PT017  # either is right
        else:
            assert made.blocks


def test_a_reader_that_does_not_end_is_ended():
    data = parquet_bytes()

    def slow(start, stop):
        time.sleep(1.5)
        return [data[start:stop]]

    file = RangedFile("a.parquet", len(data), slow, deadline_s=1.0)
    with pytest.raises(NotPreviewableError):
        preview_kind("a.parquet").make(file)


def test_a_failing_storage_is_no_damaged_file():
    def fail(start, stop):
        raise StorageUnreachableError("down", remedy="later")

    with pytest.raises(StorageUnreachableError):
        preview_kind("a.parquet").make(RangedFile("a.parquet", 5000, fail))


def test_memory_is_limited():
    code = (
        "from packager_jupyter.previews.worker import limit_resources\n"
        "limit_resources()\n"
        "bytearray(2**31)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"MemoryError" in done.stderr


def test_the_process_is_given_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("PACKAGER_KEY", "hidden")
    spy = tmp_path / "python"
    spy.write_text(f'#!/bin/sh\nenv > {tmp_path}/seen\necho "$@" >> {tmp_path}/seen\n')
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(spy))
    with pytest.raises(NotPreviewableError):
        preview("a.parquet", parquet_bytes())
    seen = (tmp_path / "seen").read_text()
    assert "packager_jupyter.previews.worker parquet" in seen
    assert "hidden" not in seen


@pytest.mark.parametrize(
    ("library", "name", "extra"),
    [("pyarrow", "a.parquet", "parquet"), ("tifffile", "a.tif", "tiff")],
)
def test_without_the_library_it_says_which_extra_is_missing(
    tmp_path, monkeypatch, library, name, extra
):
    (tmp_path / f"{library}.py").write_text("raise ImportError('not installed')")
    source = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(source)]))
    with pytest.raises(NotPreviewableError) as caught:
        preview(name, parquet_bytes())
    assert "shows no previews" in caught.value.message
    assert f"packager_jupyter[{extra}]" in caught.value.remedy
    assert isinstance(caught.value, PackagerError)
