"""The S3 source: any endpoint that speaks S3, Google Cloud Storage with HMAC keys included.

Owns what is asked of the storage and when; how URLs are signed is `s3_client`'s, what answers mean
is `s3_listing`'s and `s3_errors`', and how bytes travel is `transport`'s. Every request is a
presigned GET or HEAD.
"""

from __future__ import annotations

import base64
import binascii
import threading
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packager_jupyter.errors import (
    CredentialMissingError,
)
from packager_jupyter.sources.arguments import check_limit, check_ttl
from packager_jupyter.sources.base import DEFAULT_PAGE, MAX_PAGE, Entry, Page
from packager_jupyter.sources.checks import run_checks
from packager_jupyter.sources.cursors import decode_cursor, encode_cursor
from packager_jupyter.sources.failures import Scene
from packager_jupyter.sources.ranges import read_range
from packager_jupyter.sources.s3_client import DEFAULT_REGION, Profile, S3Access, S3Place
from packager_jupyter.sources.s3_errors import is_error_body, s3_error
from packager_jupyter.sources.s3_listing import not_understood, parse_listing
from packager_jupyter.sources.sigv4 import S3Keys
from packager_jupyter.sources.spec import parse_bucket_url
from packager_jupyter.sources.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packager_jupyter.sources.base import Method, Signer, SourceReport
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.s3_client import ProfileSettings
    from packager_jupyter.sources.s3_listing import ListingPage
    from packager_jupyter.sources.spec import SourceSpec
    from packager_jupyter.sources.transport import Answer

_OWN_TTL_S = 900  # of the URLs that we use ourselves: tolerates a clock that is some minutes off
_CHECKSUM_HEADERS = ("sha256", "sha1", "crc32", "crc32c", "crc64nvme")
_CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
_MD5_HEX = 32
_OK = 200
_PARTIAL = 206
_RETRY_BODIES = (b"<Code>InternalError<", b"<Code>SlowDown<", b"<Code>ServiceUnavailable<")
_RETRY_STATUS = frozenset({429, 500, 502, 503, 504})


