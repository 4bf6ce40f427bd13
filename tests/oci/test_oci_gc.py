"""The collector takes what nobody names, and never anything else."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time

import pytest

from packager_jupyter.errors import BadInputError, BlobNotFoundError, ManifestBlobUnknownError
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX
from packager_jupyter.oci.blobs import GRACE_S
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.gc import Collector, collect, restore
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.layout_index import UNTAGGED_KEY


@pytest.fixture
def store(layout):
    return layout


def age(layout, seconds=2 * GRACE_S):
    """Make everything that is in the store look older."""
    for path in layout.root.rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, (stat.st_atime - seconds, stat.st_mtime - seconds))
    for index in layout.root.rglob("index.json"):
        index.write_bytes(age_marks(index.read_bytes(), seconds))


def age_marks(body, seconds):
    import orjson

    document = orjson.loads(body)
    for entry in document["manifests"]:
        notes = entry.get("annotations", {})
        if UNTAGGED_KEY in notes:
            notes[UNTAGGED_KEY] = str(int(notes[UNTAGGED_KEY]) - seconds)
    return orjson.dumps(document)


def blobs_of(layout, repo):
    return set(layout.blobs(repo).digests())


def test_what_is_named_stays_and_what_is_not_goes(layout, push):
    push("a", "1", data=b"one")
    push("a", data=b"untagged")
    index = m.image_index([push("a", data=b"child")])
    layout.push_manifest("a", index, media_type=MEDIA_TYPE_INDEX, tag="all")
    needed = blobs_of(layout, "a")
    loose = layout.push_blob("a", b"loose").digest
    layout.push_blob("only/blobs", b"loose too")
    age(layout)
    young = layout.push_blob("a", b"young").digest
    report = collect(layout)
    assert (report.repositories, report.blobs, report.manifests) == (2, 2, 0)
    assert report.size_bytes == len(b"loose") + len(b"loose too")
    assert blobs_of(layout, "a") == needed | {young}
    assert check(layout).is_ok
    with pytest.raises(BlobNotFoundError):
        layout.read_blob("a", loose)
    again = collect(layout)
    assert (again.blobs, again.purged) == (0, 0)
    assert restore(layout, "a", loose)
    assert b"".join(layout.read_blob("a", loose)) == b"loose"
    assert not restore(layout, "a", young)
    purged = collect(layout, trash_s=0)
    assert (purged.purged, purged.purged_bytes) == (2, 14)


def test_a_deleted_tag_is_collected_after_the_grace(layout, push):
    digest = push("a", "1", data=b"one").digest
    push("a", "2", data=b"two")
    age(layout)
    layout.delete_tag("a", "1")
    assert collect(layout).blobs == 0
    assert layout.get_manifest("a", digest)
    age(layout)
    report = collect(layout)
    assert (report.manifests, report.blobs) == (1, 2)
    with pytest.raises(BlobNotFoundError):
        layout.get_manifest("a", digest)
    assert layout.tag_names("a") == ["2"]
    assert check(layout).is_ok


def test_an_overwritten_tag_is_collected_after_the_grace_but_not_when_tagged_again(layout, push):
    first = push("a", "1", data=b"one").digest
    push("a", "1", data=b"two", overwrite=True)
    age(layout)
    push("a", "back", data=b"one")
    assert collect(layout).manifests == 0
    assert layout.resolve("a", "back").digest == first
    layout.delete_tag("a", "back")
    age(layout)
    push("a", data=b"one")
    assert collect(layout).manifests == 0
    assert layout.get_manifest("a", first)


def test_a_deleted_manifest_is_collected(layout, push):
    layout.delete_manifest("a", push("a", "1").digest)
    age(layout)
    assert collect(layout).blobs == 3
    assert blobs_of(layout, "a") == set()
    assert layout.repositories() == []


def test_referrers_live_as_long_as_their_subject(layout, push):
    subject = push("a", "1", data=b"subject")
    signature = push("a", data=b"sig", subject=subject)
    push("a", data=b"sig of sig", subject=signature)
    push("a", "keep", data=b"tagged sig", subject=subject)
    age(layout)
    assert collect(layout, untagged=True).blobs == 0
    layout.delete_manifest("a", subject.digest)
    age(layout)
    first, second = collect(layout), collect(layout)
    assert first.manifests + second.manifests == 2
    assert layout.tag_names("a") == ["keep"]
    assert check(layout).is_ok


def test_untagged_goes_only_when_asked(layout, push):
    loose = push("a", data=b"untagged")
    child = push("a", data=b"child")
    layout.push_manifest("a", m.image_index([child]), media_type=MEDIA_TYPE_INDEX, tag="all")
    age(layout)
    assert collect(layout).blobs == 0
    assert collect(layout, untagged=True).manifests == 1
    assert layout.get_manifest("a", child.digest)
    with pytest.raises(BlobNotFoundError):
        layout.get_manifest("a", loose.digest)


def test_a_dry_run_changes_nothing(layout, push):
    layout.delete_manifest("a", push("a", "1").digest)
    age(layout)
    before = {p: p.stat().st_mtime_ns for p in layout.root.rglob("*")}
    report = collect(layout, dry_run=True)
    assert report.blobs == 3
    assert {p: p.stat().st_mtime_ns for p in layout.root.rglob("*")} == before


def test_asking_for_a_blob_or_pushing_it_again_restarts_its_grace(layout):
    asked, pushed, linked, none = (
        layout.push_blob("a", data).digest for data in (b"asked", b"pushed", b"linked", b"none")
    )
    age(layout)
    assert layout.has_blob("a", asked) == 5
    layout.push_blob("a", b"pushed")
    layout.mount_blob("b", linked, from_repo="a")
    collect(layout)
    assert blobs_of(layout, "a") == {asked, pushed, linked}
    assert blobs_of(layout, "b") == {linked}
    assert none not in blobs_of(layout, "a")


def test_a_repository_with_a_damaged_manifest_is_left_alone(layout, push):
    digest = push("a", "1").digest
    push("b", "1")
    for repo in ("a", "b"):
        layout.push_blob(repo, b"loose")
    layout.blobs("a").path(digest).write_bytes(b"{}")
    age(layout)
    fresh = LayoutStore(layout.root)
    report = collect(fresh)
    assert [(repo, error.code) for repo, error in report.failures] == [("a", "store_corrupt")]
    assert report.blobs == 1
    assert len(blobs_of(layout, "a")) == 4


def test_leftovers_of_killed_writers_are_swept(layout, push):
    push("a", "1")
    folder = layout.root / "a"
    for place in (folder, folder / ".packager" / "ingest"):
        (place / ".packager-tmp-old").write_bytes(b"x")
    age(layout)
    young = folder / ".packager" / "ingest" / ".packager-tmp-young"
    young.write_bytes(b"x")
    assert collect(layout).temp_files == 2
    assert list(layout.root.rglob(".packager-tmp-*")) == [young]


def test_the_grace_is_at_least_an_hour(layout):
    with pytest.raises(BadInputError, match="being pushed"):
        collect(layout, grace_s=3599)


class Soak:
    """Publishes, deletes, collects and reads at once; `kept` is what was acknowledged."""

    def __init__(self, layout, push):
        self.layout, self.push = layout, push
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.kept: dict[str, bytes] = {}
        self.failures: list[BaseException] = []
        self.refused = self.swept = self.read = 0

    def run(self, duration_s):
        ends = time.monotonic() + duration_s

        def repeat(work):
            try:
                while time.monotonic() < ends and not self.failures:
                    work()
            except BaseException as error:  # noqa: BLE001 - raised again below
                self.failures.append(error)

        works = (self.publish, self.publish, self.delete, self.sweep, self.pull)
        threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def publish(self):
        number = next(self.numbers)
        tag, data = f"t{number}", b"%d" % (number % 7)
        try:
            self.push("a", tag, data=data)
        except ManifestBlobUnknownError:
            self.refused += 1
            return
        with self.lock:
            self.kept[tag] = data

    def delete(self):
        with self.lock:
            gone = random.sample(list(self.kept), k=len(self.kept) * 9 // 10)
            for tag in gone:
                del self.kept[tag]
        for tag in gone:
            self.layout.delete_tag("a", tag)
        time.sleep(0.2)

    def sweep(self):
        collector = Collector(
            self.layout, "a", grace_s=0.001, trash_s=0, untagged=False, dry_run=False
        )
        self.swept += collector.run().blobs

    def pull(self):
        with self.lock:
            for tag, data in random.sample(list(self.kept.items()), k=min(3, len(self.kept))):
                self.check(tag, data)

    def check(self, tag, data):
        content = m.parse_manifest(self.layout.get_manifest("a", tag).body)
        assert b"".join(self.layout.read_blob("a", content.layers[0].digest)) == data
        self.read += 1


def test_soak_nothing_acknowledged_is_lost(layout, push):
    """The grace is so short that it is always over: every race that can happen does."""
    push("a", "first", data=b"first")
    soak = Soak(layout, push)
    soak.run(5)
    for tag, data in soak.kept.items():
        soak.check(tag, data)
    assert check(layout).problems == []
    print(f"swept {soak.swept}, refused {soak.refused}, read {soak.read}")
    assert soak.swept > 20
    assert soak.read > 20
