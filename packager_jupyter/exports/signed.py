"""Signed addresses of a whole package, as text, NDJSON or CSV.

Made in small chunks, so that a server that streams them can turn to other requests in between. An
address reads exactly one object, without a login, until it expires: treat it like a password.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from packager_jupyter.packages.globs import glob_matcher, is_glob
from packager_jupyter.packages.index_filter import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Signer, Source

CHUNK_ROWS = 200
"""Rows made at a stretch: a millisecond or two, in which no other thread gets far."""

COLUMNS = ("path", "source", "key", "url", "expires_s")

_QUOTED = ',"\n\r'

Row = tuple["Pointer", str, int]


class SignedLists:
    """Writes signed addresses of pointers; the signers are made once per source.

    Parameters
    ----------
    open_source : callable
        Returns a connected source by its name.
    ttl_s : int
        How long the addresses live, in seconds.
    self_url : str, optional
        Our own public address, for sources without a storage of their own.
    """

    def __init__(
        self, open_source: Callable[[str], Source], *, ttl_s: int, self_url: str | None = None
    ) -> None:
        self._open_source = open_source
        self._ttl_s = ttl_s
        self._self_url = self_url
        self._expires_s = int(time.time()) + ttl_s
        self._signers: dict[str, Signer] = {}

    def chunks(
        self, pointers: Iterable[Pointer], *, shape: str = "text", match: str | None = None
    ) -> Iterator[bytes]:
        """Yield the list in chunks of at most `CHUNK_ROWS` pointers; a chunk may be empty.

        Parameters
        ----------
        pointers : iterable of Pointer
        shape : {"text", "ndjson", "csv"}
        match : str, optional
            Part of a path or a glob, as in a package's list of files.

        Raises
        ------
        SourceNotFoundError, CredentialMissingError
            A source of the package cannot sign; what came before is no whole list.
        """
        write = WRITERS[shape]
        passes = path_test(match) if match else None
        if shape == "csv":
            yield f"{','.join(COLUMNS)}\n".encode()
        left = iter(pointers)
        while batch := list(islice(left, CHUNK_ROWS)):
            if passes is not None:
                batch = [pointer for pointer in batch if passes(pointer.path)]
            yield write([(one, self._sign(one), self._expires_s) for one in batch])

    def _sign(self, pointer: Pointer) -> str:
        signer = self._signers.get(pointer.source)
        if signer is None:
            source = self._open_source(pointer.source)
            signer = source.signer(ttl_s=self._ttl_s, self_url=self._self_url)
            self._signers[pointer.source] = signer
        return signer(pointer.key, version_id=pointer.version_id)


def path_test(match: str) -> Callable[[str], bool]:
    """Return whether a path passes a filter, as `index_filter.Filter` sees it."""
    if is_glob(match):
        matches = glob_matcher(match)
        if "/" in match:
            return matches
        return lambda path: matches(path.rpartition("/")[2])
    needle = fold(match)
    return lambda path: needle in fold(path)


def _text(rows: Sequence[Row]) -> bytes:
    return "".join([f"{url}\n" for _, url, _ in rows]).encode()


def _ndjson(rows: Sequence[Row]) -> bytes:
    return b"".join(
        [
            orjson.dumps(
                {
                    "path": one.path,
                    "source": one.source,
                    "key": one.key,
                    "url": url,
                    "expires_s": expires_s,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for one, url, expires_s in rows
        ]
    )


def _csv(rows: Sequence[Row]) -> bytes:
    joined = "".join([f"{one.path}{one.source}{one.key}{url}" for one, url, _ in rows])
    # Hardly any text needs quotes, and all at once are looked through in no time.
    if any(map(joined.__contains__, _QUOTED)):
        cells = [(map(_cell, (one.path, one.source, one.key, url)), end) for one, url, end in rows]
        return "".join([f"{','.join(texts)},{end}\n" for texts, end in cells]).encode()
    lines = [f"{one.path},{one.source},{one.key},{url},{end}\n" for one, url, end in rows]
    return "".join(lines).encode()


def _cell(text: str) -> str:
    """Return a text as a field of CSV (RFC 4180 2.5 to 2.7), in quotes only where it needs them."""
    if any(map(text.__contains__, _QUOTED)):
        return '"{}"'.format(text.replace('"', '""'))
    return text


WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "text": _text,
    "ndjson": _ndjson,
    "csv": _csv,
}
