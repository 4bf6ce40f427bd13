"""Taking turns: some work is done by few at a time, and the line of those who wait is short."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from packager_jupyter.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

V = TypeVar("V")


class Turns:
    """Lets `at_once` pieces of work run together and `waiting` wait; used on the event loop.

    Parameters
    ----------
    at_once, waiting : int
    what : str
        What is being made, for the sentence.
    """

    def __init__(self, at_once: int, *, waiting: int, what: str) -> None:
        self._semaphore = asyncio.Semaphore(at_once)
        self._free = at_once + waiting
        self._what = what

    async def run(self, work: Callable[[], Awaitable[V]]) -> V:
        """Do `work` when its turn has come.

        Raises
        ------
        BusyError
            Too many wait already.
        """
        if self._free <= 0:
            raise BusyError(
                f"The server is busy with {self._what}.",
                remedy="Try again in a few seconds.",
                retry_after_s=5,
            )
        self._free -= 1
        try:
            async with self._semaphore:
                return await work()
        finally:
            self._free += 1
