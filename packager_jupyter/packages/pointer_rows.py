"""The pointer files of a whole index, made from its rows, many at a time, as `pointer_file` would.

Most rows of a folder differ only in name, size, time, ETag and version, so the rest of their files
is put together once per folder, and whether a value needs quotes is asked of a batch where that can
be. A batch that holds anything else goes through `PointerFiles`, pointer by pointer.
"""

from __future__ import annotations

import sqlite3
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_rows import (
    MD5_IS_ETAG,
    load_sources,
    unpack_etag,
    unpack_rows,
)
from packager_jupyter.packages.index_walk import sorted_rows
from packager_jupyter.packages.pointer_file import (
    ENDING,
    LONGEST_RESERVED,
    MAX_FILE_BYTES,
    scalar,
)
from packager_jupyter.packages.pointer_files import FIRST, HEAD, USUAL
from packager_jupyter.packages.times import format_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packager_jupyter.packages.index_rows import (
        Extra,
        PackedEtag,
        Place,
        Sources,
        StoredRow,
    )
    from packager_jupyter.packages.pointer_files import PointerFiles

BATCH_ROWS = 256
"""What is made at a time: some 100 KiB in about a millisecond."""

_MD5_BYTES = 16
_NO_HEX_ALONE = "0123456789be"
"""An MD5 of these digits alone needs quotes, as a YAML reader may take it for a number."""

_VERSION, _VERSION_END = '{"v":"', '"}'

Written = tuple[list[bytes], list[bytes]]
"""Names of pointer files in UTF-8, and the files."""


class _Folder(NamedTuple):
    """What the files of one folder share, and what their names must be for it to be so."""

    start: str
    key: str
    tail: str
    own_key: str
    shortest: int
    needs_letter: bool


class PointerRows:
    """Writes the pointer files of the rows of one index.

    Parameters
    ----------
    files : PointerFiles
        Of the version that the rows belong to.
    sources : Sources
        Of the index.
    """

    def __init__(self, files: PointerFiles, sources: Sources) -> None:
        self._files = files
        self._sources = sources
        self._number = 0
        self._folder: _Folder | None = None

    def write(self, place: Place, rows: Sequence[StoredRow]) -> Written:
        """Return the names (path and ``.pointer``) and the files of some rows of one folder.

        Raises
        ------
        TooLargeError
            A file is over 16 KiB.
        sqlite3.DatabaseError
            A row holds what was never written: the index is damaged.
        """
        if place.id != self._number:
            self._number, self._folder = place.id, self._open(place)
        try:
            written = None if self._folder is None else _write(self._folder, rows)
        except (ValueError, TypeError, AttributeError) as error:
            raise sqlite3.DatabaseError("a row cannot be read") from error
        if written is None:
            pointers = unpack_rows(rows, place, self._sources)
            written = list(map(self._files.write, pointers))
        prefix = place.path_prefix
        return [f"{prefix}{row[0]}{ENDING}".encode() for row in rows], written

    def _open(self, place: Place) -> _Folder | None:
        """Return what the files of a folder share; None where they are written one by one."""
        prefix, key_prefix = place.path_prefix, place.key_prefix or ""
        if place.source is None or not (_is_usual(prefix) and _is_usual(key_prefix)):
            return None
        source, root = self._sources[place.source]
        lines = self._files.place(source, root)
        if not lines:
            return None
        prefixes = {prefix, key_prefix}
        return _Folder(
            start=f"{HEAD}{prefix}",
            key=f"{lines}{key_prefix}",
            tail=f"{self._files.tail}{prefix}",
            own_key=f"\nx-key: {key_prefix}",
            shortest=LONGEST_RESERVED + 1 - min(map(len, prefixes)),
            needs_letter="" in prefixes,
        )


