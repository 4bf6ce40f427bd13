"""The redirect of a file of an open share, from what is in memory.

Whoever downloads ten thousand files asks ten thousand times, and nearly all that the answer needs
is known from the request before. What `FilesHandler` would answer, this answers at once; where
anything is not in memory, or anybody has to prove something, it leaves the request to the handler.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.reading import is_changed
from packager_jupyter.server.base import new_request_id, public_url_of
from packager_jupyter.server.share.objects import sign_pointer, signer_terms
from packager_jupyter.server.share.state import share_state
from packager_jupyter.server.shortcut import Answer

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.server.share.state import ShareState
    from packager_jupyter.services import Services
    from packager_jupyter.shares.model import Share

AUDIT_ACTION = "share.file"
STATUS = 307


def redirect_from_memory(
    settings: dict[str, Any], request: HTTPServerRequest, /, *, share: str, path: str
) -> Answer | None:
    """Return the redirect to the bytes of a file; see `server.shortcut.Shortcut`."""
    services: Services = settings["packager"]
    now_s = time.time()
    found = services.shares.peek(share, now_s=now_s)
    if found is None or not found.is_open or found.max_downloads is not None:
        return None
    state = share_state(settings)
    pointer = _pointer(state, found, path)
    if pointer is None:
        return None
    full_s = services.settings.presign_ttl_s
    own_url = public_url_of(settings, request)
    signer = state.signers.get(signer_terms(full_s, found, pointer.source, own_url, now_s)[0])
    if signer is None:
        return None
    url = sign_pointer(signer, pointer)
    if not (url.isascii() and url.isprintable() and services.shares.count_use(found, now_s=now_s)):
        return None
    request_id = new_request_id()
    ip = request.remote_ip or "unknown"
    services.audit.note("visitor", ip, AUDIT_ACTION, found.id, "ok", request_id)
    return Answer(STATUS, {"Access-Control-Allow-Origin": "*", "Location": url}, request_id)


def _pointer(state: ShareState, share: Share, path: str) -> Pointer | None:
    """Return the pointer at `path` when it and what the storage says of it are remembered."""
    memory, key = state.versions_of(share)
    version = memory.get(key)
    pointer = None if version is None else state.pointers.get((version.digest, path))
    if pointer is None or pointer.version_id is not None:
        return pointer
    entry = state.entries.get((pointer.source, pointer.key, None))
    return None if entry is None or is_changed(pointer, entry) else pointer
