"""The one mapping from exceptions to answers: status, headers and the error shape.

A `PackagerError` says everything itself. Tornado's `HTTPError` (an unknown path, a missing XSRF
token) gets the words below. Anything else is a defect of ours: a general sentence with the request
id goes out, the traceback stays in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tornado.web import HTTPError

from packager_jupyter.errors import NotAuthenticatedError, PackagerError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLIENT_ERROR = 400
_SERVER_ERROR = 500

# By status: code, message and remedy.
_HTTP: dict[int, tuple[str, str, str]] = {
    400: ("bad_input", "The request is not well formed.", "Correct the request and send it again."),
    401: ("not_authenticated", "Nobody has said who is asking.", "Log in, or send an API token."),
    403: ("forbidden", "This is not allowed.", "Log in again, reload the page, and try again."),
    404: ("not_found", "There is nothing at this address.", "Check the address."),
    405: (
        "method_not_allowed",
        "This address does not answer to this method.",
        "Use one of the methods in the Allow header.",
    ),
    413: ("too_large", "The request is larger than the server takes.", "Send less at a time."),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer to a request that did not work.

    Attributes
    ----------
    status : int
    body : dict of str to str
        ``code``, ``message``, ``remedy`` and perhaps ``details``: the shape of every error.
    headers : mapping of str to str
    is_defect : bool
        Whether the log needs the traceback.
    """

    status: int
    body: dict[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_defect: bool = False


def failure_of(error: BaseException | None, *, status: int, request_id: str) -> Failure:
    """Return the answer for `error`.

    Parameters
    ----------
    error : BaseException or None
        What was raised; None when only the status is known.
    status : int
        Tornado's idea of the status, used when `error` is None.
    request_id : str
        Joins the answer to the line in the log.
    """
    if isinstance(error, PackagerError) and type(error).code != PackagerError.code:
        return Failure(error.status, error.to_json(), _headers(error))
    if isinstance(error, HTTPError):
        status = error.status_code
    elif error is not None:
        status = _SERVER_ERROR
    if _CLIENT_ERROR <= status < _SERVER_ERROR:
        code, message, remedy = _HTTP.get(status, _HTTP[_CLIENT_ERROR])
        headers = _challenge() if status == NotAuthenticatedError.status else {}
        return Failure(status, {"code": code, "message": message, "remedy": remedy}, headers)
    body = {
        "code": PackagerError.code,
        "message": "The server could not do this because of a fault of its own.",
        "remedy": "Try again. If it happens again, tell the administrator of this server the "
        f"request id {request_id}.",
    }
    return Failure(status, body, is_defect=error is not None)


def _headers(error: PackagerError) -> dict[str, str]:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.code == NotAuthenticatedError.code:
        headers |= _challenge()
    return headers


def _challenge() -> dict[str, str]:
    # RFC 9110 15.5.2: a 401 names a challenge; browsers pop up nothing for Bearer.
    return {"WWW-Authenticate": 'Bearer realm="packager"'}
