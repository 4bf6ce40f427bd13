"""The file formats of the sample: GeoTIFF, Zarr, PNG, Parquet and CSV, as bytes.

Every function gives the same bytes for the same values: no time stamps, fixed compression.
"""

from __future__ import annotations

import csv
import io
import zlib
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

# GeoTIFF 1.1 (OGC 19-008r4), 7.1: the tags that place a raster on the Earth.
_MODEL_PIXEL_SCALE = 33550
_MODEL_TIEPOINT = 33922
_GEO_KEY_DIRECTORY = 34735
_GDAL_NODATA = 42113
_TIFF_DOUBLE, _TIFF_SHORT, _TIFF_ASCII = 12, 3, 2
_GEOGRAPHIC, _PIXEL_IS_AREA, _WGS_84 = 2, 1, 4326
# Version 1.1.0 with 3 keys; each: key, 0 (the value stands here), count 1, value.
_GEO_KEYS = (
    *(1, 1, 0, 3),
    *(1024, 0, 1, _GEOGRAPHIC),
    *(1025, 0, 1, _PIXEL_IS_AREA),
    *(2048, 0, 1, _WGS_84),
)
NODATA = -32768.0


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV file (RFC 4180, but with LF) with a heading."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue().encode()


def json_bytes(value: object) -> bytes:
    """Return an indented JSON document."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of `pixels`, shape (height, width) or (height, width, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=6)
    return file.getvalue()


def parquet_bytes(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a Parquet file with one row group and zstd pages."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), file, compression="zstd")
    return file.getvalue()


def geotiff_bytes(
    values: NDArray[np.float32], *, west: float, north: float, pixel_deg: float
) -> bytes:
    """Return a one-band float32 GeoTIFF in WGS 84 longitude and latitude.

    Parameters
    ----------
    values : array of shape (rows, columns)
        Row 0 is the northernmost; `NODATA` marks holes.
    west, north : float
        Outer corner of the first pixel, in degrees.
    pixel_deg : float
        Width and height of a pixel, in degrees.
    """
    from PIL import Image, TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in (
        (_MODEL_PIXEL_SCALE, _TIFF_DOUBLE, (pixel_deg, pixel_deg, 0.0)),
        (_MODEL_TIEPOINT, _TIFF_DOUBLE, (0.0, 0.0, 0.0, west, north, 0.0)),
        (
            _GEO_KEY_DIRECTORY,
            _TIFF_SHORT,
            # version 1.1.0 and 3 keys; each: key, 0 (value stands here), count 1, value
            (1, 1, 0, 3, 1024, 0, 1, _GEOGRAPHIC, 1025, 0, 1, _PIXEL_IS_AREA, 2048, 0, 1, _WGS_84),
        ),
        (_GDAL_NODATA, _TIFF_ASCII, f"{NODATA:g}"),
    ):
        tags.tagtype[tag] = kind
        tags[tag] = value
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", tiffinfo=tags)
    return file.getvalue()


def zarr_array(
    name: str,
    values: NDArray[Any],
    *,
    chunks: Sequence[int],
    dimensions: Sequence[str],
    attributes: Mapping[str, object],
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of one Zarr array (Zarr storage specification 2): path, bytes.

    Chunks are zlib compressed and padded to the full chunk, as the specification asks; the
    attribute ``_ARRAY_DIMENSIONS`` is how xarray finds its dimensions.
    """
    import itertools

    import numpy as np

    dtype = values.dtype.newbyteorder("<")
    header = {
        "zarr_format": 2,
        "shape": list(values.shape),
        "chunks": list(chunks),
        "dtype": dtype.str,
        "compressor": {"id": "zlib", "level": 6},
        "fill_value": "NaN" if values.dtype.kind == "f" else None,
        "order": "C",
        "filters": None,
    }
    yield f"{name}/.zarray", json_bytes(header)
    yield f"{name}/.zattrs", json_bytes({"_ARRAY_DIMENSIONS": list(dimensions), **attributes})
    counts = [-(-size // chunk) for size, chunk in zip(values.shape, chunks, strict=True)]
    for index in itertools.product(*map(range, counts)):
        corner = tuple(
            slice(i * chunk, (i + 1) * chunk) for i, chunk in zip(index, chunks, strict=True)
        )
        part = values[corner]
        full = np.zeros(chunks, dtype=dtype)
        full[tuple(slice(size) for size in part.shape)] = part
        yield f"{name}/{'.'.join(map(str, index))}", zlib.compress(full.tobytes(), 6)


def zarr_group(
    members: Iterable[tuple[str, bytes]], *, attributes: Mapping[str, object]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of one Zarr group with consolidated metadata around its `members`."""
    group, attrs = json_bytes({"zarr_format": 2}), json_bytes(attributes)
    metadata = {".zgroup": orjson.loads(group), ".zattrs": orjson.loads(attrs)}
    for path, data in members:
        if path.endswith((".zarray", ".zattrs")):
            metadata[path] = orjson.loads(data)
        yield path, data
    yield ".zgroup", group
    yield ".zattrs", attrs
    yield ".zmetadata", json_bytes({"zarr_consolidated_format": 1, "metadata": metadata})
