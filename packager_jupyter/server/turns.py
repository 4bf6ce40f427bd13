"""How the threads of a server's own process take turns, so that its event loop never waits long.

A thread that computes gives the interpreter lock away only when another has waited for the switch
interval, so a request that needs the lock a few times waits that long each time. And a collection
of the oldest generation visits every object while it holds the lock. Both belong to the whole
process: `packager serve` sets them, a Jupyter server is not ours to change.
"""

from __future__ import annotations

import contextlib
import gc
import sys
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
