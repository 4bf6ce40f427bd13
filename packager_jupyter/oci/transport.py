"""How requests reach a registry: retries, redirects, TLS, and errors in plain words.

`Transport` owns the connections to one registry. It follows redirects of reads by itself, because
an ``Authorization`` header must not go to another host; it repeats what may be repeated, and turns
whatever is answered into one of our errors, which never hold an address with a query.
"""

from __future__ import annotations

import contextlib
import logging
import random
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    DigestMismatchError,
    ManifestBlobUnknownError,
    ManifestInvalidError,
    NameInvalidError,
    RateLimitedError,
    StorageDeniedError,
    StorageError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
    TooLargeError,
)
from packager_jupyter.oci.registry_auth import Authorizer, bounded, not_understood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packager_jupyter.errors import PackagerError
    from packager_jupyter.oci.registry_auth import RegistryLogin, Scope

MAX_ATTEMPTS = 5
MAX_WAIT_S = 30.0
MAX_JSON_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_SLICE_BYTES = 64 * 1024
_MAX_REDIRECTS = 5
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16)
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_CODES: Mapping[str, type[PackagerError]] = {
    "MANIFEST_BLOB_UNKNOWN": ManifestBlobUnknownError,
    "BLOB_UNKNOWN": BlobNotFoundError,
    "MANIFEST_UNKNOWN": BlobNotFoundError,
    "NAME_UNKNOWN": BlobNotFoundError,
    "MANIFEST_INVALID": ManifestInvalidError,
    "NAME_INVALID": NameInvalidError,
    "TAG_INVALID": NameInvalidError,
    "DIGEST_INVALID": DigestMismatchError,
    "SIZE_INVALID": DigestMismatchError,
    "DENIED": StorageDeniedError,
    "UNAUTHORIZED": StorageDeniedError,
    "TOOMANYREQUESTS": RateLimitedError,
}
_STATUSES: Mapping[int, type[PackagerError]] = {
    400: BadInputError,
    401: StorageDeniedError,
    403: StorageDeniedError,
    404: BlobNotFoundError,
    413: TooLargeError,
    429: RateLimitedError,
}
_REMEDIES: Mapping[type[PackagerError], str] = {
    StorageDeniedError: "Check the login of the registry, and that it may do this there.",
    RateLimitedError: "Wait a moment, then try again.",
    TooLargeError: "Ask the registry's operator to allow larger content.",
    BlobNotFoundError: "Check the name; it may have been deleted.",
    ManifestBlobUnknownError: "Push every blob that the manifest names first.",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` below ``/v2/`` or, for uploads, the whole address in `url`."""

    method: str
    path: str
    scope: Scope
    url: httpx.URL | None = None
    headers: Mapping[str, str] | None = None
    params: Mapping[str, str | int] | None = None
    content: bytes | None = None
    attempts: int = MAX_ATTEMPTS


class _Slices:
    """A body in small slices, so that the layers below do not copy it whole."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), _SLICE_BYTES):
            yield bytes(self._content[start : start + _SLICE_BYTES])

    def release(self) -> None:
        """Forget the body: httpx's requests and responses are cycles that linger."""
        self._content = memoryview(b"")


class Transport:
    """Sends requests to one registry; thread-safe.

    Parameters
    ----------
    origin : httpx.URL
        Scheme, host and port of the registry. Plain http is taken only on loopback, unless
        `plain_http`.
    login : RegistryLogin, optional
    ca_bundle : Path, optional
        PEM file of authorities to trust besides the system's.
    token_hosts : sequence of str
        See `Authorizer`.
    plain_http : bool, default False
        Take http for any host; the login then crosses the network readable.
    """

    def __init__(
        self,
        origin: httpx.URL,
        *,
        login: RegistryLogin | None = None,
        ca_bundle: Path | None = None,
        token_hosts: Sequence[str] = (),
        plain_http: bool = False,
    ) -> None:
        if origin.scheme == "http" and not plain_http and origin.host not in _LOOPBACK:
            raise BadInputError(
                f"The registry {origin.host} would be reached without encryption.",
                remedy="Use its https address, or allow plain http for it.",
            )
        _keep_addresses_out_of_logs()
        self.origin = origin
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            limits=_LIMITS,
            verify=_trust(ca_bundle),
            follow_redirects=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "packager-jupyter"},
        )
        self._authorizer = Authorizer(self._client, origin, login, token_hosts=token_hosts)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def is_own(self, url: httpx.URL) -> bool:
        """Say whether an address is on the configured registry itself."""
        own = self.origin
        return (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port)

    def send(self, request: Request, *, ok: Sequence[int] = (200,)) -> httpx.Response:
        """Send, repeating until it worked, and return the response with its body read.

        Raises
        ------
        PackagerError
            For every status that is not in `ok`; see `error_of`.
        """
        return self._repeat(request, ok, lambda response: bounded(response, MAX_JSON_BYTES))

    def open(self, request: Request, *, ok: Sequence[int] = (200,)) -> httpx.Response:
        """Send like `send` and return the response with its body unread; the caller closes it."""
        return self._repeat(request, ok, lambda response: response)

    def _repeat(
        self,
        request: Request,
        ok: Sequence[int],
        finish: Callable[[httpx.Response], httpx.Response],
    ) -> httpx.Response:
        deadline = time.monotonic() + MAX_WAIT_S
        pause_s = _FIRST_PAUSE_S
        number = 0
        while True:
            number += 1
            is_last = number >= request.attempts or time.monotonic() > deadline
            asked_s = 0.0
            try:
                response = self._follow(request)
                if response.status_code in ok:
                    return finish(response)
                if response.status_code not in _RETRIED or is_last:
                    raise error_of(response)
                asked_s = retry_after_s(response)
                response.close()
            except httpx.TransportError as error:
                if is_last:
                    raise unreachable(self.origin, error) from error
            jitter = random.uniform(0.5, 1)  # noqa: S311 - no secret
            time.sleep(min(max(asked_s, pause_s * jitter), _LONGEST_PAUSE_S))
            pause_s *= 2

    def _follow(self, request: Request) -> httpx.Response:
        url = request.url or self.origin.join(f"/v2/{request.path}")
        if request.params:
            url = url.copy_merge_params(request.params)
        for _ in range(_MAX_REDIRECTS):
            response = self._authorized(request, url)
            if response.status_code not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return response
            response.close()
            target = location_of(response)
            if target.scheme != "https" and not self.is_own(target) and url.scheme == "https":
                raise StorageNotUnderstoodError(
                    f"The registry {self.origin.host} redirects to an unencrypted address.",
                    remedy="Ask its operator to redirect to https only.",
                )
            url = target
        raise StorageNotUnderstoodError(
            f"The registry {self.origin.host} redirects in a circle.",
            remedy="Check the address of the registry.",
        )

    def _authorized(self, request: Request, url: httpx.URL) -> httpx.Response:
        is_own = self.is_own(url)
        header = self._authorizer.header(request.scope) if is_own else None
        response = self._send_once(request, url, header)
        if response.status_code != httpx.codes.UNAUTHORIZED or not is_own:
            return response
        response = bounded(response, _MAX_ERROR_BYTES)
        answer = self._authorizer.answer(response, request.scope)
        return response if answer is None else self._send_once(request, url, answer)

    def _send_once(
        self, request: Request, url: httpx.URL, authorization: str | None
    ) -> httpx.Response:
        headers = dict(request.headers or {})
        if authorization:
            headers["Authorization"] = authorization
        if request.content is not None:
            headers["Content-Length"] = str(len(request.content))
        body = _Slices(request.content or b"")
        content = None if request.content is None else body
        built = self._client.build_request(request.method, url, headers=headers, content=content)
        try:
            return self._client.send(built, stream=True)
        finally:
            body.release()


def location_of(response: httpx.Response) -> httpx.URL:
    """Return the absolute address in a ``Location`` header."""
    try:
        return response.request.url.join(response.headers["Location"])
    except (KeyError, httpx.InvalidURL) as error:
        raise not_understood(response.request.url.host, status=response.status_code) from error


def json_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a response; raises `StorageNotUnderstoodError` when it is none."""
    try:
        value = response.json()
    except ValueError as error:
        raise not_understood(response.request.url.host, status=response.status_code) from error
    if not isinstance(value, dict):
        raise not_understood(response.request.url.host, status=response.status_code)
    return value


def unreachable(origin: httpx.URL, error: httpx.TransportError) -> StorageUnreachableError:
    """Return the error for a registry that gave no whole answer."""
    is_tls = isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error)
    return StorageUnreachableError(
        f"The registry {origin.host} does not answer.",
        remedy="Its certificate is not trusted here: give the CA bundle of its authority."
        if is_tls
        else "Check the address and the network, then try again.",
        details=type(error).__name__,
        retry_after_s=None if is_tls else 30,
    )


def retry_after_s(response: httpx.Response) -> float:
    """Return the seconds that a ``Retry-After`` header asks for; 0 when it has none."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def error_of(response: httpx.Response) -> PackagerError:
    """Turn an error answer into one of ours, reading and closing it.

    The code of the body (distribution-spec 1.1, "Error Codes") goes before the status.
    """
    status = response.status_code
    code = message = ""
    with contextlib.suppress(httpx.TransportError, StorageNotUnderstoodError):
        code, message = _first_error(
            response if response.is_closed else bounded(response, _MAX_ERROR_BYTES)
        )
    response.close()
    kind = _CODES.get(code) or _STATUSES.get(status, StorageError)
    if status in (401, 403):
        kind = StorageDeniedError
    host = response.request.url.host
    return kind(
        f"The registry {host} refused: {message or f'status {status}'}.",
        remedy=_REMEDIES.get(kind, "Look into the registry's log, or try again later."),
        details=f"status {status} {code}".strip(),
        retry_after_s=int(retry_after_s(response)) or (30 if status in _RETRIED else None),
    )


def _first_error(response: httpx.Response) -> tuple[str, str]:
    """Return code and message of the first error of the body, as text that may be shown."""
    try:
        first = response.json()["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "", ""
    plain = "".join(letter for letter in message if letter.isprintable())[:200]
    return code[:64], plain.rstrip(". ")


def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_bundle:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(
                f"The CA bundle {ca_bundle.name} cannot be read.",
                remedy="Give a file of certificates in PEM format.",
            ) from error
    return context


class _WithoutQuery(logging.Filter):
    """Cuts the query of addresses: a presigned one is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg
                for arg in record.args
            )
        return True


class _NoDebug(logging.Filter):
    """Drops records that hold whole headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_WITHOUT_QUERY = _WithoutQuery()
_NO_DEBUG = _NoDebug()


def _keep_addresses_out_of_logs() -> None:
    logging.getLogger("httpx").addFilter(_WITHOUT_QUERY)
    for name in ("connection", "http11", "proxy"):
        logging.getLogger(f"httpcore.{name}").addFilter(_NO_DEBUG)
