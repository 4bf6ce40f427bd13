"""The memory of parsed ``index.json`` files: never stale, however quick the replacements."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packager_jupyter.oci import layout_index
from packager_jupyter.oci.layout_index import IndexCache, LayoutIndex

DIGEST = "sha256:" + "0" * 64


def body(name):
    entry = {"digest": DIGEST, "annotations": {"org.opencontainers.image.ref.name": name}}
    return LayoutIndex({"schemaVersion": 2}, (entry,)).to_bytes()


def replace(path, content, *, mtime_ns):
    temp = path.with_suffix(".new")
    temp.write_bytes(content)
    os.utime(temp, ns=(mtime_ns, mtime_ns))
    temp.rename(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index.json"


def names(cache, path):
    return list(cache.load(path, where="test").tags)


def test_replacements_in_one_tick_of_the_clock_are_told_apart(path, monkeypatch):
    # ext4 gives the number of a freed inode to the next file, which is what this is about.
    now = 1_767_000_000_000_000_000
    monkeypatch.setattr(layout_index.time, "time_ns", lambda: now)
    cache = IndexCache()
    for turn in range(200):
        name = f"v{turn:03}"
        replace(path, body(name), mtime_ns=now)
        assert names(cache, path) == [name]
        replace(path, body(f"w{turn:03}"), mtime_ns=now)  # nobody looked at this one


def test_a_young_file_is_parsed_once(path, monkeypatch):
    replace(path, body("a"), mtime_ns=layout_index.time.time_ns())
    cache = IndexCache()
    cache.load(path, where="test")
    monkeypatch.setattr(LayoutIndex, "from_bytes", None)
    assert names(cache, path) == ["a"]


def test_few_files_are_held_open(path, tmp_path):
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    cache = IndexCache()
    for number in range(300):
        each = tmp_path / f"{number}.json"
        replace(each, body("a"), mtime_ns=layout_index.time.time_ns())
        cache.load(each, where="test")
    assert open_files() <= before + layout_index._MAX_HELD
    cache.clear()
    assert open_files() == before
