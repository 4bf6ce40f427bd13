"""What changed between two packages, as a merge of two sorted streams in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.packages.base import Contents
    from packager_jupyter.packages.pointer import Pointer

Kind = Literal["added", "removed", "changed", "renamed"]


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

    Same content means a shared checksum, or the very same object (source, key, etag, version). Only
    the removed files are kept in memory. Renames come after everything else.
    """
    removed: dict[tuple[str, ...], list[Pointer]] = {}
    for change in diff(old.iter_pointers(), new.iter_pointers()):
        if change.kind == "removed" and change.old is not None:
            removed.setdefault(_identity(change.old), []).append(change.old)
    renamed: list[Change] = []
    moved: set[str] = set()
    for change in diff(old.iter_pointers(), new.iter_pointers()):
        if change.kind != "added" or change.new is None:
            continue
        before = removed.get(_identity(change.new))
        if before:
            pointer = before.pop(0)
            moved |= {pointer.path, change.path}
            renamed.append(Change("renamed", change.path, pointer, change.new))
    for change in diff(old.iter_pointers(), new.iter_pointers()):
        if change.kind == "changed" or change.path not in moved:
            yield change
    yield from renamed


def _identity(pointer: Pointer) -> tuple[str, ...]:
    for kind in ("sha256", "sha512", "md5", "sha1"):
        if kind in pointer.checksums:
            return kind, pointer.checksums[kind], str(pointer.size_bytes)
    return pointer.source, pointer.key, pointer.etag or "", pointer.version_id or ""
