"""What S3's error codes mean to a person.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    ObjectChangedError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageBusyError,
    StorageCredentialError,
    StorageDeniedError,
    StorageError,
)
from packager_jupyter.sources.failures import Failure, explain
from packager_jupyter.sources.s3_listing import unescape

if TYPE_CHECKING:
    from packager_jupyter.errors import (
        PackagerError,
    )
    from packager_jupyter.sources.failures import Scene
    from packager_jupyter.sources.transport import Answer

_find_error = re.compile(rb"\A\s*(?:<\?xml[^>]*\?>\s*)?<Error[\s>]").search
_EXPIRED = Failure(
    StorageCredentialError,
    "The temporary credential of source {source!r} ({who}) has expired or is not valid.",
    "Store a fresh access key, secret and session token for the source.",
)
_WRONG_SECRET = Failure(
    StorageCredentialError,
    "The secret key of source {source!r} does not belong to {who}.",
    "Store AWS_SECRET_ACCESS_KEY of this key again; watch for missing characters at the end.",
)
_UNKNOWN_KEY = Failure(
    StorageCredentialError,
    "The storage of source {source!r} at {endpoint} does not know {who}.",
    "Check AWS_ACCESS_KEY_ID, and that the endpoint is the one where the key was made.",
)
_NO_BUCKET = Failure(
    StorageBucketNotFoundError,
    "There is no {place} at {endpoint}, as source {source!r} says.",
    "Check the spelling of the bucket, the endpoint, and path_style (true for most storage that "
    "is not Amazon's).",
)
_NO_OBJECT = Failure(
    ObjectNotFoundError,
    "There is no object {what} (any more).",
    "Look at the source's listing; it may have been moved or deleted.",
)
_BUSY = Failure(
    StorageBusyError,
    "The storage of source {source!r} is overloaded or out of order, also after several tries.",
    "Try again in a while.",
)
_DENIED = Failure(
    StorageDeniedError,
    "{who} of source {source!r} may not {action} {what}.",
    "Ask who owns the bucket for s3:ListBucket and s3:GetObject on it, or use another credential.",
)
_REGION = Failure(
    StorageError,
    "{place} of source {source!r} does not live in the region or at the endpoint given.",
    "Set the source's region and endpoint to those of the bucket.",
)
_ARCHIVED = Failure(
    StorageError,
    "{what} is archived and cannot be read at once.",
    "Restore it in the storage first, then try again.",
)
_CHANGED = Failure(
    ObjectChangedError,
    "{what} was changed while it was being read.",
    "Read it again from its start.",
)
TABLE: dict[str, Failure] = {
    **dict.fromkeys(("ExpiredToken", "InvalidToken", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignature"), _WRONG_SECRET),
    **dict.fromkeys(("InvalidAccessKeyId", "InvalidClientTokenId"), _UNKNOWN_KEY),
    **dict.fromkeys(("NoSuchBucket", "InvalidBucketName"), _NO_BUCKET),
    # A marker of a deletion answers MethodNotAllowed when its version is asked for.
    **dict.fromkeys(
        ("NoSuchKey", "NoSuchVersion", "KeyTooLongError", "MethodNotAllowed"), _NO_OBJECT
    ),
    **dict.fromkeys(("SlowDown", "ServiceUnavailable", "InternalError", "Busy"), _BUSY),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "AccountProblem"), _DENIED),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "AuthorizationQueryParametersError",
            "IllegalLocationConstraintException",
        ),
        _REGION,
    ),
    "RequestTimeTooSkewed": _DENIED,  # `explain` tells the clock from the Date header
    "InvalidObjectState": _ARCHIVED,
    "PreconditionFailed": _CHANGED,
}


def is_error_body(body: bytes) -> bool:
    """Whether `body` is S3's ``<Error>`` document, which may come with a status of 200."""
    return _find_error(body[:300]) is not None


def _element(body: bytes, name: str) -> str | None:
    match = re.search(rf"<{name}>([^<]*)</{name}>".encode(), body)
    return unescape(match[1].decode(errors="replace")) if match else None


def s3_error(answer: Answer, scene: Scene) -> PackagerError:
    """Return the error that S3's `answer` means in `scene`."""
    code = _element(answer.body, "Code") if is_error_body(answer.body) else None
    error = explain(TABLE, code, answer, scene)
    region = answer.headers.get("x-amz-bucket-region") or _element(answer.body, "Region")
    if code and TABLE.get(code) is _REGION and region:
        error.remedy = f"Set the source's region to {region}."
    return error
