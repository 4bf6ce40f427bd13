"""Reading ahead: the next pages of a listing are under way while this one is worked on."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
DEPTH = 4


@contextmanager
def read_ahead(make: Callable[[], Iterator[T]], *, depth: int = DEPTH) -> Iterator[Iterator[T]]:
    """Yield an iterator over what `make` gives, read by a thread of its own.

    Parameters
    ----------
    make : callable
        Called in the thread; what it or its iterator raises is raised where the items are taken,
        after the items that came before.
    depth : int
        Items that may wait; the thread pauses when so many do, and ends with the block.
    """
    shelf = _Shelf[T](depth)

    def read() -> None:
        try:
            for item in make():
                if not shelf.put(item):
                    return
        except BaseException as error:  # noqa: BLE001  # raised again where items are taken
            shelf.end(error)
        else:
            shelf.end(None)

    thread = threading.Thread(target=read, name="packager-ahead", daemon=True)
    thread.start()
    try:
        yield shelf.items()
    finally:
        shelf.close()
        thread.join()


class _Shelf(Generic[T]):
    """What waits between the two threads."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._is_ended = self._is_closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Take an item as soon as there is room; False when nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < self._depth)
            self._waiting.append(item)
            self._changed.notify_all()
            return not self._is_closed

    def end(self, error: BaseException | None) -> None:
        with self._changed:
            self._is_ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def items(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_ended)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error
