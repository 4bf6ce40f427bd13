"""``/v2/<repository>/blobs/<digest>``: the bytes of artifacts, whole or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import BlobNotFoundError
from packager_jupyter.oci.base import MEDIA_TYPE_BLOB
from packager_jupyter.oci.gc import delete_blob, is_needed
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.names import check_digest
from packager_jupyter.server.registry.oci.base import FOREVER, OciHandler
from packager_jupyter.server.registry.oci.errors import UnsupportedError
from packager_jupyter.server.registry.oci.policy import kind_of
from packager_jupyter.server.share.sending import Sending

if TYPE_CHECKING:
    from packager_jupyter.oci.base import OciStore


class BlobHandler(OciHandler):
    """One blob. Each repository has its own: nobody reads one through another repository."""

    codes = {"name_invalid": "DIGEST_INVALID"}  # noqa: RUF012  # a ClassVar of the base class

    async def get(self, repository: str, digest: str) -> None:
        """Answer GET or HEAD; with ``Range`` a part."""
        check_digest(digest)
        size = await self.call(self.store.has_blob, repository, digest)
        if size is None or not await self._is_shown(repository, digest):
            raise BlobNotFoundError(
                f"{repository} does not hold {digest}.",
                remedy="Check repository and digest; it may have been deleted.",
            )
        sending = Sending(
            self, filename=digest.replace(":", "-"), media_type=MEDIA_TYPE_BLOB, etag=digest
        )
        self.set_header("Docker-Content-Digest", digest)
        self.set_header("Cache-Control", FOREVER)
        await sending.send(
            size,
            lambda start, stop: self.store.read_blob(repository, digest, start=start, stop=stop),
        )

    head = get

    async def _is_shown(self, repository: str, digest: str) -> bool:
        """Whether a blob that is here may be read.

        The bytes of a file that was deleted from a package index stay until the next collection;
        readers get what some manifest names. Publishers see their uploads, as the specification
        wants it.
        """
        if kind_of(repository) != "index" or await self.may(repository, "publish"):
            return True
        return await self.call(_is_needed, self.store, repository, digest)

    async def delete(self, repository: str, digest: str) -> None:
        """Take a blob away that no manifest needs."""
        await self.call(_delete, self.store, repository, check_digest(digest))
        await self.audit("oci.delete", f"{repository}@{digest}")
        self.set_status(202)


def _is_needed(store: OciStore, repository: str, digest: str) -> bool:
    # A registry behind this server collects its blobs by itself, and says nothing about them.
    return not isinstance(store, LayoutStore) or is_needed(store, repository, digest)


def _delete(store: OciStore, repository: str, digest: str) -> None:
    if not isinstance(store, LayoutStore):
        raise UnsupportedError(
            "The registry behind this server deletes its blobs by itself.",
            remedy="Delete the manifests; its own collector takes the blobs.",
        )
    delete_blob(store, repository, digest)
