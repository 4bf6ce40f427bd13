"""Publish, yank, delete and collect a feed, disturbed anywhere: nothing acknowledged is lost."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime

import pytest

from faults.bench import Bench, Operation
from faults.strace import needs_strace
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.gc import Collector
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.pypi.index import PypiIndex
from packager_jupyter.registries.pypi.upload import upload_of_file
from registries.pypi.distributions import wheel

pytestmark = needs_strace

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONE, TWO = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def feed(root):
    return PypiIndex(LayoutStore(root), "main")


def publish(root, version, project="demo"):
    name, data = wheel(project, version)
    feed(root).publish(upload_of_file(io.BytesIO(data), name), by="alice", now=NOW)


def collect(root):
    index = feed(root)
    index.tidy("demo")
    for repo in index.feed.store.repositories(every=True):
        Collector(
            index.feed.store, repo, grace_s=-10, trash_s=-10, untagged=False, dry_run=False
        ).run()


def look(root):
    """Return whether each file is yanked, as two readers see it; every one can be downloaded."""
    index = feed(root)
    assert [p for p in check(index.feed.store).problems if p.kind != "layout_file_missing"] == []
    page = feed(root).page("demo")
    assert page == index.page("demo")  # with and without a summary that the first reader wrote
    listed = index.feed.projects()
    for row in page.files if page else ():
        assert "demo" in listed
        stored = index.file("demo", row.filename)
        data = b"".join(index.read("demo", stored))
        assert hashlib.sha256(data).hexdigest() == row.sha256
        raw = index.metadata("demo", row.filename)
        assert hashlib.sha256(raw).hexdigest() == row.metadata_sha256
    return {row.filename: row.yanked for row in page.files} if page else {}


def fill(root):
    for version in ("1.0", "2.0"):
        publish(root, version)
    look(root)


def fill_and_delete(root):
    fill(root)
    feed(root).delete("demo", TWO, by="alice")


def fill_and_half_delete(root):
    fill(root)
    feed(root).feed.record("demo", {"kind": "delete", "filename": TWO, "by": "alice"})


BOTH = {ONE: False, TWO: False}
OPERATIONS = {
    "first publish": Operation(
        lambda _r: None, lambda r: publish(r, "1.0"), look, {}, {ONE: False}
    ),
    "publish": Operation(
        fill, lambda r: publish(r, "3.0"), look, BOTH, BOTH | {ONE.replace("1", "3", 1): False}
    ),
    "yank": Operation(
        fill,
        lambda r: feed(r).yank("demo", TWO, reason="broken", by="alice"),
        look,
        BOTH,
        BOTH | {TWO: "broken"},
    ),
    "delete": Operation(
        fill, lambda r: feed(r).delete("demo", TWO, by="alice"), look, BOTH, {ONE: False}
    ),
    "collect": Operation(fill_and_delete, collect, look, {ONE: False}, {ONE: False}),
    "finish a deletion": Operation(fill_and_half_delete, collect, look, {ONE: False}, {ONE: False}),
    "read and summarise": Operation(
        lambda r: (publish(r, "1.0"), publish(r, "2.0")), look, look, BOTH, BOTH
    ),
}
SAID = {"ENOSPC": "DiskFullError", "EIO": "StorageError"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_every_call(name, tmp_path):
    print(f"{name}: {Bench(OPERATIONS[name], tmp_path).kill_everywhere()} killed")


@pytest.mark.parametrize(
    ("name", "error"), [("publish", "ENOSPC"), ("yank", "EIO"), ("delete", "ENOSPC")]
)
def test_refused_at_every_call(name, error, tmp_path):
    refused = Bench(OPERATIONS[name], tmp_path).refuse_everywhere(error, said=SAID[error])
    print(f"{name}: {refused} refused")
    assert refused > 5


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_power_fails_after_every_call(name, tmp_path):
    count = Bench(OPERATIONS[name], tmp_path).fail_power_everywhere(tmp_path / "after")
    print(f"{name}: {count} states")
    assert count >= 8
