"""Opens the store that an address names: a folder of layouts, or a registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.oci.layout import LayoutStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.oci.registry_auth import RegistryLogin


def open_store(
    address: str | os.PathLike[str],
    *,
    login: RegistryLogin | None = None,
    ca_bundle: Path | None = None,
    token_hosts: Sequence[str] = (),
    plain_http: bool = False,
) -> OciStore:
    """Return the store at an address.

    Parameters
    ----------
    address : str or path
        A folder, or ``https://host[:port][/prefix]`` of a registry. Opening makes no request and
        no folder.
    login, ca_bundle, token_hosts, plain_http
        For a registry; see `oci.transport.Transport`.

    Raises
    ------
    BadInputError
        The address is of no known kind.
    """
    text = os.fspath(address)
    scheme, separator, _rest = text.partition("://")
    if not separator:
        return LayoutStore(Path(text).absolute())
    opener = _OPENERS.get(scheme)
    if opener is None:
        raise BadInputError(
            f"{scheme[:40]!r} is no kind of artifact store.",
            remedy="Give a folder, or the https address of a registry.",
        )
    return opener(
        text, login=login, ca_bundle=ca_bundle, token_hosts=token_hosts, plain_http=plain_http
    )


def _open_registry(
    url: str,
    *,
    login: RegistryLogin | None,
    ca_bundle: Path | None,
    token_hosts: Sequence[str],
    plain_http: bool,
) -> OciStore:
    # httpx takes 0.1 s to import, which a folder needs not pay.
    from packager_jupyter.oci.remote import RemoteStore

    return RemoteStore(
        url, login=login, ca_bundle=ca_bundle, token_hosts=token_hosts, plain_http=plain_http
    )


_OPENERS: Mapping[str, Callable[..., OciStore]] = {
    "https": _open_registry,
    "http": _open_registry,
}
