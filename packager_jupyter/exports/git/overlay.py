"""A kept repository with one file of its own for each visitor, for as long as one request takes.

A repository that has to name the share's address cannot be kept for all: the address may hold a
visitor's capability. So it is kept with an empty file in that place, and for each request four
small objects a version (the file, its folder, the tree, the commit) are written into a repository
that borrows all others (``objects/info/alternates``). They depend on the versions and the address
alone, so one address always gives the same commits.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zlib
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from packager_jupyter.errors import StoreCorruptError
from packager_jupyter.exports.git.fastimport import git_environment, git_program
from packager_jupyter.io import TEMP_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from packager_jupyter.exports.git.repos import GitRepo

READ_S = 60
_NAME_BYTES = 20
_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


@dataclass(frozen=True, slots=True)
class Overlay:
    """The objects of one visitor's repository and its newest commit; holds the file's secrets."""

    objects: dict[str, bytes]
    tip: str

    def __repr__(self) -> str:
        return f"Overlay({self.tip})"


def make_overlay(repo: GitRepo, path: str, data: bytes) -> Overlay:
    """Return what is different in `repo` when the file at ``folder/name`` holds `data`."""
    folder, _, name = path.partition("/")
    count = len(repo.chain)
    wanted = []
    for back in range(count - 1, -1, -1):
        commit = f"main~{back}"
        wanted += [commit, f"{commit}^{{tree}}", f"{commit}:{folder}"]
    found = _read(repo.git_dir, wanted)
    objects: dict[str, bytes] = {}
    blob = _put(objects, b"blob", data)
    parent: str | None = None
    for at in range(0, len(found), 3):
        commit_text, root, below = found[at : at + 3]
        inner = _put(objects, b"tree", _replaced(below, b"100644 " + name.encode(), blob))
        tree = _put(objects, b"tree", _replaced(root, b"40000 " + folder.encode(), inner))
        parent = _put(objects, b"commit", _commit(commit_text, tree, parent))
    if parent is None:
        raise _damaged()
    return Overlay(objects, parent)


def write_overlay(repo: GitRepo, overlay: Overlay) -> Path:
    """Write the repository; whoever asked for it removes it again (`remove_overlay`)."""
    place = repo.folder.parent / f"{TEMP_PREFIX}{token_hex(8)}"
    place.mkdir(mode=0o700)
    try:
        _write(repo, overlay, place)
    except BaseException:
        remove_overlay(place)
        raise
    return place


def remove_overlay(place: Path) -> None:
    """Remove what `write_overlay` wrote."""
    shutil.rmtree(place, ignore_errors=True)


def _write(repo: GitRepo, overlay: Overlay, place: Path) -> None:
    objects = place / "objects"
    for folder in ("objects/info", "refs/heads"):
        (place / folder).mkdir(parents=True)
    (place / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    (place / "config").write_bytes(_CONFIG)
    (place / "refs/heads/main").write_text(f"{overlay.tip}\n")
    (objects / "info" / "alternates").write_bytes(
        bytes((repo.git_dir / "objects").resolve()) + b"\n"
    )
    for name, data in overlay.objects.items():
        (objects / name[:2]).mkdir(exist_ok=True)
        (objects / name[:2] / name[2:]).write_bytes(data)


def _read(git_dir: Path, wanted: list[str]) -> list[bytes]:
    done = subprocess.run(  # noqa: S603  # git and our own folder
        [git_program(), f"--git-dir={git_dir}", "cat-file", "--batch"],
        input="".join([f"{one}\n" for one in wanted]).encode(),
        capture_output=True,
        env=git_environment(),
        timeout=READ_S,
        check=False,
    )
    said, found = done.stdout, []
    for _ in wanted:
        line, _, said = said.partition(b"\n")
        parts = line.split(b" ")
        if done.returncode or not parts[-1].isdigit():
            raise _damaged()
        size = int(parts[-1])
        found.append(said[:size])
        said = said[size + 1 :]
    return found


def _replaced(tree: bytes, entry: bytes, name: str) -> bytes:
    """Return a tree in which the object of one entry is another one."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        if tree[at:end] == entry:
            return tree[: end + 1] + bytes.fromhex(name) + tree[end + 1 + _NAME_BYTES :]
        at = end + 1 + _NAME_BYTES
    raise _damaged()


def _commit(text: bytes, tree: str, parent: str | None) -> bytes:
    kept = [
        line
        for line in text.partition(b"\n\n")[0].split(b"\n")
        if not line.startswith((b"tree ", b"parent "))
    ]
    above = [f"parent {parent}".encode()] if parent else []
    head = b"\n".join([f"tree {tree}".encode(), *above, *kept])
    return head + b"\n\n" + text.partition(b"\n\n")[2]


def _put(objects: dict[str, bytes], kind: bytes, data: bytes) -> str:
    whole = kind + b" %d\0" % len(data) + data
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    objects[name] = zlib.compress(whole, 1)
    return name


def _damaged() -> StoreCorruptError:
    return StoreCorruptError(
        "A kept repository cannot be read.",
        remedy="Delete the folder cache/git in the data folder; it is made anew.",
    )
