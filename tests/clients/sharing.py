"""A package in a real storage, with hostile names and unknown checksums, and links to it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from botocore.exceptions import BotoCoreError, ClientError

from packager_jupyter.packages.hashing import hash_draft, hash_pointer
from server.share.storages import S3, STORED, Azure
from sources.support import HOSTILE_KEYS, body_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clients.conftest import RegistryServer

PASSWORD = "open sesame"
README = b"# Hostile {{names}}\n\nSee `data`.\n"
UNHASHED = ["parts/one.bin", "parts/two & three.bin"]
# What no storage of ours and its clients agree on: dots as segments, which HTTP clients take away
# from an address before they send it (so that its signature is wrong), a key that would be a file
# and a folder, and what Azurite cannot list.
DOTTED = {"a/../b", ".", "..", "./a", "../../etc/passwd"}
LEFT_OUT = {*DOTTED, "a", "ctl\x01", "back\\slash"}
PLAIN = {f"plain/{n}.csv": f"a,b\n{n},2\n".encode() for n in range(4)}
METADATA = {
    "title": "Names that break things",
    "description": "A package of <hostile> names & unknown checksums.",
    "license": "CC-BY-4.0",
    "authors": ["Ann Author <ann@example.org>", "Bo (0000-0002-1825-0097)"],
    "keywords": ["names", "storage"],
}


@dataclass
class SharedPackage:
    """A published package on a server of its own process.

    `expected` holds the bytes of every file by its path, `unhashed` the paths without a checksum.
    """

    registry: RegistryServer
    name: str
    expected: dict[str, bytes] = field(default_factory=dict)
    unhashed: set[str] = field(default_factory=set)
    segments: dict[str, str] = field(default_factory=dict)

    def link(self, kind="open"):
        """Return the address of an ``open``, ``capability`` or ``password`` share, once made."""
        if kind not in self.segments:
            options = {} if kind == "open" else {"password": PASSWORD}
            made = self.registry.services.shares.create(self.name, owner="ann", **options)
            is_secret = kind == "capability"
            self.segments[kind] = made.capability_segment if is_secret else made.segment
        return f"{self.registry.url}s/{self.segments[kind]}/"

    def version(self):
        return self.registry.services.packages.version(self.name)


def make_shared(registry, storage, name):
    """Fill `storage`, publish a package of everything that it accepted."""
    plain = {key: body_of(key) for key in HOSTILE_KEYS if key not in LEFT_OUT} | PLAIN
    stored = {key: data for key, data in plain.items() if _put(storage.put, key, data)}
    for key in UNHASHED:
        storage.put_in_parts(key, body_of(key))
        stored[key] = body_of(key)
    services = registry.services
    services.sources.add(name, credential=STORED, **storage.connection)
    draft = services.packages.create(name, **METADATA)
    draft.add(name, [""])
    hashed = [pointer for pointer in draft.iter_pointers() if pointer.key in PLAIN]
    draft.set_checksums(
        [(p, hash_pointer(p, services.sources.open, ("md5", "sha256"))) for p in hashed]
    )
    draft.attach(README, "README.md")
    draft.attach(b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "n/b.ipynb")
    draft.publish(now_s=1_700_000_000)
    shared = SharedPackage(registry, name)
    for pointer in shared.version().iter_pointers():
        shared.expected[pointer.path] = stored[pointer.key]
        if not pointer.checksums:
            shared.unhashed.add(pointer.path)
    assert len(shared.expected) == len(stored)
    for attachment in shared.version().attachments():
        shared.expected[attachment.path] = shared.version().read_attachment(attachment.path)
    assert len(shared.unhashed) >= len(UNHASHED)
    return shared


def make_small(registry, folder, name, files, *, sha256=True, attachments=(), **metadata):
    """Publish a small package from a folder; return it."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    services = registry.services
    source = name.replace("/", "-")
    services.sources.add(source, folder.as_uri())
    draft = services.packages.create(name, **metadata)
    if files:
        draft.add(source, [""], rename=".")
    for path, data in dict(attachments).items():
        draft.attach(data, path)
    if sha256 and files:
        hash_draft(draft, services.sources.open, algorithms=("sha256", "md5"))
    draft.publish(now_s=1_700_000_000)
    return SharedPackage(registry, name, {**files, **dict(attachments)})


def storage_for(kind, request):
    """Return a fresh storage of this kind: ``rgw`` or ``azurite``."""
    peer = request.getfixturevalue(kind)
    return S3(peer, is_versioned=False) if kind == "rgw" else Azure(peer)


def run(command, folder: Path, *, env=None, timeout_s=120, **more):
    """Run a client in `folder`; returns the finished process, its output as text."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=env,
        timeout=timeout_s,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **more,
    )


def found_in(folder: Path, *, without: Sequence[str] = ()) -> dict[str, bytes]:
    """Return every file below `folder`, those below folders named in `without` left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not set(without).intersection(path.relative_to(folder).parts)
    }


def comments_of(text: str) -> list[str]:
    return re.findall(r"^# (.*)$", text, re.MULTILINE)


def _put(put, key, data) -> bool:
    """Store `data`; False when the storage refuses such a key."""
    try:
        put(key, data)
    except (ClientError, BotoCoreError, AzureError, ValueError):
        return False
    return True
