"""Sliding windows: at most so many events per key in so many seconds, in bounded memory.

The windows live in the process: a server with several workers allows its limit once per worker.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict, deque

MAX_KEYS = 100_000
_IPV6_SITE_BITS = 64


def address_key(ip: str) -> str:
    """Return what one visitor's addresses have in common: an IPv6 network of 64 bits, or `ip`.

    One subscriber usually holds 2**64 IPv6 addresses (RFC 6177), so single ones are no limit.
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ip[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_SITE_BITS), strict=False))


class SlidingWindow:
    """Counts events by key; safe to share between threads.

    Parameters
    ----------
    limit : int
        Events of one key allowed in the window, at least 1.
    window_s : float
        Length of the window in seconds.
    max_keys : int
        When more keys than this are busy, the one unused for longest is forgotten.
    """

    def __init__(self, limit: int, window_s: float, *, max_keys: int = MAX_KEYS) -> None:
        self._limit = max(1, limit)
        self._window_s = window_s
        self._max_keys = max_keys
        self._events: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str, now_s: float) -> int | None:
        """Return after how many seconds an event of `key` is free, ``None`` when one is now."""
        with self._lock:
            return self._wait_s(self._events.get(key), now_s)

    def take(self, key: str, now_s: float) -> int | None:
        """Count one event of `key` when one is free; otherwise answer as `wait_s` does."""
        with self._lock:
            events = self._events.setdefault(key, deque())
            self._events.move_to_end(key)
            wait_s = self._wait_s(events, now_s)
            if wait_s is None:
                events.append(now_s)
                self._forget(now_s)
            return wait_s

    def give_back(self, key: str, taken_s: float) -> None:
        """Undo one `take` made at `taken_s`: it turned out not to be one of the counted kind."""
        with self._lock:
            events = self._events.get(key)
            if events is not None and taken_s in events:
                events.remove(taken_s)
                if not events:
                    del self._events[key]

    def __len__(self) -> int:
        return len(self._events)

    def _wait_s(self, events: deque[float] | None, now_s: float) -> int | None:
        while events and events[0] <= now_s - self._window_s:
            events.popleft()
        if not events or len(events) < self._limit:
            return None
        return max(1, math.ceil(events[0] + self._window_s - now_s))

    def _forget(self, now_s: float) -> None:
        while self._events:
            key, events = next(iter(self._events.items()))
            if events and events[-1] > now_s - self._window_s and len(self) <= self._max_keys:
                return
            del self._events[key]
