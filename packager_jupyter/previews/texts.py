"""Previews of what is text: plain, Markdown, notebooks, JSON; its beginning, within limits."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from typing import TYPE_CHECKING

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.base import (
    HEAD_BYTES,
    MAX_TEXT_CHARS,
    MarkdownBlock,
    NotebookBlock,
    Preview,
    TextBlock,
)

if TYPE_CHECKING:
    from packager_jupyter.previews.ranged import RangedFile

MAX_NOTEBOOK_BYTES = 4 * 1024 * 1024
MAX_JSON_DEPTH = 100
_GZIP = 16 + zlib.MAX_WBITS
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def read_text(file: RangedFile) -> tuple[str, str | None]:
    """Return the beginning of a text, and a note when that is not all of it.

    A name that ends with ``.gz`` is unpacked; however much is packed into it, no more comes out
    than of a plain file.

    Raises
    ------
    NotPreviewableError
        It is not text, or not packed as its name says.
    """
    data = file.head(HEAD_BYTES)
    is_whole = len(data) == file.size_bytes
    if file.name.lower().endswith(".gz"):
        data, is_whole = _unpacked(data, is_whole=is_whole)
    text = _decoded(data)
    if len(text) > MAX_TEXT_CHARS:
        text, is_whole = text[:MAX_TEXT_CHARS], False
    if is_whole:
        return text, None
    shown = len(text)
    return text, f"Only the beginning is shown: the first {shown:,} characters."


def whole_lines(text: str, note: str | None) -> list[str]:
    """Return the lines of `text`, without a last one that was cut through."""
    lines = text.splitlines()
    if note is not None and len(lines) > 1 and not text.endswith(("\n", "\r")):
        lines.pop()
    return lines


def text_preview(file: RangedFile) -> Preview:
    """Show plain text, also source code: never more than text on the page."""
    text, note = read_text(file)
    return Preview((TextBlock(text),), _notes(note))


def markdown_preview(file: RangedFile) -> Preview:
    """Show CommonMark, rendered."""
    text, note = read_text(file)
    return Preview((MarkdownBlock(text),), _notes(note))


def notebook_preview(file: RangedFile) -> Preview:
    """Show a notebook; half of one cannot be read, so a large one is not."""
    if file.size_bytes > MAX_NOTEBOOK_BYTES:
        raise NotPreviewableError(
            f"This notebook has {file.size_bytes:,} bytes; up to {MAX_NOTEBOOK_BYTES:,} are shown.",
            remedy="Download it.",
        )
    return Preview((NotebookBlock(file.head(MAX_NOTEBOOK_BYTES)),))


def json_preview(file: RangedFile) -> Preview:
    """Show JSON, indented when it is read whole; every value as it stands in the file."""
    text, note = read_text(file)
    if note is None and "\n" not in text.strip():
        text = indented(text) or text
    return Preview((TextBlock(text),), _notes(note))


def indented(text: str) -> str | None:
    """Return a JSON text with line breaks, its tokens untouched; ``None`` when it is no JSON.

    Numbers and escapes are not parsed and written again: that would change them.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    parts: list[str] = []
    depth = size = 0
    words = _TOKEN.findall(text)
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        if word in "[{":
            depth += following not in {"]", "}"}
            parts.append(word if following in {"]", "}"} else word + _line(depth))
        elif word in "]}":
            is_empty = number and words[number - 1] in {"[", "{"}
            depth -= not is_empty
            parts.append(word if is_empty else _line(depth) + word)
        elif word == ",":
            parts.append("," + _line(depth))
        else:
            parts.append(": " if word == ":" else word)
        size += len(parts[-1])
        if depth > MAX_JSON_DEPTH or size > MAX_TEXT_CHARS:
            return None
    return "".join(parts)


def _line(depth: int) -> str:
    return "\n" + "  " * depth


def _notes(note: str | None) -> tuple[str, ...]:
    return (note,) if note else ()


def _unpacked(data: bytes, *, is_whole: bool) -> tuple[bytes, bool]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        found = unpacker.decompress(data, HEAD_BYTES)
    except zlib.error as error:
        raise NotPreviewableError(
            "This file is not packed with gzip, whatever its name says.", remedy="Download it."
        ) from error
    return found, is_whole and unpacker.eof and not unpacker.unused_data


def _decoded(data: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data:
        raise NotPreviewableError("This file is not text.", remedy="Download it.")
    # A character cut through at the end is left out; anything else that is wrong is shown as such.
    return (
        codecs.getincrementaldecoder(encoding or "utf-8")("replace").decode(data).lstrip("\ufeff")
    )
