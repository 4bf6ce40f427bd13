"""A bounded pool of threads for what blocks: storage, database, password hashing.

The event loop hands a call over and goes on. When every thread is busy and the queue is full the
caller hears so at once, instead of waiting behind a line without end.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from packager_jupyter.errors import BusyError
from packager_jupyter.server.turns import working

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_WORKERS = 16
DEFAULT_QUEUE = 1024


class BoundedPool:
    """Threads with a limit on what may wait for them.

    Parameters
    ----------
    workers : int
        Calls that run at the same time.
    queue : int
        Calls that may wait besides.
    name : str
        Prefix of the threads' names.
    """

    def __init__(
        self,
        *,
        workers: int = DEFAULT_WORKERS,
        queue: int = DEFAULT_QUEUE,
        name: str = "packager",
    ) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(workers + queue)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread and return what it returns.

        Raises
        ------
        BusyError
            When the queue is full.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError(
                "The server has too much to do at the moment.",
                remedy="Try again in a few seconds.",
                retry_after_s=2,
            )
        future = self._threads.submit(_work, partial(function, *args, **kwargs))
        # Freed when the call ends, not when the caller stops waiting for it.
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what still waits; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _work(function: Callable[[], T]) -> T:
    with working:
        return function()
