"""Who we are to a registry: logins, challenges, and tokens, kept from every host but the right one.

`RegistryLogin` is what a person configured. `Authorizer` turns it into ``Authorization`` headers:
Basic for the registry itself, or short-lived Bearer tokens that it fetches from the token server
which the registry's challenge names (distribution "Token Authentication Specification"; RFC 7235
for the challenge). A login goes to the configured registry, to a token server on the same host, and
to token servers whose host the configuration lists; to any other it is not sent.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from packager_jupyter.errors import (
    StorageDeniedError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)\b", re.IGNORECASE)
_DEFAULT_LIFE_S = 60
_EARLY_S = 10
_MAX_LIFE_S = 24 * 3600
_MAX_TOKEN_ANSWER_BYTES = 1024 * 1024
_MAX_CHALLENGE_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """A user name with its password, or a token that is sent as it is. Never shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> RegistryLogin | None:
        """Read ``PACKAGER_OCI_USERNAME`` with ``_PASSWORD``, or ``PACKAGER_OCI_TOKEN``."""
        values = os.environ if environ is None else environ
        login = cls(
            username=values.get("PACKAGER_OCI_USERNAME", ""),
            password=values.get("PACKAGER_OCI_PASSWORD", ""),
            token=values.get("PACKAGER_OCI_TOKEN", ""),
        )
        return login if login.token or login.username else None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One offer of a ``WWW-Authenticate`` header."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request wants to do: ``repository:<name>:<actions>``, several for a mount."""

    parts: tuple[str, ...] = ()

    @classmethod
    def repository(cls, name: str, actions: str, *, also: str | None = None) -> Scope:
        """Return the scope of `actions` on one repository; `also` is one to pull from."""
        parts = (f"repository:{name}:{actions}",)
        return cls(parts if also is None else (*parts, f"repository:{also}:pull"))


def parse_challenges(header: str) -> list[Challenge]:
    """Return the Basic and Bearer offers of a ``WWW-Authenticate`` header, in its order."""
    header = header[:_MAX_CHALLENGE_LENGTH]
    found = list(_SCHEME.finditer(header))
    ends = [match.start() for match in found] + [len(header)]
    return [
        Challenge(
            match[1].lower(),
            {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for name, quoted, plain in _PARAMETER.findall(header[match.end() : end])
            },
        )
        for match, end in zip(found, ends[1:], strict=True)
    ]


def bounded(response: httpx.Response, limit_bytes: int) -> httpx.Response:
    """Read a streamed response of at most `limit_bytes`, close it and return it whole.

    The body is taken as it was sent: we ask for no encoding, and unpack none.

    Raises
    ------
    StorageNotUnderstoodError
        The body is longer.
    """
    body = bytearray()
    with contextlib.closing(response):
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > limit_bytes:
                raise not_understood(response.request.url.host)
    headers = httpx.Headers(response.headers)
    headers.pop("Content-Encoding", None)
    return httpx.Response(
        response.status_code, headers=headers, content=bytes(body), request=response.request
    )