def open_source(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> S3Source:
    """Return the source of `spec`; asks nothing of the storage yet.

    Raises
    ------
    CredentialMissingError
        When there is no credential, or its variables are incomplete.
    BadInputError
        When bucket, endpoint, region or CA bundle is not one.
    """
    del local_key  # only `local` sources sign URLs to ourselves
    return S3Source(spec, credential)


def keys_of(spec: SourceSpec, credential: Credential) -> S3Keys | None:
    """Return the key pair among the variables of `credential`, or None for anonymous access.

    Raises
    ------
    CredentialMissingError
    """
    if credential.kind == "anonymous":
        return None
    variables = credential.variables
    key_id, secret = variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY")
    if not key_id or not secret:
        missing = "AWS_SECRET_ACCESS_KEY" if key_id else "AWS_ACCESS_KEY_ID"
        raise CredentialMissingError(
            f"The source {spec.name!r} has no credential: {missing} is missing.",
            remedy="Connect it again with a credential option, or with --anonymous when the "
            "bucket is public.",
        )
    return S3Keys(key_id, secret, variables.get("AWS_SESSION_TOKEN") or None)


class S3Source:
    """One bucket, or what is below a prefix of it; fulfils `base.Source`."""

    kind = "s3"

    def __init__(self, spec: SourceSpec, credential: Credential) -> None:
        address = parse_bucket_url(spec.url, scheme="s3")
        self._name = spec.name
        self._bucket = address.container
        self._root = address.prefix
        self._spec = spec
        self._credential = credential
        self._transport = Transport(spec.name, ca_bundle=spec.options.ca_bundle)
        self._lock = threading.Lock()
        self._profile = Profile(credential.ref or "") if credential.kind == "profile" else None
        self._keys = None if self._profile else keys_of(spec, credential)
        self._accesses: dict[str | None, S3Access] = {}
        # Opening must say what is wrong with address and endpoint.
        self._access()

    def __repr__(self) -> str:
        return f"S3Source({self._name!r}, {self._spec.url!r})"

    @property
    def name(self) -> str:
        """The name under which people know it."""
        return self._name

    @property
    def is_bulk(self) -> bool:
        """Whether URLs are signed in bulk; see `s3_client.S3Access.is_bulk`."""
        return self._access().is_bulk

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/prefix/key``."""
        return f"s3://{self._bucket}/{self._root}{key}"

    def list_page(
        self, prefix: str = "", *, cursor: str | None = None, limit: int = DEFAULT_PAGE
    ) -> Page:
        """List one level; see `base.Source.list_page`.

        Raises
        ------
        StorageError
            When the storage does not answer with a whole listing.
        BadInputError
            When `cursor` is not of this listing.
        """
        left = check_limit(limit)
        token = None if cursor is None else decode_cursor(cursor, "s3", prefix)
        entries: list[Entry] = []
        while left > 0:
            page = self._page(prefix, token=token, rows=min(left, MAX_PAGE), delimiter="/")
            fresh = [entry for entry in page.entries if not _is_marker(entry, prefix)]
            entries += fresh
            left -= len(fresh)
            token = page.token
            if token is None:
                break
        entries.sort(key=lambda entry: entry.key)
        return Page(entries, None if token is None else encode_cursor("s3", prefix, token))

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        """Yield every file below `prefix`; empty objects that stand for folders are left out."""
        token = None
        while True:
            page = self._page(prefix, token=token, rows=MAX_PAGE, delimiter=None)
            files = [e for e in page.entries if e.size_bytes or not e.key.endswith("/")]
            if files:
                yield [entry for entry in files if entry.key]
            token = page.token
            if token is None:
                return

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        """Ask for one object; see `base.Source.stat`."""
        # What botocore signed in our stead does not cover the header.
        headers = _CHECKSUM_MODE if self.is_bulk else {}
        answer = self._fetch("HEAD", key, version_id=version_id, headers=headers, action="look up")
        if answer.status != _OK:
            # HEAD answers carry no error code: ask again in a way that does.
            answer = self._fetch(
                "GET", key, version_id=version_id, headers={"Range": "bytes=0-0"}, action="look up"
            )
        return _entry(key, answer)

    def read(
        self, key: str, *, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """Yield bytes ``[start, stop)``; resumes when the connection breaks off.

        Raises
        ------
        ObjectNotFoundError, ObjectChangedError, StorageError
        """
        url = self._access().signer(ttl_s=_OWN_TTL_S, method="GET", prefix=self._root)(
            key, version_id=version_id
        )
        return read_range(
            lambda headers: self._transport.stream(url, headers=headers),
            start=start,
            stop=stop,
            explain=lambda answer: s3_error(answer, self._scene("read", key)),
        )

    def signer(self, *, ttl_s: int, method: Method = "GET", self_url: str | None = None) -> Signer:
        """Return a signer; URLs of an anonymous source are plain and do not end."""
        del self_url
        access = self._access(self._spec.options.public_endpoint_url)
        return access.signer(ttl_s=check_ttl(ttl_s), method=method, prefix=self._root)

    def test(self) -> SourceReport:
        """Try everything the source is for; see `base.Source.test`."""
        return run_checks(self, self._try_presigned)

    def close(self) -> None:
        """Release connections."""
        self._transport.close()

    def _access(self, endpoint_url: str | None = None) -> S3Access:
        """Return how to sign: for our own requests, or for readers at the public endpoint."""
        profile = self._profile.settings() if self._profile else None
        with self._lock:
            if profile and profile.keys != self._keys:
                self._keys = profile.keys
                self._accesses.clear()
            if endpoint_url not in self._accesses:
                place = self._place(endpoint_url, profile)
                self._accesses[endpoint_url] = S3Access(place, self._keys)
            return self._accesses[endpoint_url]

    def _place(self, endpoint_url: str | None, profile: ProfileSettings | None) -> S3Place:
        options = self._spec.options
        variables = self._credential.variables
        region = options.region or variables.get("AWS_REGION")
        endpoint = endpoint_url or options.endpoint_url or variables.get("AWS_ENDPOINT_URL")
        if profile:
            region = region or profile.region
            endpoint = endpoint or profile.endpoint_url
        return S3Place(self._bucket, region or DEFAULT_REGION, endpoint, options.path_style)

    def _page(
        self, prefix: str, *, token: str | None, rows: int, delimiter: str | None
    ) -> ListingPage:
        full = self._root + prefix
        parameters: dict[str, str | int] = {
            "EncodingType": "url",
            "MaxKeys": rows,
            "Prefix": full,
            **({"Delimiter": delimiter} if delimiter else {}),
            **({"ContinuationToken": token} if token else {}),
        }
        url = self._access().presign("list_objects_v2", parameters, ttl_s=_OWN_TTL_S)
        answer = self._transport.fetch("GET", url, should_retry=_should_retry)
        if answer.status != _OK or is_error_body(answer.body):
            raise s3_error(answer, self._scene("list"))
        page = parse_listing(answer.body, prefix=full, cut=len(self._root))
        if page.token is not None and page.token == token:
            raise not_understood("the listing does not advance")
        return page

    def _fetch(
        self,
        method: Method,
        key: str,
        *,
        version_id: str | None,
        headers: Mapping[str, str],
        action: str,
    ) -> Answer:
        access = self._access()
        signed = headers if method == "HEAD" else {}
        sign = access.signer(
            ttl_s=_OWN_TTL_S, method=method, prefix=self._root, signed_headers=signed
        )
        answer = self._transport.fetch(method, sign(key, version_id=version_id), headers=headers)
        if method == "GET" and answer.status not in {_OK, _PARTIAL}:
            raise s3_error(answer, self._scene(action, key))
        return answer

    def _try_presigned(self, key: str) -> str:
        url = self.signer(ttl_s=60)(key)
        answer = self._transport.fetch("GET", url, headers={"Range": "bytes=0-0"})
        if answer.status not in {_OK, _PARTIAL}:
            raise s3_error(answer, self._scene("read", key))
        host = urlsplit(url).netloc
        return f"A presigned URL at {host} gave the first byte to a visitor."

    def _scene(self, action: str, key: str | None = None) -> Scene:
        keys = self._keys
        return Scene(
            source=self._name,
            place=f"bucket {self._bucket!r}",
            endpoint=self._access().origin,
            who=f"the access key …{keys.hint}" if keys else "anonymous access",
            action=action,
            key=None if key is None else self._root + key,
        )


def _should_retry(answer: Answer) -> bool:
    if answer.status in _RETRY_STATUS:
        return True
    return is_error_body(answer.body) and any(code in answer.body for code in _RETRY_BODIES)


def _is_marker(entry: Entry, prefix: str) -> bool:
    """Whether `entry` is the empty object that some tools make to show an empty folder."""
    return not entry.is_folder and not entry.size_bytes and entry.key in {prefix, ""}


def _entry(key: str, answer: Answer) -> Entry:
    headers = answer.headers
    size = headers.get("content-length")
    if answer.status == _PARTIAL:
        size = headers.get("content-range", "").rpartition("/")[2]
    if size is None or not size.isdigit():
        raise not_understood("the answer does not say the object's size")
    modified = headers.get("last-modified")
    etag = headers.get("etag", "").removeprefix("W/").strip('"') or None
    return Entry(
        key,
        size_bytes=int(size),
        modified_s=int(parsedate_to_datetime(modified).timestamp()) if modified else None,
        etag=etag,
        version_id=headers.get("x-amz-version-id"),
        checksums=_checksums(headers, etag),
        media_type=headers.get("content-type"),
        storage_class=headers.get("x-amz-storage-class"),
    )


def _checksums(headers: Mapping[str, str], etag: str | None) -> dict[str, str]:
    found = {}
    for name in _CHECKSUM_HEADERS:
        text = headers.get(f"x-amz-checksum-{name}", "")
        # "…-3" is a checksum of the checksums of three parts, not of the bytes.
        if text and "-" not in text and headers.get("x-amz-checksum-type") != "COMPOSITE":
            try:
                found[name] = base64.b64decode(text, validate=True).hex()
            except (ValueError, binascii.Error):
                continue
    # An ETag is the MD5 of the bytes for whole uploads that are plain or encrypted by S3's own
    # key (API_Object: ETag); with KMS or customer keys it only looks like one.
    encryption = headers.get("x-amz-server-side-encryption", "AES256")
    is_plain = encryption == "AES256" and (
        "x-amz-server-side-encryption-customer-algorithm" not in headers
    )
    if is_plain and etag and len(etag) == _MD5_HEX and not set(etag) - set("0123456789abcdef"):
        found["md5"] = etag
    return found
