"""`diff` of a package against what the storages hold now.

The folders that files of the package come from are listed once and laid beside the pointers in a
temporary file, so neither the number of pointers nor the order of a listing matters. An object that
the package does not point at counts as added when it lies in such a folder or below it, or below a
folder of which the package has several folders side by side; its path is the one that adding the
folder again would give it. A storage that cannot be listed whole is an
error: half a comparison would call the rest removed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from os.path import commonprefix
from typing import TYPE_CHECKING, NamedTuple

import orjson

from packager_jupyter.errors import BadInputError, ObjectNotFoundError
from packager_jupyter.packages.diff import Change, paired
from packager_jupyter.packages.expected import ExpectedTable, facts_of
from packager_jupyter.packages.names import join_path, map_segments, path_for_key
from packager_jupyter.packages.pointer import NO_CHECKSUMS, Pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from packager_jupyter.packages.base import Contents, Progress
    from packager_jupyter.packages.index_rows import Fact
    from packager_jupyter.packages.verify import OpenSource
    from packager_jupyter.sources.base import Entry, Source

MAX_ROOTS = 64
MAX_SINGLE = 1000
"""Beyond these, a few listings of more than is needed are cheaper than many requests."""

_PARALLEL_STATS = 16
_WINDOW = 1000
_PLACES_IN_MEMORY = 20_000

_SCHEMA = """
CREATE TABLE present (source TEXT, key TEXT, size INTEGER, etag TEXT, version TEXT,
 modified INTEGER, sums TEXT, media TEXT, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE TABLE place (source TEXT, folder TEXT, path TEXT, PRIMARY KEY (source, folder))
 WITHOUT ROWID;
"""
_PRESENT = "p.key, p.size, p.etag, p.version, p.modified, p.sums, p.media"
_DIFFERENT = f"""
SELECT e.path, e.source, {_PRESENT} FROM expected e JOIN present p USING (source, key)
 WHERE e.size <> p.size OR CASE WHEN e.etag IS NULL OR p.etag IS NULL
 THEN e.modified <> p.modified ELSE e.etag <> p.etag END ORDER BY e.path
"""  # noqa: S608  # put together from constants
_GONE = """
SELECT e.path, e.source, e.key FROM expected e LEFT JOIN present p USING (source, key)
 WHERE p.key IS NULL ORDER BY e.path
"""
_NEW = f"""
SELECT p.source, {_PRESENT} FROM present p LEFT JOIN expected e USING (source, key)
 WHERE e.key IS NULL ORDER BY p.source, p.key
"""  # noqa: S608  # put together from constants


class _Object(NamedTuple):
    """One row of ``present``."""

    key: str
    size_bytes: int
    etag: str | None
    version_id: str | None
    modified_s: int | None
    sums: str | None
    media_type: str | None

    def pointer(self, path: str, source: Source) -> Pointer:
        """Return the pointer that adding it now would make."""
        return Pointer(
            path,
            source.name,
            self.key,
            source.uri(self.key),
            self.size_bytes,
            self.modified_s,
            self.etag,
            self.version_id,
            orjson.loads(self.sums) if self.sums else NO_CHECKSUMS,
            self.media_type,
        )


def storage_changes(
    contents: Contents, open_source: OpenSource, *, progress: Progress | None = None
) -> Iterator[Change]:
    """Yield how the storages differ from a package: `old` is the package's, `new` theirs.

    Parameters
    ----------
    contents : Contents
        Draft or version.
    open_source : callable
        Source by name.
    progress : callable, optional
        Called with the objects and bytes seen so far; what it raises ends the work.

    Yields
    ------
    Change
        Sorted by path; renamed files after everything else. An object that was moved is renamed
        when both its old and its new place show the same content (`diff.paired`).

    Raises
    ------
    SourceNotFoundError, StorageError
        A storage could not be asked whole; nothing was yielded.
    """
    with _Tables() as tables:
        tables.fill(tables.noting_places(facts_of(contents)))
        seen = _Seen(progress)
        sources: dict[str, Source] = {}
        tables.note_common_places()
        for name in tables.sources():
            sources[name] = open_source(name)
            _look(tables, sources[name], seen)
        changes = sorted(_changes(tables, contents, sources), key=lambda change: change.path)
    yield from paired(lambda: changes)


class _Seen:
    """Counts objects for the progress."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._files = self._bytes = 0

    def note(self, entries: Iterable[Entry]) -> None:
        """Count some."""
        for entry in entries:
            self._files += 1
            self._bytes += entry.size_bytes or 0
        if self._progress:
            self._progress(self._files, self._bytes)


def _look(tables: _Tables, source: Source, seen: _Seen) -> None:
    """Lay what is in one storage beside the pointers."""
    name = source.name
    roots = tables.roots(name)
    if len(roots) > MAX_ROOTS or tables.count_outside(name, roots) > MAX_SINGLE:
        roots = tables.prefixes(name)
    for root in roots:
        for entries in source.walk(root):
            seen.note(entries)
            tables.put(name, entries)
    # Files that were chosen one by one and renamed: their folders are nobody's.
    with ThreadPoolExecutor(_PARALLEL_STATS, thread_name_prefix="packager-diff") as pool:
        keys = iter(tables.keys_outside(name, roots))
        while window := list(islice(keys, _WINDOW)):
            found = [entry for entry in pool.map(lambda key: _stat(source, key), window) if entry]
            seen.note(found)
            tables.put(name, found)


def _stat(source: Source, key: str) -> Entry | None:
    try:
        return source.stat(key)
    except ObjectNotFoundError:
        return None


def _changes(tables: _Tables, contents: Contents, sources: dict[str, Source]) -> Iterator[Change]:
    for path, source, *row in tables.rows(_DIFFERENT):
        new = _Object(*row).pointer(path, sources[source])
        yield Change("changed", path, contents.get(path), new)
    for path, *_ in tables.rows(_GONE):
        yield Change("removed", path, contents.get(path), None)
    for source, *row in tables.rows(_NEW):
        found = _Object(*row)
        path = tables.path_for(source, found.key)
        if path is not None:
            yield Change("added", path, None, found.pointer(path, sources[source]))


class _Tables(ExpectedTable):
    """The pointers, the objects, and which folder of a storage became which of the package."""

    def __init__(self) -> None:
        super().__init__()
        self._db.executescript(_SCHEMA)
        self._place = lru_cache(_PLACES_IN_MEMORY)(self._find_place)

    def rows(self, statement: str) -> Iterator[Any]:
        """Yield the rows of one question."""
        yield from self._db.execute(statement)

    def noting_places(self, facts: Iterable[list[Fact]]) -> Iterator[list[Fact]]:
        """Hand facts on, and note where the folders of their keys went."""
        last = None
        for rows in facts:
            places = []
            for source, key, path, *_ in rows:
                folder, name = _split(key)
                head, own = _split(path)
                place = (source, folder, head.removesuffix("/"))
                if place != last and own in (name, map_segments(name)):
                    places.append(place)
                    last = place
            self._db.executemany("INSERT OR IGNORE INTO place VALUES (?,?,?)", places)
            yield rows

    def note_common_places(self) -> None:
        """Note the folders that hold several of the places just as the package holds them."""
        found: set[tuple[str, str, str]] = set()
        before: tuple[str, str, str] | None = None
        for place in self._db.execute("SELECT source, folder, path FROM place ORDER BY 1, 2"):
            if before is not None and before[0] == place[0]:
                common = _split(commonprefix([before[1], place[1]]))[0]  # noqa: RUF071  # cut at the last "/" next
                tops = {_cut(path, folder[len(common) :]) for _, folder, path in (before, place)}
                if len(tops) == 1 and None not in tops:
                    found.add((place[0], common, str(tops.pop())))
            before = place
        self._db.executemany("INSERT OR IGNORE INTO place VALUES (?,?,?)", found)

    def put(self, source: str, entries: Iterable[Entry]) -> None:
        """Take objects of a listing; folders and what has no size are left out."""
        self._db.executemany(
            "INSERT OR REPLACE INTO present VALUES (?,?,?,?,?,?,?,?)",
            [
                (
                    source,
                    entry.key,
                    entry.size_bytes,
                    entry.etag,
                    entry.version_id,
                    entry.modified_s,
                    orjson.dumps(dict(entry.checksums)).decode() if entry.checksums else None,
                    entry.media_type,
                )
                for entry in entries
                if entry.size_bytes is not None
            ],
        )

    def roots(self, source: str) -> list[str]:
        """Return the folders of keys that hold all places; stops when they are very many."""
        found: list[str] = []
        statement = "SELECT folder FROM place WHERE source=? ORDER BY folder"
        for (folder,) in self._db.execute(statement, (source,)):
            if found and folder.startswith(found[-1]):
                continue
            found.append(folder)
            if len(found) > MAX_ROOTS:
                break
        return found

    def count_outside(self, source: str, roots: list[str]) -> int:
        """Return how many pointers lie outside of all `roots`."""
        return self.count(source, "") - sum(self.count(source, root) for root in roots)

    def keys_outside(self, source: str, roots: list[str]) -> Iterator[str]:
        """Yield the keys of pointers that were not found and lie outside of all `roots`."""
        if any(not root for root in roots):
            return
        folders = tuple(roots)
        statement = (
            "SELECT DISTINCT e.key FROM expected e LEFT JOIN present p USING (source, key)"
            " WHERE e.source=? AND p.key IS NULL"
        )
        missing = self._db.execute(statement, (source,)).fetchall()
        yield from (key for (key,) in missing if not key.startswith(folders))

    def path_for(self, source: str, key: str) -> str | None:
        """Return where adding its folder again would put an object, None where it never would."""
        place = self._place(source, _split(key)[0])
        if place is None:
            return None
        folder, path = place
        try:
            return join_path(path, path_for_key(key[len(folder) :]))
        except BadInputError:
            return None  # adding passes over it, too

    def _find_place(self, source: str, folder: str) -> tuple[str, str] | None:
        while True:
            found = self._db.execute(
                "SELECT path FROM place WHERE source=? AND folder=?", (source, folder)
            ).fetchone()
            if found:
                return folder, found[0]
            if not folder:
                return None
            folder = _split(folder[:-1])[0]


def _split(key: str) -> tuple[str, str]:
    """Return a key's folder, with its ``/``, and its name."""
    at = key.rfind("/") + 1
    return key[:at], key[at:]


def _cut(path: str, below: str) -> str | None:
    """Return what stands before the folder of keys `below` in a path, None where it does not."""
    mapped = map_segments(below[:-1], is_folder=True) if below else ""
    if not mapped:
        return path
    if path == mapped:
        return ""
    return path.removesuffix(f"/{mapped}") if path.endswith(f"/{mapped}") else None
