"""The layout of git-annex: a tree of symbolic links, and a branch that says who has what.

The repository holds no address at all. git-annex fetches a key from the remote that it was cloned
from, below ``annex/objects/``, so a clone goes on working when the share moves, and nothing secret
stands in what people push elsewhere.

Formats: https://git-annex.branchable.com/internals/ (keys, hashing, ``uuid.log``, location logs).
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from packager_jupyter.exports.git.base import (
    batched,
    commit,
    file,
    left_out_file,
    main_commit,
    parent_of,
    quoted,
    symlink,
)
from packager_jupyter.exports.git.names import LeftOut, git_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.git.base import Snapshot, Step
    from packager_jupyter.packages.pointer import Pointer

BRANCH = b"refs/heads/git-annex"
_NAMESPACE = uuid.UUID("5b0f8b0e-6a39-5a63-8d5e-0d8f6a0c2f11")
_OWN = frozenset({".datalad"})
_MIXED = "0123456789zqjxkmvwgpfZQJXKMVWGPF"
_MAX_EXTENSIONS = 2
_MAX_EXTENSION = 4


class AnnexLayout:
    """``repo.git``: for git-annex and DataLad."""

    name = "repo"
    format = 1

    def commands(self, step: Step) -> Iterator[bytes]:
        """See `base.Layout.commands`; writes the branches ``main`` and ``git-annex``."""
        return batched(self._commands(step))

    def _commands(self, step: Step) -> Iterator[bytes]:
        contents, number, keys = step.snapshot.contents, step.number, step.keys
        left_out = LeftOut()
        yield main_commit(step)
        for attachment in contents.attachments():
            reason = git_refusal(attachment.path, _OWN)
            if reason is None:
                yield file(attachment.path, contents.read_attachment(attachment.path))
            else:
                left_out.add(attachment.path, reason)
        for pointer in contents.iter_pointers():
            path = pointer.path
            reason = git_refusal(path, _OWN)
            if reason is not None:
                left_out.add(path, reason)
                continue
            key = annex_key(pointer)
            digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
            keys.put(f"{digest[:3].hex()}/{key}", number, path, pointer.size_bytes)
            yield symlink(path, link_target(path, key, digest))
        yield left_out_file(step, left_out)
        yield from self._locations(step)

    def _locations(self, step: Step) -> Iterator[bytes]:
        """Yield the commit that says that the share has every key of this version."""
        first = step.first
        own = annex_uuid(first)
        yield commit(BRANCH, step.snapshot.when_s, "update") + parent_of(step, BRANCH)
        log = f"{first.when_s}s 1 {own}\n".encode()
        yield file("uuid.log", f"{own} {first.contents.name} timestamp={first.when_s}s\n".encode())
        # All have the same content: the first brings it along, the others name it by its hash.
        sha = hashlib.sha1(b"blob %d\0" % len(log) + log, usedforsecurity=False)
        name = sha.hexdigest().encode()
        is_there = False
        for entry in step.keys.of_version(step.number):
            slot, _, key = entry.partition("/")
            path = f"{slot[:3]}/{slot[3:]}/{key}.log"
            if is_there:
                yield b"M 100644 " + name + b" " + quoted(path) + b"\n"
            else:
                yield file(path, log)
                is_there = True


def annex_uuid(first: Snapshot) -> str:
    """Return the share's name as a repository: the same for a whole chain of versions."""
    return str(uuid.uuid5(_NAMESPACE, f"{first.contents.name}@{first.contents.digest}"))


def annex_config(own: str) -> bytes:
    """Return what git-annex reads at ``config`` of a remote to know it as one of its own."""
    text = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
    return f"{text}[annex]\n\tuuid = {own}\n\tversion = 10\n".encode()


def annex_key(pointer: Pointer) -> str:
    """Return the key of a file: by its checksum where one is known.

    ``MD5E`` and ``SHA256E`` are checked by git-annex after each download. Without a checksum the
    key is a ``WORM`` made of what the storage says of the object, and only the size is checked.
    """
    size, extension = pointer.size_bytes, _extension(pointer.name)
    for algorithm, backend in (("sha256", "SHA256E"), ("md5", "MD5E")):
        digest = pointer.checksums.get(algorithm)
        if digest:
            return f"{backend}-s{size}--{digest}{extension}"
    facts = (pointer.source, pointer.key, pointer.version_id, pointer.etag, pointer.modified_s)
    mark = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    return f"WORM-s{size}-m{pointer.modified_s or 0}--{mark}{extension}"


def key_entry(key: str) -> str:
    """Return the entry of the key map for an annex key."""
    digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
    return f"{digest[:3].hex()}/{key}"


def link_target(path: str, key: str, digest: bytes) -> bytes:
    """Return where the link at `path` points; `digest` is the MD5 of the key."""
    up = "../" * path.count("/")
    return f"{up}.git/annex/objects/{mixed_folders(digest)}/{key}/{key}".encode()


def mixed_folders(digest: bytes) -> str:
    """Return git-annex's two mixed-case folders for a key with this MD5 (hashDirMixed)."""
    word = int.from_bytes(digest[:4], "little")
    c = [_MIXED[(word >> (6 * i)) & 31] for i in range(4)]
    return f"{c[1]}{c[0]}/{c[3]}{c[2]}"


def _extension(name: str) -> str:
    found = ""
    parts = name.split(".")
    for part in reversed(parts[1:][-_MAX_EXTENSIONS:]):
        is_one = 0 < len(part) <= _MAX_EXTENSION and part.isascii() and part.isalnum()
        if not is_one:
            break
        found = f".{part}{found}"
    return found