class Authorizer:
    """Gives the ``Authorization`` header of each request to one registry; thread-safe.

    Parameters
    ----------
    client : httpx.Client
    origin : httpx.URL
        Address of the registry.
    login : RegistryLogin or None
    token_hosts : sequence of str
        Hosts of token servers that may see the login, besides the registry's own.
    """

    def __init__(
        self,
        client: httpx.Client,
        origin: httpx.URL,
        login: RegistryLogin | None,
        *,
        token_hosts: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._origin = origin
        self._login = login
        self._token_hosts = frozenset(host.lower() for host in token_hosts)
        self._lock = threading.Lock()
        self._is_basic = False
        self._tokens: dict[Scope, tuple[str, float]] = {}

    def header(self, scope: Scope) -> str | None:
        """Return what is known to work for `scope`, or None before the first challenge."""
        login = self._login
        if login and login.token:
            return f"Bearer {login.token}"
        with self._lock:
            if self._is_basic and login:
                return _basic(login)
            token, ends = self._tokens.get(scope, ("", 0.0))
        return f"Bearer {token}" if token and time.monotonic() < ends else None

    def answer(self, response: httpx.Response, scope: Scope) -> str | None:
        """Return the header that answers a 401, or None when we have nothing better to offer.

        Raises
        ------
        StorageDeniedError
            The token server refused, or may not be asked.
        """
        sent = response.request.headers.get("Authorization")
        for challenge in parse_challenges(response.headers.get("WWW-Authenticate", "")):
            if challenge.scheme == "bearer" and not (self._login and self._login.token):
                token, life_s = self._fetch(challenge, scope)
                with self._lock:
                    self._tokens[scope] = (token, time.monotonic() + life_s - _EARLY_S)
                return f"Bearer {token}"
            if challenge.scheme == "basic" and self._login and self._login.username:
                header = _basic(self._login)
                if header == sent:
                    return None
                with self._lock:
                    self._is_basic = True
                return header
        return None

    def _fetch(self, challenge: Challenge, scope: Scope) -> tuple[str, float]:
        realm = self._realm(challenge)
        asked = challenge.parameters.get("scope", "").split() or list(scope.parts)
        query: dict[str, Sequence[str]] = {"scope": asked}
        if "service" in challenge.parameters:
            query["service"] = [challenge.parameters["service"]]
        login = self._login if self._may_see_login(realm) else None
        headers = {"Authorization": _basic(login)} if login and login.username else {}
        url = realm.copy_merge_params(query)
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                return self._token_of(bounded(response, _MAX_TOKEN_ANSWER_BYTES))
        except httpx.TransportError as error:
            raise StorageUnreachableError(
                f"The token server {realm.host} of the registry does not answer.",
                remedy="Try again later; check the network between here and it.",
                details=type(error).__name__,
            ) from error

    def _token_of(self, response: httpx.Response) -> tuple[str, float]:
        host = response.request.url.host
        if response.status_code != httpx.codes.OK:
            remedy = "Check the user name and the password of the registry."
            if self._login and "Authorization" not in response.request.headers:
                remedy = (
                    f"The login was not sent, as {host} is not the registry's own host; list it "
                    "among the token hosts if it is trusted."
                )
            raise StorageDeniedError(
                f"The token server {host} gave no token (status {response.status_code}).",
                remedy=remedy,
            )
        try:
            answer = response.json()
        except ValueError as error:
            raise not_understood(host) from error
        if not isinstance(answer, dict):
            raise not_understood(host)
        token = answer.get("token") or answer.get("access_token")
        life = answer.get("expires_in", _DEFAULT_LIFE_S)
        is_header = isinstance(token, str) and token.isascii() and token.isprintable()
        if not token or not is_header or not isinstance(life, int | float):
            raise not_understood(host)
        return str(token), min(max(float(life), _DEFAULT_LIFE_S), _MAX_LIFE_S)

    def _realm(self, challenge: Challenge) -> httpx.URL:
        try:
            realm = httpx.URL(challenge.parameters.get("realm", ""))
        except httpx.InvalidURL:
            realm = httpx.URL("")
        is_plain_allowed = self._origin.scheme == "http" and realm.host == self._origin.host
        if realm.host and (
            realm.scheme == "https" or (realm.scheme == "http" and is_plain_allowed)
        ):
            return realm
        raise StorageDeniedError(
            "The registry names a token server that cannot be trusted.",
            remedy="A token server must be reached by https; ask the registry's operator.",
        )

    def _may_see_login(self, realm: httpx.URL) -> bool:
        return realm.host == self._origin.host or realm.host.lower() in self._token_hosts


def _basic(login: RegistryLogin) -> str:
    request = httpx.Request("GET", "http://unused.invalid")
    flow = httpx.BasicAuth(login.username, login.password).auth_flow(request)
    return next(flow).headers["Authorization"]


def not_understood(host: str, *, status: int | None = None) -> StorageNotUnderstoodError:
    """Return the error for an answer that is not the distribution API."""
    return StorageNotUnderstoodError(
        f"The answer of {host} is not that of an OCI registry.",
        remedy="Check the address, and that no proxy or login page answers in its place.",
        details=None if status is None else f"status {status}",
    )
