"""``refs.json``: the package as one fsspec filesystem (kerchunk's reference format, version 1).

``fsspec.filesystem("reference", fo=URL)`` then lists and reads every file, by range, through the
share's lasting addresses. Small attachments stand in the document itself.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.exports.base import in_batches
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

INLINE_BYTES = 64 * 1024


def references(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``refs.json``: ``{"version": 1, "refs": {path: [url, 0, size] or "base64:…"}}``."""
    return in_batches(_lines(contents, place.base_url))


def _lines(contents: Exportable, base_url: str) -> Iterator[bytes]:
    yield b'{"version":1,"refs":{'
    comma = b""
    for file in exported_files(contents, base_url):
        yield b"%s\n%s:%s" % (comma, orjson.dumps(file.path), orjson.dumps(_ref(contents, file)))
        comma = b","
    yield b"\n}}\n"


def _ref(contents: Exportable, file: ExportedFile) -> str | list[Any]:
    if file.size_bytes == 0:
        return ""
    if file.is_attachment and file.size_bytes <= INLINE_BYTES:
        # Never as plain text: "{{" in it would be taken for a template.
        return "base64:" + base64.b64encode(contents.read_attachment(file.path)).decode()
    return [file.url, 0, file.size_bytes]
