"""Lists of a share's files: ``urls.txt`` for downloaders, ``manifest.jsonl`` for programs.

Both hold the share's own lasting addresses, never presigned ones, so they stay good as long as the
share does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.exports.base import file_url, in_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place


def urls(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``urls.txt``: one percent-encoded address a line, attachments first.

    Every character that could end a line or begin an option is encoded, so no name can add one.

    Parameters
    ----------
    contents : Exportable
    place : Place
    """
    base_url = place.base_url
    return in_batches(f"{file_url(base_url, path)}\n".encode() for path in _paths(contents))


def manifest(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``manifest.jsonl``: one JSON object a line, attachments first.

    A pointer's object is its canonical line (`packages.pointer`) with ``url`` added; an
    attachment's has ``path``, ``size``, ``media_type``, ``attachment: true`` and ``url``.
    """
    return in_batches(
        orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        for record in _records(contents, place.base_url)
    )


def _paths(contents: Exportable) -> Iterator[str]:
    for attachment in contents.attachments():
        yield attachment.path
    for pointer in contents.iter_pointers():
        yield pointer.path


def _records(contents: Exportable, base_url: str) -> Iterator[dict[str, Any]]:
    for attachment in contents.attachments():
        record: dict[str, Any] = {"path": attachment.path, "size": attachment.size_bytes}
        if attachment.media_type is not None:
            record["media_type"] = attachment.media_type
        yield record | {"attachment": True, "url": file_url(base_url, attachment.path)}
    for pointer in contents.iter_pointers():
        yield pointer.to_record() | {"url": file_url(base_url, pointer.path)}
