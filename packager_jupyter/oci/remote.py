"""The remote store: repositories of a registry that speaks the distribution API.

Written against distribution-spec 1.1 and tried on registries that differ from it: tags that come
unordered and unpaged, a tag that cannot be deleted, no referrers API, a POST that does not take a
whole blob, a 500 while a tag is being pushed again. Where the registry has no referrers API the
fallback tag of the specification is kept (`oci.remote_referrers`).

A registry has no lock. Of two processes that publish one new tag at the same moment the last one
wins, the other one is told so when it looks again; threads of one process wait for each other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

import httpx

from packager_jupyter.errors import BadInputError, BlobNotFoundError, StorageError
from packager_jupyter.oci.base import MEDIA_TYPE_BLOB, Descriptor, TagInfo
from packager_jupyter.oci.blobs import chunks_of, mismatch
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.oci.names import (
    MAX_REPOSITORY_LENGTH,
    check_digest,
    check_reference,
    check_repository,
    check_tag,
    digest_bytes,
    split_digest,
)
from packager_jupyter.oci.registry_auth import Scope, not_understood
from packager_jupyter.oci.remote_listing import list_names
from packager_jupyter.oci.remote_manifests import Manifests, Seen, length_of
from packager_jupyter.oci.remote_read import open_blob
from packager_jupyter.oci.remote_referrers import is_fallback_tag
from packager_jupyter.oci.remote_upload import Upload
from packager_jupyter.oci.transport import Request, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packager_jupyter.oci.base import Manifest
    from packager_jupyter.oci.registry_auth import RegistryLogin

_THREADS = 8


class RemoteStore:
    """An `OciStore` in a registry; safe to share between threads.

    Parameters
    ----------
    url : str
        ``https://host[:port][/prefix]``; repositories lie below the prefix.
    login, ca_bundle, token_hosts, plain_http
        See `Transport`.
    """

    def __init__(
        self,
        url: str,
        *,
        login: RegistryLogin | None = None,
        ca_bundle: Path | None = None,
        token_hosts: Sequence[str] = (),
        plain_http: bool = False,
    ) -> None:
        origin, self._prefix = split_url(url)
        self._transport = Transport(
            origin,
            login=login,
            ca_bundle=ca_bundle,
            token_hosts=token_hosts,
            plain_http=plain_http,
        )
        self._seen = Seen()
        self._manifests = Manifests(
            self._transport, self._seen, blob_size=self._blob_size, push_bytes=self._push_bytes
        )

    def __repr__(self) -> str:
        return f"RemoteStore({str(self._transport.origin.join('/' + self._prefix))!r})"

    def _full(self, repo: str) -> str:
        check_repository(repo)
        return check_repository(f"{self._prefix}/{repo}") if self._prefix else repo

    def check(self) -> None:
        """Ask whether the registry answers and takes the login; raises what is wrong."""
        self._transport.send(Request("GET", "", Scope()))

    def push_blob(
        self,
        repo: str,
        data: bytes | Iterable[bytes],
        *,
        digest: str | None = None,
        media_type: str = MEDIA_TYPE_BLOB,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """See `OciStore.push_blob`; bytes that the registry has already are not sent."""
        full = self._full(repo)
        if digest is not None:
            check_digest(digest)
        if isinstance(data, bytes):
            blob = self._push_bytes(full, data, digest=digest)
        else:
            blob = self._upload(full, data, digest)
        return Descriptor(media_type, blob.digest, blob.size_bytes, dict(annotations or {}))

    def push_file(
        self,
        repo: str,
        file: BinaryIO,
        *,
        digest: str,
        size_bytes: int,
        media_type: str = MEDIA_TYPE_BLOB,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """See `OciStore.push_file`."""
        if self.has_blob(repo, digest) == size_bytes:
            return Descriptor(media_type, digest, size_bytes, dict(annotations or {}))
        return self.push_blob(
            repo, chunks_of(file), digest=digest, media_type=media_type, annotations=annotations
        )

    def _push_bytes(self, full: str, data: bytes, *, digest: str | None = None) -> Descriptor:
        found = digest_bytes(data, algorithm=split_digest(digest)[0] if digest else "sha256")
        if digest not in (None, found):
            raise mismatch(str(digest), found)
        if self._blob_size(full, found) == len(data):
            return Descriptor(MEDIA_TYPE_BLOB, found, len(data))
        return self._upload(full, (data,), found)

    def _upload(self, full: str, chunks: Iterable[bytes], digest: str | None) -> Descriptor:
        upload = Upload(
            self._transport,
            full,
            Scope.repository(full, "pull,push"),
            digest=digest,
            has_blob=lambda wanted: self._blob_size(full, wanted) is not None,
        )
        found = upload.send(chunks)
        self._seen.add(full, found, upload.size_bytes)
        return Descriptor(MEDIA_TYPE_BLOB, found, upload.size_bytes)

    def has_blob(self, repo: str, digest: str) -> int | None:
        """See `OciStore.has_blob`."""
        return self._blob_size(self._full(repo), check_digest(digest))

    def _blob_size(self, full: str, digest: str) -> int | None:
        request = Request("HEAD", f"{full}/blobs/{digest}", Scope.repository(full, "pull"))
        response = self._transport.send(request, ok=(200, 404))
        if response.status_code == httpx.codes.NOT_FOUND:
            self._seen.discard(full, digest)
            return None
        size = length_of(response)
        if size is None:
            raise not_understood(response.request.url.host, status=response.status_code)
        self._seen.add(full, digest, size)
        return size

    def read_blob(
        self, repo: str, digest: str, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """See `OciStore.read_blob`; goes on where a broken connection stopped."""
        full = self._full(repo)
        scope = Scope.repository(full, "pull")
        return open_blob(self._transport, full, scope, check_digest(digest), start=start, stop=stop)

    def mount_blob(self, repo: str, digest: str, *, from_repo: str) -> bool:
        """See `OciStore.mount_blob`; False also when the registry does not mount."""
        full, source = self._full(repo), self._full(from_repo)
        scope = Scope.repository(full, "pull,push", also=source)
        params = {"mount": check_digest(digest), "from": source}
        request = Request("POST", f"{full}/blobs/uploads/", scope, params=params)
        response = self._transport.send(request, ok=(201, 202))
        if response.status_code == httpx.codes.CREATED:
            return True
        # The registry opened an upload instead, which is of no use here.
        session = response.request.url.join(response.headers.get("Location", ""))
        if self._transport.is_own(session):
            cancel = Request("DELETE", "", scope, url=session)
            self._transport.send(cancel, ok=(202, 204, 404, 405))
        return False

    def push_manifest(
        self,
        repo: str,
        body: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        overwrite: bool = False,
        annotations: Mapping[str, str] | None = None,  # noqa: ARG002 - a registry has no place
    ) -> Descriptor:
        """See `OciStore.push_manifest`; `annotations` are dropped."""
        full = self._full(repo)
        if tag is not None:
            check_tag(tag)
        content = parse_manifest(body, media_type=media_type)
        return self._manifests.publish(full, body, content, tag=tag, overwrite=overwrite)

    def get_manifest(self, repo: str, reference: str) -> Manifest:
        """See `OciStore.get_manifest`."""
        return self._manifests.get(self._full(repo), check_reference(reference))

    def resolve(self, repo: str, reference: str) -> Descriptor:
        """See `OciStore.resolve`; without annotations and artifact type."""
        return self._manifests.resolve(self._full(repo), check_reference(reference))

    def tag_names(self, repo: str) -> list[str]:
        """See `OciStore.tag_names`; without the lists of referrers that lie under tags."""
        full = self._full(repo)
        scope = Scope.repository(full, "pull")
        names = list_names(self._transport, f"{full}/tags/list", "tags", scope)
        return sorted(name for name in names or () if not is_fallback_tag(name))

    def tags(self, repo: str) -> list[TagInfo]:
        """See `OciStore.tags`; asks once per tag, some at a time."""

        def look(tag: str) -> TagInfo | None:
            try:
                return TagInfo(tag, self.resolve(repo, tag))
            except BlobNotFoundError:
                return None  # deleted since the names were listed

        with ThreadPoolExecutor(_THREADS) as pool:
            return [info for info in pool.map(look, self.tag_names(repo)) if info]

    def referrers(
        self, repo: str, digest: str, *, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """See `OciStore.referrers`."""
        found = self._manifests.referrers.find(self._full(repo), check_digest(digest))
        wanted = (d for d in found if artifact_type in (None, d.artifact_type))
        return sorted(wanted, key=lambda descriptor: descriptor.digest)

    def delete_tag(self, repo: str, tag: str) -> None:
        """See `OciStore.delete_tag`."""
        self._manifests.delete_tag(self._full(repo), check_tag(tag))

    def delete_manifest(self, repo: str, digest: str) -> None:
        """See `OciStore.delete_manifest`; a registry may allow it although an index names it."""
        self._manifests.delete(self._full(repo), check_digest(digest))

    def repositories(self, prefix: str = "") -> list[str]:
        """See `OciStore.repositories`; may include some from which everything was deleted.

        Raises
        ------
        StorageError
            The registry does not list its repositories.
        """
        wanted = prefix.rstrip("/")
        top = self._full(wanted) if wanted else self._prefix
        names = list_names(
            self._transport, "_catalog", "repositories", Scope(("registry:catalog:*",))
        )
        if names is None:
            raise StorageError(
                f"The registry {self._transport.origin.host} does not list its repositories.",
                remedy="Name the repository, or ask the registry's operator to allow the catalog.",
            )
        cut = len(self._prefix) + 1 if self._prefix else 0
        return sorted(
            name[cut:] for name in names if not top or name == top or name.startswith(f"{top}/")
        )

    def change_stamp(self, repo: str) -> object | None:  # noqa: ARG002 - a registry must be asked
        """Return None; see `OciStore.change_stamp`."""
        return None

    def close(self) -> None:
        """See `OciStore.close`."""
        self._transport.close()


def split_url(url: str) -> tuple[httpx.URL, str]:
    """Split the address of a registry into its origin and the prefix of its repositories.

    Raises
    ------
    BadInputError
        It is no such address, or holds a login or a query.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    is_plain = not (parsed.userinfo or parsed.query or parsed.fragment)
    if parsed.scheme not in ("http", "https") or not parsed.host or not is_plain:
        raise BadInputError(
            "This is no address of a registry.",
            remedy="Write https://host or https://host/prefix; give a login apart from it.",
        )
    prefix = parsed.path.strip("/")
    if prefix:
        check_repository(prefix)
    if len(prefix) > MAX_REPOSITORY_LENGTH // 2:
        raise BadInputError(
            "The prefix of the registry is too long.",
            remedy="Use a shorter prefix: repository names have a limit.",
        )
    return parsed.copy_with(raw_path=b"/"), prefix
