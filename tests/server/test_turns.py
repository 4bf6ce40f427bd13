"""How threads take turns in the standalone server's process, and only while it serves."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packager_jupyter.server.jobs import JobTable
from packager_jupyter.server.pool import BoundedPool
from packager_jupyter.server.turns import SWITCH_S, YOUNG_OBJECTS, ShortWhile, short_turns, working

ROOT = Path(__file__).parents[2]
PROGRAM = """
import gc, os, signal, sys
from packager_jupyter.config import Settings
from packager_jupyter.serve import ServeOptions, run

def tell():
    print(sys.getswitchinterval(), gc.get_freeze_count(), flush=True)

def announce(server):
    tell()
    os.kill(os.getpid(), signal.SIGTERM)

tell()
run(Settings(data_dir=sys.argv[1], root_dir=sys.argv[2]), ServeOptions(port=0), announce=announce)
tell()
"""


def test_the_server_has_short_turns_and_what_it_loaded_is_never_collected(tmp_path):
    (tmp_path / "root").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), str(tmp_path / "root")],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, meanwhile, after = [
        (float(switch_s), int(frozen))
        for switch_s, frozen in (line.split() for line in done.stdout.splitlines())
    ]
    assert meanwhile[0] == pytest.approx(SWITCH_S)
    assert meanwhile[1] > 50_000, "the modules of the server are loaded before it listens"
    assert after == before


def test_a_failure_takes_it_back():
    before_s, frozen = sys.getswitchinterval(), gc.get_freeze_count()

    def fail() -> None:
        with short_turns():
            assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # its own
        fail()
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (before_s, frozen)


async def test_turns_are_short_while_a_thread_works_and_only_then():
    before_s = sys.getswitchinterval()
    assert before_s > 2 * SWITCH_S
    short = pytest.approx(SWITCH_S)
    pool, jobs = BoundedPool(workers=2), JobTable()
    has_begun, may_end = threading.Event(), threading.Event()

    def work():
        has_begun.set()
        may_end.wait(30)

    try:
        slow = asyncio.ensure_future(pool.run(work))
        await pool.run(has_begun.wait, 30)
        assert await pool.run(sys.getswitchinterval) == short
        assert sys.getswitchinterval() == short, "another thread still works"
        may_end.set()
        await slow
        found, has_ended = [], asyncio.Event()
        loop = asyncio.get_running_loop()

        def look(_report):
            found.append(sys.getswitchinterval())
            loop.call_soon_threadsafe(has_ended.set)
            return {}

        jobs.start("look", subject="x", owner="me", work=look)
        await asyncio.wait_for(has_ended.wait(), 30)
        assert found == [short]
        for _ in range(500):
            if sys.getswitchinterval() == before_s:
                break
            await asyncio.sleep(0.01)
        assert sys.getswitchinterval() == before_s
    finally:
        may_end.set()
        pool.close()
        jobs.close()


def test_an_interval_that_others_set_stays():
    before_s = sys.getswitchinterval()
    turns = ShortWhile()
    try:
        with turns:
            sys.setswitchinterval(0.002)
        assert sys.getswitchinterval() == pytest.approx(0.002)
        sys.setswitchinterval(SWITCH_S / 2)
        with turns, turns:
            assert sys.getswitchinterval() == pytest.approx(SWITCH_S / 2)
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S / 2)
    finally:
        sys.setswitchinterval(before_s)


@pytest.fixture
def thresholds():
    """Set Python's own thresholds for this test, and count collections by generation."""
    before, counts = gc.get_threshold(), [0, 0, 0]

    def count(phase, info):
        if phase == "start":
            counts[info["generation"]] += 1

    gc.set_threshold(700, 10, 10)
    gc.callbacks.append(count)
    yield counts
    gc.callbacks.remove(count)
    gc.set_threshold(*before)


async def test_rows_that_come_and_go_in_a_thread_do_not_grow_old(thresholds):
    def read_pages():
        for _ in range(300):
            [[number] for number in range(1000)]  # a list is visited by collections, an int not

    read_pages()
    assert thresholds[1] > 10, "they are taken for something that stays"
    gc.collect()
    thresholds[:] = [0, 0, 0]
    pool = BoundedPool(workers=1)
    try:
        await pool.run(read_pages)
    finally:
        pool.close()
    assert thresholds[1:] == [0, 0]
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize(
    "others", [(YOUNG_OBJECTS + 1, 5, 5), (0, 10, 10)], ids=["less often", "never"]
)
def test_thresholds_that_others_set_stay(thresholds, others):
    gc.set_threshold(*others)
    with working, working:
        assert gc.get_threshold() == others
    assert gc.get_threshold() == others
    gc.set_threshold(700, 10, 10)
    with working:
        assert gc.get_threshold() == (YOUNG_OBJECTS, 10, 10)
        gc.set_threshold(*others)
    assert gc.get_threshold() == others
