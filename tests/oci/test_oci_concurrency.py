"""Many writers of one repository, in threads and processes: all are seen, one wins a race."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from packager_jupyter.errors import ConflictError
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.layout import LayoutStore

THREADS = 8
KIND = "application/vnd.example.thing.v1"


def push(store, tag, data):
    store.push_blob("a", m.EMPTY_BYTES)
    layer = store.push_blob("a", [data])
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    return store.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST, tag=tag).digest


def _publish_many(root, number, count, queue):
    store = LayoutStore(root)

    def publish(thread):
        return [
            (tag, push(store, tag, tag.encode()))
            for tag in (f"p{number}.t{thread}.n{turn}" for turn in range(count))
        ]

    with ThreadPoolExecutor(THREADS) as pool:
        queue.put([pair for pairs in pool.map(publish, range(THREADS)) for pair in pairs])


def _race(root, number, rounds, queue, barrier):
    store = LayoutStore(root)
    won = []

    def attempt(thread, turn):
        try:
            won.append((turn, push(store, f"r{turn}", f"{number}.{thread}".encode())))
        except ConflictError:
            return 1
        return 0

    lost = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for turn in range(rounds):
            barrier.wait(60)
            lost += sum(pool.map(attempt, range(THREADS), [turn] * THREADS))
    queue.put((won, lost))


def in_two_processes(target, *arguments):
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    extra = (spawn.Barrier(2),) if target is _race else ()
    root, count = arguments
    workers = [
        spawn.Process(target=target, args=(root, number, count, queue, *extra))
        for number in range(2)
    ]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    return results


def test_no_publish_is_lost(tmp_path):
    count = int(os.environ.get("PACKAGER_TEST_PUBLISHES", "10"))
    results = in_two_processes(_publish_many, tmp_path / "oci", count)
    acknowledged = dict(pair for pairs in results for pair in pairs)
    assert len(acknowledged) == 2 * THREADS * count
    store = LayoutStore(tmp_path / "oci")
    found = {info.tag: info.descriptor.digest for info in store.tags("a")}
    assert found == acknowledged
    report = check(store)
    assert report.problems == []
    assert report.orphans == 0


def test_of_many_writers_of_one_tag_exactly_one_wins(tmp_path):
    rounds = 10
    results = in_two_processes(_race, tmp_path / "oci", rounds)
    won = [pair for pairs, _lost in results for pair in pairs]
    assert sorted(turn for turn, _digest in won) == list(range(rounds))
    assert sum(lost for _won, lost in results) == rounds * (2 * THREADS - 1)
    store = LayoutStore(tmp_path / "oci")
    for turn, digest in won:
        assert store.resolve("a", f"r{turn}").digest == digest
    assert check(store).problems == []


@pytest.mark.parametrize("size", [1, 70_000])
def test_the_same_blob_pushed_by_many_at_once(tmp_path, size):
    store = LayoutStore(tmp_path / "oci")
    data = os.urandom(size)
    with ThreadPoolExecutor(THREADS) as pool:
        digests = {
            blob.digest for blob in pool.map(lambda _n: store.push_blob("a", [data]), range(40))
        }
    assert len(digests) == 1
    assert b"".join(store.read_blob("a", digests.pop())) == data
    assert list(store.root.rglob(".packager-tmp-*")) == []


def test_sixteen_writers_of_one_registry_are_all_seen(plain):
    def publish(writer):
        return [push(plain, f"w{writer}.n{turn}", b"%d.%d" % (writer, turn)) for turn in range(8)]

    with ThreadPoolExecutor(16) as pool:
        digests = [digest for found in pool.map(publish, range(16)) for digest in found]
    assert len(set(digests)) == 128
    assert {info.descriptor.digest for info in plain.tags("a")} == set(digests)
