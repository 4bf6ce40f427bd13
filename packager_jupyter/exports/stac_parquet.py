"""``stac/items.parquet``: the STAC items that have a geometry, as STAC-GeoParquet 1.0.

One row per item, the properties as columns beside the others, the geometry as well-known binary
with the metadata of GeoParquet 1.1. Readers take no row without a geometry, so those items are left
out; the key ``packager:footprints`` of the file's metadata counts them, and so does the description
of the collection in it. Needs the extra ``parquet``.
"""

from __future__ import annotations

import io
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import ToolMissingError
from packager_jupyter.exports.base import BATCH_BYTES
from packager_jupyter.exports.described import slug
from packager_jupyter.exports.stac import collection_of, located_items, seen_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.footprints import Footprint

_GROUP_ROWS = 1000
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_TIMES = ("datetime", "updated")
GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["MultiPolygon", "Polygon"],
            "orientation": "counterclockwise",
            "edges": "planar",
            "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
        }
    },
}
"""GeoParquet 1.1: file metadata. Without ``crs`` it is OGC:CRS84, longitude before latitude."""


def items_parquet(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Return ``stac/items.parquet`` in batches; a package without geometry gives no rows.

    What is told of one version is bounded (`footprint_reading`), so it is made in memory.

    Raises
    ------
    ToolMissingError
        The extra is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ToolMissingError(
            "This server writes no Parquet.",
            remedy="Take stac/items.json, which has the same items. Who runs the server can "
            "install the extra: pip install 'packager_jupyter[parquet]'",
        ) from error
    schema = _schema(pa).with_metadata(_metadata(contents, place))
    out = io.BytesIO()
    rows = (_row(item, found) for item, found in located_items(contents, place))
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    data = out.getvalue()
    return (data[at : at + BATCH_BYTES] for at in range(0, len(data), BATCH_BYTES))


def _metadata(contents: Exportable, place: Place) -> dict[str, bytes]:
    seen = seen_of(contents, place)
    collections = {slug(contents.name): collection_of(contents, place, seen)}
    return {
        "geo": orjson.dumps(GEO),
        "stac-geoparquet": orjson.dumps({"version": "1.0.0", "collections": collections}),
        "packager:footprints": orjson.dumps(seen.counts()),
    }


def _row(item: dict[str, Any], found: Footprint) -> dict[str, Any]:
    row = {**item, **item["properties"], "geometry": found.wkb()}
    row["bbox"] = dict(zip(_SIDES, item["bbox"], strict=True))
    row.update({name: datetime.fromisoformat(row[name]) for name in _TIMES})
    return row


def _schema(pa: Any) -> Any:
    text, numbers = pa.string(), pa.list_(pa.float64())
    data = {
        "href": text,
        "title": text,
        "type": text,
        "roles": pa.list_(text),
        "file:size": pa.int64(),
        "file:checksum": text,
    }
    columns = {
        "type": text,
        "stac_version": text,
        "stac_extensions": pa.list_(text),
        "id": text,
        "bbox": pa.struct([(side, pa.float64()) for side in _SIDES]),
        "links": pa.list_(pa.struct([(name, text) for name in ("rel", "href", "type")])),
        "assets": pa.struct([("data", pa.struct(list(data.items())))]),
        "collection": text,
        **dict.fromkeys(_TIMES, pa.timestamp("us", tz="UTC")),
        "title": text,
        "proj:code": text,
        "proj:bbox": numbers,
        "proj:shape": pa.list_(pa.int64()),
        "proj:transform": numbers,
    }
    # The extension's name tells Arrow readers what GeoParquet's metadata tells the others.
    wkb = pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    return pa.schema([*columns.items(), wkb])
