"""From a source into a pointer index: files by name, folders as a stream.

A chosen folder keeps its last name in the package, as with ``cp -r``; a chosen file its own. What
is chosen together is added together, in one transaction: when the storage fails half way, or the
person cancels, nothing was added. The first entries are fetched before the draft is locked, so
that a small addition holds the lock for an instant however slow the storage is.

Keys that are no paths get the stand-ins of `names.path_for_key`; what cannot be named at all is
reported. Objects without content whose key ends in ``/`` only mark a folder and are passed over.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, ConflictError, ObjectNotFoundError
from packager_jupyter.packages.base import AddReport, Skipped
from packager_jupyter.packages.globs import path_filter
from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_names import lookalikes
from packager_jupyter.packages.index_rows import MD5_IS_ETAG, pack_etag
from packager_jupyter.packages.index_write import FolderRows
from packager_jupyter.packages.names import (
    MAX_PATH_BYTES,
    check_path,
    check_text,
    is_plain_name,
    join_path,
    map_segments,
    path_for_key,
    shown,
)
from packager_jupyter.packages.times import MAX_S, MIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packager_jupyter.packages.base import Progress
    from packager_jupyter.packages.index_folders import Folder
    from packager_jupyter.packages.index_write import AddCounts, IndexWriter
    from packager_jupyter.sources.base import Entry, Source

FETCHED_BEFORE_LOCK = 50_000
MAX_SKIPPED_SHOWN = 1000
_MAX_FOLDERS_CHECKED = 2000
_PARALLEL_STATS = 8
_MD5_HEX = 32


@dataclass(frozen=True, slots=True)
class Selection:
    """One chosen key, and where it goes.

    Attributes
    ----------
    key : str
        As the storage spells it; a folder ends with ``/``, the whole source is empty.
    target : str
        Package path of the file, or of the folder (empty: the root).
    """

    key: str
    target: str

    @property
    def is_folder(self) -> bool:
        """Whether everything below is meant."""
        return not self.key or self.key.endswith("/")


def select(keys: Sequence[str], *, to: str, rename: str | None) -> list[Selection]:
    """Return where each key goes; see `draft.Draft.add`.

    Raises
    ------
    BadInputError
        No key, a new name for several, or a target that breaks a rule.
    ConflictError
        Two keys would go to one path.
    """
    folder = to.removesuffix("/")
    if folder:
        check_path(folder)
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        raise BadInputError("Nothing was chosen.", remedy="Name at least one file or folder.")
    if rename is not None and len(wanted) > 1:
        raise BadInputError(
            "A new name was given for several files or folders.",
            remedy="Add them one at a time, or leave the new name out.",
        )
    selections = [Selection(key, _target(key, folder, rename)) for key in wanted]
    seen: dict[str, str] = {}
    for selection in selections:
        other = seen.setdefault(selection.target, selection.key)
        if other != selection.key:
            raise ConflictError(
                f"{shown(other)} and {shown(selection.key)} would both become "
                f"{shown(selection.target)} in the package.",
                remedy="Add them one at a time, each to a folder of its own.",
            )
    return selections


def _target(key: str, folder: str, rename: str | None) -> str:
    is_folder = not key or key.endswith("/")
    if rename == "." and is_folder:
        return folder
    if rename is not None:
        return join_path(folder, check_path(rename))
    if not key:
        return folder
    check_text(key)
    name = key.removesuffix("/").rpartition("/")[2]
    return join_path(folder, map_segments(name, is_folder=is_folder))


@dataclass(slots=True)
class Adding:
    """One call of `add_selections`: what it has seen so far."""

    source: Source
    writer: IndexWriter
    progress: Progress | None
    passes: Callable[[str], bool] | None
    skipped: list[Skipped] = field(default_factory=list)
    files_skipped: int = 0
    files_filtered: int = 0
    touched: set[int] = field(default_factory=set)
    root: str | None = None
    source_id: int = 0

    def learn_root(self, entry: Entry) -> str:
        """Find out which text stands before the key in this source's addresses."""
        if self.root is None:
            # Where an address quotes its key, a plain key still shows what stands before it.
            found = [(self.source.uri(key), key) for key in (entry.key, "x")]
            roots = [uri[: len(uri) - len(key)] for uri, key in found if uri.endswith(key)]
            self.root = roots[0] if roots and entry.key else ""
            self.source_id = self.writer.source_id(self.source.name, self.root)
        return self.root

    def skip(self, key: str, reason: str) -> None:
        """Note a key that cannot be added."""
        self.files_skipped += 1
        if len(self.skipped) < MAX_SKIPPED_SHOWN:
            self.skipped.append(Skipped(key, reason))

    def done_batch(self) -> None:
        """Insert what was put and tell how far it is."""
        self.writer.insert_batch()
        if self.progress is not None:
            counts = self.writer.counts
            self.progress(counts.total, counts.bytes_added)

    def report(self, counts: AddCounts) -> AddReport:
        """Return what was done."""
        return AddReport(
            files_added=counts.added,
            files_replaced=counts.replaced,
            files_unchanged=counts.unchanged,
            bytes_added=counts.bytes_added,
            skipped=self.skipped,
            files_skipped=self.files_skipped,
            files_filtered=self.files_filtered,
            lookalikes=lookalikes(self.writer.connection, self.touched),
        )


