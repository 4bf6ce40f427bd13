"""Which files hashed to their names a short while ago, so that serving them hashes nothing again.

Hashing costs several times what sending does. A file that was hashed whole is known by everything
that changes when anybody writes to it; after `LIFE_S` it is hashed again all the same, because a
disk may also lose bytes by itself.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

LIFE_S = 3600
_MAX_KNOWN = 4096

Mark = tuple[int, int, int, int, int]


class Verified:
    """The memory of one store; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[Mark, float] = OrderedDict()

    def knows(self, stat: os.stat_result) -> bool:
        """Whether exactly this content was hashed and right less than `LIFE_S` ago."""
        with self._lock:
            return self._until.get(_mark(stat), 0.0) > time.monotonic()

    def add(self, stat: os.stat_result) -> None:
        """Remember a file that was hashed and right."""
        with self._lock:
            self._until[_mark(stat)] = time.monotonic() + LIFE_S
            while len(self._until) > _MAX_KNOWN:
                self._until.popitem(last=False)


def is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether nobody wrote to a file between two looks."""
    return _mark(before) == _mark(after)


def _mark(stat: os.stat_result) -> Mark:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
