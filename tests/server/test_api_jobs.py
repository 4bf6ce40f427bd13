"""Jobs: progress, outcome, cancelling, and who may see them."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from packager_jupyter.errors import BusyError, ConflictError, NotFoundError
from packager_jupyter.server.jobs import JobTable
from packager_jupyter.server.pool import BoundedPool


@pytest.fixture
def table():
    table = JobTable(max_running=2, max_waiting=2, max_finished=3)
    yield table
    table.close()


def wait_for(job, *states):
    deadline = time.monotonic() + 10
    while job.state not in states:
        assert time.monotonic() < deadline, job
        time.sleep(0.005)
    return job


def start(table, work, owner="ann", kind="add"):
    return table.start(kind, subject="ocean", owner=owner, work=work)


def test_a_job_reports_and_ends(table):
    def work(progress):
        progress(1, 10)
        progress(2, 20)
        return {"files_added": 2}

    job = wait_for(start(table, work), "done")
    shown = job.to_json()
    assert shown["files"] == 2
    assert shown["bytes"] == 20
    assert shown["result"] == {"files_added": 2}
    assert shown["ended_s"] >= shown["started_s"]
    assert "error" not in shown


def test_an_error_of_ours_is_shown_whole(table):
    def work(_progress):
        raise ConflictError("Taken.", remedy="Choose another name.")

    job = wait_for(start(table, work), "failed")
    assert job.to_json()["error"] == {
        "code": "conflict",
        "message": "Taken.",
        "remedy": "Choose another name.",
    }


def test_a_defect_shows_nothing_of_its_inside(table, caplog):
    def work(_progress):
        raise RuntimeError("inside: hunter2")

    job = wait_for(start(table, work), "failed")
    assert job.error["code"] == "internal_error"
    assert "hunter2" not in str(job.to_json())
    assert job.id in job.error["remedy"]
    assert "RuntimeError" in caplog.text


def test_cancelling_raises_in_the_work(table):
    running = threading.Event()
    undone = threading.Event()

    def work(progress):
        try:
            while True:
                running.set()
                progress(1, 1)
                time.sleep(0.002)
        finally:
            undone.set()

    job = start(table, work)
    assert running.wait(5)
    table.cancel(job.id, owner="ann")
    wait_for(job, "cancelled")
    assert undone.is_set()
    assert job.to_json()["error"]["code"] == "cancelled"


def test_a_waiting_job_that_is_cancelled_never_starts(table):
    go, ran = threading.Event(), []

    def hold(_progress):
        go.wait(10)
        return {}

    holding = [start(table, hold), start(table, hold)]
    waiting = start(table, lambda _progress: ran.append(1))
    table.cancel(waiting.id, owner="ann")
    go.set()
    wait_for(waiting, "cancelled")
    for job in holding:
        wait_for(job, "done")
    assert ran == []


def test_too_many_are_refused(table):
    go = threading.Event()
    for _ in range(4):
        start(table, lambda _progress: go.wait(10) and {})
    with pytest.raises(BusyError) as caught:
        start(table, lambda _progress: {})
    assert caught.value.retry_after_s
    go.set()


def test_others_see_nothing(table):
    job = wait_for(start(table, lambda _progress: {}), "done")
    with pytest.raises(NotFoundError):
        table.get(job.id, owner="bob")
    with pytest.raises(NotFoundError):
        table.cancel(job.id, owner="bob")
    assert table.list(owner="bob") == []
    assert table.list(owner="ann") == [job]


def test_closing_waits_until_running_work_has_undone_itself():
    table = JobTable()
    running, undone = threading.Event(), threading.Event()

    def work(progress):
        try:
            while True:
                running.set()
                progress(1, 1)
                time.sleep(0.002)
        finally:
            time.sleep(0.2)
            undone.set()

    job = start(table, work)
    assert running.wait(5)
    for _ in range(8):
        start(table, work)  # some of these still wait
    began = time.monotonic()
    table.close(wait_s=60)
    assert time.monotonic() - began < 30
    assert undone.is_set()
    assert job.state == "cancelled"
    with pytest.raises(RuntimeError):
        start(table, work)


def test_only_the_newest_finished_are_remembered(table):
    jobs = [wait_for(start(table, lambda _progress: {}), "done") for _ in range(6)]
    remembered = table.list(owner="ann")
    assert remembered[0] is jobs[-1]
    assert len(remembered) == 4  # the newest and three before it
    with pytest.raises(NotFoundError):
        table.get(jobs[0].id, owner="ann")


async def test_the_pool_refuses_when_its_queue_is_full():
    pool = BoundedPool(workers=1, queue=1)
    go = threading.Event()
    calls = [asyncio.ensure_future(pool.run(go.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError) as caught:
        await pool.run(len, "x")
    assert caught.value.retry_after_s
    go.set()
    assert await asyncio.gather(*calls) == [True, True]
    assert await pool.run(len, "abc") == 3
    pool.close()
