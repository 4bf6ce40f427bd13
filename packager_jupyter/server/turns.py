"""How the threads of a server's process take turns, so that its event loop never waits long.

A thread that computes gives the interpreter lock away only when another has waited for the switch
interval, so a request that needs the lock a few times waits that long each time. And a collection
of the oldest generation visits every object while it holds the lock. Both belong to the whole
process: `packager serve` sets them for good. A Jupyter server is not ours to change; there the
interval is shorter, and what comes and goes is collected less often, only while a thread of ours
works.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

SWITCH_S = 0.001
"""Python's own is 0.005. Half a millisecond gains nothing more and costs more hand-overs."""

YOUNG_OBJECTS = 50_000
"""So many more objects than at the last collection begin one; visiting them takes milliseconds."""


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


class _Lent(Generic[T]):
    """One setting of the interpreter that is ours for a while.

    What is as we want it already, or what somebody else has set meanwhile, stays as it is.
    """

    def __init__(
        self, get: Callable[[], T], put: Callable[[T], None], better: Callable[[T], T | None]
    ) -> None:
        self._get, self._put, self._better = get, put, better
        self._before: T | None = None
        self._ours: T | None = None

    def take(self) -> None:
        before = self._get()
        better = self._better(before)
        if better is not None:
            self._before = before
            self._put(better)
            self._ours = self._get()  # as the interpreter has it: an interval in microseconds

    def give_back(self) -> None:
        if self._before is not None and self._get() == self._ours:
            self._put(self._before)
        self._before = None


class ShortWhile:
    """Lets threads hand over sooner, and collects less often, while any piece of work goes on.

    What thousands of rows leave behind goes by itself. With Python's threshold of 700 objects many
    collections see them all the same, take them for something that stays, and soon visit all that
    has stayed since the start of the process: a fifth of a second in a Jupyter server.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working = 0
        self._interval = _Lent(
            sys.getswitchinterval,
            sys.setswitchinterval,
            lambda now_s: SWITCH_S if now_s > SWITCH_S else None,
        )
        self._thresholds = _Lent(
            gc.get_threshold,
            lambda values: gc.set_threshold(*values),
            # 0 of the first: whoever set it wants no collections at all.
            lambda now: (YOUNG_OBJECTS, *now[1:]) if 0 < now[0] < YOUNG_OBJECTS else None,
        )

    def __enter__(self) -> None:
        with self._lock:
            self._working += 1
            if self._working == 1:
                self._interval.take()
                self._thresholds.take()

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._working -= 1
            if self._working == 0:
                self._interval.give_back()
                self._thresholds.give_back()


working = ShortWhile()
"""Of this process; every thread of a server of ours enters it for as long as it works."""
