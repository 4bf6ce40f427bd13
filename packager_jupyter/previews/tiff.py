"""What a TIFF or GeoTIFF is: its size, its overviews, its place, a small picture. In `worker`.

Only the directories (IFDs) and the smallest overview are read, however large the image is.
"""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib
from typing import TYPE_CHECKING, Any, cast

from packager_jupyter.previews.base import FactsBlock, PictureBlock, Preview, TableBlock, cut
from packager_jupyter.previews.georeference import PLACE_TAGS, georeference_of
from packager_jupyter.previews.outline import WGS84, outline_of

if TYPE_CHECKING:
    from packager_jupyter.previews.base import Block
    from packager_jupyter.previews.worker import RemoteFile

MAX_DIRECTORIES = 64
MAX_PICTURE_PIXELS = 2_000_000
MAX_PICTURE_BYTES = 8 * 1024 * 1024
PICTURE_SIDE = 512
_MAX_BANDS = 64
_RGB_BANDS = 3
_CORNERS = 6


def tiff_preview(file: RemoteFile) -> Preview:
    """Read the directories and the smallest overview."""
    import tifffile

    notes = []
    with tifffile.TiffFile(cast("Any", file), name="file.tif") as opened:
        pages = _directories(opened)
        if not pages or not pages[0].imagewidth or not pages[0].imagelength:
            raise ValueError("it has no image in it")
        if len(pages) == MAX_DIRECTORIES:
            notes.append(f"Only the first {MAX_DIRECTORIES} images in it are listed.")
        first, levels = pages[0], _levels(pages)
        blocks: list[Block] = [FactsBlock(tuple(_facts(opened, first, levels)))]
        try:
            picture, reason = _picture(levels)
        except Exception as error:  # noqa: BLE001  # decoders raise anything for a hostile file
            picture, reason = None, " ".join(str(error).split())
        if picture is None:
            notes.append(f"No picture of it: {cut(reason)}.")
        else:
            blocks.append(picture)
        if len(pages) > 1:
            blocks.append(_overviews(pages))
    return Preview(tuple(blocks), tuple(notes))


def _directories(opened: Any) -> list[Any]:
    """Return the images, never the same twice: the offsets of a hostile file go in circles."""
    pages: list[Any] = []
    seen: set[int] = set()
    for at in range(MAX_DIRECTORIES):
        try:
            page = opened.pages[at]
        except IndexError:
            break
        if page.offset in seen:
            break
        seen.add(page.offset)
        pages.append(page)
    return pages


def _levels(pages: list[Any]) -> list[Any]:
    """Return the first image and its overviews: reduced, no mask, of the same shape."""
    first = pages[0]
    ratio = first.imagewidth / max(1, first.imagelength)
    found = [first]
    for page in pages[1:]:
        is_alike = page.samplesperpixel == first.samplesperpixel and page.dtype == first.dtype
        is_smaller = page.imagewidth < found[-1].imagewidth
        is_same_shape = abs(page.imagewidth / max(1, page.imagelength) - ratio) < 0.1 * ratio
        if page.is_reduced and is_alike and is_smaller and is_same_shape:
            found.append(page)
    return found


def _facts(opened: Any, page: Any, levels: list[Any]) -> list[tuple[str, str]]:
    bands = page.samplesperpixel
    facts = [
        ("Size", f"{page.imagewidth:,} by {page.imagelength:,} pixels"),
        ("Bands", f"{bands:,} of {page.dtype or 'an unknown type'}"),
        ("Compression", _name(page.compression)),
        (
            "Layout",
            f"tiles of {page.tilewidth:,} by {page.tilelength:,}" if page.is_tiled else "strips",
        ),
        ("Overviews", f"{len(levels) - 1:,}"),
    ]
    if opened.is_bigtiff:
        facts.append(("Format", "BigTIFF"))
    return facts + _place(page)


def _place(page: Any) -> list[tuple[str, str]]:
    """OGC GeoTIFF 1.1 (19-008r4) 7: tie point, pixel scale and the keys of the reference system."""
    facts = []
    try:
        keys = dict(page.geotiff_tags or {})
    except Exception:  # noqa: BLE001  # tags of a hostile file; the rest of it is still shown
        return [("Place", "its tags cannot be read")]
    code = keys.get("ProjectedCSTypeGeoKey") or keys.get("GeographicTypeGeoKey")
    if code is not None:
        facts.append(("Reference system", _epsg(code)))
    scale, tie = keys.get("ModelPixelScale"), keys.get("ModelTiepoint")
    if scale and tie and len(tie) >= _CORNERS and len(scale) >= 2:  # noqa: PLR2004
        west, north = tie[3] - tie[0] * scale[0], tie[4] + tie[1] * scale[1]
        east = west + page.imagewidth * scale[0]
        south = north - page.imagelength * scale[1]
        facts.append(("Pixel size", f"{scale[0]:.10g} by {scale[1]:.10g}"))
        facts.append(("Bounds", f"{west:.10g}, {south:.10g} to {east:.10g}, {north:.10g} (x, y)"))
    facts += _on_earth(page)
    nodata = page.tags.get("GDAL_NODATA")
    if nodata is not None:
        facts.append(("No data", cut(str(nodata.value), 40)))
    return facts


