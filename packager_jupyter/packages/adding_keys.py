"""From a file of keys into the batches that `adding` puts into an index.

Nothing is listed: what the file says of an object is taken, and only objects whose size it leaves
out are asked for one by one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.adding import Fetched, select
from packager_jupyter.packages.names import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.packages.inventory import KeyFile
    from packager_jupyter.sources.base import Entry, Source

_PARALLEL_STATS = 8
_STATS_AT_ONCE = 256
"""Few enough that progress and cancelling do not wait long."""


def fetch_keys(source: Source, keys: KeyFile, *, to: str) -> Iterator[Fetched]:
    """Yield the entries of a file of keys, batch by batch.

    Raises
    ------
    BadInputError
        The file is damaged, names nothing of the source, or is the inventory of another bucket.
    ObjectNotFoundError
        A row without a size names an object that is not there.
    """
    selection = select([""], to=to, rename=".")[0]
    prefix = _prefix_in_bucket(source, keys)
    is_empty = True
    with ThreadPoolExecutor(_PARALLEL_STATS) as pool:
        for rows in keys.read():
            entries = [
                replace(entry, key=entry.key[len(prefix) :]) if prefix else entry
                for entry in rows
                if entry.key.startswith(prefix) and len(entry.key) > len(prefix)
            ]
            is_empty = is_empty and not entries
            for batch in _whole(source, entries, pool):
                yield Fetched(selection, batch)
    if is_empty:
        raise BadInputError(
            f"{shown(keys.name)} names no object of {source.name!r}.",
            remedy="Give a file that has rows, and the source that they are about.",
        )


def _prefix_in_bucket(source: Source, keys: KeyFile) -> str:
    """Return what stands before the source's keys in an inventory of its bucket."""
    if keys.bucket is None:
        return ""
    root = source.uri("x")[:-1]
    scheme = f"s3://{keys.bucket}/"
    if not root.startswith(scheme):
        raise BadInputError(
            f"The inventory lists the bucket {shown(keys.bucket)}, which {source.name!r} is not.",
            remedy="Name the source that is connected to that bucket.",
        )
    return root[len(scheme) :]


def _whole(source: Source, entries: list[Entry], pool: ThreadPoolExecutor) -> Iterator[list[Entry]]:
    """Yield the entries with a size each."""
    if all(entry.size_bytes is not None for entry in entries):
        yield entries
        return

    def look_up(entry: Entry) -> Entry:
        if entry.size_bytes is not None or entry.key.endswith("/"):
            return entry
        found = source.stat(entry.key, version_id=entry.version_id)
        return replace(found, checksums={**found.checksums, **entry.checksums})

    for start in range(0, len(entries), _STATS_AT_ONCE):
        yield list(pool.map(look_up, entries[start : start + _STATS_AT_ONCE]))
