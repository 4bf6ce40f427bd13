"""What a disk may hold after a power loss: replays recorded system calls onto a model of it.

The model keeps, for every folder, the names that are there and those that an ``fsync`` of the
folder made durable, and for every file whether its bytes were synced. After each call four states
are possible at the extremes: names {all, only durable ones} x unsynced bytes {whole, torn}.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faults.strace import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = ("openat", "write", "fsync", "rename", "link", "unlink", "mkdir")
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (\d+)(?:<.*>)?$")
_QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"^\d+<([^>]*)>")
_MAX_WRITE = 16 * 1024 * 1024


@dataclass
class Node:
    """A file or folder of the model."""

    is_folder: bool
    is_synced: bool = False
    data: bytes = b""
    live: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    call: str
    paths: tuple[Path, ...]
    creates: bool
    data: bytes = b""


def record(work: Callable[[], object]) -> list[Event]:
    """Run `work` and return its calls that succeeded and change names or make things durable."""
    outcome = run(work, "-e", f"trace={','.join(CALLS)}", "-xx", "-s", str(_MAX_WRITE))
    assert outcome.is_acknowledged, outcome.said
    events = []
    for line in outcome.log.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        call, arguments, result = match.groups()
        texts = [_bytes(text) for text in _QUOTED.findall(arguments)]
        data = b""
        if call in ("fsync", "write"):
            data = b"".join(texts)[: int(result)]
            texts = [_bytes(path) for path in _FD.findall(arguments)]
        paths = tuple(Path(os.fsdecode(text)) for text in texts)
        events.append(Event(call, paths, "O_CREAT" in arguments, data))
    return events


def _bytes(text: str) -> bytes:
    """Return what strace wrote in hexadecimal; paths of descriptors come as they are."""
    is_hex = text.startswith("\\x")
    return bytes.fromhex(text.replace("\\x", "")) if is_hex else text.encode()


class Disk:
    """The model. It begins as a copy of the folder `before` and stands for `root`.

    With `is_durable` what is there at the beginning has been synced.
    """

    def __init__(self, before: Path, root: Path, *, is_durable: bool) -> None:
        self._root = root
        self._top = _load(before, is_durable=is_durable)

    def _folder(self, path: Path) -> dict[str, Node]:
        return self._node(path).live

    def _node(self, path: Path) -> Node:
        node = self._top
        for part in path.relative_to(self._root).parts:
            node = node.live[part]
        return node

    def apply(self, event: Event) -> bool:
        """Do one call on the model; return whether it changed anything on this disk."""
        if not event.paths or not all(p.is_relative_to(self._root) for p in event.paths):
            return False
        first, last = event.paths[0], event.paths[-1]
        if event.call == "openat":
            if not event.creates or first.name in self._folder(first.parent):
                return False
            self._folder(first.parent)[first.name] = Node(is_folder=False)
        elif event.call == "mkdir":
            self._folder(first.parent)[first.name] = Node(is_folder=True)
        elif event.call == "write":
            node = self._node(first)
            node.data += event.data
            node.is_synced = False
        elif event.call == "fsync":
            node = self._node(first)
            node.is_synced = True
            node.durable = dict(node.live)
        elif event.call == "unlink":
            del self._folder(first.parent)[first.name]
        else:
            self._folder(last.parent)[last.name] = self._node(first)
            if event.call == "rename":
                del self._folder(first.parent)[first.name]
        return True

    def write(self, target: Path, *, only_durable: bool, torn: bool) -> None:
        """Make `target` one possible state after the power comes back."""

        def make(node: Node, path: Path) -> None:
            if node.is_folder:
                path.mkdir()
            else:
                is_torn = torn and not node.is_synced
                path.write_bytes(node.data[: len(node.data) // 2] if is_torn else node.data)

        _visit(self._top, target, make, only_durable=only_durable)


def _load(path: Path, *, is_durable: bool) -> Node:
    if not path.is_dir():
        return Node(is_folder=False, is_synced=is_durable, data=path.read_bytes())
    names = {child.name: _load(child, is_durable=is_durable) for child in path.iterdir()}
    return Node(is_folder=True, live=names, durable=dict(names) if is_durable else {})


def _visit(
    node: Node, path: Path, act: Callable[[Node, Path], None], *, only_durable: bool = False
) -> None:
    act(node, path)
    for name, child in (node.durable if only_durable else node.live).items():
        _visit(child, path / name, act, only_durable=only_durable)


def states(
    before: Path, root: Path, events: list[Event], target: Path, *, is_durable: bool = True
) -> Iterator[bool]:
    """Make every state as `target` in turn; yield whether the work had returned by then.

    `before` is a copy of `root` from before the work that `events` were recorded of; `is_durable`
    as for `Disk`.
    """
    disk = Disk(before, root, is_durable=is_durable)
    for number, event in enumerate(events, start=1):
        is_last = number == len(events)
        if not disk.apply(event) and not is_last:
            continue
        for only_durable, torn in itertools.product((False, True), repeat=2):
            shutil.rmtree(target, ignore_errors=True)
            disk.write(target, only_durable=only_durable, torn=torn)
            yield is_last
