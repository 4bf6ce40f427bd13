"""Understanding what a server answers: its JSON, its failures, and what is no server of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from packager_jupyter import errors
from packager_jupyter.errors import NotFoundError, PackagerError, StorageUnreachableError

if TYPE_CHECKING:
    import httpx

_NOT_FOUND = 404


class RemoteError(PackagerError):
    """A failure that the server named and this version does not know.

    Attributes
    ----------
    code : str
        As the server says.
    """

    def __init__(self, body: dict[str, str]) -> None:
        super().__init__(body["message"], remedy=body["remedy"], details=body.get("details"))
        self.remote_code = body["code"]

    def to_json(self) -> dict[str, str]:
        """Return the server's own code in the error shape."""
        return super().to_json() | {"code": self.remote_code}


class ServerUnreachableError(StorageUnreachableError):
    """No answer from the packager's server."""

    code = "server_unreachable"


class ServerMissingError(NotFoundError):
    """What answers is not the packager."""

    code = "server_missing"


def _by_code() -> dict[str, type[PackagerError]]:
    kinds = {
        kind.code: kind
        for kind in reversed(vars(errors).values())
        if isinstance(kind, type) and issubclass(kind, PackagerError)
    }
    kinds.pop(PackagerError.code)
    return kinds


KINDS = _by_code()


def read_json(response: httpx.Response, url: str) -> Any:
    """Return the JSON of a good answer, None when it has no body."""
    if not response.content:
        return None
    try:
        return response.json()
    except json.JSONDecodeError as error:
        raise not_ours(url) from error


def raise_failure(answer: httpx.Response | dict[str, str], url: str) -> NoReturn:
    """Raise what an answer of status 300 and above, or a job's ``error``, says."""
    if isinstance(answer, dict):
        raise failure_of(answer)
    try:
        body = answer.json()
    except json.JSONDecodeError as error:
        raise not_ours(url) from error
    if not isinstance(body, dict) or not {"code", "message", "remedy"} <= body.keys():
        raise not_ours(url)
    raise failure_of(body, retry_after=answer.headers.get("Retry-After"))


def failure_of(body: dict[str, str], *, retry_after: str | None = None) -> PackagerError:
    """Return the error that the error shape `body` describes."""
    kind = KINDS.get(body["code"])
    if kind is None:
        return RemoteError(body)
    retry_after_s = int(retry_after) if retry_after and retry_after.isdecimal() else None
    return kind(
        body["message"],
        remedy=body["remedy"],
        details=body.get("details"),
        retry_after_s=retry_after_s,
    )


def unreachable(url: str, error: Exception) -> ServerUnreachableError:
    """Return the error for a server that does not answer."""
    return ServerUnreachableError(
        f"The packager at {url} did not answer.",
        remedy="Check the address and that the server runs.",
        details=type(error).__name__,
    )


def not_ours(url: str) -> ServerMissingError:
    """Return the error for a server that is not ours."""
    return ServerMissingError(
        f"What answers at {url} is not the packager, or does not know you.",
        remedy="Check the address (inside Jupyter it ends in /packager/) and the token, and that "
        "the extension is enabled: jupyter server extension list",
    )
