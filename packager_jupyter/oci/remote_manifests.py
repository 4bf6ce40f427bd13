"""Manifests and tags of a registry: what `oci.remote` does with everything but blobs.

`Manifests` works on full repository names. Every answer is checked: the body of a manifest against
the digest that was asked for or announced, its media type against its content.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

import httpx

from packager_jupyter.errors import (
    BlobNotFoundError,
    ConflictError,
    ForbiddenError,
    ManifestBlobUnknownError,
    ManifestInvalidError,
)
from packager_jupyter.oci.base import (
    MAX_MANIFEST_BYTES,
    MEDIA_TYPE_INDEX,
    MEDIA_TYPE_MANIFEST,
    Descriptor,
    Manifest,
)
from packager_jupyter.oci.blobs import corrupt, mismatch, not_found
from packager_jupyter.oci.manifest import (
    IS_INDEX,
    as_referrer,
    image_manifest,
    parse_manifest,
)
from packager_jupyter.oci.names import check_digest, digest_bytes, is_digest, split_digest
from packager_jupyter.oci.registry_auth import Scope, bounded, not_understood
from packager_jupyter.oci.remote_referrers import Referrers
from packager_jupyter.oci.transport import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.oci.manifest import ManifestContent
    from packager_jupyter.oci.transport import Transport

_ACCEPT = ", ".join(IS_INDEX)
_LOCKS = 64
_SEEN_S = 600
_MAX_SEEN = 10_000
_DUMMY_TYPE = "application/vnd.packager-jupyter.deleted.v1"


class Seen:
    """Blobs and manifests that were there a moment ago, so that a push need not ask for each."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str], tuple[int, float]] = {}

    def add(self, full: str, digest: str, size_bytes: int) -> None:
        """Remember that a repository holds something."""
        if len(self._sizes) >= _MAX_SEEN:
            self._sizes.clear()
        self._sizes[full, digest] = size_bytes, time.monotonic()

    def discard(self, full: str, digest: str) -> None:
        """Forget it."""
        self._sizes.pop((full, digest), None)

    def has(self, full: str, part: Descriptor) -> bool:
        """Say whether it was there, in that size."""
        size, when = self._sizes.get((full, part.digest), (None, 0.0))
        return size == part.size_bytes and time.monotonic() - when < _SEEN_S


