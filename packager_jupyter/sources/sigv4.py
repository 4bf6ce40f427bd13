"""Presigned S3 URLs in bulk: AWS Signature Version 4 by query parameters, without I/O.

botocore owns the rules (which host, which path style, which region, which order of parameters);
this module learns them from one URL that botocore presigned, proves on a second, awkward one that
it writes the same bytes, and then signs some sixty times faster. `learn_layout` returns ``None``
when the proof fails, and the caller keeps using botocore.

Specification: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlsplit

from packager_jupyter.sources.quoting import attachment_disposition, quote_path, quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.sources.base import Method, Signer

_PROBE_KEY = "p"
# Everything that has made hand-written signers differ: encoded and plain specials, dot segments,
# doubled slashes, white space, non-ASCII.
_AWKWARD_KEY = "/a//./../b +&=?#%25~'\"\n é"
_AWKWARD_VERSION = "v/+=1"
_AWKWARD_NAME = 'Größe "1".csv'
_AWKWARD_TYPE = "text/csv; charset=utf-8"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KNOWN = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Security-Token",
    }
)
_match_scope = re.compile(r".+/\d{8}/([^/]+)/([^/]+)/aws4_request").fullmatch
_BLOCK_BYTES = 64  # of SHA-256 (FIPS 180-4), which HMAC pads its key to (RFC 2104)

_INNER_PAD = bytes(b ^ 0x36 for b in range(256))
_OUTER_PAD = bytes(b ^ 0x5C for b in range(256))


@dataclass(frozen=True, slots=True)
class S3Keys:
    """A key pair, with the session token of temporary credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def hint(self) -> str:
        """The last four characters of the key id: all that may be shown of it."""
        return self.access_key_id[-4:]


