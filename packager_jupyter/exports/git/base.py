"""What a repository is made of: versions in their order, and one kind of layout for them.

Everything is a function of the versions and their times, so the same chain of versions always
gives the same commits, wherever and whenever it is made: a clone can be fetched into again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.exports.git.keys import KeyMap
    from packager_jupyter.exports.git.names import LeftOut

AUTHOR = b"packager <packager@localhost>"
MAIN = b"refs/heads/main"
_BATCH_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version in a history.

    Attributes
    ----------
    contents : Exportable
    when_s : int
        When it was published, Unix seconds: the time of its commit.
    """

    contents: Exportable
    when_s: int


@dataclass(frozen=True, slots=True)
class Step:
    """One version on its way into a repository.

    Attributes
    ----------
    snapshot : Snapshot
    number : int
        0 for the first version of the chain.
    first : Snapshot
        Where the chain begins: what must never change between its commits goes by this one.
    keys : KeyMap
        Filled with what the kind's own addresses mean.
    folder : Path
        Where a kind may keep files of its own beside the repository.
    """

    snapshot: Snapshot
    number: int
    first: Snapshot
    keys: KeyMap
    folder: Path


class Layout(Protocol):
    """One kind of repository; see `kinds`."""

    @property
    def name(self) -> str:
        """Its name in addresses, before ``.git``."""
        ...

    @property
    def format(self) -> int:
        """Grows when the same version gives other commits than before."""
        ...

    def commands(self, step: Step) -> Iterator[bytes]:
        """Yield fast-import's commands for one version; ``main`` gets exactly one commit."""
        ...


@runtime_checkable
class OverlaidLayout(Layout, Protocol):
    """A layout with a file that names the share's address; see `overlay`."""

    @property
    def overlaid(self) -> str:
        """Path of the file: a folder and a name; it is empty in what is kept."""
        ...

    def config(self, base_url: str, *, is_open: bool) -> bytes:
        """Return the file for a share at `base_url`, which the link alone opens or does not."""
        ...


def chain_id(layout: Layout, digests: list[str]) -> str:
    """Return the name under which the repository of these versions is kept."""
    text = "\n".join([f"{layout.name}-{layout.format}", *digests])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def main_commit(step: Step) -> bytes:
    """Return the head of the commit of a version: it begins with an empty tree."""
    contents = step.snapshot.contents
    text = f"{contents.name} {contents.version}\n\n{contents.digest}\n"
    return commit(MAIN, step.snapshot.when_s, text) + parent_of(step, MAIN) + b"deleteall\n"


def commit(ref: bytes, when_s: int, text: str) -> bytes:
    """Return the head of a commit (git-fast-import(1), ``commit``)."""
    author = AUTHOR + b" %d +0000\n" % max(0, when_s)
    message = text.encode()
    head = b"commit " + ref + b"\nauthor " + author + b"committer " + author
    return head + b"data %d\n" % len(message) + message + b"\n"


def parent_of(step: Step, ref: bytes) -> bytes:
    """Return the line that puts a commit on top of what `ref` holds already."""
    return b"from " + ref + b"^0\n" if step.number else b""


def file(path: str, data: bytes) -> bytes:
    """Return the command for a regular file."""
    return b"M 100644 inline " + quoted(path) + b"\ndata %d\n" % len(data) + data + b"\n"


def symlink(path: str, target: bytes) -> bytes:
    """Return the command for a symbolic link."""
    return b"M 120000 inline " + quoted(path) + b"\ndata %d\n" % len(target) + target + b"\n"


def quoted(path: str) -> bytes:
    """Return a path as fast-import reads it: in quotes, whatever it begins with."""
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def left_out_file(step: Step, left_out: LeftOut) -> bytes:
    """Return the command for the list of what the repository lacks, nothing when that is none."""
    if not left_out:
        return b""
    taken = {one.path for one in step.snapshot.contents.attachments()}
    return file(left_out.file_name(taken), left_out.text())


def batched(commands: Iterator[bytes]) -> Iterator[bytes]:
    """Join short commands, so that each write to git is worth its system call."""
    waiting: list[bytes] = []
    size = 0
    for command in commands:
        waiting.append(command)
        size += len(command)
        if size >= _BATCH_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
