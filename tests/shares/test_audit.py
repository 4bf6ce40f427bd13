"""The audit and the facts written a moment later: in order, complete, kept while the database is
out of reach."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from packager_jupyter.shares.audit import Audit
from packager_jupyter.shares.later import MAX_WAITING, Later


@pytest.fixture(params=["sqlite", "postgres"])
def db_kind(request):
    return request.param


def test_rows_come_back_newest_first_and_page_on(db, clock):
    audit = Audit(db, clock=clock)
    for n in range(5):
        audit.record("ann", "192.0.2.1", "share.create", "sh_1", f"ok {n}", f"r{n}")
    audit.record("ann", None, "share.create", "sh_2", "ok", None)
    page = audit.rows(object="sh_1", limit=3)
    assert [row.result for _, row in page] == ["ok 4", "ok 3", "ok 2"]
    rest = audit.rows(object="sh_1", before_id=page[-1][0])
    assert [row.request_id for _, row in rest] == ["r1", "r0"]
    assert rest[0][1].at_s == int(clock())
    audit.close()


def test_noted_rows_arrive_by_themselves(db, clock):
    audit = Audit(db, clock=clock)
    audit.note("visitor", "192.0.2.1", "share.file", "sh_1", "ok", "r1")
    assert audit.rows(object="sh_1") == []
    deadline = time.monotonic() + 20
    while not audit.rows(object="sh_1") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(audit.rows(object="sh_1")) == 1
    audit.note("visitor", None, "share.file", "sh_1", "ok", "r2")
    audit.close()
    assert len(audit.rows(object="sh_1")) == 2


def test_overlong_values_are_cut_and_old_rows_pruned(db, clock):
    audit = Audit(db, clock=clock)
    audit.record("p" * 999, "i" * 99, "a" * 99, "sh_1", "r" * 99, "q" * 99)
    row = audit.rows(object="sh_1")[0][1]
    assert (len(row.principal), len(row.ip), len(row.request_id)) == (256, 64, 64)
    assert audit.prune(before_s=int(clock())) == 0
    assert audit.prune(before_s=int(clock()) + 1) == 1
    audit.close()


def test_items_wait_for_a_database_that_is_back(caplog):
    written, is_down = [], threading.Event()
    is_down.set()

    def write(items):
        if is_down.is_set():
            raise OperationalError("insert", {}, Exception("down"))
        written.extend(items)

    later = Later(write, what="facts", delay_s=3600)
    later.add(1)
    later.flush()
    later.add(2)
    assert "Could not write facts" in caplog.text
    is_down.clear()
    later.close()
    assert written == [1, 2]


def test_waiting_items_are_bounded():
    def write(items):
        raise OperationalError("insert", {}, Exception("down"))

    later = Later(write, what="facts", delay_s=3600)
    for n in range(MAX_WAITING + 5):
        later.add(n)
    later.flush()
    assert len(later._waiting) == MAX_WAITING
    assert later._waiting[0] == 5


def test_a_defect_of_ours_is_not_swallowed():
    later = Later(lambda _: 1 / 0, what="facts", delay_s=3600)
    later.add(1)
    with pytest.raises(ZeroDivisionError):
        later.flush()
