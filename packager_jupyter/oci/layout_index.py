"""The ``index.json`` of one OCI layout: which manifests a repository has, and their tags.

`LayoutIndex` is a value: every change gives a new one, which `LayoutStore` writes in one durable
step. Members that other tools wrote are kept. A manifest exists in a repository when ``index.json``
lists it, tagged or not, or when an index that is listed names it.

An entry that lost its last tag stays, marked with the time (`UNTAGGED_KEY`), so that a client that
resolved the tag a moment ago can still read what it resolved to; marked entries are dropped once
the grace is over. Entries that never had a tag (pushed by digest, referrers) carry no mark.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.errors import NameInvalidError, StoreCorruptError
from packager_jupyter.oci.base import ANNOTATION_REF_NAME, MEDIA_TYPE_INDEX
from packager_jupyter.oci.manifest import descriptor_from_json
from packager_jupyter.oci.names import check_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from packager_jupyter.oci.base import Descriptor

UNTAGGED_KEY = "vnd.packager-jupyter.untagged"
"""Annotation of an entry that lost its last tag: Unix seconds."""

RESERVED_KEYS = frozenset({ANNOTATION_REF_NAME, UNTAGGED_KEY})

_SETTLED_NS = 100_000_000
_MAX_CACHED = 1024
_MAX_HELD = 64

Entry = dict[str, Any]
Stamp = tuple[int, int, int]


def _tag(entry: Entry) -> str | None:
    """Return the tag of an entry; a name that is no tag (other tools write such) counts as none."""
    name = entry.get("annotations", {}).get(ANNOTATION_REF_NAME)
    if name is None:
        return None
    try:
        return check_tag(name)
    except NameInvalidError:
        return None


def _untagged_s(entry: Entry) -> int | None:
    text = entry.get("annotations", {}).get(UNTAGGED_KEY, "")
    return int(text) if text.isdecimal() else None


@dataclass(frozen=True)
class LayoutIndex:
    """One ``index.json``, parsed. `document` holds its other members, `entries` the manifests."""

    document: Mapping[str, Any]
    entries: tuple[Entry, ...]

    @classmethod
    def empty(cls) -> LayoutIndex:
        """Return the index of a repository without manifests."""
        return cls({"schemaVersion": 2, "mediaType": MEDIA_TYPE_INDEX}, ())

    @classmethod
    def from_bytes(cls, body: bytes, *, where: str) -> LayoutIndex:
        """Parse ``index.json``; raises `StoreCorruptError` naming the repository `where`."""
        try:
            document = orjson.loads(body)
            entries = document.pop("manifests")
            is_sound = isinstance(entries, list) and all(
                isinstance(entry["digest"], str)
                and all(isinstance(text, str) for text in entry.get("annotations", {}).values())
                for entry in entries
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            is_sound = False
        if not is_sound:
            raise StoreCorruptError(
                f"The index.json of {where} cannot be read.",
                remedy="Restore it from a backup, then run 'packager registry fsck'.",
            )
        return cls(document, tuple(entries))

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        return orjson.dumps({**self.document, "manifests": self.entries})

    @cached_property
    def tags(self) -> Mapping[str, Entry]:
        """Entry by tag."""
        tagged = ((_tag(entry), entry) for entry in reversed(self.entries))
        return {tag: entry for tag, entry in tagged if tag is not None}

    @cached_property
    def by_digest(self) -> Mapping[str, Entry]:
        """One entry by digest."""
        return {entry["digest"]: entry for entry in reversed(self.entries)}

    def find(self, reference: str) -> Descriptor | None:
        """Return what a tag or a listed digest names."""
        entry = self.tags.get(reference) or self.by_digest.get(reference)
        return None if entry is None else self.descriptor(entry)

    @staticmethod
    def descriptor(entry: Entry) -> Descriptor:
        """Return the checked descriptor of an entry."""
        return descriptor_from_json(entry, where="index.json")

    def unique(self) -> list[Descriptor]:
        """Return the descriptor of every listed manifest once, in the order of the file."""
        seen = {entry["digest"]: entry for entry in self.entries}
        return [self.descriptor(entry) for entry in seen.values()]

    def with_entry(self, entry: Entry, *, keep: Callable[[Descriptor], bool]) -> LayoutIndex:
        """Add an entry; its tag moves, and an untagged entry of the same digest gives way.

        `keep` says of a manifest that loses its last tag whether it stays without a mark.
        """
        tag = _tag(entry)
        moved = self.tags.get(tag) if tag is not None else None
        rest = [
            other
            for other in self.entries
            if other is not moved and not (other["digest"] == entry["digest"] and not _tag(other))
        ]
        lost = [] if moved is None else [moved]
        changed = self._replace([*rest, entry], lost=lost, keep=keep)
        if tag is not None:
            # Taken over instead of read anew from every entry, as a project may have thousands.
            changed.__dict__["tags"] = {**self.tags, tag: entry}
        return changed

    def without_tag(self, tag: str, *, keep: Callable[[Descriptor], bool]) -> LayoutIndex:
        """Take a tag away; `keep` as in `with_entry`."""
        lost = self.tags[tag]
        rest = [entry for entry in self.entries if entry is not lost]
        return self._replace(rest, lost=[lost], keep=keep)

    def without_digests(self, digests: Iterable[str]) -> LayoutIndex:
        """Take manifests and their tags away."""
        gone = frozenset(digests)
        return LayoutIndex(
            self.document, tuple(entry for entry in self.entries if entry["digest"] not in gone)
        )

    def untagged(self, *, before_s: float | None = None) -> list[Descriptor]:
        """Return the manifests that no tag names; with `before_s` those that lost it before."""
        tagged = {entry["digest"] for entry in self.tags.values()}
        return [
            self.descriptor(entry)
            for entry in self.entries
            if entry["digest"] not in tagged
            and (before_s is None or ((lost_s := _untagged_s(entry)) and lost_s < before_s))
        ]

    def _replace(
        self, entries: list[Entry], *, lost: list[Entry], keep: Callable[[Descriptor], bool]
    ) -> LayoutIndex:
        listed = {entry["digest"] for entry in entries}
        for entry in lost:
            if entry["digest"] in listed:
                continue
            plain = {name: value for name, value in entry.items() if name != "annotations"}
            if not keep(self.descriptor(entry)):
                plain["annotations"] = {UNTAGGED_KEY: str(int(time.time()))}
            entries.append(plain)
        return LayoutIndex(self.document, tuple(entries))


@dataclass(slots=True)
class _Known:
    stamp: Stamp
    index: LayoutIndex
    held: int | None  # descriptor of the file, while it is too young to be told by its stamp


class IndexCache:
    """Parsed ``index.json`` files by path, each as long as the file is the same one.

    The file is only ever replaced by rename, so time, size and inode tell it apart, except when
    replacements fall into one tick of the file system's clock and the inode number is used again.
    A file younger than such a tick is therefore held open, so that its inode stays taken: at most
    `_MAX_HELD` files, and none longer than the cache itself lives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._held: OrderedDict[Path, None] = OrderedDict()
        weakref.finalize(self, _close_all, self._known)

    def load(self, path: Path, *, where: str) -> LayoutIndex:
        """Return the index at `path`, or an empty one when there is no file."""
        try:
            found = self._find(path)
            if found is not None:
                return found
            with path.open("rb") as file:
                body = file.read()
                stat = os.fstat(file.fileno())
                index = LayoutIndex.from_bytes(body, where=where)
                if len(body) == stat.st_size:
                    self._keep(path, stat, index, file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            return LayoutIndex.empty()
        return index

    def keep(self, path: Path, index: LayoutIndex) -> None:
        """Remember what was just written to `path`; only while nobody else may write it."""
        with path.open("rb") as file:
            self._keep(path, os.fstat(file.fileno()), index, file.fileno())

    def stamp(self, path: Path) -> object | None:
        """Return what tells this file from every other one at `path`; None while too young."""
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if _is_young(stat) else _stamp(stat)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for path in list(self._held):
                self._let_go(path)
            self._known.clear()

    def _find(self, path: Path) -> LayoutIndex | None:
        with self._lock:
            known = self._known.get(path)
            stat = path.stat()
            if known is None or known.stamp != _stamp(stat):
                return None
            if known.held is not None and not _is_young(stat):
                self._let_go(path)
            self._known.move_to_end(path)
            return known.index

    def _keep(self, path: Path, stat: os.stat_result, index: LayoutIndex, file: int) -> None:
        with self._lock:
            self._let_go(path)
            self._let_settled_go()
            held = os.dup(file) if _is_young(stat) else None
            self._known[path] = _Known(_stamp(stat), index, held)
            self._known.move_to_end(path)
            if held is not None:
                self._held[path] = None
                if len(self._held) > _MAX_HELD:
                    oldest = next(iter(self._held))
                    self._let_go(oldest)
                    del self._known[oldest]
            if len(self._known) > _MAX_CACHED:
                oldest = next(iter(self._known))
                self._let_go(oldest)
                del self._known[oldest]

    def _let_settled_go(self) -> None:
        for path in list(self._held):
            if time.time_ns() - self._known[path].stamp[0] <= _SETTLED_NS:
                return
            self._let_go(path)

    def _let_go(self, path: Path) -> None:
        known = self._known.get(path)
        if known is not None and known.held is not None:
            os.close(known.held)
            known.held = None
        self._held.pop(path, None)


def _close_all(known: Mapping[Path, _Known]) -> None:
    for one in known.values():
        if one.held is not None:
            os.close(one.held)
            one.held = None


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _is_young(stat: os.stat_result) -> bool:
    return time.time_ns() - stat.st_mtime_ns <= _SETTLED_NS
