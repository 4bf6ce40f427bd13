"""Data packages and package registries over OCI, from Jupyter.

Importing this package costs a kernel next to nothing: the entry points below import what they
need when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter._version import __version__

if TYPE_CHECKING:
    from packager_jupyter.client.base import Client
    from packager_jupyter.config import Settings

__all__ = ["__version__", "connect"]


def connect(
    url: str | None = None, *, token: str | None = None, settings: Settings | None = None
) -> Client:
    """Return a client of the packager around us; see `packager_jupyter.client.connect`."""
    from packager_jupyter.client import connect as find

    return find(url, token=token, settings=settings)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from packager_jupyter.extension import PackagerApp

    return [{"module": "packager_jupyter", "app": PackagerApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "packager-jupyter"}]
