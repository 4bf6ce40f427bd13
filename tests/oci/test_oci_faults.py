"""Killed or refused at any system call: nothing acknowledged is lost, nothing half is visible."""

from __future__ import annotations

from typing import Any

import pytest

from faults.bench import Bench, Operation
from faults.strace import needs_strace
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.gc import Collector
from packager_jupyter.oci.layout import LayoutStore

pytestmark = needs_strace

KIND = "application/vnd.example.thing.v1"


def push(store, tag, data, *, overwrite=False):
    """Push an artifact of one streamed layer; return the digest of its manifest."""
    store.push_blob("p/a", m.EMPTY_BYTES)
    layer = store.push_blob("p/a", iter([data[:2], data[2:]]))
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    options: dict[str, Any] = {"tag": tag, "overwrite": overwrite}
    return store.push_manifest("p/a", body, media_type=MEDIA_TYPE_MANIFEST, **options).digest


def content(store, tag):
    layers = m.parse_manifest(store.get_manifest("p/a", tag).body).layers
    return b"".join(store.read_blob("p/a", layers[0].digest))


def look(root):
    """Return the content by tag, and use the store as anybody would afterwards."""
    store = LayoutStore(root)
    assert [p for p in check(store).problems if p.kind != "layout_file_missing"] == []
    found = {tag: content(store, tag) for tag in store.tag_names("p/a")}
    found.pop("later", None)
    push(store, "later", b"later")
    assert content(store, "later") == b"later"
    return found


def operation(prepare, work, before, after):
    return Operation(
        lambda root: prepare(LayoutStore(root)),
        lambda root: work(LayoutStore(root)),
        look,
        before,
        after,
    )


def _filled(store):
    push(store, "1", b"one")
    push(store, "2", b"two")


def _with_garbage(store):
    _filled(store)
    push(store, "3", b"three")
    store.delete_manifest("p/a", store.resolve("p/a", "3").digest)
    store.delete_tag("p/a", "2")


def _collect(store):
    Collector(store, "p/a", grace_s=-10, trash_s=-10, untagged=False, dry_run=False).run()


ONE = {"1": b"one"}
BOTH = {"1": b"one", "2": b"two"}
OPERATIONS = {
    "first push": operation(lambda _s: None, lambda s: push(s, "1", b"one"), {}, ONE),
    "push": operation(_filled, lambda s: push(s, "3", b"3"), BOTH, BOTH | {"3": b"3"}),
    "overwrite": operation(
        _filled, lambda s: push(s, "2", b"new", overwrite=True), BOTH, ONE | {"2": b"new"}
    ),
    "delete tag": operation(_filled, lambda s: s.delete_tag("p/a", "2"), BOTH, ONE),
    "delete manifest": operation(
        _filled, lambda s: s.delete_manifest("p/a", s.resolve("p/a", "2").digest), BOTH, ONE
    ),
    "collect": operation(_with_garbage, _collect, ONE, ONE),
    "repair": operation(
        lambda s: (_filled(s), (s.root / "p/a/oci-layout").unlink()),
        lambda s: check(s, repair=True),
        BOTH,
        BOTH,
    ),
}


SAID = {"ENOSPC": "DiskFullError", "EIO": "StorageError"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_every_call(name, tmp_path):
    print(f"{name}: {Bench(OPERATIONS[name], tmp_path).kill_everywhere()} killed")


@pytest.mark.parametrize("error", SAID)
@pytest.mark.parametrize("name", ["first push", "overwrite", "collect"])
def test_refused_at_every_call(name, error, tmp_path):
    refused = Bench(OPERATIONS[name], tmp_path).refuse_everywhere(error, said=SAID[error])
    print(f"{name}: {refused} refused")
    assert refused > 5


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_power_fails_after_every_call(name, tmp_path):
    count = Bench(OPERATIONS[name], tmp_path).fail_power_everywhere(tmp_path / "after")
    print(f"{name}: {count} states")
    assert count >= 8


def test_folders_that_a_killed_process_left_unsynced_become_durable(tmp_path):
    def begin(store):
        for name in ("blobs/sha256", ".packager/ingest"):
            (store.root / "p" / "a" / name).mkdir(parents=True)

    bench = Bench(operation(begin, lambda s: push(s, "1", b"one"), {}, ONE), tmp_path)
    assert bench.fail_power_everywhere(tmp_path / "after", is_durable=False)
