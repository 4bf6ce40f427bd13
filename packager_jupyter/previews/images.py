"""Raster images that browsers show themselves: what their first bytes say of them.

A browser unpacks an image as large as its header claims, so the header is read here and images
that would fill a visitor's memory are not shown.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.base import ImageBlock, Preview

if TYPE_CHECKING:
    from packager_jupyter.previews.ranged import RangedFile

MAX_IMAGE_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
HEADER_BYTES = 512 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MAX_MARKERS = 1000


def image_preview(file: RangedFile) -> Preview:
    """Show PNG, JPEG, GIF and WebP."""
    head = file.head(64)
    size = _png(head) or _gif(head) or _webp(head)
    if size is None and head.startswith(b"\xff\xd8\xff"):
        size = _jpeg(file.head(HEADER_BYTES))
    if size is None:
        raise NotPreviewableError(
            "This file is not the image that its name promises.", remedy="Download it."
        )
    width, height = size
    if file.size_bytes > MAX_IMAGE_BYTES or not 0 < width * height <= MAX_PIXELS:
        raise NotPreviewableError(
            f"This image of {width:,} by {height:,} pixels and {file.size_bytes:,} bytes is too "
            "large to be shown here.",
            remedy="Download it.",
        )
    return Preview((ImageBlock(width, height),))


def _png(head: bytes) -> tuple[int, int] | None:
    """W3C PNG 11.2.2: IHDR is the first chunk."""
    if not head.startswith(_PNG) or head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _gif(head: bytes) -> tuple[int, int] | None:
    if not head.startswith((b"GIF87a", b"GIF89a")):
        return None
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _webp(head: bytes) -> tuple[int, int] | None:
    """RFC 9649 2.4 to 2.7."""
    if not head.startswith(b"RIFF") or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """ITU-T T.81 B.2.2: the size stands in the frame header."""
    at = 2
    for _ in range(_MAX_MARKERS):
        if at + 9 > len(data) or data[at] != 0xFF:  # noqa: PLR2004
            return None
        marker = data[at + 1]
        if marker in _START_OF_FRAME:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
