"""Where the pixels of a GeoTIFF lie, read from the tags of its first image and nothing else.

A file comes from strangers, so this reads a handful of tags of known types and lengths, all within
the limits of a `RangedFile`, and believes nothing that does not add up. Plain Python: no library
sees the bytes. OGC GeoTIFF 1.1 (19-008r4), TIFF 6.0, and BigTIFF for files over 4 GiB.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import NotPreviewableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.previews.ranged import RangedFile

Transform = tuple[float, float, float, float, float, float]

_CLASSIC, _BIG = 42, 43
_MAX_ENTRIES = 4096
_MAX_KEYS = 512
_MAX_PIXELS = 2**31
_WIDTH, _HEIGHT = 256, 257
_SCALE, _TIEPOINTS, _MATRIX, _KEYS = 33550, 33922, 34264, 34735
# Type code of TIFF 6.0 section 2 to its letter of `struct`; 16 is BigTIFF's.
_LETTERS = {3: "H", 4: "I", 12: "d", 16: "Q"}
# Tag to how many values are read at most; one with more is taken for unreadable.
_MOST = {_WIDTH: 1, _HEIGHT: 1, _SCALE: 3, _TIEPOINTS: 6, _MATRIX: 16, _KEYS: 4 * (_MAX_KEYS + 1)}
PLACE_TAGS = frozenset(_MOST)
"""What says where an image lies, and how large it is."""
# GeoTIFF 7.2: keys, and what they say.
_MODEL, _RASTER, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072
_MODEL_PROJECTED, _MODEL_GEOGRAPHIC, _PIXEL_IS_POINT = 1, 2, 2
_MAX_EPSG = 32766  # 32767 is "user-defined"


@dataclass(frozen=True, slots=True)
class Georeference:
    """The grid of an image in the coordinates of its reference system.

    Attributes
    ----------
    epsg : int
        Code of the reference system.
    width, height : int
        Pixels.
    transform : tuple of 6 float
        ``(a, b, c, d, e, f)``: the outer corner of column and row is at ``x = a * column +
        b * row + c``, ``y = d * column + e * row + f``, in the units of the system; for a
        geographic one x is the longitude and y the latitude.
    """

    epsg: int
    width: int
    height: int
    transform: Transform

    def corners(self) -> list[tuple[float, float]]:
        """Return x and y of the four outer corners, one after the other around the image."""
        a, b, c, d, e, f = self.transform
        ends = ((0, 0), (0, self.height), (self.width, self.height), (self.width, 0))
        return [(a * col + b * row + c, d * col + e * row + f) for col, row in ends]


def georeference(file: RangedFile) -> Georeference | None:
    """Return where a file lies, ``None`` when its tags do not say it, or not cheaply.

    Raises
    ------
    StorageError
        The storage failed: nothing is known of the file then.
    """
    try:
        tags = _tags(file)
        return _georeference(tags)
    except (NotPreviewableError, ValueError, struct.error):
        return None  # no TIFF, a damaged one, or one that hides its tags far away


def georeference_of(tags: Mapping[int, Any]) -> Georeference | None:
    """Return the same from tags that were read already: code to value or sequence of values."""
    kept = {}
    for tag, most in _MOST.items():
        values = tags.get(tag, ())
        values = values if isinstance(values, tuple) else (values,)
        if 0 < len(values) <= most and all(isinstance(one, int | float) for one in values):
            kept[tag] = values
    return _georeference(kept)


def _tags(file: RangedFile) -> dict[int, tuple[float, ...]]:
    """Return the values of the tags in `_MOST` that the first directory has."""
    head = file.head(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("not a TIFF")
    (version,) = struct.unpack_from(f"{order}H", head, 2)
    if version == _CLASSIC:
        (at,) = struct.unpack_from(f"{order}I", head, 4)
        number, entry = "H", f"{order}HHI4s"
    elif version == _BIG:
        (at,) = struct.unpack_from(f"{order}Q", head, 8)
        number, entry = "Q", f"{order}HHQ8s"
    else:
        raise ValueError("not a TIFF")
    length = struct.calcsize(order + number)
    (count,) = struct.unpack(order + number, file.at(at, at + length))
    if not 0 < count <= _MAX_ENTRIES:
        raise ValueError("too many tags")
    size = struct.calcsize(entry)
    table = file.at(at + length, at + length + count * size)
    found: dict[int, tuple[float, ...]] = {}
    for tag, kind, many, value in struct.iter_unpack(entry, table):
        if tag in _MOST and kind in _LETTERS:
            if not 0 < many <= _MOST[tag]:
                raise ValueError("a tag of another length than it may have")
            found[tag] = _values(file, f"{order}{many}{_LETTERS[kind]}", value, order)
    return found


def _values(file: RangedFile, form: str, value: bytes, order: str) -> tuple[float, ...]:
    """Return the values of one tag: in the entry itself, or where it points to."""
    size = struct.calcsize(form)
    if size <= len(value):
        return struct.unpack(form, value[:size])
    (at,) = struct.unpack(order + ("I" if len(value) == 4 else "Q"), value)  # noqa: PLR2004
    return struct.unpack(form, file.at(at, at + size))


def _georeference(tags: dict[int, tuple[float, ...]]) -> Georeference | None:
    keys = _geo_keys(tags.get(_KEYS, ()))
    epsg = _epsg(keys)
    transform = _transform(tags)
    if epsg is None or transform is None or _WIDTH not in tags or _HEIGHT not in tags:
        return None
    width, height = int(tags[_WIDTH][0]), int(tags[_HEIGHT][0])
    if keys.get(_RASTER) == _PIXEL_IS_POINT:  # GeoTIFF B.1: the tags mean the middle of a pixel
        a, b, c, d, e, f = transform
        transform = (a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)
    a, b, _, d, e, _ = transform
    found = Georeference(epsg, width, height, transform)
    is_sound = (
        0 < width < _MAX_PIXELS
        and 0 < height < _MAX_PIXELS
        and all(math.isfinite(value) for value in transform)
        and all(math.isfinite(value) for corner in found.corners() for value in corner)
        and a * e - b * d != 0
    )
    return found if is_sound else None


def _geo_keys(values: tuple[float, ...]) -> dict[int, int]:
    """Return the keys whose value stands in the directory itself: key to value (GeoTIFF 7.1)."""
    rows = [values[at : at + 4] for at in range(4, len(values) - 3, 4)]
    return {int(key): int(value) for key, place, count, value in rows if (place, count) == (0, 1)}


def _epsg(keys: dict[int, int]) -> int | None:
    model = keys.get(_MODEL)
    kind = {_MODEL_PROJECTED: _PROJECTED, _MODEL_GEOGRAPHIC: _GEOGRAPHIC}.get(model or 0)
    code = keys.get(kind, 0) if kind else 0
    return code if 0 < code <= _MAX_EPSG else None


def _transform(tags: dict[int, tuple[float, ...]]) -> Transform | None:
    """Return the matrix of `Georeference`: of the tag, or of tie point and scale (GeoTIFF B.6)."""
    matrix = tags.get(_MATRIX, ())
    if len(matrix) == _MOST[_MATRIX]:
        return (matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    scale, tie = tags.get(_SCALE, ()), tags.get(_TIEPOINTS, ())
    if len(scale) != _MOST[_SCALE] or len(tie) != _MOST[_TIEPOINTS]:
        return None
    col, row, _, x, y, _ = tie
    return (scale[0], 0.0, x - col * scale[0], 0.0, -scale[1], y + row * scale[1])
