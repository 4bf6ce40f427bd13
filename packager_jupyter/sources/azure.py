"""The Azure Blob source: a container, or what is below a prefix of it.

Owns what is asked of the storage and when; how requests and URLs are signed is `azure_auth`'s and
`azure_sas`', what answers mean is `azure_listing`'s and `azure_errors`', and how bytes travel is
`transport`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packager_jupyter.errors import BadInputError
from packager_jupyter.sources.arguments import check_limit, check_ttl
from packager_jupyter.sources.azure_address import endpoint_of
from packager_jupyter.sources.azure_auth import AzurePlace, authenticate
from packager_jupyter.sources.azure_errors import azure_error
from packager_jupyter.sources.azure_listing import (
    http_seconds,
    md5_of,
    not_understood,
    parse_blobs,
)
from packager_jupyter.sources.azure_sas import pin_query, sas_signer
from packager_jupyter.sources.base import DEFAULT_PAGE, MAX_PAGE, Entry, Page
from packager_jupyter.sources.checks import run_checks
from packager_jupyter.sources.cursors import decode_cursor, encode_cursor
from packager_jupyter.sources.failures import Scene
from packager_jupyter.sources.quoting import quote_path, quote_value
from packager_jupyter.sources.ranges import read_range
from packager_jupyter.sources.spec import parse_bucket_url
from packager_jupyter.sources.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.errors import PackagerError
    from packager_jupyter.sources.base import Method, Signer, SourceReport
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.s3_listing import ListingPage
    from packager_jupyter.sources.spec import SourceSpec
    from packager_jupyter.sources.transport import Answer

# The first version that writes names which XML cannot hold as Encoded="true".
_SERVICE_VERSION = "2021-02-12"
_WALK_PAGE = 5000
_OWN_TTL_S = 900
_OK = 200
_PARTIAL = 206


def open_source(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> AzureSource:
    """Return the source of `spec`; asks nothing of the storage yet.

    Raises
    ------
    CredentialMissingError
        When there is no credential, or it is incomplete or of another account.
    BadInputError
        When the endpoint or the CA bundle is not one.
    """
    del local_key  # only `local` sources sign URLs to ourselves
    return AzureSource(spec, credential)


class AzureSource:
    """One container; fulfils `base.Source`."""

    kind = "azure"

    def __init__(self, spec: SourceSpec, credential: Credential) -> None:
        address = parse_bucket_url(spec.url, scheme="azure")
        account = address.account or ""
        self._name = spec.name
        self._url = spec.url
        self._account = account
        self._container = address.container
        self._root = address.prefix
        endpoint, public = spec.options.endpoint_url, spec.options.public_endpoint_url
        variables = credential.variables
        self._base_url = self._address(endpoint_of(account, variables, endpoint))
        self._public_url = (
            self._address(endpoint_of(account, variables, public)) if public else self._base_url
        )
        place = AzurePlace(account, address.container, self._base_url, self._public_url)
        self._auth = authenticate(place, credential)
        self._transport = Transport(spec.name, ca_bundle=spec.options.ca_bundle)

    def __repr__(self) -> str:
        return f"AzureSource({self._name!r}, {self._url!r})"

    @property
    def name(self) -> str:
        """The name under which people know it."""
        return self._name

    def uri(self, key: str) -> str:
        """Return ``azure://account/container/prefix/key``."""
        return f"azure://{self._account}/{self._container}/{self._root}{key}"

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
        marker = None if cursor is None else decode_cursor(cursor, "azure", prefix)
        entries: list[Entry] = []
        while left > 0:
            page = self._page(prefix, marker=marker, rows=min(left, MAX_PAGE), delimiter="/")
            fresh = [entry for entry in page.entries if not _is_marker(entry, prefix)]
            entries += fresh
            left -= len(fresh)
            marker = page.token
            if marker is None:
                break
        entries.sort(key=lambda entry: entry.key)
        return Page(entries, None if marker is None else encode_cursor("azure", prefix, marker))

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        """Yield every file below `prefix`; empty blobs that stand for folders are left out."""
        marker = None
        while True:
            page = self._page(prefix, marker=marker, rows=_WALK_PAGE, delimiter=None)
            files = [e for e in page.entries if e.key and (e.size_bytes or e.key[-1] != "/")]
            if files:
                yield files
            marker = page.token
            if marker is None:
                return

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        """Ask for one blob; see `base.Source.stat`."""
        answer = self._transport.fetch(
            "HEAD", self._own_url(key, version_id), headers=self._headers()
        )
        if answer.status != _OK:
            raise self._error(answer, "look up", key)
        return _entry(key, answer)

    def read(
        self, key: str, *, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """Yield bytes ``[start, stop)``; resumes when the connection breaks off.

        Raises
        ------
        ObjectNotFoundError, ObjectChangedError, StorageError
        """
        url = self._own_url(key, version_id)
        return read_range(
            lambda headers: self._transport.stream(url, headers={**self._headers(), **headers}),
            start=start,
            stop=stop,
            explain=lambda answer: self._error(answer, "read", key),
        )

    def signer(self, *, ttl_s: int, method: Method = "GET", self_url: str | None = None) -> Signer:
        """Return a signer of blob-level, read-only SAS URLs (good for GET and HEAD alike).

        `version_id` may also be ``snapshot:<time>``. URLs of an anonymous source are plain.

        Raises
        ------
        CredentialMissingError
            When the credential is itself a SAS, which cannot sign narrower URLs.
        """
        del self_url, method
        bulk = self._auth.sas(ttl_s=check_ttl(ttl_s))
        if bulk is None:
            return self._plain_signer()
        return sas_signer(bulk, base_url=self._public_url, prefix=self._root)

    def test(self) -> SourceReport:
        """Try everything the source is for; see `base.Source.test`."""
        return run_checks(self, self._try_presigned)

    def close(self) -> None:
        """Release connections."""
        self._transport.close()

    def _address(self, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise BadInputError(
                f"The endpoint {endpoint.partition('?')[0]!r} is not valid.",
                remedy="Give it as a whole address, for example "
                "https://account.blob.core.windows.net.",
            )
        return f"{endpoint}/{self._container}"

    def _headers(self) -> dict[str, str]:
        return {"x-ms-version": _SERVICE_VERSION, **self._auth.headers()}

    def _own_url(self, key: str, version_id: str | None) -> str:
        bulk = None if version_id is None else self._auth.own_sas(ttl_s=_OWN_TTL_S)
        if bulk is not None:
            sign = sas_signer(bulk, base_url=self._base_url, prefix=self._root)
            return sign(key, version_id=version_id)
        path = quote_path(self._root + key)
        return f"{self._base_url}/{path}?{pin_query(version_id)}{self._auth.query()}"

    def _page(
        self, prefix: str, *, marker: str | None, rows: int, delimiter: str | None
    ) -> ListingPage:
        query = f"restype=container&comp=list&maxresults={rows}"
        query += f"&prefix={quote_value(self._root + prefix)}"
        query += f"&delimiter={quote_value(delimiter)}" if delimiter else ""
        query += f"&marker={quote_value(marker)}" if marker else ""
        url = f"{self._base_url}?{query}&{self._auth.query()}"
        answer = self._transport.fetch("GET", url, headers=self._headers())
        if answer.status != _OK:
            raise self._error(answer, "list")
        page = parse_blobs(answer.body, cut=len(self._root))
        if page.token is not None and page.token == marker:
            raise not_understood("the listing does not advance")
        return page

    def _plain_signer(self) -> Signer:
        root = f"{self._public_url}/{quote_path(self._root)}"

        def address(
            key: str,
            *,
            version_id: str | None = None,
            filename: str | None = None,  # noqa: ARG001 - honoured on signed requests only
            media_type: str | None = None,  # noqa: ARG001 - likewise
        ) -> str:
            query = pin_query(version_id).rstrip("&")
            return f"{root}{quote_path(key)}{f'?{query}' if query else ''}"

        return address

    def _try_presigned(self, key: str) -> str:
        url = self.signer(ttl_s=60)(key)
        answer = self._transport.fetch("GET", url, headers={"Range": "bytes=0-0"})
        if answer.status not in {_OK, _PARTIAL}:
            raise self._error(answer, "read", key)
        return f"A presigned URL at {urlsplit(url).netloc} gave the first byte to a visitor."

    def _error(self, answer: Answer, action: str, key: str | None = None) -> PackagerError:
        parts = urlsplit(self._base_url)
        scene = Scene(
            source=self._name,
            place=f"container {self._container!r}",
            endpoint=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            who=self._auth.who,
            action=action,
            key=None if key is None else self._root + key,
        )
        return azure_error(answer, scene, has_ended=self._auth.has_ended)


def _is_marker(entry: Entry, prefix: str) -> bool:
    """Whether `entry` is the empty blob that some tools make to show an empty folder."""
    return not entry.is_folder and not entry.size_bytes and entry.key in {prefix, ""}


def _entry(key: str, answer: Answer) -> Entry:
    headers = answer.headers
    size = headers.get("content-length", "")
    if not size.isdigit():
        raise not_understood("the answer does not say the blob's size")
    modified = headers.get("last-modified")
    try:
        modified_s = http_seconds(modified) if modified else None
    except ValueError:
        raise not_understood("Last-Modified is no date") from None
    return Entry(
        key,
        size_bytes=int(size),
        modified_s=modified_s,
        etag=headers.get("etag", "").strip('"') or None,
        version_id=headers.get("x-ms-version-id"),
        checksums=md5_of(headers.get("content-md5")),
        media_type=headers.get("content-type"),
        storage_class=headers.get("x-ms-access-tier"),
    )
