"""The objects' own addresses, where they are lasting ones: of storages that anybody may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Signer
    from packager_jupyter.sources.catalog import SourceCatalog

_UNUSED_TTL_S = 60


class PublicAddresses:
    """Gives the plain address of what a pointer names.

    Parameters
    ----------
    sources : SourceCatalog
    """

    def __init__(self, sources: SourceCatalog) -> None:
        self._sources = sources
        self._signers: dict[str, Signer] = {}

    def __call__(self, pointer: Pointer) -> str:
        """Return the address of a pointer's object.

        Raises
        ------
        BadInputError
            Its source is not one that anybody may read: its addresses would be signed, and end.
        """
        signer = self._signers.get(pointer.source)
        if signer is None:
            signer = self._signers[pointer.source] = self._signer(pointer.source)
        return signer(pointer.key, version_id=pointer.version_id)

    def _signer(self, name: str) -> Signer:
        spec = self._sources.spec(name)
        if spec.kind != "list" and spec.credential.kind != "anonymous":
            raise BadInputError(
                f"The source {name} is not one that anybody may read, so its objects have no "
                "lasting address of their own.",
                remedy="Stage it through a share: --share ID, or --new-share.",
            )
        return self._sources.open(name).signer(ttl_s=_UNUSED_TTL_S)
