"""What changed between two packages, as a merge of two sorted streams in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.packages.pointer import Pointer

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs; `old` or `new` is None where it was added or removed."""

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
    bytes_added: int = 0
    bytes_removed: int = 0
    bytes_changed: int = 0

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
