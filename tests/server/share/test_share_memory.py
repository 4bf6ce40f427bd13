"""What handlers remember: bounded, made once, never older than allowed; reading ahead pays."""

from __future__ import annotations

import asyncio
import time

import pytest

from packager_jupyter.errors import StorageDeniedError
from packager_jupyter.server.share.ahead import PAUSE_S, ReadAhead
from packager_jupyter.server.share.memory import Memory
from packager_jupyter.sources.local import LocalSource
from server.share.ocean import fill


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_value_unused_for_longest_goes():
    memory = Memory(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_old_values_are_not_given(clock):
    memory = Memory(2, life_s=5)
    memory.put("a", 1)
    clock[0] += 4.9
    assert memory.get("a") == 1
    clock[0] += 0.1
    assert memory.get("a") is None


async def test_a_value_is_made_once_for_all_who_ask_at_the_same_time():
    memory, made = Memory(2), []

    async def make():
        made.append(1)
        await asyncio.sleep(0.01)
        return 7

    first = asyncio.ensure_future(memory.load("a", make))
    others = [asyncio.ensure_future(memory.load("a", make)) for _ in range(9)]
    await asyncio.sleep(0)
    first.cancel()  # its visitor went away
    assert await asyncio.gather(*others) == [7] * 9
    assert len(made) == 1


async def test_a_failure_is_not_remembered():
    memory, outcomes = Memory(2), [ValueError("once"), 7]

    async def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="once"):
        await memory.load("a", make)
    assert await memory.load("a", make) == 7


class Pages:
    """Ten rows a page of `count` numbered rows; counts how often it is read."""

    def __init__(self, count):
        self.count = count
        self.reads = 0

    async def read(self, cursor):
        self.reads += 1
        await asyncio.sleep(0)
        start = int(cursor or 0)
        stop = min(start + 10, self.count)
        rows = [(("k", n), f"v{n}") for n in range(start, stop)]
        return rows, str(stop) if stop < self.count else None


async def test_a_walk_through_a_folder_reads_each_page_once():
    memory, pages = Memory(1000), Pages(100)
    ahead, single = ReadAhead(memory), 0
    for n in range(100):
        key = ("k", n)
        found = memory.get(key) or await ahead.find("folder", key, pages.read)
        if found is None:
            single += 1
        else:
            assert found == f"v{n}"
    assert (pages.reads, single) == (10, 1)


async def test_many_who_walk_together_read_each_page_once():
    memory, pages = Memory(1000), Pages(40)
    ahead = ReadAhead(memory)

    async def ask(n):
        return memory.get(("k", n)) or await ahead.find("folder", ("k", n), pages.read)

    await asyncio.gather(*(ask(n) for n in range(10)))
    assert pages.reads == 1


async def test_reading_ahead_stops_where_it_does_not_pay(clock):
    memory, pages = Memory(1000), Pages(10_000)
    ahead = ReadAhead(memory)
    for n in range(9000, 9100):
        assert await ahead.find("folder", ("k", n), pages.read) is None
    assert pages.reads == 3
    clock[0] += PAUSE_S + 1
    assert await ahead.find("folder", ("k", 5), pages.read) == "v5"


async def test_a_folder_that_may_not_be_listed_is_asked_for_single_files():
    async def denied(_cursor):
        raise StorageDeniedError("No listing.", remedy="Ask for it.")

    ahead = ReadAhead(Memory(10))
    for n in range(5):
        assert await ahead.find("folder", ("k", n), denied) is None


async def test_a_crawl_asks_the_storage_by_the_page(alone, monkeypatch):
    fill(alone.folder, {f"many/f{n:04}.dat": b"x" for n in range(1500)})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["many/"])
    draft.publish("3", now_s=int(time.time()))
    calls = {"stat": 0, "list_page": 0}

    def counted(name):
        function = getattr(LocalSource, name)

        def call(*args, **options):
            calls[name] += 1
            return function(*args, **options)

        return call

    for name in calls:
        monkeypatch.setattr(LocalSource, name, counted(name))
    segment = alone.share().segment
    for start in range(0, 1500, 100):
        asked = [alone.get(segment, f"files/many/f{n:04}.dat") for n in range(start, start + 100)]
        answers = await asyncio.gather(*asked)
        assert {answer.code for answer in answers} == {307}
    assert sum(calls.values()) < 40, calls


async def test_a_change_is_seen_through_a_page_too(alone):
    fill(alone.folder, {f"many/f{n:04}.dat": b"x" for n in range(50)})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["many/"])
    draft.publish("3", now_s=int(time.time()))
    (alone.folder / "many/f0030.dat").write_bytes(b"other")
    (alone.folder / "many/f0040.dat").unlink()
    segment = alone.share().segment
    codes = {}
    for n in range(50):
        codes[n] = (await alone.get(segment, f"files/many/f{n:04}.dat")).code
    assert (codes.pop(30), codes.pop(40)) == (409, 404)
    assert set(codes.values()) == {307}
