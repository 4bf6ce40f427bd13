"""Finding what to speak to: what is said explicitly, the environment, the kernel's own server.

In this order: arguments; ``PACKAGER_URL`` and ``PACKAGER_TOKEN``; a JupyterHub's environment; the
Jupyter server that started this kernel; else the library in this process.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from packager_jupyter.client.answers import not_ours
from packager_jupyter.errors import NotFoundError, PackagerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packager_jupyter.client.base import Client
    from packager_jupyter.config import Settings

_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  # compared, not bound


@dataclass(frozen=True, slots=True)
class Address:
    """A server to try: the packager's root and the token for it.

    `is_asked_for` says that somebody named it, so that its failure is an error and not a reason to
    look elsewhere.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    is_asked_for: bool = False


def connect(
    url: str | None = None, *, token: str | None = None, settings: Settings | None = None
) -> Client:
    """Return a client of the server at `url`, of the one around us, or of the library.

    Parameters
    ----------
    url : str, optional
        Address of a packager's root: ``https://host/``, inside Jupyter
        ``https://host/base/packager/``.
    token : str, optional
        API token; default ``PACKAGER_TOKEN``.
    settings : Settings, optional
        Given without `url`: use the library with these settings and look for no server.

    Raises
    ------
    PackagerError
        A server that was named (by argument or ``PACKAGER_URL``) does not answer as the packager
        or refuses the token.
    """
    if url is not None or settings is None:
        for address in addresses(url, token, os.environ):
            client = _try(address)
            if client is not None:
                return client
    from packager_jupyter.client.local import LocalClient
    from packager_jupyter.config import Settings as OwnSettings
    from packager_jupyter.services import Services

    return LocalClient(Services.open(settings or OwnSettings()))


def addresses(
    url: str | None, token: str | None, environment: Mapping[str, str]
) -> Iterator[Address]:
    """Yield the servers to try, in order."""
    token = token or environment.get("PACKAGER_TOKEN") or None
    if url is not None:
        yield Address(url, token, is_asked_for=True)
        return
    from_environment = environment.get("PACKAGER_URL")
    if from_environment:
        yield Address(from_environment, token, is_asked_for=True)
        return
    on_hub = environment.get("JUPYTERHUB_SERVICE_URL")
    if on_hub:
        yield Address(_reachable(on_hub) + "packager/", environment.get("JUPYTERHUB_API_TOKEN"))
    parent = environment.get("JPY_PARENT_PID", "")
    if parent.isdecimal():
        yield from _running_server(int(parent), environment)


def _reachable(url: str) -> str:
    """Return the address of a server that binds every address, as this host reaches it."""
    parts = urlsplit(url)
    if (parts.hostname or "") in _ANYWHERE:
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"127.0.0.1{port}")
    url = urlunsplit(parts)
    return url if url.endswith("/") else url + "/"


def _running_server(pid: int, environment: Mapping[str, str]) -> Iterator[Address]:
    """Yield the Jupyter server with process id `pid`.

    Read from its runtime file: importing jupyter_server for that would cost a kernel 0.1 s.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    file = Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json"
    try:
        info = json.loads(file.read_bytes())
        url, token = info["url"], info["token"]
    except (OSError, ValueError, KeyError):
        return  # started by something else than a Jupyter server
    yield Address(_reachable(url) + "packager/", token or environment.get("JUPYTERHUB_API_TOKEN"))


def _try(address: Address) -> Client | None:
    from packager_jupyter.client.rest import RestClient

    client = RestClient(address.url, token=address.token)
    try:
        client.status()
    except PackagerError as error:
        client.close()
        if not address.is_asked_for:
            return None
        if isinstance(error, NotFoundError):
            # A server of ours has a status: this is another address of it, or another server.
            raise not_ours(address.url) from error
        raise
    return client
