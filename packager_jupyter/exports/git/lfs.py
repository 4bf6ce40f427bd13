"""The layout of Git LFS: pointer files for everything whose SHA-256 is known.

It holds no address: git-lfs asks below the address that the repository was cloned from.

Formats: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.exports.git.base import batched, file, left_out_file, main_commit
from packager_jupyter.exports.git.names import LeftOut, git_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.git.base import Step
    from packager_jupyter.packages.pointer import Pointer

_OWN = frozenset({".lfsconfig"})
_NO_SHA256 = "its SHA-256 is not known, and Git LFS needs one"
_CONFIG = b"[lfs]\n\tlocksverify = false\n"
_EVERYTHING = "* filter=lfs diff=lfs merge=lfs -text"
_PLAIN = "!filter !diff !merge !text"
_GLOB = re.compile(r"[*?\[\]]")


class LfsLayout:
    """``lfs.git``: for Git LFS."""

    name = "lfs"
    format = 1

    def commands(self, step: Step) -> Iterator[bytes]:
        """See `base.Layout.commands`."""
        return batched(self._commands(step))

    def _commands(self, step: Step) -> Iterator[bytes]:
        contents, left_out = step.snapshot.contents, LeftOut()
        yield main_commit(step)
        yield file(".lfsconfig", _CONFIG)
        plain = [".gitattributes", ".lfsconfig"]
        for attachment in contents.attachments():
            reason = git_refusal(attachment.path, _OWN)
            if reason is None:
                plain.append(attachment.path)
                yield file(attachment.path, contents.read_attachment(attachment.path))
            else:
                left_out.add(attachment.path, reason)
        for pointer in contents.iter_pointers():
            oid = pointer.checksums.get("sha256")
            reason = git_refusal(pointer.path, _OWN) or (None if oid else _NO_SHA256)
            if reason is not None or oid is None:
                left_out.add(pointer.path, reason or _NO_SHA256)
                continue
            step.keys.put(oid, step.number, pointer.path, pointer.size_bytes)
            yield file(pointer.path, lfs_pointer(pointer, oid))
        if left_out:
            plain.append(left_out.file_name({one.path for one in contents.attachments()}))
        yield file(".gitattributes", attributes(plain))
        yield left_out_file(step, left_out)


def lfs_pointer(pointer: Pointer, oid: str) -> bytes:
    """Return the pointer file; an empty file stands for itself (spec, "Pointer")."""
    if not pointer.size_bytes:
        return b""
    version = "version https://git-lfs.github.com/spec/v1"
    return f"{version}\noid sha256:{oid}\nsize {pointer.size_bytes}\n".encode()


def attributes(plain: list[str]) -> bytes:
    """Return ``.gitattributes``: everything is LFS's but `plain`."""
    lines = [f'"/{_pattern(path)}" {_PLAIN}' for path in plain]
    return "\n".join([_EVERYTHING, *lines, ""]).encode()


def _pattern(path: str) -> str:
    # A pattern in quotes is unquoted as C does first (gitattributes(5)), then matched.
    return _GLOB.sub(r"\\\\\g<0>", path).replace('"', '\\"')
