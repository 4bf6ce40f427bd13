"""A share as an origin: any server of this software, reached by its link alone.

Every read starts at the share's own lasting address, so an expired presigned address is renewed by
reading again. The link's secret, a password and a token go to the share's own addresses only, never
to a storage.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import orjson
import urllib3
from urllib3 import exceptions as http

from packager_jupyter.errors import (
    BadInputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PasswordRequiredError,
    RateLimitedError,
    ShareNotFoundError,
    SignInRequiredError,
    StorageDeniedError,
    StorageError,
    StorageUnreachableError,
)
from packager_jupyter.fetch.items import Item
from packager_jupyter.packages.names import check_path
from packager_jupyter.packages.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packager_jupyter.errors import (
        PackagerError,
    )

_CHUNK_BYTES = 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024
_MAX_REDIRECTS = 5
_CONNECT_S, _READ_S = 10.0, 60.0
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNKNOWN_ADDRESS = frozenset({404, 405})
_PATHS_AT_ONCE = 500
# RFC 9110 8.8.3, without the quotes and without what no header of ours shall carry.
_STRONG = re.compile(r"[!#-~]+")
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 2.1
_WEB = ("http://", "https://")


class ShareOrigin:
    """A `fetch.items.Origin` over the link of a share.

    Parameters
    ----------
    url : str
        The share's address, a capability address, or any address below it.
    password : str, optional
    token : str, optional
        Says to the share's server who asks: for a share with an audience.
    connections : int, default 8

    Raises
    ------
    BadInputError
        The address is no share's, or no header can hold the token.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None = None,
        token: str | None = None,
        connections: int = 8,
    ) -> None:
        self._base = base_of(url)
        self._host = urlsplit(self._base).netloc
        # The header's bytes are UTF-8 (RFC 9110 5.5 lets them be any), which http.client calls
        # Latin-1.
        header = password.encode().decode("latin-1") if password else ""
        self._headers = {"X-Share-Token": header} if header else {}
        if token:
            if _TOKEN.fullmatch(token) is None:
                raise BadInputError(
                    "That is no token: it has characters that none has.",
                    remedy="Give the token alone, as packager token create printed it.",
                )
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(
            num_pools=16,
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
        )
        self._has_addresses = True
        self.title = f"share on {self._host}"

    def items(self) -> Iterator[Item]:
        """Yield the files of the share's manifest; see `Origin.items`."""
        answer = self._open(f"{self._base}manifest.jsonl", {})
        if answer.status != _OK:
            raise self._failure(answer, "the share's list of files")
        rest = b""
        try:
            for chunk in answer.stream(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise _not_a_manifest()
                for line in lines:
                    yield self._item(line)
        except http.HTTPError as error:
            raise _unreachable(self._host, error) from None
        finally:
            answer.release_conn()
        if rest:
            raise _not_a_manifest()

    def addresses(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Ask the share for signed addresses of many files; see `Origin.addresses`."""
        paths = [item.path for item in items if not item.is_attachment]
        if not paths or not self._has_addresses:
            return {}
        found: dict[str, str] = {}
        for at in range(0, len(paths), _PATHS_AT_ONCE):
            answer = self._ask(
                "POST",
                f"{self._base}addresses",
                {"Content-Type": "application/json"},
                body=orjson.dumps({"paths": paths[at : at + _PATHS_AT_ONCE]}),
            )
            try:
                text = answer.read()
            except http.HTTPError:
                return found  # every file still has its own address
            if answer.status != _OK:
                # A server of an earlier version knows no such thing; the rest is told by `read`.
                self._has_addresses = answer.status not in _UNKNOWN_ADDRESS
                return found
            found |= _addresses_in(text)
        return found

    @contextmanager
    def document(self, name: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """Yield the open answer for one of the share's own documents, such as ``bag.tar``."""
        answer = self._open(f"{self._base}{name}", {"Accept-Encoding": "identity"})
        try:
            if answer.status != _OK:
                raise self._failure(answer, name)
            yield answer
        except http.HTTPError as error:
            raise _unreachable(self._host, error) from None
        finally:
            answer.close()
            answer.release_conn()

    def read(self, item: Item, *, start: int, address: str | None = None) -> Iterator[bytes]:
        """Yield bytes from `start` on; see `Origin.read`."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._open(
            address or item.locator, headers | {"Accept-Encoding": "identity"}, etag=item.etag
        )
        try:
            if start and answer.status == _OK:
                yield from _skipped(answer, start)
                return
            if answer.status == _UNSATISFIABLE and start == item.size_bytes:
                return
            if answer.status not in (_OK, _PARTIAL):
                raise self._failure(answer, item.path)
            if start and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise StorageError(
                    f"The storage sent another part of {item.path!r} than was asked for.",
                    remedy="Try again; if it goes on, tell the owner of the share.",
                )
            if item.size_bytes <= _CHUNK_BYTES and _length(answer) <= _CHUNK_BYTES:
                yield answer.read()
                return
            # What came before a break is kept: `stream` would drop the chunk that is not full.
            while chunk := answer.read1(_CHUNK_BYTES):
                yield chunk
        except http.HTTPError as error:
            raise _unreachable(self._host, error) from None
        finally:
            answer.close()
            answer.release_conn()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def check_access(self) -> None:
        """Ask whether the share opens, without reading anything.

        Raises
        ------
        PasswordRequiredError, SignInRequiredError, ShareNotFoundError, RateLimitedError,
        StorageError
        """
        answer = self._ask("HEAD", f"{self._base}manifest.jsonl", {})
        answer.release_conn()
        if answer.status != _OK:
            raise self._failure(answer, "the share")

    def _open(
        self, url: str, headers: dict[str, str], *, etag: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        for _ in range(_MAX_REDIRECTS):
            # The object may have changed since its address was signed (RFC 9110 13.1.1).
            is_elsewhere = etag is not None and not url.startswith(self._base)
            condition = {"If-Match": f'"{etag}"'} if is_elsewhere else {}
            answer = self._ask("GET", url, headers | condition)
            if answer.status not in _REDIRECTS:
                return answer
            answer.drain_conn()
            answer.release_conn()
            url = urljoin(url, answer.headers.get("Location", ""))
            if urlsplit(url).scheme not in ("http", "https"):
                break
        raise StorageError(
            "The share redirects in a circle or to nowhere.", remedy="Tell the owner of the share."
        )

    def _ask(
        self, method: str, url: str, headers: dict[str, str], *, body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; password and token go to addresses of the share alone."""
        if url.startswith(self._base):
            headers |= self._headers
        try:
            return self._pool.request(
                method, url, headers=headers, body=body, redirect=False, preload_content=False
            )
        except http.HTTPError as error:
            raise _unreachable(urlsplit(url).netloc, error) from None

    def _failure(self, answer: urllib3.BaseHTTPResponse, what: str) -> PackagerError:
        """Return the error for an answer that is none; it is released."""
        retry = answer.headers.get("Retry-After", "")
        retry_after_s = int(retry) if retry.isdecimal() else None
        code = _code_of(answer)
        # Of the share, not of a storage; an answer to HEAD has nothing else that says so.
        if answer.headers.get("WWW-Authenticate", "").startswith('Bearer realm="share"'):
            return _sign_in(has_token="Authorization" in self._headers)
        if code == PasswordRequiredError.code and "X-Share-Token" in self._headers:
            return PasswordRequiredError(
                "That is not the password of the share.",
                remedy="Check upper and lower case, or ask the person who sent you the link.",
            )
        kind, message, remedy = _BY_CODE.get(code) or _FAILURES.get(
            answer.status,
            (
                StorageUnreachableError if answer.status >= 500 else StorageError,  # noqa: PLR2004
                f"{{what}} was answered with {answer.status}.",
                "Try again later; if it goes on, tell the owner of the share.",
            ),
        )
        return kind(message.format(what=repr(what)), remedy=remedy, retry_after_s=retry_after_s)

    def _item(self, line: bytes) -> Item:
        try:
            row: dict[str, Any] = orjson.loads(line)
            path, size = check_path(row["path"]), row["size"]
            url = urljoin(self._base, row["url"])
            checksums = {str(k): str(v).lower() for k, v in row.get("checksums", {}).items()}
            modified = row.get("modified")
            modified_s = parse_time(modified) if modified else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _not_a_manifest() from None
        if not isinstance(size, int) or size < 0 or not url.startswith(self._base):
            raise _not_a_manifest()
        etag, version_id = row.get("etag"), row.get("version_id")
        is_strong = isinstance(etag, str) and version_id is None and _STRONG.fullmatch(etag)
        return Item(
            path=path,
            size_bytes=size,
            checksums=checksums,
            etag=etag if is_strong else None,
            identity=f"{etag}/{version_id}",
            modified_s=modified_s,
            is_attachment=bool(row.get("attachment")),
            locator=url,
        )


def is_share_url(text: str) -> bool:
    """Whether `text` looks like the link of a share."""
    return text.startswith(_WEB)


def base_of(url: str) -> str:
    """Return the share's own address, ending in ``/``; raises `BadInputError` for another one."""
    parts = urlsplit(url)
    head, found, tail = parts.path.partition("/s/")
    token = tail.split("/", 1)[0]
    if not found or not token or not parts.netloc:
        raise BadInputError(
            "This is not the link of a share.",
            remedy="Give the whole link, as in https://host/packager/s/…/",
        )
    return f"{parts.scheme}://{parts.netloc}{head}/s/{token}/"


def _skipped(answer: urllib3.BaseHTTPResponse, start: int) -> Iterator[bytes]:
    """Yield the rest of a whole answer from a server that does not know parts."""
    for chunk in answer.stream(_CHUNK_BYTES):
        if start >= len(chunk):
            start -= len(chunk)
            continue
        yield chunk[start:]
        start = 0


_FAILURES: dict[int, tuple[type[PackagerError], str, str]] = {
    401: (
        PasswordRequiredError,
        "The share asks for a password.",
        (
            "Give it with --password-stdin or in PACKAGER_SHARE_PASSWORD, or use the link that "
            "opens the share without one."
        ),
    ),
    403: (
        StorageDeniedError,
        "The storage refused {what}.",
        "Try again; if it goes on, tell the owner of the share.",
    ),
    404: (
        ObjectNotFoundError,
        "There is no {what} here (any more).",
        "Ask the owner for a new link, or whether the file is gone.",
    ),
    409: (
        ObjectChangedError,
        "{what} has changed since the version was published.",
        "Ask the owner to publish a new version.",
    ),
    410: (
        ObjectNotFoundError,
        "{what} is gone from the storage.",
        "Ask the owner to publish a new version.",
    ),
    412: (
        ObjectChangedError,
        "{what} has changed since the version was published.",
        "Ask the owner to publish a new version.",
    ),
    429: (RateLimitedError, "The share was asked too often.", "Wait and try again."),
}

# What a status alone does not tell: the share's own answers name it.
_BY_CODE: dict[str, tuple[type[PackagerError], str, str]] = {
    ShareNotFoundError.code: (
        ShareNotFoundError,
        "The share is not there (any more).",
        "Ask the owner for a new link.",
    ),
}


def _sign_in(*, has_token: bool) -> SignInRequiredError:
    """Return the error of a share whose audience has to say who asks (RFC 6750 3)."""
    if has_token:
        return SignInRequiredError(
            "The server does not know the token that was sent, or it may not read shares.",
            remedy="Check that it is one of the share's own server, not expired, with the scope "
            "api:read.",
        )
    return SignInRequiredError(
        "The share is for people who have signed in.",
        remedy="Give your token for its server with --token-stdin, or in PACKAGER_TOKEN, with the "
        "server's address in PACKAGER_URL.",
    )


def _code_of(answer: urllib3.BaseHTTPResponse) -> str:
    """Return the ``code`` of one of our own errors, empty when the answer is another's."""
    try:
        body = orjson.loads(answer.read(_MAX_LINE_BYTES))
    except (http.HTTPError, ValueError):
        return ""
    return str(body.get("code", "")) if isinstance(body, dict) else ""


def _addresses_in(text: bytes) -> dict[str, str]:
    """Return the addresses of an answer of ``addresses``; lines that name none are left out."""
    found = {}
    for line in text.splitlines():
        try:
            row = orjson.loads(line)
            path, url = row["path"], row["url"]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(path, str) and isinstance(url, str) and url.startswith(_WEB):
            found[path] = url
    return found


def _length(answer: urllib3.BaseHTTPResponse) -> int:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else _CHUNK_BYTES + 1


def _unreachable(host: str, error: Exception) -> StorageUnreachableError:
    return StorageUnreachableError(
        f"{host} does not answer: {type(error).__name__}.",
        remedy="Check the network and run the same command again: it goes on where it stopped.",
    )


def _not_a_manifest() -> StorageError:
    return StorageError(
        "The share's list of files is not one, or was cut off.",
        remedy="Try again; if it goes on, the server may be of another version.",
    )
