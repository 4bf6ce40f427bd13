"""Sliding windows: exact counts, waiting times, bounded memory."""

from __future__ import annotations

import threading

import pytest

from packager_jupyter.shares.limits import SlidingWindow, address_key


def test_the_eleventh_waits_until_the_first_is_old_enough():
    window = SlidingWindow(10, 600)
    assert [window.take("a", 100.0 + n) for n in range(10)] == [None] * 10
    assert window.take("a", 110.0) == 590
    assert window.wait_s("a", 110.0) == 590
    assert window.take("a", 699.9) == 1
    assert window.take("a", 700.0) is None
    assert window.take("a", 700.5) == 1


def test_keys_do_not_share():
    window = SlidingWindow(1, 60)
    assert window.take("a", 0.0) is None
    assert window.take("b", 0.0) is None
    assert window.take("a", 1.0) == 59


def test_what_is_given_back_does_not_count():
    window = SlidingWindow(1, 60)
    assert window.take("a", 5.0) is None
    window.give_back("a", 5.0)
    assert len(window) == 0
    assert window.take("a", 6.0) is None
    window.give_back("a", 5.0)
    assert window.take("a", 7.0) is not None


def test_memory_is_bounded_and_old_keys_go():
    window = SlidingWindow(2, 60, max_keys=100)
    for n in range(1000):
        window.take(f"key{n}", 0.0)
    assert len(window) == 100
    window.take("late", 100.0)
    assert len(window) == 1


def test_threads_get_exactly_the_limit():
    window = SlidingWindow(50, 60)
    taken = []

    def work():
        taken.extend(window.take("a", 1.0) is None for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 50


@pytest.mark.parametrize(
    ("ip", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9%eth0", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
    ],
)
def test_one_subscriber_has_one_key(ip, key):
    assert address_key(ip) == key