class Manifests:
    """Reads, publishes and deletes manifests of one registry; thread-safe.

    Parameters
    ----------
    transport : Transport
    seen : Seen
    blob_size : callable
        ``(full repository, digest)`` to the size of a blob, or None.
    push_bytes : callable
        ``(full repository, bytes)``: pushes a blob and returns its descriptor.
    """

    def __init__(
        self,
        transport: Transport,
        seen: Seen,
        *,
        blob_size: Callable[[str, str], int | None],
        push_bytes: Callable[[str, bytes], Descriptor],
    ) -> None:
        self._transport = transport
        self._seen = seen
        self._blob_size = blob_size
        self._push_bytes = push_bytes
        self.referrers = Referrers(transport, get=self.get, put=self._put_index)
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def publish(
        self, full: str, body: bytes, content: ManifestContent, *, tag: str | None, overwrite: bool
    ) -> Descriptor:
        """Put a manifest under a tag that is free, ours already, or may be moved."""
        digest = digest_bytes(body)
        descriptor = Descriptor(
            content.media_type, digest, len(body), artifact_type=content.artifact_type
        )
        is_guarded = tag is not None and not overwrite
        with self._locks[hash(full) % _LOCKS]:
            if is_guarded and self._is_published(full, str(tag), digest):
                return descriptor
            self._check_references(full, content)
            self._put(full, tag or digest, body, content, is_new=is_guarded)
            # Who lost a race against another process finds the winner here.
            if is_guarded and not self._is_published(full, str(tag), digest):
                raise _taken(full, str(tag))
        return descriptor

    def _is_published(self, full: str, tag: str, digest: str) -> bool:
        try:
            present = self.resolve(full, tag)
        except BlobNotFoundError:
            return False
        if present.digest != digest:
            raise _taken(full, tag)
        return True

    def _check_references(self, full: str, content: ManifestContent) -> None:
        """Check that what a manifest names is there: not every registry does."""
        for part in (*content.blobs(), *content.manifests):
            if self._seen.has(full, part):
                continue
            size: int | None = None
            if not content.is_index:
                size = self._blob_size(full, part.digest)
            else:
                try:
                    size = self.resolve(full, part.digest).size_bytes
                except BlobNotFoundError:
                    size = None
            if size != part.size_bytes:
                raise ManifestBlobUnknownError(
                    f"The manifest names {part.digest} with {part.size_bytes:,} bytes, which "
                    f"{full} does not hold.",
                    remedy="Push every blob and manifest that it names first, then the manifest.",
                )

    def _put(
        self, full: str, reference: str, body: bytes, content: ManifestContent, *, is_new: bool
    ) -> None:
        headers = {"Content-Type": content.media_type}
        if is_new:
            # Few registries heed it; those that do settle a race by themselves.
            headers["If-None-Match"] = "*"
        request = self._request("PUT", full, reference, headers=headers, content=body)
        response = self._transport.send(request, ok=(201, 202, 412))
        if response.status_code == httpx.codes.PRECONDITION_FAILED:
            raise _taken(full, reference)
        digest = digest_bytes(body)
        found = response.headers.get("Docker-Content-Digest", digest)
        if found != digest:
            raise mismatch(digest, found)
        self._seen.add(full, digest, len(body))
        if content.subject and "OCI-Subject" not in response.headers:
            descriptor = Descriptor(content.media_type, digest, len(body))
            self.referrers.add(full, content.subject.digest, as_referrer(descriptor, content))

    def _put_index(self, full: str, tag: str, body: bytes) -> None:
        content = parse_manifest(body, media_type=MEDIA_TYPE_INDEX)
        self._put(full, tag, body, content, is_new=False)

    def get(self, full: str, reference: str) -> Manifest:
        """Return a manifest, checked; raises `BlobNotFoundError` when there is none."""
        request = self._request("GET", full, reference)
        response = bounded(self._transport.open(request, ok=(200, 404)), MAX_MANIFEST_BYTES)
        if response.status_code == httpx.codes.NOT_FOUND:
            raise _no_manifest(full, reference)
        body = response.content
        named = response.headers.get("Docker-Content-Digest", "")
        wanted = reference if is_digest(reference) else named or digest_bytes(body)
        if digest_bytes(body, algorithm=split_digest(wanted)[0]) != wanted:
            raise corrupt(wanted)
        said = _media_type(response)
        try:
            content = parse_manifest(body, media_type=said if said in IS_INDEX else None)
        except ManifestInvalidError as error:
            raise not_understood(response.request.url.host) from error
        descriptor = Descriptor(
            content.media_type, wanted, len(body), artifact_type=content.artifact_type
        )
        return Manifest(descriptor, body)

    def resolve(self, full: str, reference: str) -> Descriptor:
        """Return what a tag or digest names; raises `BlobNotFoundError` when there is nothing."""
        response = self._transport.send(self._request("HEAD", full, reference), ok=(200, 404))
        if response.status_code == httpx.codes.NOT_FOUND:
            raise _no_manifest(full, reference)
        digest = response.headers.get("Docker-Content-Digest")
        size, said = length_of(response), _media_type(response)
        if digest is None or size is None or said not in IS_INDEX:
            return self.get(full, reference).descriptor
        if is_digest(reference) and digest != reference:
            raise corrupt(reference)
        return Descriptor(said, check_digest(digest), size)

    def delete(self, full: str, digest: str) -> None:
        """Delete a manifest and its tags, and its entry in a fallback list of referrers."""
        content = parse_manifest(self.get(full, digest).body)
        self._delete(full, digest)
        self._seen.discard(full, digest)
        if content.subject and not self.referrers.has_api(full, content.subject.digest):
            self.referrers.discard(full, content.subject.digest, digest)

    def _delete(self, full: str, reference: str) -> bool:
        """Delete by tag or digest; False when the registry cannot delete a tag."""
        request = self._request("DELETE", full, reference)
        response = self._transport.send(request, ok=(200, 202, 204, 400, 404, 405))
        if response.status_code == httpx.codes.NOT_FOUND:
            raise _no_manifest(full, reference)
        if response.status_code not in (400, 405):
            return True
        if is_digest(reference):
            raise ForbiddenError(
                f"The registry {response.request.url.host} does not delete.",
                remedy="Ask its operator to allow deletion.",
                details=f"status {response.status_code}",
            )
        return False

    def delete_tag(self, full: str, tag: str) -> None:
        """Delete a tag and nothing else.

        Where tags cannot be deleted the tag first moves to a manifest of its own, which then is
        deleted by digest: other tags of the same content and the content itself stay.
        """
        self.resolve(full, tag)
        with self._locks[hash(full) % _LOCKS]:
            if self._delete(full, tag):
                return
            mark = self._push_bytes(full, secrets.token_bytes(16))
            body = image_manifest(config=mark, layers=[mark], artifact_type=_DUMMY_TYPE)
            content = parse_manifest(body, media_type=MEDIA_TYPE_MANIFEST)
            self._put(full, tag, body, content, is_new=False)
            self._delete(full, digest_bytes(body))

    def _request(
        self,
        method: str,
        full: str,
        reference: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Request:
        actions = {"PUT": "pull,push", "DELETE": "pull,push,delete"}.get(method, "pull")
        return Request(
            method,
            f"{full}/manifests/{reference}",
            Scope.repository(full, actions),
            headers=headers or {"Accept": _ACCEPT},
            content=content,
        )


def length_of(response: httpx.Response) -> int | None:
    """Return what ``Content-Length`` says."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip()


def _taken(full: str, tag: str) -> ConflictError:
    return ConflictError(
        f"{full}:{tag} already names other content.",
        remedy="Published content does not change: choose another tag.",
    )


def _no_manifest(full: str, reference: str) -> BlobNotFoundError:
    if is_digest(reference):
        return not_found(reference)
    return BlobNotFoundError(
        f"{full} has no {reference!r}.",
        remedy="Check the name and the tag; it may have been deleted.",
    )