class Presign(Protocol):
    """One URL from the vendor's library: slow, and right by definition."""

    def __call__(
        self,
        key: str,
        *,
        method: Method,
        ttl_s: int,
        version_id: str | None = None,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Presign `key`; the options are those of `base.Signer`."""
        ...


@dataclass(frozen=True, slots=True)
class SigV4Layout:
    """Where botocore puts things in the presigned URLs of one bucket.

    Attributes
    ----------
    origin : str
        Scheme and authority, as they stand in the URL.
    path : str
        Path before the key, ending in ``/``.
    host : str
        The ``host`` header that is signed: lower case, without a default port.
    region, service : str
        Of the credential scope.
    parameters : tuple of str
        Names of the authentication parameters in the order of the URL.
    """

    origin: str
    path: str
    host: str
    region: str
    service: str
    parameters: tuple[str, ...]


def _parse_layout(url: str) -> SigV4Layout | None:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in query if name != "X-Amz-Signature"]
    values = dict(query)
    scope = _match_scope(values.get("X-Amz-Credential", ""))
    if (
        not set(names) <= _KNOWN
        or len(set(names)) != len(names)
        or query[-1][0] != "X-Amz-Signature"
        or values.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256"
        or values.get("X-Amz-SignedHeaders") != "host"
        or scope is None
        or not parts.path.endswith(f"/{_PROBE_KEY}")
        or parts.hostname is None
    ):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port is not None and parts.port != _DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return SigV4Layout(
        origin=f"{parts.scheme}://{parts.netloc}",
        path=parts.path[: -len(_PROBE_KEY)],
        host=host,
        region=scope[1],
        service=scope[2],
        parameters=tuple(names),
    )


def learn_layout(presign: Presign, keys: S3Keys) -> SigV4Layout | None:
    """Learn how botocore writes the URLs of one bucket, and prove it.

    Parameters
    ----------
    presign : Presign
        botocore, bound to client and bucket; called three times.
    keys : S3Keys
        The credential that `presign` signs with.

    Returns
    -------
    SigV4Layout or None
        None when a URL for an awkward key, with version and response headers, differs from
        botocore's for GET or for HEAD (access points, S3 Express, other signature versions).
    """
    ttl_s = 60
    layout = _parse_layout(presign(_PROBE_KEY, method="GET", ttl_s=ttl_s))
    if layout is None:
        return None
    options = {
        "version_id": _AWKWARD_VERSION,
        "filename": _AWKWARD_NAME,
        "media_type": _AWKWARD_TYPE,
    }
    methods: tuple[Method, ...] = ("GET", "HEAD")
    for method in methods:
        theirs = presign(_AWKWARD_KEY, method=method, ttl_s=ttl_s, **options)
        stamp = dict(parse_qsl(urlsplit(theirs).query)).get("X-Amz-Date", "")
        sign = presigner(layout, keys, stamp=stamp, ttl_s=ttl_s, method=method)
        ours = sign(_AWKWARD_KEY, **options)
        if ours != theirs:
            return None
    return layout


def _signing_key(keys: S3Keys, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def presigner(
    layout: SigV4Layout,
    keys: S3Keys,
    *,
    stamp: str,
    ttl_s: int,
    method: Method = "GET",
    prefix: str = "",
    signed_headers: Mapping[str, str] | None = None,
) -> Signer:
    """Return a signer for one moment, one life time and one method.

    Parameters
    ----------
    layout : SigV4Layout
        From `learn_layout`.
    keys : S3Keys
    stamp : str
        When the URLs start to live, UTC, as ``YYYYMMDDTHHMMSSZ``.
    ttl_s : int
        Seconds until they end.
    method : {"GET", "HEAD"}
    prefix : str, default ""
        Put before every key: the root of the source.
    signed_headers : mapping of str to str, optional
        Headers, in lower case, that the request must then carry besides ``host``.
    """
    headers = {"host": layout.host, **(signed_headers or {})}
    header_names = ";".join(sorted(headers))
    header_lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    scope = f"{stamp[:8]}/{layout.region}/{layout.service}/aws4_request"
    values = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": quote_value(f"{keys.access_key_id}/{scope}"),
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(ttl_s),
        "X-Amz-SignedHeaders": quote_value(header_names),
    }
    if keys.session_token:
        values["X-Amz-Security-Token"] = quote_value(keys.session_token)
    auth = "&".join(f"{name}={values[name]}" for name in layout.parameters)
    # Sorted by code point (the "canonical query"); the names of the S3 operations, in lower case,
    # always come after these.
    canonical_auth = "&".join(f"{name}={values[name]}" for name in sorted(values))
    payload = f"\n{header_lines}\n{header_names}\nUNSIGNED-PAYLOAD"

    # SHA-256 states that have already read what is the same for every key; copying one costs a
    # twentieth of an HMAC set-up.
    root = quote_path(prefix)
    request = sha256(f"{method}\n{layout.path}{root}".encode())
    block = _signing_key(keys, stamp[:8], layout.region, layout.service).ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(block.translate(_INNER_PAD))
    inner.update(f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n".encode())
    outer = sha256(block.translate(_OUTER_PAD))

    start = f"{layout.origin}{layout.path}{root}"
    plain_tail = f"\n{canonical_auth}{payload}"
    plain_query = f"?{auth}&X-Amz-Signature="

    def sign(
        key: str,
        *,
        version_id: str | None = None,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        path = quote_path(key)
        tail, query = plain_tail, plain_query
        if version_id is not None or filename is not None or media_type is not None:
            canonical, written = _operation_parameters(version_id, filename, media_type)
            tail = f"\n{canonical_auth}&{canonical}{payload}"
            query = f"?{written}&{auth}&X-Amz-Signature="
        state = request.copy()
        state.update((path + tail).encode())
        inside = inner.copy()
        inside.update(state.hexdigest().encode())
        outside = outer.copy()
        outside.update(inside.digest())
        return start + path + query + outside.hexdigest()

    return sign


def _operation_parameters(
    version_id: str | None, filename: str | None, media_type: str | None
) -> tuple[str, str]:
    """Return the parameters in canonical order and in the order in which botocore writes them."""
    written = []
    if version_id is not None:
        written.append(f"versionId={quote_value(version_id)}")
    if media_type is not None:
        written.append(f"response-content-type={quote_value(media_type)}")
    if filename is not None:
        disposition = quote_value(attachment_disposition(filename))
        written.append(f"response-content-disposition={disposition}")
    return "&".join(sorted(written)), "&".join(written)
