"""Writing small facts a moment later, many in one transaction.

Counting a use or noting an access must not cost a redirect a database commit. The facts wait in
memory for at most a second; a process that is killed loses that second of them, so nothing that
decides about access may be kept this way.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from packager_jupyter.errors import PackagerError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
DELAY_S = 1.0
MAX_WAITING = 100_000
_log = logging.getLogger(__name__)


class Later(Generic[T]):
    """Collects items and hands them to `write` in batches, in a thread of its own.

    Parameters
    ----------
    write : callable
        Takes the list of waiting items, in order, and stores all of them or raises.
    what : str
        Names the items in the log when they cannot be written.
    delay_s : float, default 1.0
        Seconds from the first waiting item to the write.
    """

    def __init__(
        self, write: Callable[[list[T]], None], *, what: str, delay_s: float = DELAY_S
    ) -> None:
        self._write = write
        self._what = what
        self._delay_s = delay_s
        self._waiting: list[T] = []
        self._lock = threading.Lock()
        self._has_items = threading.Event()
        self._is_closed = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, item: T) -> None:
        """Keep `item` for the next write; never blocks on the database."""
        with self._lock:
            self._waiting.append(item)
            if len(self._waiting) > 1:
                return
            self._has_items.set()
            if self._thread is None and not self._is_closed.is_set():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what waits now; items stay for the next time when the database is out of reach."""
        with self._writing:
            with self._lock:
                items, self._waiting = self._waiting, []
                self._has_items.clear()
            if not items:
                return
            try:
                self._write(items)
            except (SQLAlchemyError, PackagerError) as error:
                self._keep(items, error)

    def close(self) -> None:
        """Write what waits and stop."""
        self._is_closed.set()
        self._has_items.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        # One thread for good: starting one for each write would hold up whoever adds.
        while not self._is_closed.is_set():
            self._has_items.wait()
            self._is_closed.wait(self._delay_s)
            self.flush()

    def _keep(self, items: list[T], error: Exception) -> None:
        with self._lock:
            self._waiting = items + self._waiting
            lost = max(0, len(self._waiting) - MAX_WAITING)
            del self._waiting[:lost]
            self._has_items.set()
        _log.warning(
            "Could not write %s (%s); %d wait for the next try, %d were dropped.",
            self._what,
            type(error).__name__,
            len(items) - lost,
            lost,
        )
