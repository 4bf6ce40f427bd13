"""``addresses``: signed addresses of many files in one answer, for downloaders of our own kind.

A redirect for each of ten thousand small files costs more than the files. Whoever may read the
share sends some paths and gets what each path's redirect would name: one JSON object a line, in the
same order, with ``url``, or with ``error`` and ``status`` where the redirect would have failed. The
same rules hold as for ``files/``: only files of the shared version, checked against the storage,
each counted as one use. Addresses that a visitor does not use at once may outlive a change in the
storage, so readers send the ETag of the pointer with ``If-Match`` (RFC 9110 13.1.1).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from packager_jupyter.errors import (
    BadInputError,
    CredentialMissingError,
    PackagerError,
    StorageBusyError,
    StorageUnreachableError,
)
from packager_jupyter.exports.base import file_url
from packager_jupyter.server.failures import failure_of
from packager_jupyter.server.share.faults import for_visitors
from packager_jupyter.server.share.objects import PointerHandler
from packager_jupyter.server.strict_json import parse_json
from packager_jupyter.shares.model import share_gone

if TYPE_CHECKING:
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share

MAX_PATHS = 1000
BODY_BYTES = 256 * 1024
_AT_A_STRETCH = 50

log = logging.getLogger(__name__)


class AddressesHandler(PointerHandler):
    """Signs addresses of the files that the body names."""

    audit_action: ClassVar[str] = "share.addresses"

    def body_limit(self) -> int:
        """Return the limit of a list of paths."""
        return BODY_BYTES

    def check_xsrf_cookie(self) -> None:
        """Leave Tornado's own check out: strangers have no session.

        The body must be declared as JSON, which no form of another site can do, and no other site
        may read the answer with this visitor's cookie.
        """

    async def post(self, share: str) -> None:
        """Answer with one line for each path of ``{"paths": […]}``."""
        opened = await self.visit(share)
        paths = self._paths()
        version = await self.version(opened)
        rows: list[dict[str, Any]] = []
        down: dict[str, PackagerError] = {}
        for number, path in enumerate(paths, start=1):
            rows.append(await self._row(opened, version, path, down))
            if number % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)  # what is remembered never waits: let others have a turn
        await self._count(opened, [row for row in rows if row.pop("is_use", False)])
        self.set_header("Content-Type", "application/jsonl")
        self.finish(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))

    async def _row(
        self, share: Share, version: Version, path: str, down: dict[str, PackagerError]
    ) -> dict[str, Any]:
        """Return the line of one path; a source in `down` did not answer and is not asked again."""
        try:
            pointer = await self.pointer(version, path)
            if pointer is None:
                # An attachment, or nothing: either is told, and counted, at its own address.
                return {"path": path, "url": file_url(self.share_url, path)}
            if pointer.source in down:
                return {"path": path, **self._refusal(down[pointer.source])}
            try:
                await self.check(pointer)
                url = await self.signed_url(share, pointer)
            except (StorageUnreachableError, StorageBusyError, CredentialMissingError) as error:
                down[pointer.source] = error
                raise
        except PackagerError as error:
            return {"path": path, **self._refusal(error)}
        return {"path": path, "url": url, "is_use": True}

    async def _count(self, share: Share, handed: list[dict[str, Any]]) -> None:
        """Count one use for each address; those beyond the share's maximum are taken back."""
        allowed = await self.count_uses(share, len(handed)) if handed else 0
        for row in handed[allowed:]:
            del row["url"]
            row.update(self._refusal(share_gone()))

    def _refusal(self, error: PackagerError) -> dict[str, Any]:
        told = for_visitors(error, request_id=self.request_id)
        if told is not error:
            log.warning("request %s: %s %s", self.request_id, error.code, error.message)
        failure = failure_of(told, status=told.status, request_id=self.request_id)
        refusal: dict[str, Any] = {"status": failure.status, "error": failure.body}
        if told.retry_after_s is not None:
            refusal["retry_after_s"] = told.retry_after_s
        return refusal

    def _paths(self) -> list[str]:
        """Return the paths of the body.

        Raises
        ------
        BadInputError
            It is not declared as JSON, or no list of at most `MAX_PATHS` paths.
        """
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        body = parse_json(self.body) if media_type.lower() == "application/json" else None
        paths = body.get("paths") if isinstance(body, dict) else None
        if (
            not isinstance(paths, list)
            or not 0 < len(paths) <= MAX_PATHS
            or not all(isinstance(path, str) and path for path in paths)
        ):
            raise BadInputError(
                "The body is no list of paths.",
                remedy='Send {"paths": ["one.tif", …]} as application/json, at most '
                f"{MAX_PATHS:,} paths.",
            )
        return paths
