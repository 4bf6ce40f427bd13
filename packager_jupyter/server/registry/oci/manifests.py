"""``/v2/<repository>/manifests/<reference>``: what artifacts are made of, by tag or by digest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packager_jupyter.errors import BlobNotFoundError, DigestMismatchError, NameInvalidError
from packager_jupyter.oci.base import ANNOTATION_CREATED, MAX_MANIFEST_BYTES
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.oci.names import (
    check_digest,
    check_reference,
    check_tag,
    digest_bytes,
    is_digest,
)
from packager_jupyter.packages.times import format_time
from packager_jupyter.server.registry.oci.base import FOREVER, OciHandler
from packager_jupyter.server.registry.oci.policy import check_delete, may_move

if TYPE_CHECKING:
    from packager_jupyter.oci.base import Descriptor, Manifest, OciStore
    from packager_jupyter.oci.manifest import ManifestContent


class ManifestHandler(OciHandler):
    """One manifest."""

    codes = {  # noqa: RUF012  # the base class says that it is a ClassVar
        "blob_not_found": "MANIFEST_UNKNOWN",
        "bad_input": "MANIFEST_INVALID",
        "name_invalid": "MANIFEST_INVALID",
    }

    def body_limit(self) -> int:
        """Return the size that every registry must take (distribution-spec 1.1)."""
        return MAX_MANIFEST_BYTES

    async def get(self, repository: str, reference: str) -> None:
        """Answer with the bytes as they were pushed."""
        _check_readable(reference)
        manifest: Manifest = await self.call(self.store.get_manifest, repository, reference)
        if not self._describe(manifest.descriptor, reference):
            self.finish(manifest.body)

    async def head(self, repository: str, reference: str) -> None:
        """Answer with what the manifest is."""
        _check_readable(reference)
        found: Descriptor = await self.call(self.store.resolve, repository, reference)
        if not self._describe(found, reference):
            self.finish()

    def _describe(self, found: Descriptor, reference: str) -> bool:
        """Set the headers; return whether the client has it already and was told so."""
        self.set_header("Content-Type", found.media_type)
        self.set_header("Docker-Content-Digest", found.digest)
        self.set_header("ETag", f'"{found.digest}"')
        self.set_header("Cache-Control", FOREVER if is_digest(reference) else "private, no-cache")
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return True
        self.set_header("Content-Length", str(found.size_bytes))
        return False

    async def put(self, repository: str, reference: str) -> None:
        """Publish a manifest under a tag, or under its digest alone."""
        body = self.body
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        content, found = await self.call(_push, self.store, repository, reference, body, kind)
        await self.audit("oci.push", f"{repository}:{reference}")
        self.set_status(201)
        self.set_header("Location", f"/v2/{repository}/manifests/{found.digest}")
        self.set_header("Docker-Content-Digest", found.digest)
        if content.subject is not None:
            self.set_header("OCI-Subject", content.subject.digest)

    async def delete(self, repository: str, reference: str) -> None:
        """Take a tag away, or a manifest with all its tags."""
        _check_readable(reference)
        await self.call(_delete, self.store, repository, reference)
        await self.audit("oci.delete", f"{repository}:{reference}")
        self.set_status(202)


def _check_readable(reference: str) -> None:
    """Say of a reference that none can have that there is no such manifest."""
    try:
        check_reference(reference)
    except NameInvalidError as error:
        raise BlobNotFoundError(error.message, remedy=error.remedy) from error


def _push(
    store: OciStore, repository: str, reference: str, body: bytes, kind: str
) -> tuple[ManifestContent, Descriptor]:
    content = parse_manifest(body, media_type=kind or None)
    if is_digest(reference):
        if check_digest(reference) != digest_bytes(body):
            raise DigestMismatchError(
                "The manifest does not hash to the digest in the address.",
                remedy="Send the manifest that the SHA-256 digest names.",
            )
        return content, store.push_manifest(repository, body, media_type=content.media_type)
    pushed = store.push_manifest(
        repository,
        body,
        media_type=content.media_type,
        tag=check_tag(reference),
        overwrite=may_move(repository, reference),
        annotations={ANNOTATION_CREATED: format_time(int(time.time()))},
    )
    return content, pushed


def _delete(store: OciStore, repository: str, reference: str) -> None:
    check_delete(store, repository, reference)
    if is_digest(reference):
        store.delete_manifest(repository, reference)
    else:
        store.delete_tag(repository, reference)
