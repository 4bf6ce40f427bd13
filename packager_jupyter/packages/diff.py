"""What changed between two packages, as a merge of two sorted streams in constant memory."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packager_jupyter.packages.base import Contents
    from packager_jupyter.packages.pointer import Pointer

Kind = Literal["added", "removed", "changed", "renamed"]
_CONTENT_ETAG = re.compile(r"[0-9a-f]{32}(?:-[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs; `old` or `new` is None where it was added or removed.

    A renamed file has both, and its new path.
    """

    kind: Kind
    path: str
    old: Pointer | None
    new: Pointer | None


@dataclass(slots=True)
class Counts:
    """How many paths differ, and the bytes of each kind (of changed ones the new bytes)."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    renamed: int = 0
    bytes_added: int = 0
    bytes_removed: int = 0
    bytes_changed: int = 0
    bytes_renamed: int = 0

    def count(self, change: Change) -> None:
        """Take one change into account."""
        pointer = change.new or change.old
        size = pointer.size_bytes if pointer else 0
        setattr(self, change.kind, getattr(self, change.kind) + 1)
        name = f"bytes_{change.kind}"
        setattr(self, name, getattr(self, name) + size)


def diff(old: Iterable[Pointer], new: Iterable[Pointer]) -> Iterator[Change]:
    """Yield what differs, in the order of the paths.

    Both streams are sorted by the bytes of their paths, as `Contents.iter_pointers` gives them. Two
    pointers of one path differ when any field does.
    """
    olds, news = iter(old), iter(new)
    one, other = next(olds, None), next(news, None)
    while one is not None or other is not None:
        # Text compares by code points, which is the order of UTF-8 bytes.
        if one is not None and (other is None or one.path < other.path):
            yield Change("removed", one.path, one, None)
            one = next(olds, None)
        elif other is not None and (one is None or other.path < one.path):
            yield Change("added", other.path, None, other)
            other = next(news, None)
        elif one is not None and other is not None:
            if one != other:
                yield Change("changed", one.path, one, other)
            one, other = next(olds, None), next(news, None)


def count_changes(old: Iterable[Pointer], new: Iterable[Pointer]) -> Counts:
    """Return the totals of `diff`."""
    counts = Counts()
    for change in diff(old, new):
        counts.count(change)
    return counts


def with_renames(old: Contents, new: Contents) -> Iterator[Change]:
    """Yield what differs, a removed and an added file of the same content as one renamed file.

    Only the removed files are kept in memory. See `paired`.
    """
    return paired(lambda: diff(old.iter_pointers(), new.iter_pointers()))


def paired(changes: Callable[[], Iterable[Change]]) -> Iterator[Change]:
    """Yield changes, those that only give a file another path as renamed ones, at the end.

    Two pointers have the same content when they share a checksum; or size, source and an ETag that
    the storage makes from the content; or when they are the very same object.

    Parameters
    ----------
    changes : callable
        Returns the same changes each time; it is called three times.
    """
    removed = _Removed()
    for change in changes():
        if change.kind == "removed" and change.old is not None:
            removed.put(change.old)
    renamed: list[Change] = []
    moved: set[str] = set()
    for change in changes():
        if change.kind == "added" and change.new is not None:
            pointer = removed.take(change.new)
            if pointer is not None:
                moved |= {pointer.path, change.path}
                renamed.append(Change("renamed", change.path, pointer, change.new))
    for change in changes():
        if change.kind == "changed" or change.path not in moved:
            yield change
    yield from renamed


class _Removed:
    """Removed pointers, to be found by what they share with an added one."""

    def __init__(self) -> None:
        self._by_mark: dict[tuple[str, ...], deque[Pointer]] = {}
        self._taken: set[str] = set()

    def put(self, pointer: Pointer) -> None:
        for mark in _marks(pointer):
            self._by_mark.setdefault(mark, deque()).append(pointer)

    def take(self, new: Pointer) -> Pointer | None:
        """Return a pointer of the same content that was not taken yet, the first of its path."""
        for mark in _marks(new):
            waiting = self._by_mark.get(mark)
            while waiting:
                found = waiting.popleft()
                if found.path not in self._taken:
                    self._taken.add(found.path)
                    return found
        return None


def _marks(pointer: Pointer) -> list[tuple[str, ...]]:
    size, etag = str(pointer.size_bytes), pointer.etag or ""
    marks: list[tuple[str, ...]] = [
        (kind, value, size) for kind, value in pointer.checksums.items()
    ]
    if _CONTENT_ETAG.fullmatch(etag):
        marks.append(("etag", pointer.source, etag, size))
    marks.append(("object", pointer.source, pointer.key, etag, pointer.version_id or ""))
    return marks