@dataclass(frozen=True, slots=True)
class Fetched:
    """Entries of one selection, in a batch."""

    selection: Selection
    entries: list[Entry]


def fetch(source: Source, selections: Sequence[Selection]) -> Iterator[Fetched]:
    """Yield what the storage says about the selections, batch by batch.

    Raises
    ------
    ObjectNotFoundError
        A chosen file is not there, or a chosen folder holds nothing.
    """
    files = [selection for selection in selections if not selection.is_folder]
    for selection, entry in zip(files, _stat_all(source, files), strict=True):
        yield Fetched(selection, [entry])
    for selection in selections:
        if selection.is_folder:
            yield from _walk(source, selection)


def _stat_all(source: Source, files: Sequence[Selection]) -> list[Entry]:
    if len(files) <= 1:
        return [source.stat(selection.key) for selection in files]
    with ThreadPoolExecutor(_PARALLEL_STATS) as pool:
        return list(pool.map(lambda selection: source.stat(selection.key), files))


def _walk(source: Source, selection: Selection) -> Iterator[Fetched]:
    is_empty = True
    for entries in source.walk(selection.key):
        is_empty = is_empty and not entries
        yield Fetched(selection, entries)
    if is_empty:
        where = shown(selection.key) if selection.key else "the source"
        raise ObjectNotFoundError(
            f"There is no file below {where} in {source.name!r}.",
            remedy="Look at the source's folders for the right one; folders end with '/'.",
        )


def prefetch(batches: Iterator[Fetched]) -> Iterator[Fetched]:
    """Take the first entries now, and return them with the rest."""
    first: list[Fetched] = []
    entries = 0
    for batch in batches:
        first.append(batch)
        entries += len(batch.entries)
        if entries >= FETCHED_BEFORE_LOCK:
            break
    return chain(first, batches)


def add_fetched(
    writer: IndexWriter,
    source: Source,
    batches: Iterable[Fetched],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    progress: Progress | None = None,
) -> Adding:
    """Put every fetched entry into the index; the caller's transaction keeps or drops them."""
    adding = Adding(source, writer, progress, path_filter(include, exclude))
    for batch in batches:
        selection = batch.selection
        if selection.is_folder:
            _put_folder(adding, selection, batch.entries)
        else:
            _put_file(adding, selection, batch.entries[0])
        adding.done_batch()
    return adding


def _put_file(adding: Adding, selection: Selection, entry: Entry) -> None:
    if entry.size_bytes is None:
        raise BadInputError(
            f"The storage does not say how large {shown(entry.key)} is.",
            remedy="Choose another file, or ask who runs the storage.",
        )
    adding.learn_root(entry)
    _put_slowly(adding, entry, selection.target)


