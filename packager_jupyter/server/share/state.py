"""What share handlers remember between requests, so that a redirect is cheap.

Versions are immutable, so their pointers and rendered texts are remembered by digest. What can
change is remembered for seconds only: which version is the latest, what the storage says of an
object, and signers, whose URLs begin to live when they are made.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from packager_jupyter.exports.zip import ZipPlan
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.sources.base import Entry, Signer

V = TypeVar("V")
SETTING = "packager_shares_state"
LATEST_S = 2.0
PINNED_S = 30.0
STAT_S = 5.0
SIGNER_S = 30.0


class Memory(Generic[V]):
    """A dictionary of at most `size` values that forgets the one unused for longest.

    Used on the event loop only. With `life_s`, a value older than that many seconds is forgotten.
    """

    def __init__(self, size: int, *, life_s: float | None = None) -> None:
        self._size = size
        self._life_s = life_s
        self._values: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._loading: dict[Hashable, asyncio.Task[V]] = {}

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

    async def load(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        """Return the value, making it when needed: once, however many ask at the same time."""
        found = self.get(key)
        if found is not None:
            return found
        task = self._loading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(key, make))
            self._loading[key] = task
        # One asker that goes away does not take the value from the others.
        return await asyncio.shield(task)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        try:
            value = await make()
            self.put(key, value)
            return value
        finally:
            del self._loading[key]


class ShareState:
    """The memories of one server."""

    def __init__(self) -> None:
        self.latest: Memory[Version] = Memory(256, life_s=LATEST_S)
        self.pinned: Memory[Version] = Memory(1024, life_s=PINNED_S)
        self.pointers: Memory[Pointer] = Memory(65_536)
        self.entries: Memory[Entry] = Memory(65_536, life_s=STAT_S)
        self.signers: Memory[Signer] = Memory(1024, life_s=SIGNER_S)
        self.plans: Memory[ZipPlan] = Memory(64)
        self.texts: Memory[str] = Memory(64)
        # Stands in remembered texts for what differs between visitors; nobody can write it.
        self.images_mark = f"images-{secrets.token_hex(16)}/"


def share_state(settings: dict[str, Any]) -> ShareState:
    """Return the memories of the server with these application `settings`."""
    state = settings.get(SETTING)
    if state is None:
        state = settings[SETTING] = ShareState()
    return cast("ShareState", state)
