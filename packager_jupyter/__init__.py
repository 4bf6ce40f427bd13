"""Data packages and package registries over OCI, from Jupyter.

Importing this package costs a kernel next to nothing: the entry points below import what they
need when they are called.
"""

from __future__ import annotations

from typing import Any

from packager_jupyter._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from packager_jupyter.extension import PackagerApp

    return [{"module": "packager_jupyter", "app": PackagerApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "packager-jupyter"}]
