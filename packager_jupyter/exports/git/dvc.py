"""The layout of DVC: one folder tracked by its checksums, and imports for what has none.

Files whose MD5 is known are one directory output, ``data``: DVC takes its list from the remote's
``….dir`` object, which we make and keep, and each file from ``dvc/files/md5/``. The others are
partial imports below ``unhashed``: DVC fetches them from ``files/`` and checks their ETag.

Everything in the repository is the same for every visitor but ``.dvc/config``, which names the
address of the share: it is put in for each one by `overlay`, so no address and no capability is
kept with what others get.

Formats: https://dvc.org/doc/user-guide/project-structure.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Self

from packager_jupyter.exports.base import encode_path
from packager_jupyter.exports.git.base import batched, file, left_out_file, main_commit
from packager_jupyter.exports.git.names import LeftOut, git_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packager_jupyter.exports.git.base import Step
    from packager_jupyter.packages.pointer import Pointer

OWN = frozenset({".dvc", ".dvcignore", "dvc.yaml", "dvc.lock", "dvcfile"})
OBJECTS = "objects"
_NO_TAG = "DVC needs an MD5 or an ETag, and neither is known"
_DVC_FILE = "DVC takes a name with this ending for a file of its own"
_PRIVATE = b"/config.local\n/tmp\n/cache\n"
ONLY_DVC_FILES = b"*\n!*/\n!*.dvc\n!.gitignore\n"


class DvcLayout:
    """``dvc.git``: for DVC."""

    name = "dvc"
    format = 1
    overlaid = ".dvc/config"

    def config(self, base_url: str, *, is_open: bool) -> bytes:
        """Return ``.dvc/config`` for a share at `base_url`.

        Where the link alone does not open it, DVC asks for the password and sends it in a header
        that a storage ignores: with ``auth = basic`` it would send it on to the storage as well.
        """
        auth = (
            ""
            if is_open
            else '    auth = custom\n    custom_auth_header = "X-Share-Token"\n'
            "    ask_password = true\n"
        )
        return (
            "[core]\n    remote = share\n    analytics = false\n"
            f'[\'remote "share"\']\n    url = "{base_url}dvc"\n    verify = true\n{auth}'
            f'[\'remote "files"\']\n    url = "{base_url}files"\n{auth}'
        ).encode()

    def commands(self, step: Step) -> Iterator[bytes]:
        """See `base.Layout.commands`."""
        return batched(self._commands(step))

    def _commands(self, step: Step) -> Iterator[bytes]:
        contents, left_out = step.snapshot.contents, LeftOut()
        yield main_commit(step)
        yield file(self.overlaid, b"")
        yield file(".dvc/.gitignore", _PRIVATE)
        yield file(".dvcignore", b"")
        taken = {".gitignore"}
        for attachment in contents.attachments():
            path = attachment.path
            taken.add(path.partition("/")[0])
            reason = _refusal(path) or (_DVC_FILE if path.endswith(".dvc") else None)
            if reason is None:
                yield file(path, contents.read_attachment(path))
            else:
                left_out.add(path, reason)
        data, unhashed = _free("data", taken), _free("unhashed", taken)
        listing = DirObject(step.folder / OBJECTS)
        has_imports = False
        with listing:
            for pointer in contents.iter_pointers():
                md5 = pointer.checksums.get("md5")
                reason = _refusal(pointer.path)
                if reason is None and md5 is None:
                    reason = _import_refusal(pointer)
                if reason is not None:
                    left_out.add(pointer.path, reason)
                elif md5 is not None:
                    listing.add(pointer, md5)
                    step.keys.put(md5, step.number, pointer.path, pointer.size_bytes)
                else:
                    has_imports = True
                    yield file(f"{unhashed}/{pointer.path}.dvc", import_file(pointer))
        if listing.files:
            yield file(f"{data}.dvc", listing.output(data))
            yield file(".gitignore", f"/{data}\n".encode())
        if has_imports:
            yield file(f"{unhashed}/.gitignore", ONLY_DVC_FILES)
        yield left_out_file(step, left_out)


class DirObject:
    """DVC's list of a directory, written while its files come by; a context manager.

    DVC knows it by the MD5 of its text, so the text is exactly what ``json.dumps(…,
    sort_keys=True)`` of DVC's own gives: the order of our paths' bytes is that of its strings.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._temp = folder / "unnamed"
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.files = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        self._file = self._temp.open("wb")
        self._write(b"[")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._write(b"]")
        self._file.close()
        self._temp.rename(self._folder / f"{self.oid}.dir")

    @property
    def oid(self) -> str:
        """The name of what was written so far."""
        return self._md5.hexdigest()

    def add(self, pointer: Pointer, md5: str) -> None:
        """Add the next file."""
        text = json.dumps({"md5": md5, "relpath": pointer.path})
        self._write((", " if self.files else "").encode() + text.encode())
        self.files += 1
        self._bytes += pointer.size_bytes

    def output(self, path: str) -> bytes:
        """Return the ``.dvc`` file of the directory."""
        return (
            f"outs:\n- md5: {self.oid}.dir\n  size: {self._bytes}\n  nfiles: {self.files}\n"
            f"  hash: md5\n  path: {path}\n"
        ).encode()

    def _write(self, text: bytes) -> None:
        self._md5.update(text)
        self._file.write(text)


def import_file(pointer: Pointer) -> bytes:
    """Return the ``.dvc`` file that ``dvc import-url --no-download`` would write."""
    address = yaml_text(f"remote://files/{encode_path(pointer.path)}")
    tag = yaml_text(f'"{pointer.etag}"')
    return (
        f"frozen: true\ndeps:\n- path: {address}\n  checksum: {tag}\n"
        f"  size: {pointer.size_bytes}\n  hash: checksum\n"
        f"outs:\n- path: {yaml_text(pointer.name)}\n  hash: md5\n"
    ).encode()


def yaml_text(text: str) -> str:
    """Return `text` as a double-quoted scalar (YAML 1.2, 7.3.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _refusal(path: str) -> str | None:
    return git_refusal(path, OWN)


def _import_refusal(pointer: Pointer) -> str | None:
    tag = pointer.etag
    if not tag or not tag.isascii() or not tag.isprintable():
        return _NO_TAG
    return _DVC_FILE if pointer.path.endswith(".dvc") else None


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken or f"{found}.dvc" in taken:
        number += 1
        found = f"{name}-{number}"
    return found
