"""Reading ahead: who asks for the second file of a folder will ask for the third.

Looking up one pointer, or asking a storage about one object, costs a hundred times what the same
costs as one row of a page. So from the second miss in a folder on, whole pages are read, in the
order of the names, until what is asked for no longer lies in them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from packager_jupyter.errors import PackagerError
from packager_jupyter.server.share.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")
MISSES_BEFORE = 2
MISSED_PAGES = 3
PAUSE_S = 5.0
MAX_FOLDERS = 512


class _Folder:
    """How far one folder was read."""

    def __init__(self) -> None:
        self.misses = 0
        self.missed_pages = 0
        self.cursor: str | None = None
        self.pause_until_s = 0.0
        self.task: asyncio.Task[None] | None = None


class ReadAhead(Generic[V]):
    """Fills a memory page by page; used on the event loop only.

    Parameters
    ----------
    memory : Memory
        Where the rows go.
    """

    def __init__(self, memory: Memory[V]) -> None:
        self._memory = memory
        self._folders: Memory[_Folder] = Memory(MAX_FOLDERS)

    async def find(
        self,
        folder_key: Hashable,
        key: Hashable,
        read: Callable[[str | None], Awaitable[tuple[list[tuple[Hashable, V]], str | None]]],
    ) -> V | None:
        """Return the value of `key` when reading ahead is worth while and finds it.

        Parameters
        ----------
        folder_key : hashable
            What is read page by page.
        key : hashable
            What is wanted; it was not in the memory.
        read : callable
            Given a cursor, returns the rows of a page by their keys and the next cursor.
        """
        folder = self._folders.get(folder_key)
        if folder is None:
            folder = _Folder()
            self._folders.put(folder_key, folder)
        folder.misses += 1
        if folder.misses < MISSES_BEFORE or folder.pause_until_s > time.monotonic():
            return None
        if folder.task is None:
            folder.task = asyncio.ensure_future(self._read(folder, read))
        # One asker that goes away does not take the page from the others.
        await asyncio.shield(folder.task)
        found = self._memory.get(key)
        if found is not None:
            folder.missed_pages = 0
            return found
        folder.missed_pages += 1
        if folder.missed_pages >= MISSED_PAGES:
            self._pause(folder)
        return None

    async def _read(
        self,
        folder: _Folder,
        read: Callable[[str | None], Awaitable[tuple[list[tuple[Hashable, V]], str | None]]],
    ) -> None:
        try:
            rows, cursor = await read(folder.cursor)
            for key, value in rows:
                self._memory.put(key, value)
            folder.cursor = cursor
            if cursor is None:
                self._pause(folder)
        except PackagerError:
            # Perhaps listing is not allowed: asking for the one thing says what is wrong with it.
            self._pause(folder)
        finally:
            folder.task = None

    def _pause(self, folder: _Folder) -> None:
        """Read no more of the folder for a while, then from its beginning again."""
        folder.pause_until_s = time.monotonic() + PAUSE_S
        folder.cursor = None
        folder.missed_pages = 0
