"""How the threads of a server's process take turns, so that its event loop never waits long.

A thread that computes gives the interpreter lock away only when another has waited for the switch
interval, so a request that needs the lock a few times waits that long each time. And a collection
of the oldest generation visits every object while it holds the lock. Both belong to the whole
process: `packager serve` sets them for good. A Jupyter server is not ours to change; there the
interval is shorter only while a thread of ours works.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH_S = 0.001
"""Python's own is 0.005. Half a millisecond gains nothing more and costs more hand-overs."""


@contextlib.contextmanager
def short_turns() -> Iterator[None]:
    """Let threads hand over sooner and keep what is loaded now out of collections, until the end.

    Enter it once everything that stays is loaded: frozen objects are never visited again.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)


class ShortWhile:
    """Lets threads hand over sooner while any of several pieces of work goes on.

    Safe to use from any thread. An interval that is short already, or that somebody else has set
    meanwhile, stays as it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working = 0
        self._before_s: float | None = None
        self._short_s = SWITCH_S

    def __enter__(self) -> None:
        with self._lock:
            self._working += 1
            if self._working == 1:
                before_s = sys.getswitchinterval()
                if before_s > SWITCH_S:
                    self._before_s = before_s
                    sys.setswitchinterval(SWITCH_S)
                    self._short_s = sys.getswitchinterval()  # in whole microseconds

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._working -= 1
            if self._working == 0 and self._before_s is not None:
                if sys.getswitchinterval() == self._short_s:
                    sys.setswitchinterval(self._before_s)
                self._before_s = None


working = ShortWhile()
"""Of this process; every thread of a server of ours enters it for as long as it works."""
