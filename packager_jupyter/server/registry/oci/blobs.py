"""``/v2/<repository>/blobs/<digest>``: the bytes of artifacts, whole or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import BlobNotFoundError
from packager_jupyter.oci.base import MEDIA_TYPE_BLOB
from packager_jupyter.oci.gc import delete_blob
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.names import check_digest
from packager_jupyter.server.registry.oci.base import FOREVER, OciHandler
from packager_jupyter.server.registry.oci.errors import UnsupportedError
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
        if size is None:
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

    async def delete(self, repository: str, digest: str) -> None:
        """Take a blob away that no manifest needs."""
        await self.call(_delete, self.store, repository, check_digest(digest))
        await self.audit("oci.delete", f"{repository}@{digest}")
        self.set_status(202)


def _delete(store: OciStore, repository: str, digest: str) -> None:
    if not isinstance(store, LayoutStore):
        raise UnsupportedError(
            "The registry behind this server deletes its blobs by itself.",
            remedy="Delete the manifests; its own collector takes the blobs.",
        )
    delete_blob(store, repository, digest)
