"""HTTP to a storage: pools, TLS, time limits, retries and one deadline; redirects are not followed.

Every request of ours to S3 and Azure goes through here, already signed. Only GET and HEAD are
sent, so repeating one is always safe. The request target is sent exactly as it was signed: dot
segments and doubled slashes in keys stay what they are.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from urllib3 import exceptions as http

from packager_jupyter.errors import (
    BadInputError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)
from packager_jupyter.sources.redaction import hide_signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packager_jupyter.sources.base import Method

CONNECT_S = 5.0
READ_S = 20.0
DEADLINE_S = 30.0
ATTEMPTS = 5
CHUNK_BYTES = 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_FIRST_PAUSE_S = 0.2
_RETRY_STATUS = frozenset({429, 500, 502, 503, 504})
_POOL_CONNECTIONS = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, headers (names in lower case), body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def _has_retry_status(answer: Answer) -> bool:
    return answer.status in _RETRY_STATUS


class Transport:
    """Connections to the hosts of one source; safe to share between threads.

    Parameters
    ----------
    source : str
        Name of the source, for messages.
    ca_bundle : str, optional
        File of PEM certificates that vouch for the storage, instead of the system's.

    Raises
    ------
    BadInputError
        When `ca_bundle` holds no certificate that can be read.
    """

    def __init__(self, source: str, *, ca_bundle: str | None = None) -> None:
        hide_signatures()
        self._source = source
        options: dict[str, Any] = {
            "maxsize": _POOL_CONNECTIONS,
            "retries": False,
            "ssl_context": _tls_context(ca_bundle),
        }
        self._direct = urllib3.PoolManager(**options)
        self._proxies: dict[str, urllib3.PoolManager] = {
            scheme: urllib3.ProxyManager(url, **options)
            for scheme, url in getproxies_environment().items()
            if scheme in {"http", "https"}
        }

    def fetch(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        should_retry: Callable[[Answer], bool] = _has_retry_status,
    ) -> Answer:
        """Send one request and return its whole answer, whatever its status.

        Tries up to five times within 30 s while nothing answers or `should_retry` says so of the
        answer; the last answer is returned as it is.

        Raises
        ------
        StorageUnreachableError
            When there is no whole answer.
        StorageNotUnderstoodError
            When the answer is over 64 MiB.
        """
        retry = _Retry(self._source, url)
        while True:
            try:
                response = self._send(method, url, headers, retry)
                body = _read_body(response, retry)
            except (http.HTTPError, OSError) as error:
                retry.after_error(error)
                continue
            answer = Answer(response.status, _lower(response.headers), body)
            if not (should_retry(answer) and retry.after_answer(answer)):
                return answer

    def stream(
        self, url: str, *, headers: Mapping[str, str] | None = None
    ) -> tuple[Answer, Iterator[bytes]]:
        """Send one GET; return the answer without its body, and the body in chunks of ≤ 1 MiB.

        An answer other than 200 or 206 comes with its body read and an empty iterator. The
        deadline is for the start of the answer; the body has the time limit of each read.

        Raises
        ------
        StorageUnreachableError
            When there is no answer; from the iterator, when the body breaks off.
        """
        retry = _Retry(self._source, url)
        while True:
            try:
                response = self._send("GET", url, headers, retry)
                if response.status in {200, 206}:
                    answer = Answer(response.status, _lower(response.headers), b"")
                    return answer, self._chunks(response, url)
                body = _read_body(response, retry)
            except (http.HTTPError, OSError) as error:
                retry.after_error(error)
                continue
            answer = Answer(response.status, _lower(response.headers), body)
            if not (_has_retry_status(answer) and retry.after_answer(answer)):
                return answer, iter(())

    def close(self) -> None:
        """Drop idle connections; requests under way end in peace."""
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _send(
        self, method: Method, url: str, headers: Mapping[str, str] | None, retry: _Retry
    ) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        manager = self._direct
        if parts.scheme in self._proxies and not proxy_bypass(parts.netloc):
            manager = self._proxies[parts.scheme]
            target = url if parts.scheme == "http" else target
        pool = manager.connection_from_host(parts.hostname, parts.port, parts.scheme)
        left_s = max(retry.left_s(), 0.1)
        return pool.urlopen(
            method,
            target,
            headers=dict(headers or {}),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, left_s), read=min(READ_S, left_s)),
        )

    def _chunks(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        try:
            while chunk := response.read(CHUNK_BYTES):
                yield chunk
        except (http.HTTPError, OSError) as error:
            raise _unreachable(self._source, url, error) from None
        finally:
            # A body that was not read to its end must not go back into the pool.
            response.close()
            response.release_conn()


class _Retry:
    """Counts attempts and time of one request."""

    def __init__(self, source: str, url: str) -> None:
        self._source = source
        self._url = url
        self._deadline = time.monotonic() + DEADLINE_S
        self._attempt = 1

    def left_s(self) -> float:
        return self._deadline - time.monotonic()

    def _pause(self, asked_s: float) -> bool:
        # S311: jitter against thundering herds is no secret.
        jitter = 0.5 + random.random()  # noqa: S311
        pause_s = max(asked_s, _FIRST_PAUSE_S * 2 ** (self._attempt - 1) * jitter)
        if self._attempt >= ATTEMPTS or pause_s >= self.left_s():
            return False
        self._attempt += 1
        time.sleep(pause_s)
        return True

    def after_error(self, error: Exception) -> None:
        is_final = isinstance(error, http.NameResolutionError) or _is_tls(error)
        if is_final or not self._pause(0):
            raise _unreachable(self._source, self._url, error) from None
        _log.info("Storage of source %s: %s; trying again.", self._source, type(error).__name__)

    def after_answer(self, answer: Answer) -> bool:
        asked = answer.headers.get("retry-after", "")
        _log.info("Storage of source %s: HTTP %s; trying again.", self._source, answer.status)
        return self._pause(float(asked) if asked.isdigit() else 0)


def _tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle:
        try:
            context = ssl.create_default_context(cafile=ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(
                f"The CA bundle {Path(ca_bundle).name} cannot be used: {type(error).__name__}.",
                remedy="Give a file that this server can read, with certificates in PEM format.",
            ) from None
    return context


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read_body(response: urllib3.BaseHTTPResponse, retry: _Retry) -> bytes:
    parts = []
    size = 0
    try:
        while chunk := response.read(CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise StorageNotUnderstoodError(
                    "The storage answered with far more than was asked for.",
                    remedy="Check that the endpoint is a storage service and not a web site.",
                )
            if retry.left_s() < 0:
                raise http.TimeoutError("deadline")
    finally:
        if response.length_remaining:
            response.close()
        response.release_conn()
    return b"".join(parts)


def _is_tls(error: BaseException) -> bool:
    return isinstance(error, (http.SSLError, ssl.SSLError)) or (
        isinstance(error, http.ProxyError) and isinstance(error.original_error, ssl.SSLError)
    )


def _unreachable(source: str, url: str, error: BaseException) -> StorageUnreachableError:
    """Say in plain words why nothing answered; only scheme, host and port of `url` are shown."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    check_address = "Check the endpoint of the source and that this machine may reach it."
    reasons: list[tuple[bool, str, str]] = [
        (
            _is_tls(error),
            "its TLS certificate is not trusted, or it does not speak TLS",
            "Give the source the CA bundle of the storage, or correct http/https in the endpoint.",
        ),
        (
            isinstance(error, http.NameResolutionError),
            "no such host is known",
            "Check the spelling of the endpoint, and the name service of this machine.",
        ),
        (isinstance(error, http.ProxyError), "the HTTP proxy refuses", "Check HTTPS_PROXY."),
        (
            isinstance(error, http.NewConnectionError),
            "the connection was refused",
            f"{check_address} Its port may be wrong, or the service down.",
        ),
        (
            isinstance(error, (http.TimeoutError, TimeoutError)),
            "it did not answer in time",
            f"{check_address} A firewall may be in between; try again later.",
        ),
    ]
    reason, remedy = next(
        ((reason, remedy) for applies, reason, remedy in reasons if applies),
        ("the connection broke off", f"{check_address} Try again later."),
    )
    return StorageUnreachableError(
        f"The storage of source {source!r} at {where} cannot be reached: {reason}.",
        remedy=remedy,
        details=type(error).__name__,
        retry_after_s=5,
    )
