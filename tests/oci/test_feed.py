"""Feeds: nothing published is lost, lists cost a constant number of calls, the index heals."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from packager_jupyter.errors import ConflictError
from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import INDEX_TAG, component_for, file_tag, version_tag
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.names import check_repository, check_tag


class CountingStore:
    """A layout store that counts the calls it gets."""

    def __init__(self, store):
        self.store = store
        self.calls = Counter()

    def __getattr__(self, name):
        method = getattr(self.store, name)

        def call(*args, **kwargs):
            if name != "change_stamp":  # asks nobody
                self.calls[name] += 1
            return method(*args, **kwargs)

        return call


@pytest.fixture
def store(tmp_path):
    return CountingStore(LayoutStore(tmp_path))


def publish(feed, project, filename, data=b"bytes"):
    layer = feed.push_layer(project, data, media_type="application/zip", title=filename)
    return feed.publish(
        project,
        file_tag(filename),
        config={"filename": filename},
        config_type="application/vnd.example.config.v1+json",
        artifact_type="application/vnd.example.v1",
        layers=[layer],
    )


def filenames(state):
    return sorted(release.config["filename"] for release in state.releases.values())


def test_what_was_published_is_listed_by_every_reader(store):
    feed = Feed(store, "pypi", "main")
    assert feed.state("demo") is None
    publish(feed, "demo", "demo-1.whl")
    publish(feed, "demo", "demo-2.whl")
    assert filenames(feed.state("demo")) == ["demo-1.whl", "demo-2.whl"]
    assert filenames(Feed(store, "pypi", "main").state("demo")) == ["demo-1.whl", "demo-2.whl"]
    assert feed.projects() == ["demo"]
    assert Feed(store, "pypi", "other").projects() == []


def test_the_layer_is_read_back(store):
    feed = Feed(store, "pypi", "main")
    publish(feed, "demo", "demo-1.whl", b"content")
    [release] = feed.state("demo").releases.values()
    assert b"".join(feed.read("demo", release.layers[0]["digest"], start=3)) == b"tent"


def test_same_bytes_again_change_nothing_and_other_bytes_are_refused(store):
    feed = Feed(store, "pypi", "main")
    first = publish(feed, "demo", "demo-1.whl", b"one")
    assert publish(feed, "demo", "demo-1.whl", b"one").digest == first.digest
    before = feed.state("demo").etag
    with pytest.raises(ConflictError):
        publish(feed, "demo", "demo-1.whl", b"two")
    assert feed.state("demo").etag == before


def test_a_warm_list_costs_one_call_and_a_cold_one_a_constant_number(store):
    feed = Feed(store, "pypi", "main")
    for n in range(50):
        publish(feed, "demo", f"demo-{n}.whl")
    feed.state("demo")
    store.calls.clear()
    assert len(feed.state("demo").releases) == 50
    assert store.calls == {"tag_names": 1}
    store.calls.clear()
    assert len(Feed(store, "pypi", "main").state("demo").releases) == 50
    assert store.calls == {"tag_names": 1, "get_manifest": 1, "read_blob": 1}


def test_a_fresh_state_is_known_without_a_call_until_anything_changes(store):
    feed = Feed(store, "pypi", "main")
    publish(feed, "demo", "demo-1.whl")
    feed.state("demo")
    time.sleep(0.15)  # younger changes cannot be told from the next
    state = feed.state("demo")
    store.calls.clear()
    assert feed.fresh("demo") is state
    assert not store.calls
    publish(Feed(store, "pypi", "main"), "demo", "demo-2.whl")
    assert feed.fresh("demo") is None
    assert len(feed.state("demo").releases) == 2


def test_events_are_kept_in_order_and_survive_the_loss_of_the_index(store):
    feed = Feed(store, "pypi", "main")
    publish(feed, "demo", "demo-1.whl")
    for n in range(5):
        feed.record("demo", {"kind": "yank", "n": n})
    assert [event["n"] for event in feed.state("demo").events] == sorted(range(5))
    etag = feed.state("demo").etag
    store.delete_tag(feed.repository("demo"), INDEX_TAG)
    fresh = Feed(store, "pypi", "main").state("demo")
    assert (fresh.etag, filenames(fresh)) == (etag, ["demo-1.whl"])
    assert INDEX_TAG in store.tag_names(feed.repository("demo"))


def test_a_damaged_index_is_rebuilt(store):
    feed = Feed(store, "pypi", "main")
    publish(feed, "demo", "demo-1.whl")
    feed.state("demo")
    repo = feed.repository("demo")
    manifest = store.get_manifest(repo, file_tag("demo-1.whl"))
    store.push_manifest(
        repo,
        manifest.body,
        media_type=manifest.descriptor.media_type,
        tag=INDEX_TAG,
        overwrite=True,
    )
    assert filenames(Feed(store, "pypi", "main").state("demo")) == ["demo-1.whl"]


def test_writers_at_once_lose_nothing(store):
    def write(writer):
        feed = Feed(store, "pypi", "main")
        for n in range(8):
            publish(feed, "demo", f"demo-{writer}.{n}.whl")
            feed.state("demo")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    assert len(Feed(store, "pypi", "main").state("demo").releases) == 128


def test_one_name_has_exactly_one_winner(store):
    feed = Feed(store, "pypi", "main")
    start = threading.Barrier(8)

    def write(n):
        start.wait()
        try:
            publish(feed, "demo", "demo-1.whl", b"%d" % n)
        except ConflictError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
    assert len(feed.state("demo").releases) == 1


@pytest.mark.parametrize(
    "name", ["demo", "Foo", "_lead", "日本", "a" * 200, "x--a", "a__b", "é/.."]
)
def test_every_project_name_has_a_repository_of_its_own_and_is_listed_truly(store, name):
    check_repository(component_for(name))
    feed = Feed(store, "nuget", "main")
    publish(feed, name, "file")
    publish(feed, name + "x", "file")
    assert component_for(name) != component_for(name + "x")
    assert sorted([name, name + "x"]) == feed.projects()


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("1.0", "1.0"),
        ("1.0+local.1", "1.0_local.1"),
        ("1!2.0", "1__2.0"),
        ("1.0.0-rc.1", "1.0.0-rc.1"),
    ],
)
def test_versions_are_readable_tags(version, tag):
    assert version_tag(version) == tag


@pytest.mark.parametrize("version", ["_index", "e.1", "f.1", "latest", "x-1", "a b", "", "v" * 200])
def test_versions_never_meet_reserved_tags(version):
    tag = check_tag(version_tag(version))
    assert tag.startswith("x-")
    assert tag != version