def _put_folder(adding: Adding, selection: Selection, entries: list[Entry]) -> None:
    """Put the entries of one walked folder.

    The loop is what adding millions costs: whatever is plain becomes a row here, and all else
    takes the long way through `_put_one`.
    """
    passes = adding.passes
    cut = len(selection.key)
    uri = adding.source.uri
    root = adding.learn_root(entries[0]) if entries else ""
    here = _Group(adding, selection)
    size_bytes = hashed = 0
    for entry in entries:
        key = entry.key
        name_at = key.rfind("/") + 1
        prefix, name = key[:name_at], key[name_at:]
        if prefix != here.prefix:
            here.end(size_bytes, hashed)
            size_bytes = hashed = 0
            here.go_to(prefix)
        if passes is not None and not passes(key[cut:]):
            adding.files_filtered += 1
            continue
        etag = entry.etag
        extra = None
        checksums = entry.checksums
        if checksums:
            is_md5 = len(checksums) == 1 and etag and checksums.get("md5") == etag
            extra = MD5_IS_ETAG if is_md5 and len(str(etag)) == _MD5_HEX else None
        modified = entry.modified_s
        if modified is None or not MIN_S <= modified <= MAX_S:
            modified = NO_TIME
        size = entry.size_bytes
        if (
            here.is_plain
            and len(name) < here.room
            and (
                (
                    name.isascii()
                    and name.isprintable()
                    and "~" not in name
                    and "\\" not in name
                    and name
                    and name[0] != "."
                )
                or is_plain_name(name)
            )
            and size is not None
            and (extra is not None or not checksums)
            and entry.version_id is None
            and entry.media_type is None
            and not entry.is_folder
            and uri(key) == root + key
        ):
            here.append((here.number, name, size, modified, pack_etag(etag), extra))
            size_bytes += size
            if extra is not None:
                hashed += 1
        else:
            here.end(size_bytes, hashed)
            size_bytes = hashed = 0
            _put_one(adding, selection, entry)
            here.begin()
    here.end(size_bytes, hashed)


class _Group(FolderRows):
    """The rows of keys with one prefix."""

    __slots__ = ("adding", "is_plain", "prefix", "room", "selection")

    def __init__(self, adding: Adding, selection: Selection) -> None:
        super().__init__(adding.writer)
        self.adding = adding
        self.selection = selection
        self.prefix: str | None = None
        self.is_plain = False
        self.room = 0

    def go_to(self, prefix: str) -> None:
        """Go on with the keys that begin with `prefix`, which is empty or ends in ``/``."""
        self.prefix = prefix
        self.is_plain = False
        path = self.selection.target
        below = prefix[len(self.selection.key) :]
        try:
            if below:
                mapped = map_segments(below[:-1], is_folder=True)
                path = f"{path}/{mapped}" if path else mapped
            # A name that is not ASCII may have four times as many bytes as characters.
            self.room = (MAX_PATH_BYTES - len(path.encode()) - 1) // 4
        except UnicodeEncodeError:
            return
        if self.room > 0:
            folder = self.adding.writer.folders.get(path)
            self.is_plain = folder.derives(self.adding.source_id, prefix)
            self.move_to(folder)
            _touch(self.adding, folder)


def _touch(adding: Adding, folder: Folder) -> None:
    if len(adding.touched) < _MAX_FOLDERS_CHECKED:
        adding.touched.add(folder.id)
        if folder.parent is not None:
            adding.touched.add(folder.parent.id)


def _put_one(adding: Adding, selection: Selection, entry: Entry) -> None:
    """Put one entry of a folder that is not plain, or say why it cannot be."""
    if entry.is_folder or (entry.key.endswith("/") and not entry.size_bytes):
        return
    if entry.size_bytes is None:
        entry = adding.source.stat(entry.key)
    try:
        path = join_path(selection.target, path_for_key(entry.key[len(selection.key) :]))
    except BadInputError as error:
        adding.skip(entry.key, error.message)
        return
    if entry.size_bytes is None:
        adding.skip(entry.key, "The storage does not say how large it is.")
        return
    _put_slowly(adding, entry, path)


def _put_slowly(adding: Adding, entry: Entry, path: str) -> None:
    head, _, name = path.rpartition("/")
    writer = adding.writer
    folder = writer.folders.get(head)
    uri = adding.source.uri(entry.key)
    writer.put(
        folder,
        name,
        source=adding.source_id,
        key=entry.key,
        size_bytes=entry.size_bytes or 0,
        modified_s=entry.modified_s,
        etag=entry.etag,
        version_id=entry.version_id,
        checksums=entry.checksums,
        media_type=entry.media_type,
        uri=None if uri == f"{adding.root}{entry.key}" else uri,
    )
    _touch(adding, folder)
