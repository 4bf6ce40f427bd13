"""The one table of lists and descriptions that a share has, each made while it is sent.

Routes, reference page and tests are made from it: a new way out is a module with a maker and a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.exports import (
    bagit,
    croissant,
    datacite,
    downloaders,
    frictionless,
    lists,
    references,
    rocrate,
    stac,
    stac_parquet,
    sums,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.exports.base import Exportable, Place

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_JSON_LD = "application/ld+json"


@dataclass(frozen=True, slots=True)
class Export:
    """One way out.

    Attributes
    ----------
    name : str
        Below the share's address.
    media_type : str
    make : callable
        Returns an iterator over the bytes; it and its steps block.
    summary : str
        What it is, for the list of addresses.
    reader : str
        What reads it.
    left_out : str
        Which files it cannot hold, and how it says so; empty when it holds all.
    is_inline : bool, default True
        Whether a browser may show it.
    has_footprints : bool, default False
        Whether it tells where images lie, which must be read before (`Place.footprints`).
    """

    name: str
    media_type: str
    make: Callable[[Exportable, Place], Iterator[bytes]]
    summary: str
    reader: str
    left_out: str = ""
    is_inline: bool = True
    has_footprints: bool = False


EXPORTS: tuple[Export, ...] = (
    Export("urls.txt", _TEXT, lists.urls, "Every file's lasting address", "`wget -i`, `xargs`"),
    Export(
        "manifest.jsonl",
        "application/jsonl",
        lists.manifest,
        "Every pointer as JSON",
        "`packager get`, `jq`, programs",
    ),
    Export(
        "aria2.txt",
        _TEXT,
        downloaders.aria2,
        "Addresses, paths and checksums for aria2",
        "`aria2c -i`",
        "names that end in a blank: named in a comment",
    ),
    Export("curl.txt", _TEXT, downloaders.curl, "Addresses and paths for curl", "`curl -K`"),
    Export(
        "md5sums.txt",
        _TEXT,
        sums.md5sums,
        "Known MD5 checksums",
        "`md5sum -c`",
        "files without a known MD5: named in a comment and counted in the last line",
    ),
    Export(
        "sha256sums.txt",
        _TEXT,
        sums.sha256sums,
        "Known SHA-256 checksums",
        "`sha256sum -c`",
        "files without a known SHA-256: named in a comment and counted in the last line",
    ),
    Export(
        "refs.json",
        _JSON,
        references.references,
        "The package as one fsspec filesystem",
        "`fsspec.filesystem('reference', fo=…)`",
    ),
    Export(
        "package.meta4",
        "application/metalink4+xml",
        downloaders.metalink,
        "The package as a Metalink document",
        "`aria2c`",
        "names with characters that XML forbids: named in a comment",
        is_inline=False,
    ),
    Export(
        "datapackage.json",
        _JSON,
        frictionless.datapackage,
        "Frictionless Data Package 2",
        "`frictionless`",
    ),
    Export(
        "croissant.json",
        _JSON_LD,
        croissant.croissant,
        "Croissant 1.1",
        "`mlcroissant`",
    ),
    Export(
        "ro-crate-metadata.json",
        _JSON_LD,
        rocrate.crate,
        "RO-Crate 1.2",
        "`rocrate`, `rocrate-validator`",
    ),
    Export(
        "datacite.json",
        _JSON,
        datacite.datacite,
        "DataCite 4.5 metadata, without the files",
        "`datacite`, for a DOI",
        "the files, of which it holds number, bytes and types",
    ),
    Export(
        "bag.tar",
        "application/x-tar",
        bagit.bag,
        "BagIt bag with fetch.txt",
        "`bdbag --resolve-fetch all`",
        "files without a checksum of the bag's algorithm, and names that end in a blank: named in "
        "its `excluded.txt`",
        is_inline=False,
    ),
    Export(
        "stac/collection.json",
        _JSON,
        stac.collection,
        "STAC collection of the geospatial files",
        "`pystac`",
        "files that are not geospatial; counts those without a date or a geometry",
        has_footprints=True,
    ),
    Export(
        "stac/items.json",
        "application/geo+json",
        stac.items,
        "STAC items of the geospatial files",
        "`pystac`",
        "files that are not geospatial, or have no date",
        has_footprints=True,
    ),
    Export(
        "stac/items.parquet",
        "application/vnd.apache.parquet",
        stac_parquet.items_parquet,
        "STAC-GeoParquet: the STAC items that have a geometry",
        "`stac-geoparquet`, GeoPandas, DuckDB",
        "files that are not geospatial, or have no date or no geometry: counted in its metadata",
        is_inline=False,
        has_footprints=True,
    ),
)
