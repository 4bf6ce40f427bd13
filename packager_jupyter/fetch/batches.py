"""Items in batches: many small files are one piece of work, a large file is one by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packager_jupyter.fetch.items import Item

BATCH_FILES = 64
BATCH_BYTES = 8 * 1024 * 1024


def batches(named: Iterable[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """Yield items with their names in batches of at most `BATCH_FILES`, in their order.

    A batch ends with the item that brings it to `BATCH_BYTES`, so that workers share large files
    evenly and no signed address waits long for its turn.
    """
    batch: list[tuple[Item, str]] = []
    size_bytes = 0
    for item, name in named:
        batch.append((item, name))
        size_bytes += item.size_bytes
        if len(batch) == BATCH_FILES or size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