def _on_earth(page: Any) -> list[tuple[str, str]]:
    """Where an image in another reference system than longitude and latitude lies, if known."""
    found = georeference_of({tag.code: tag.value for tag in page.tags if tag.code in PLACE_TAGS})
    if found is None or found.epsg == WGS84:
        return []
    bbox = outline_of(found).bbox
    if bbox is None:
        return []
    west, south, east, north = bbox
    return [
        ("On earth", f"{west:.6f}, {south:.6f} to {east:.6f}, {north:.6f} (longitude, latitude)")
    ]


def _epsg(code: Any) -> str:
    number = int(getattr(code, "value", code))
    return f"EPSG:{number} {_name(code)}".removesuffix(f" {number}")


def _name(value: Any) -> str:
    return str(getattr(value, "name", value)).replace("_", " ")


def _overviews(pages: list[Any]) -> TableBlock:
    rows = tuple(
        (
            f"{number}",
            f"{page.imagewidth:,} by {page.imagelength:,}",
            "mask" if page.is_mask else "overview" if page.is_reduced else "image",
            _name(page.compression),
        )
        for number, page in enumerate(pages)
    )
    return TableBlock(("Image", "Pixels", "Kind", "Compression"), rows, "Images in the file")


def _picture(levels: list[Any]) -> tuple[PictureBlock | None, str]:
    """Return a picture of the smallest level that is large enough, or why there is none."""
    large = [level for level in levels if max(level.imagewidth, level.imagelength) >= PICTURE_SIDE]
    page = large[-1] if large else levels[0]
    if not _is_small(page):
        page = min(levels, key=lambda level: level.imagewidth * level.imagelength)
    if not _is_small(page):
        return None, "it has no overview that is small enough"
    kind = page.dtype.kind if page.dtype is not None else "?"
    if kind not in "uif":
        return None, f"its values are of the type {page.dtype}"
    pixels = _pixels(page.asarray(maxworkers=1), page, levels[0].tags.get("GDAL_NODATA"))
    height, width = pixels.shape[:2]
    png = _png(width, height, pixels.shape[2] if pixels.ndim > 2 else 1, pixels.tobytes())  # noqa: PLR2004
    made_of = f"{page.imagewidth:,} by {page.imagelength:,}"
    is_overview = page is not levels[0]
    title = f"Made of the {'overview' if is_overview else 'image'} of {made_of} pixels"
    return PictureBlock(base64.b64encode(png).decode(), title), ""


def _is_small(page: Any) -> bool:
    pixels = page.imagewidth * page.imagelength
    return bool(
        0 < pixels <= MAX_PICTURE_PIXELS
        and 0 < page.samplesperpixel <= _MAX_BANDS
        and page.imagedepth == 1
        and pixels * page.samplesperpixel * max(1, page.bitspersample // 8) <= 8 * MAX_PICTURE_BYTES
        and 0 < sum(page.databytecounts) <= MAX_PICTURE_BYTES
        and (not page.is_tiled or page.tilewidth * page.tilelength <= MAX_PICTURE_PIXELS)
    )


def _pixels(values: Any, page: Any, nodata: Any) -> Any:
    """Return bytes to look at: (height, width) or (height, width, 3)."""
    import numpy as np

    if values.ndim > 2 and page.planarconfig == 2:  # noqa: PLR2004  # bands one after the other
        values = np.moveaxis(values, 0, -1)
    if values.ndim > 2:  # noqa: PLR2004
        bands = _RGB_BANDS if values.shape[2] >= _RGB_BANDS and page.photometric == 2 else 1  # noqa: PLR2004
        values = values[:, :, :bands] if bands > 1 else values[:, :, 0]
    step = max(1, -(-max(values.shape[:2]) // PICTURE_SIDE))
    values = values[::step, ::step]
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    numbers = values.astype("float64")
    is_known = np.isfinite(numbers)
    if nodata is not None:
        with contextlib.suppress(ValueError):  # not a number: nothing is taken out
            is_known &= numbers != float(str(nodata.value).strip("\0 "))
    if not is_known.any():
        return np.zeros(numbers.shape, np.uint8)
    low, high = np.percentile(numbers[is_known], (2, 98))
    # 0 stays for what is unknown.
    spread = 1 + 254 * np.clip((numbers - low) / ((high - low) or 1), 0, 1)
    return np.where(is_known, np.nan_to_num(spread), 0).astype(np.uint8)


def _png(width: int, height: int, channels: int, pixels: bytes) -> bytes:
    """W3C PNG: eight bits, grey or RGB, no filter."""
    row = width * channels
    raw = b"".join(b"\0" + pixels[at : at + row] for at in range(0, row * height, row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == _RGB_BANDS else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
