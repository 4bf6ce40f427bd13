"""A bounded memory of opened things."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

V = TypeVar("V")


class Kept(Generic[V]):
    """The values used last, by key, made when they are missing; the oldest are closed.

    Safe to share between threads. What a thread still uses when it is closed must survive that, as
    connections do that are opened again.
    """

    def __init__(self, size: int, close: Callable[[V], None] = lambda _: None) -> None:
        self._size = size
        self._close = close
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], V]) -> V:
        """Return the value, from `make` when it is missing."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            value = self._values.setdefault(key, made)
            dropped = []
            while len(self._values) > self._size:
                dropped.append(self._values.popitem(last=False)[1])
        for old in dropped:
            self._close(old)
        return value

    def drop(self, key: str) -> None:
        """Close and forget one value, if it is there."""
        with self._lock:
            value = self._values.pop(key, None)
        if value is not None:
            self._close(value)

    def clear(self) -> None:
        """Close and forget all."""
        with self._lock:
            values = list(self._values.values())
            self._values.clear()
        for value in values:
            self._close(value)
