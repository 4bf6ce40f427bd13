"""Limits of feeds: never exceeded, also by publishers at once, and given back."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from packager_jupyter.errors import ForbiddenError, TooLargeError
from packager_jupyter.oci.gc import Collector
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.feeds import Feeds
from packager_jupyter.registries.pypi.upload import upload_of_file
from packager_jupyter.registries.quota import QuotaExceededError
from packager_jupyter.registries.terraform.signing import SigningKey
from packager_jupyter.store.database import Database
from registries.pypi.distributions import wheel
from registries.terraform.archives import provider_zips

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SIZE = len(wheel()[1])


@pytest.fixture
def feeds(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path / 'db.sqlite'}")
    key = SigningKey(tmp_path / "registry.key")
    yield Feeds(db, LayoutStore(tmp_path / "oci"), key=key, declared={})
    db.close()


def publish(feeds, *args, **fields):
    name, data = wheel(*args, **fields)
    return feeds.pypi("main").publish(upload_of_file(io.BytesIO(data), name), by="al", now=NOW)


def test_a_file_is_no_larger_than_the_feed_takes(feeds):
    feeds.create("pypi/main", max_file_bytes=SIZE - 1)
    with pytest.raises(TooLargeError, match="at most"):
        publish(feeds)
    feeds.remove("pypi/main")
    feeds.create("pypi/main", max_file_bytes=SIZE)
    assert publish(feeds)


def test_a_full_project_takes_no_more_until_something_is_deleted(feeds):
    feeds.create("pypi/main", max_project_bytes=2 * SIZE)
    publish(feeds, "demo", "1.0")
    publish(feeds, "demo", "2.0")
    with pytest.raises(QuotaExceededError, match="The project demo may hold"):
        publish(feeds, "demo", "3.0")
    assert publish(feeds, "demo", "1.0") is False  # the same bytes need no room
    publish(feeds, "rest", "1.0")
    feeds.pypi("main").delete("demo", "demo-1.0-py3-none-any.whl", by="al")
    publish(feeds, "demo", "3.0")
    with pytest.raises(QuotaExceededError):
        publish(feeds, "demo", "4.0")


def test_a_failed_upload_gives_its_room_back(feeds, monkeypatch):
    feeds.create("pypi/main", max_feed_bytes=SIZE)
    index = feeds.pypi("main")
    with monkeypatch.context() as patch:
        patch.setattr(index.feed, "publish", lambda *_a, **_k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(feeds)
    assert publish(feeds)


def test_a_limit_that_comes_later_counts_what_is_there(feeds):
    feeds.create("pypi/main")
    for name in ("demo", "rest"):
        publish(feeds, name)
    feeds.remove("pypi/main")
    feeds.create("pypi/main", max_feed_bytes=3 * SIZE)
    publish(feeds, "more")
    with pytest.raises(QuotaExceededError, match="The feed pypi/main"):
        publish(feeds, "much")


def test_publishers_at_once_never_exceed_a_limit_together(feeds):
    feeds.create("pypi/main", max_feed_bytes=5 * SIZE)

    def attempt(number):
        try:
            return publish(feeds, f"p{number:03}", "1.0")
        except QuotaExceededError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 5


def test_terraform_has_the_same_limits(feeds):
    from registries.terraform.test_providers import upload

    zips = provider_zips()
    size = sum(map(len, zips.values()))
    feeds.create("terraform/main", max_feed_bytes=size)
    providers = feeds.terraform("main").providers
    providers.publish(upload(zips), now=NOW)
    with pytest.raises(QuotaExceededError):
        providers.publish(upload(provider_zips("1.1.0"), version="1.1.0"), now=NOW)


def test_nothing_is_deleted_from_an_append_only_feed(feeds):
    feeds.create("pypi/main", immutability="append-only")
    publish(feeds)
    index = feeds.pypi("main")
    with pytest.raises(ForbiddenError, match="append-only"):
        index.delete("demo", "demo-1.0-py3-none-any.whl", by="al")
    index.yank("demo", "demo-1.0-py3-none-any.whl", reason=None, by="al")
    assert index.file("demo", "demo-1.0-py3-none-any.whl").size_bytes == SIZE


def test_the_bytes_of_a_deleted_file_go_with_the_next_collection(feeds, tmp_path):
    feeds.create("pypi/main")
    publish(feeds)
    index = feeds.pypi("main")
    digest = index.file("demo", "demo-1.0-py3-none-any.whl").digest
    index.delete("demo", "demo-1.0-py3-none-any.whl", by="al")
    store = LayoutStore(tmp_path / "oci")
    assert store.has_blob("pypi/main/demo", digest)
    Collector(
        store, "pypi/main/demo", grace_s=-10, trash_s=-10, untagged=False, dry_run=False
    ).run()
    assert store.has_blob("pypi/main/demo", digest) is None


def test_a_deletion_that_was_cut_short_is_finished_later(feeds, monkeypatch):
    feeds.create("pypi/main")
    publish(feeds)
    index = feeds.pypi("main")
    with monkeypatch.context() as patch:
        patch.setattr(index.feed, "remove", lambda *_a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.delete("demo", "demo-1.0-py3-none-any.whl", by="al")
    assert index.page("demo").files == []
    assert (feeds.tidy(), feeds.tidy()) == (1, 0)
    assert index.feed.state("demo").releases == {}
