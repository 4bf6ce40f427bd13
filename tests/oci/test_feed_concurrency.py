"""Many publishers of one package index, on a folder and on a registry: all are seen, one wins."""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from packager_jupyter.oci import feed_names
from packager_jupyter.oci.feed_names import INDEX_TAG
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.pypi.index import PypiIndex
from packager_jupyter.registries.pypi.project import FileExistsInFeedError
from packager_jupyter.registries.pypi.upload import upload_of_file
from registries.pypi.distributions import wheel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
THREADS = 16
PROJECTS = 8
PUBLISHES = int(os.environ.get("PACKAGER_TEST_PUBLISHES", "8"))  # of each thread


@pytest.fixture(params=["layout", "plain"])
def either(request):
    """A folder, and a registry of another make."""
    return request.getfixturevalue(request.param)


def publish(index, project, version, **fields):
    name, data = wheel(project, version, **fields)
    return index.publish(upload_of_file(io.BytesIO(data), name), by="alice", now=NOW)


def offered(index, project):
    page = index.page(project)
    return {row.filename for row in page.files} if page else set()


def test_sixteen_writers_of_one_project_are_all_seen(either):
    def write(writer):
        index = PypiIndex(either, "main")
        for n in range(8):
            assert publish(index, "demo", f"{writer}.{n}")
            if n == 3:
                index.page("demo")  # readers that summarise meanwhile

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    for index in (PypiIndex(either, "main"), PypiIndex(either, "main")):
        assert len(offered(index, "demo")) == 128
        assert index.feed.projects() == ["demo"]


def test_of_many_uploads_of_one_name_exactly_one_wins(either):
    start = threading.Barrier(8)

    def write(n, version):
        index = PypiIndex(either, "main")
        start.wait(60)
        try:
            assert publish(index, "demo", version, summary=f"by {n}")
        except FileExistsInFeedError:
            return None
        return n

    with ThreadPoolExecutor(8) as pool:
        for version in ("1.0", "2.0", "3.0"):
            found = pool.map(write, range(8), [version] * 8)
            [winner] = [n for n in found if n is not None]
            raw = PypiIndex(either, "main").metadata("demo", f"demo-{version}-py3-none-any.whl")
            assert f"Summary: by {winner}".encode() in raw


def test_what_is_new_is_read_once_however_many_ask(either, monkeypatch):
    for n in range(5):
        publish(PypiIndex(either, "main"), "demo", f"{n}.0")
    index = PypiIndex(either, "main")
    read = []
    original = either.get_manifest

    def slowly(repo, reference):
        read.append(reference)
        time.sleep(0.02)
        return original(repo, reference)

    monkeypatch.setattr(either, "get_manifest", slowly)
    start = threading.Barrier(8)

    def ask(_number):
        start.wait(60)
        return set(index.feed.state("demo", is_reader=False).releases)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(found[0]) == 5
    assert all(one == found[0] for one in found)
    assert sorted(read) == sorted([INDEX_TAG, *found[0]])


def _publish_many(root, number, queue):
    index = PypiIndex(LayoutStore(root), "main")

    def write(thread):
        names = []
        for turn in range(PUBLISHES):
            project = f"p{(thread + turn) % PROJECTS}"
            assert publish(index, project, f"{number}.{thread}.{turn}")
            names.append((project, wheel(project, f"{number}.{thread}.{turn}")[0]))
        return names

    with ThreadPoolExecutor(THREADS) as pool:
        queue.put([name for names in pool.map(write, range(THREADS)) for name in names])


@pytest.mark.timeout(300 + 4 * PUBLISHES)
def test_two_processes_of_sixteen_threads_lose_nothing(tmp_path):
    root = tmp_path / "oci"
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    workers = [spawn.Process(target=_publish_many, args=(root, n, queue)) for n in range(2)]
    for worker in workers:
        worker.start()
    acknowledged = [name for _ in workers for name in queue.get(timeout=3600)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(set(acknowledged)) == 2 * THREADS * PUBLISHES
    index = PypiIndex(LayoutStore(root), "main")
    seen = {
        (project, name) for project in index.feed.projects() for name in offered(index, project)
    }
    assert seen == set(acknowledged)
    assert check(LayoutStore(root)).problems == []


def test_the_later_of_two_events_counts_also_when_the_clock_stands_still(either, monkeypatch):
    monkeypatch.setattr(feed_names, "time", SimpleNamespace(time=lambda: 1_767_000_000.0))
    index = PypiIndex(either, "main")
    publish(index, "demo", "1.0")
    for _turn in range(10):
        index.yank("demo", "demo-1.0-py3-none-any.whl", reason="broken", by="alice")
        index.unyank("demo", "demo-1.0-py3-none-any.whl", by="alice")
        assert index.page("demo").files[0].yanked is False
