"""One line per ecosystem with which its client installs from a feed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _pip(url: str) -> str:
    return f"pip install --index-url {url}simple/ NAME"


def _terraform(url: str) -> str:
    # A line of the client's file of settings; it also works where discovery names another feed.
    services = f'"providers.v1" = "{url}v1/providers/", "modules.v1" = "{url}v1/modules/"'
    return f'host "{urlsplit(url).hostname}" {{ services = {{ {services} }} }}'


_LINES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"pypi": _pip, "terraform": _terraform}
)


def install_line(ecosystem: str, url: str) -> str:
    """Return the line for a feed at `url` (ending in ``/``); for other ecosystems its address."""
    line = _LINES.get(ecosystem)
    return line(url) if line else url
