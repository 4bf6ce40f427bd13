"""Errors in the shape of the distribution specification.

Source: distribution-spec 1.1, "Error Codes": ``{"errors": [{"code", "message", "detail"}]}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import NameInvalidError, NotFoundError, PackagerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.server.failures import Failure


class UploadNotFoundError(NotFoundError):
    """There is no such upload: it never was, has ended, or the server was started again."""

    code = "blob_upload_unknown"


class UploadRangeError(PackagerError):
    """A chunk does not begin where the one before ended (distribution-spec 1.1, "Chunks")."""

    code = "blob_upload_invalid"
    status = 416


class RepositoryNotFoundError(NotFoundError):
    """The store holds nothing under that name."""

    code = "name_unknown"


class RepositoryNameError(NameInvalidError):
    """The repository in the address is not written as the specification says."""

    code = "repository_name_invalid"


class UnsupportedError(PackagerError):
    """The store behind this server cannot do it."""

    code = "unsupported"
    status = 405


_CODES: Mapping[str, str] = {
    "blob_not_found": "BLOB_UNKNOWN",
    "blob_upload_unknown": "BLOB_UPLOAD_UNKNOWN",
    "blob_upload_invalid": "BLOB_UPLOAD_INVALID",
    "digest_mismatch": "DIGEST_INVALID",
    "manifest_invalid": "MANIFEST_INVALID",
    "manifest_blob_unknown": "MANIFEST_BLOB_UNKNOWN",
    "name_invalid": "NAME_INVALID",
    "name_unknown": "NAME_UNKNOWN",
    "repository_name_invalid": "NAME_INVALID",
    "unsupported": "UNSUPPORTED",
}
_BY_STATUS: Mapping[int, str] = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "NAME_UNKNOWN",
    405: "UNSUPPORTED",
    409: "DENIED",
    413: "SIZE_INVALID",
    429: "TOOMANYREQUESTS",
    503: "UNAVAILABLE",
    507: "UNAVAILABLE",
}


def error_body(failure: Failure, *, codes: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of an answer that says what went wrong.

    Parameters
    ----------
    failure : Failure
    codes : mapping of str to str
        Our code to the specification's, where a route means something else than the others.
    """
    ours = failure.body["code"]
    code = codes.get(ours) or _CODES.get(ours) or _BY_STATUS.get(failure.status, "UNKNOWN")
    text = f"{failure.body['message']} {failure.body['remedy']}".strip()
    return {"errors": [{"code": code, "message": text, "detail": failure.body.get("details")}]}
