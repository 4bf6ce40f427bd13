"""A bounded memory for the event loop: forgets what is old or long unused, makes a value once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")


class Once(Generic[V]):
    """Makes a value once for all who ask for it while it is being made, and forgets it then.

    Used on the event loop only.
    """

    def __init__(self) -> None:
        self._making: dict[Hashable, asyncio.Task[V]] = {}

    async def make(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        """Return what `make` returns, or what another's `make` for the same key is about to."""
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(key, make))
            self._making[key] = task
        # One asker that goes away does not take the value from the others.
        return await asyncio.shield(task)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        try:
            return await make()
        finally:
            del self._making[key]


class Memory(Generic[V]):
    """A dictionary of at most `size` values that forgets the one unused for longest.

    Used on the event loop only. With `life_s`, a value older than that many seconds is forgotten.
    """

    def __init__(self, size: int, *, life_s: float | None = None) -> None:
        self._size = size
        self._life_s = life_s
        self._values: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._loading: Once[V] = Once()

    def get(self, key: Hashable) -> V | None:
        """Return the value, or ``None`` when there is none young enough."""
        found = self._values.get(key)
        if found is None:
            return None
        if self._life_s is not None and found[0] + self._life_s <= time.monotonic():
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: Hashable, value: V) -> None:
        """Remember `value` from now on."""
        self._values[key] = (time.monotonic(), value)
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget one value."""
        self._values.pop(key, None)

    def forget_where(self, is_gone: Callable[[Any], bool]) -> None:
        """Forget every value whose key is `is_gone`."""
        for key in [key for key in self._values if is_gone(key)]:
            del self._values[key]

    async def load(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        """Return the value, making it when needed: once, however many ask at the same time."""
        found = self.get(key)
        if found is not None:
            return found
        return await self._loading.make(key, lambda: self._make(key, make))

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        value = await make()
        self.put(key, value)
        return value