def iter_written(
    connection: sqlite3.Connection, files: PointerFiles, start: str = ""
) -> Iterator[Written]:
    """Yield all pointer files of an index in the order of `sorted_rows`, batch by batch."""
    writer = PointerRows(files, load_sources(connection))
    for place, rows in sorted_rows(connection, start, chunk_rows=BATCH_ROWS):
        yield writer.write(place, rows)


def _write(folder: _Folder, rows: Sequence[StoredRow]) -> list[bytes] | None:
    """Return the files, or None where a row is not as most are."""
    names, sizes, times, etags, sources, keys, sums, extras = zip(*rows, strict=True)
    count = len(rows)
    if sources.count(None) != count or keys.count(None) != count:
        return None
    if min(map(len, names)) < folder.shortest or not _are_usual(names):
        return None
    if folder.needs_letter and not FIRST.issuperset(name[0] for name in names):
        return None
    found = _values(etags, sums, extras)
    if found is None:
        return None
    middles, afters = found
    start, key, tail, own_key = folder.start, folder.key, folder.tail, folder.own_key
    files = [
        (
            f"{start}{name}\nsize: {size}{middle}{time}{key}{name}{after}"
            f"{tail}{name}{own_key}{name}\n"
        ).encode()
        for name, size, middle, time, after in zip(
            names, sizes, middles, _times(times), afters, strict=False
        )
    ]
    return files if max(map(len, files)) <= MAX_FILE_BYTES else None


def _times(seconds: Sequence[int]) -> Iterable[str]:
    if NO_TIME not in seconds:
        return [f'\nmodified: "{text}"' for text in format_times(seconds)]
    if seconds.count(NO_TIME) == len(seconds):
        return repeat("")
    known = iter(format_times([one for one in seconds if one != NO_TIME]))
    return ["" if one == NO_TIME else f'\nmodified: "{next(known)}"' for one in seconds]


def _values(
    etags: Sequence[PackedEtag], sums: Sequence[bytes | None], extras: Sequence[Extra]
) -> tuple[Iterable[str], Iterable[str]] | None:
    """Return the lines of checksums and ETag, and those of the version; None: not so simple."""
    lines = [
        (
            f"\netag: {text}"
            if (text := etag.hex()) > "a" or text.strip(_NO_HEX_ALONE)
            else f'\netag: "{text}"'
        )
        if type(etag) is bytes and len(etag) == _MD5_BYTES
        else _etag_line(etag)
        for etag in etags
    ]
    if extras.count(None) == sums.count(None) == len(etags):
        return lines, repeat("")
    afters = []
    for number, (etag, sha256, extra) in enumerate(zip(etags, sums, extras, strict=True)):
        hashed = "" if sha256 is None else f" sha256:{sha256.hex()}"
        after = ""
        if extra == MD5_IS_ETAG:
            hashed = f" md5:{unpack_etag(etag)}{hashed}"
        elif extra is not None:
            version = _version(extra)
            if version is None:
                return None
            after = f"\nversion_id: {version}"
        if hashed:
            lines[number] = f"\nchecksums:{hashed}{lines[number]}"
        afters.append(after)
    return lines, afters


def _etag_line(packed: PackedEtag) -> str:
    text = unpack_etag(packed)
    return "" if text is None else f"\netag: {scalar(text)}"


def _version(extra: Extra) -> str | None:
    """Return the version id as it stands in a file, if `extra` holds nothing else."""
    if type(extra) is not str or not extra.startswith(_VERSION):
        return None
    text = extra[len(_VERSION) : -len(_VERSION_END)]
    if not extra.endswith(_VERSION_END) or '"' in text or "\\" in text:
        return None
    return scalar(text)


def _is_usual(prefix: str) -> bool:
    """Return whether a file's path or key may begin so without being spelt otherwise anywhere."""
    return not prefix or (prefix[0] in FIRST and _are_usual([prefix]))


def _are_usual(names: Iterable[str]) -> bool:
    return not "".join(names).encode().translate(None, USUAL)
