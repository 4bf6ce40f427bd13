"""A published package with everything in it, and how a stranger asks for it."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "open sesame"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGNk+M+ABzDhkxy50gBJLgETzoz6ZAAAAABJ"
    "RU5ErkJggg=="
)
README = """---
secret: front matter
---
# Ocean survey

Glider **profiles**: [the notebook](notebooks/look.ipynb), [a file](top.bin), [obs](obs/).

![Map](img/map.png) ![Elsewhere](https://elsewhere.example.org/x.png) ![No image](notes.txt)
"""
NOTEBOOK = {
    "cells": [
        {"id": "a", "cell_type": "markdown", "metadata": {}, "source": "## Look\n[d](../top.bin)"},
        {
            "id": "b",
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "source": "print('hello')",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "hello there\n"}],
        },
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}
FILES = {
    "top.bin": bytes(range(256)) * 1000,
    "empty.dat": b"",
    "obs/day 1/a.csv": b"time,depth\n1,2\n",
    "obs/day 1/b+c#d%e&f.csv": b"hostile",
    "obs/\u65e5\u672c/\u30c7\u30fc\u30bf.txt": "データ".encode(),
    'obs/it\'s "quoted" <b>.txt': b"quoted",
    "obs/e\u0301 and \u00e9.txt": b"nfd",
    "obs/-rf": b"option",
    "obs/[x]?*=;,:@$!()~^`{}|.txt": b"signs",
    "obs/100%.txt": b"percent",
    "obs/%41.txt": b"encoded",
}
ATTACHMENTS = {
    "README.md": README.encode(),
    "notebooks/look.ipynb": json.dumps(NOTEBOOK).encode(),
    "img/map.png": PNG,
    "img/fake.png": b"<svg onload=alert(1)>",
    "img/drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "page.html": b"<script>alert(1)</script>",
    "notes.txt": b"some notes\n" * 1000,
}


ROUTE_VALUES = {"repo": "repo", "package": "ocean-2024", "revision": "main", "kind": "datasets"}
"""What parameters of share routes besides ``path`` and ``ticket`` may be; tests walk the table."""


def below_share(route):
    """Return a route's address below a share, all but ``path`` and ``ticket`` filled in."""
    below = route.path.partition("{share}")[2].lstrip("/")
    for name, value in ROUTE_VALUES.items():
        below = below.replace(f"{{{name}}}", value)
    left = set(re.findall(r"{(\w+)}", below)) - {"path", "ticket"}
    assert not left, f"say in ROUTE_VALUES what {left} of {route.path} may be"
    return below


@dataclass
class Published:
    """A package on a host, and the folder behind its source."""

    host: object
    folder: Path
    files: dict = field(default_factory=lambda: dict(FILES))

    @property
    def shares(self):
        return self.host.services.shares

    def share(self, **options):
        return self.shares.create("ocean-2024", owner="ann", **options)

    async def get(self, segment, path="", *, method="GET", body=None, **headers):
        """Ask as a stranger; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.host.fetch(
            method, f"s/{segment}/{path}", body, headers=named, is_anonymous=True
        )

    async def follow(self, response, **headers):
        """Fetch the address that a redirect names."""
        location = response.headers["Location"]
        assert location.startswith(self.host.root)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.host.fetch(
            "GET", location.removeprefix(self.host.root), headers=named, is_anonymous=True
        )


def fill(folder: Path, files=FILES):
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def publish(services, source, *, version="2", **metadata):
    """Publish everything in `source` with all attachments."""
    values = {"title": "Ocean survey", "license": "CC-BY-4.0", "authors": ["Ann Author"]}
    draft = services.packages.create("ocean-2024", **{**values, **metadata})
    draft.add(source, [""], rename=".")
    for path, data in ATTACHMENTS.items():
        draft.attach(data, path)
    return draft.publish(version, now_s=int(time.time()))


def make_published(host, folder):
    fill(folder)
    host.services.sources.add("lake", f"file://{folder}")
    publish(host.services, "lake")
    return Published(host, folder)


def encoded(path):
    return quote(path, safe="/")


def secrets_of():
    """Return what nobody may see before the gate."""
    paths = (*FILES, *ATTACHMENTS)
    names = [part for path in paths for part in path.split("/") if len(part) > 5]
    return [*names, "Ocean survey", "ocean-2024", "CC-BY", "Ann Author", "sha256:", "lake"]


def host_of(response):
    return urlsplit(response.headers["Location"]).netloc
