"""Raster images: the size that a browser would unpack is read from their header and limited."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.images import HEADER_BYTES, MAX_IMAGE_BYTES
from packager_jupyter.previews.ranged import RangedFile
from packager_jupyter.previews.registry import preview_kind


def preview(name, data, size_bytes=None):
    file = RangedFile(name, size_bytes or len(data), lambda a, b: [data[a:b].ljust(b - a, b"x")])
    made = preview_kind(name).make(file)
    assert file.read_bytes <= HEADER_BYTES
    return made


def encoded(kind, size=(33, 21), **options):
    file = io.BytesIO()
    Image.new("RGB", size, (1, 2, 3)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", encoded("PNG")),
        ("a.gif", encoded("GIF")),
        ("a.jpg", encoded("JPEG")),
        ("a.JPEG", encoded("JPEG", progressive=True, comment=b"c" * 3000)),
        ("a.webp", encoded("WEBP")),
        ("a.webp", encoded("WEBP", lossless=True)),
        ("a.webp", encoded("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")),
    ],
)
def test_the_size_stands_in_the_header(name, data):
    (block,) = preview(name, data).blocks
    assert (block.width, block.height) == (33, 21)


def test_an_image_that_unpacks_to_gigabytes_is_not_shown():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(header))
    with pytest.raises(NotPreviewableError, match="60,000 by 60,000"):
        preview("a.png", b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(NotPreviewableError):
        preview("a.png", encoded("PNG"), size_bytes=MAX_IMAGE_BYTES + 1)
