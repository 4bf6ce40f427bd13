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
from itertools import chain, groupby
from typing import TYPE_CHECKING, cast

from packager_jupyter.errors import BadInputError, ConflictError, ObjectNotFoundError
from packager_jupyter.packages.base import AddReport, Skipped
from packager_jupyter.packages.globs import path_filter
from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_names import lookalikes
from packager_jupyter.packages.index_rows import pack_etags
from packager_jupyter.packages.index_write import PlainColumns
from packager_jupyter.packages.names import (
    MAX_PATH_BYTES,
    are_plain_names,
    check_path,
    check_text,
    each_is,
    folder_runs,
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
    """Put the entries of one walked folder: what comes in a row with one prefix, together."""
    if not entries:
        return
    adding.learn_root(entries[0])
    if adding.passes is not None:
        passes, cut = adding.passes, len(selection.key)
        passed = [entry for entry in entries if passes(entry.key[cut:])]
        adding.files_filtered += len(entries) - len(passed)
        entries = passed
    start = 0
    for prefix, names in folder_runs([entry.key for entry in entries]):
        end = start + len(names)
        _put_run(adding, selection, prefix, names, entries[start:end])
        start = end


def _put_run(
    adding: Adding,
    selection: Selection,
    prefix: str,
    names: list[str],
    entries: list[Entry],
) -> None:
    """Put entries whose keys are `prefix` (empty, or ends in ``/``) and a name.

    This is what adding millions costs: what is plain becomes rows all at once, and all else takes
    the long way through `_put_one`.
    """
    folder, room = _folder_of(adding, selection, prefix)
    if folder is None:
        for entry in entries:
            _put_one(adding, selection, entry)
        return
    root, uri = adding.root or "", adding.source.uri
    keys = [entry.key for entry in entries]
    if (
        are_plain_names(names)
        and max(map(len, names)) < room
        and each_is(list(map(uri, keys)), root, keys)
        and not [entry for entry in entries if entry.checksums or _is_odd(entry)]
    ):
        _put_plain(adding, folder, names, entries, is_md5=False)
        return

    def is_md5(pair: tuple[str, Entry]) -> bool | None:
        """Return whether a plain entry has an MD5; None when it is not plain."""
        name, entry = pair
        is_plain = is_plain_name(name) and len(name) < room and not _is_odd(entry)
        if not is_plain or uri(entry.key) != root + entry.key:
            return None
        if not entry.checksums:
            return False
        etag = entry.etag or ""
        return True if len(etag) == _MD5_HEX and entry.checksums == {"md5": etag} else None

    for kind, same in groupby(zip(names, entries, strict=True), is_md5):
        pairs = list(same)
        if kind is None:
            for _, entry in pairs:
                _put_one(adding, selection, entry)
        else:
            some, plain = zip(*pairs, strict=True)
            _put_plain(adding, folder, some, plain, is_md5=kind)


def _is_odd(entry: Entry) -> bool:
    """Return whether a row needs more than name, size, time, ETag and checksum."""
    return (
        entry.size_bytes is None
        or entry.version_id is not None
        or entry.media_type is not None
        or entry.is_folder
    )


def _put_plain(
    adding: Adding,
    folder: Folder,
    names: Sequence[str],
    entries: Sequence[Entry],
    *,
    is_md5: bool,
) -> None:
    sizes = cast("list[int]", [entry.size_bytes for entry in entries])
    times = [entry.modified_s for entry in entries]
    if None in times or min(times) < MIN_S or max(times) > MAX_S:  # type: ignore[type-var, operator]
        times = [NO_TIME if time is None or not MIN_S <= time <= MAX_S else time for time in times]
    etags = pack_etags([entry.etag for entry in entries])
    columns = PlainColumns(sizes, cast("list[int]", times), etags, is_md5)
    adding.writer.put_plain(folder, names, columns)


def _folder_of(adding: Adding, selection: Selection, prefix: str) -> tuple[Folder | None, int]:
    """Return where keys that begin with `prefix` go, and how many characters a name may have.

    None: they must be looked at one by one.
    """
    path = selection.target
    below = prefix[len(selection.key) :]
    try:
        if below:
            mapped = map_segments(below[:-1], is_folder=True)
            path = f"{path}/{mapped}" if path else mapped
        # A name that is not ASCII may have four times as many bytes as characters.
        room = (MAX_PATH_BYTES - len(path.encode()) - 1) // 4
    except UnicodeEncodeError:
        return None, 0
    if room <= 0:
        return None, 0
    folder = adding.writer.folders.get(path)
    is_derived = folder.derives(adding.source_id, prefix)
    _touch(adding, folder)
    return (folder if is_derived else None), room


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
