"""From rows of the index to the canonical lines of a pointer list, at the speed of publishing.

A line is what `Pointer.to_line` gives, byte for byte. Most rows of a folder differ only in name,
size, time and ETag; for them the rest of the line is put together once per folder. Which source
addresses occur is noted on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from packager_jupyter.packages.index_db import NO_TIME
from packager_jupyter.packages.index_rows import (
    MD5_IS_ETAG,
    unpack_etag,
    unpack_rows,
)
from packager_jupyter.packages.times import format_time, format_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packager_jupyter.packages.index_rows import (
        Place,
        Sources,
        StoredRow,
    )

_MD5_BYTES = 16


class LineMaker:
    """Makes lines from the rows of one index.

    Attributes
    ----------
    addresses : set of (str, str)
        Name and address of every source whose pointers are its address plus their key.
    files, size_bytes : int
        Of all rows so far.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.addresses: set[tuple[str, str]] = set()
        self.files = 0
        self.size_bytes = 0

    def lines(self, place: Place, rows: Sequence[StoredRow]) -> bytes:
        """Return the lines of rows of one folder, at least one."""
        if place.source is None:
            return b"".join([self._slow_line(place, row) for row in rows])
        name_of_source, root = self._sources[place.source]
        prefix = place.key_prefix or ""
        start = f'{{"path":"{_inner(place.path_prefix)}'
        middle = f'"source":{_quoted(name_of_source)},"key":"{_inner(root + prefix)}'
        key = f'","x-key":"{_inner(prefix)}'
        plain = _plain_columns(rows)
        if plain is not None:
            self.addresses.add((name_of_source, root))
            self.files += len(rows)
            self.size_bytes += sum(plain.sizes)
            return "".join(
                [
                    f'{start}{name}","size":{size},"etag":"{etag.hex()}","modified":"{time}",'
                    f'{middle}{name}{key}{name}"}}\n'
                    for name, size, etag, time in zip(*plain, strict=True)
                ]
            ).encode()
        lines = []
        is_own = False
        for row in rows:
            name, size, modified, etag, source, own_key, sha256, extra = row
            if (
                source is not None
                or own_key is not None
                or sha256 is not None
                or (extra is not None and extra != MD5_IS_ETAG)
            ):
                lines.append(self._slow_line(place, row).decode())
                continue
            is_own = True
            if not (name.isascii() and name.isprintable() and '"' not in name):
                name = _inner(name)
            about = ""
            if etag is not None:
                is_md5 = type(etag) is bytes and len(etag) == _MD5_BYTES
                text = f'"{etag.hex()}"' if is_md5 else _quoted(str(unpack_etag(etag)))  # type: ignore[union-attr]
                if extra is not None:
                    about = f'"checksums":{{"md5":{text}}},'
                about += f'"etag":{text},'
            if modified != NO_TIME:
                about += f'"modified":"{format_time(modified)}",'
            lines.append(f'{start}{name}","size":{size},{about}{middle}{name}{key}{name}"}}\n')
            self.files += 1
            self.size_bytes += size
        if is_own:
            self.addresses.add((name_of_source, root))
        return "".join(lines).encode()

    def _slow_line(self, place: Place, row: StoredRow) -> bytes:
        pointer = unpack_rows([row], place, self._sources)[0]
        if pointer.uri.endswith(pointer.key):
            root = pointer.uri[: len(pointer.uri) - len(pointer.key)]
            self.addresses.add((pointer.source, root))
        self.files += 1
        self.size_bytes += pointer.size_bytes
        return pointer.to_line()


class _Plain(NamedTuple):
    """Columns of rows that follow their folder, with an MD5 as ETag and a time, without more."""

    names: Sequence[str]
    sizes: Sequence[int]
    etags: Sequence[bytes]
    times: Sequence[str]


def _plain_columns(rows: Sequence[StoredRow]) -> _Plain | None:
    """Return the columns of rows as most are, None when one of them is not."""
    names, sizes, modified, etags, *others = zip(*rows, strict=True)
    joined = "".join(names)
    if (
        any(column.count(None) < len(rows) for column in others)
        or set(map(type, etags)) != {bytes}
        or set(map(len, etags)) != {_MD5_BYTES}
        or NO_TIME in modified
        or not (joined.isascii() and joined.isprintable())
        or '"' in joined
        or "\\" in joined
    ):
        return None
    return _Plain(names, sizes, etags, format_times(modified))


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _inner(text: str) -> str:
    """Return a JSON string without its quotes; parts of one may be joined."""
    return orjson.dumps(text)[1:-1].decode()
