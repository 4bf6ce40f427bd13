"""Ranges of a file: exact, remembered, counted, and refused beyond the limits."""

from __future__ import annotations

import os
import random

import pytest

from packager_jupyter.errors import NotPreviewableError, StorageUnreachableError
from packager_jupyter.previews.ranged import BLOCK_BYTES, RangedFile

DATA = os.urandom(10 * BLOCK_BYTES + 123)


def ranged(data=DATA, *, asked=None, **limits):
    def read(start, stop):
        if asked is not None:
            asked.append((start, stop))
        for at in range(start, stop, 1000):
            yield data[at : min(at + 1000, stop)]

    return RangedFile("x.bin", len(data), read, **limits)


def test_any_range_is_what_a_slice_would_be():
    file, chance = ranged(), random.Random(1)
    for _ in range(200):
        start = chance.randrange(len(DATA) + 10)
        stop = chance.randrange(len(DATA) + 10)
        assert file.at(start, stop) == DATA[start:stop]
    assert file.head(5) == DATA[:5]
    assert file.read_bytes <= len(DATA)


def test_neighbours_are_asked_for_at_once_and_nothing_twice():
    asked = []
    file = ranged(asked=asked)
    file.at(BLOCK_BYTES, BLOCK_BYTES + 1)
    file.at(0, len(DATA))
    file.at(5, 500_000)
    assert asked == [
        (BLOCK_BYTES, 2 * BLOCK_BYTES),
        (0, BLOCK_BYTES),
        (2 * BLOCK_BYTES, len(DATA)),
    ]


@pytest.mark.parametrize(
    "limits", [{"max_bytes": 3 * BLOCK_BYTES}, {"max_requests": 1}, {"deadline_s": 0.0}]
)
def test_the_limits_hold(limits):
    file = ranged(**limits)

    def read_on():
        for at in range(0, len(DATA), 2 * BLOCK_BYTES):
            file.at(at, at + 1)

    with pytest.raises(NotPreviewableError):
        read_on()


def test_a_range_as_large_as_a_lake_asks_for_nothing():
    asked = []
    file = RangedFile("x", 2**50, lambda start, stop: asked.append((start, stop)) or [b""])
    with pytest.raises(NotPreviewableError):
        file.at(0, 2**50)
    assert asked == []


def test_a_storage_that_sends_less_than_it_said_is_an_error():
    file = RangedFile("x", 100, lambda start, stop: [b"short"])
    with pytest.raises(StorageUnreachableError):
        file.head(10)
