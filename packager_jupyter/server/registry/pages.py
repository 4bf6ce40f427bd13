"""Sending finished pages of a registry: entity tags, compression, and nothing computed twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from packager_jupyter.registries.pypi.index import Rendered
    from packager_jupyter.server.registry.base import RegistryHandler

LIST_CACHE = "max-age=0, must-revalidate"
FILE_CACHE = "max-age=31536000, immutable"


def send_rendered(handler: RegistryHandler, page: Rendered, *, content_type: str) -> None:
    """Answer GET or HEAD with a page, gzipped where the client takes it (RFC 9110 12.5.3)."""
    is_gzip = "gzip" in handler.request.headers.get("Accept-Encoding", "")
    etag = page.etag[:-1] + ('-z"' if is_gzip else '"')
    handler.set_header("Content-Type", content_type)
    handler.set_header("Vary", "Accept, Accept-Encoding, Authorization")
    handler.set_header("Cache-Control", f"{handler.cache_scope}, {LIST_CACHE}")
    handler.set_header("ETag", etag)
    handler.allow_any_origin()
    if handler.check_etag_header():
        handler.set_status(304)
        handler.finish()
        return
    body = page.body_gzip if is_gzip else page.body
    if is_gzip:
        handler.set_header("Content-Encoding", "gzip")
    handler.set_header("Content-Length", str(len(body)))
    handler.finish(body if handler.request.method != "HEAD" else None)


def send_json(handler: RegistryHandler, value: object) -> None:
    """Answer GET or HEAD with a JSON document."""
    send_document(handler, orjson.dumps(value), content_type="application/json")


def send_document(handler: RegistryHandler, body: bytes, *, content_type: str) -> None:
    """Answer GET or HEAD with a small document that may change."""
    handler.set_header("Content-Type", content_type)
    handler.set_header("Cache-Control", f"{handler.cache_scope}, {LIST_CACHE}")
    handler.set_header("ETag", f'"{hashlib.sha256(body).hexdigest()[:32]}"')
    handler.allow_any_origin()
    if handler.check_etag_header():
        handler.set_status(304)
        handler.finish()
        return
    handler.set_header("Content-Length", str(len(body)))
    handler.finish(body if handler.request.method != "HEAD" else None)
