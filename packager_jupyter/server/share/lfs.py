"""Git LFS's batch endpoint: signed addresses for objects by their SHA-256.

Protocol: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md. The addresses come in the
answer instead of a redirect, and say that they need no authentication, so a password that opened
the share is never sent on to the storage.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import (
    BadInputError,
    ForbiddenError,
    NotFoundError,
    ObjectChangedError,
    TooLargeError,
)
from packager_jupyter.server.share.faults import for_visitors
from packager_jupyter.server.share.keys import KeyHandler
from packager_jupyter.server.strict_json import parse_json

if TYPE_CHECKING:
    from packager_jupyter.server.failures import Failure
    from packager_jupyter.shares.model import Share

MEDIA_TYPE = "application/vnd.git-lfs+json"
MAX_OBJECTS = 1000
MAX_BODY_BYTES = 1024 * 1024
_OID = re.compile("[0-9a-f]{64}")


class BatchHandler(KeyHandler):
    """``objects/batch`` of Git LFS."""

    def body_limit(self) -> int:
        """See `PackagerHandler.body_limit`."""
        return MAX_BODY_BYTES

    async def post(self, share: str) -> None:
        """Answer with an address or an error for each object."""
        opened = await self.visit(share)
        objects = [await self._object(opened, *one) for one in _wanted(self.body)]
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(orjson.dumps({"transfer": "basic", "objects": objects, "hash_algo": "sha256"}))

    async def _object(self, share: Share, oid: str, size_bytes: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"oid": oid, "size": size_bytes}
        try:
            pointer = await self.pointer_of(share, "lfs", oid)
            await self.check(pointer)
            url = await self.signed_url(share, pointer)
        except (NotFoundError, ObjectChangedError) as error:
            said = for_visitors(error, request_id=self.request_id)
            return answer | {"error": {"code": said.status, "message": str(said)}}
        counted = self.count_use(share)
        if counted is not None:
            await counted
        life_s = self._life_s(share)
        return answer | {
            "authenticated": True,
            "actions": {"download": {"href": url, "expires_in": life_s}},
        }

    def _life_s(self, share: Share) -> int:
        full_s = self.services.settings.presign_ttl_s
        remaining_s = share.remaining_s(time.time())
        return full_s if remaining_s is None else max(1, min(full_s, int(remaining_s)))

    def render_failure(self, failure: Failure) -> None:
        """Answer in the words of Git LFS (batch.md, "Response Errors")."""
        if failure.status == 401:  # noqa: PLR2004  # it looks for a challenge under this name
            self.set_header("LFS-Authenticate", 'Basic realm="share"')
        body = {"message": f"{failure.body['message']} {failure.body['remedy']}"}
        super().render_failure(failure) if self.wants_page else self._say(failure.body | body)

    def _say(self, body: dict[str, str]) -> None:
        self.clear_header("Access-Control-Allow-Origin")
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(orjson.dumps(body))


def _wanted(body: bytes) -> list[tuple[str, int]]:
    request = parse_json(body)
    if not isinstance(request, dict):
        raise _bad("it is no JSON object")
    operation = request.get("operation")
    if operation == "upload":
        raise ForbiddenError("A share cannot be changed.", remedy="Push to a repository of yours.")
    objects = request.get("objects")
    if operation != "download" or not isinstance(objects, list):
        raise _bad("it asks for no download of objects")
    if "basic" not in request.get("transfers", ["basic"]):
        raise _bad("it does not take the basic transfer")
    if request.get("hash_algo", "sha256") != "sha256":
        raise _bad("its objects are not named by SHA-256")
    if len(objects) > MAX_OBJECTS:
        raise TooLargeError(
            f"More than {MAX_OBJECTS} objects at once are too many.", remedy="Ask in parts."
        )
    return [_one(item) for item in objects]


def _one(item: object) -> tuple[str, int]:
    if isinstance(item, dict):
        oid, size = item.get("oid"), item.get("size")
        if type(oid) is str and type(size) is int and _OID.fullmatch(oid) and size >= 0:
            return oid, size
    raise _bad("an object has no oid or size")


def _bad(reason: str) -> BadInputError:
    return BadInputError(
        f"The request of Git LFS cannot be read: {reason}.", remedy="Fetch with git-lfs 2 or later."
    )
