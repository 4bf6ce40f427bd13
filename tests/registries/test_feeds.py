"""The list of feeds: declared or created, known to every ecosystem, removed without loss."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import BadInputError, ConflictError
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.feeds import FeedNotFoundError, Feeds
from packager_jupyter.registries.terraform.signing import SigningKey
from packager_jupyter.store.database import Database


@pytest.fixture(params=["sqlite", "postgres"])
def db_kind(request):
    return request.param


@pytest.fixture
def make(db_url, tmp_path):
    db = Database.open(db_url)

    def make(**declared):
        key = SigningKey(tmp_path / "registry.key")
        return Feeds(db, LayoutStore(tmp_path / "oci"), key=key, declared=declared)

    yield make
    db.close()


def test_a_feed_is_created_once_and_found_again(make):
    make().create("pypi/main", is_anonymous_read=True)
    feeds = make()
    assert [spec.to_json() for spec in feeds.specs()] == [
        {
            "ecosystem": "pypi",
            "name": "main",
            "is_anonymous_read": True,
            "immutability": "write-once",
            "max_file_bytes": None,
            "max_project_bytes": None,
            "max_feed_bytes": None,
            "is_declared": False,
        }
    ]
    with pytest.raises(ConflictError):
        feeds.create("pypi/main")
    assert feeds.pypi("main") is feeds.pypi("main")
    feeds.remove("pypi/main")
    with pytest.raises(FeedNotFoundError, match="packager feed create"):
        feeds.spec("pypi", "main")
    with pytest.raises(FeedNotFoundError):
        feeds.remove("pypi/main")


def test_declared_feeds_need_no_database_row(make):
    feeds = make(**{"terraform/lab": {"anonymous_read": True}})
    assert feeds.spec("terraform", "lab").is_anonymous_read
    assert feeds.terraform("lab").providers.versions("acme", "lab") is None
    with pytest.raises(ConflictError):
        feeds.create("terraform/lab")


@pytest.mark.parametrize(
    "path", ["", "pypi", "pypi/", "cobol/main", "pypi/Main", "pypi/a/b", "pypi/.."]
)
def test_paths_that_name_no_feed_are_refused(make, path):
    with pytest.raises(BadInputError):
        make().create(path)


def test_an_unknown_option_in_the_configuration_is_named(make):
    with pytest.raises(BadInputError, match="anonymus_read"):
        make(**{"pypi/main": {"anonymus_read": True}})


OPTIONS = {
    "anonymous_read": True,
    "immutability": "append-only",
    "max_file_bytes": 1,
    "max_project_bytes": 2,
    "max_feed_bytes": 3,
}


def test_options_are_the_same_however_a_feed_is_made(make):
    rest = {key: value for key, value in OPTIONS.items() if key != "anonymous_read"}
    made = make().create("pypi/made", is_anonymous_read=True, **rest)
    declared = make(**{"pypi/declared": OPTIONS}).spec("pypi", "declared")
    assert made == make().spec("pypi", "made")
    assert made.options() == declared.options() == OPTIONS


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("anonymous_read", "no"),
        ("immutability", "sometimes"),
        ("max_file_bytes", 0),
        ("max_feed_bytes", "1GB"),
        ("max_project_bytes", True),
        ("max_project_bytes", 2**63),
    ],
)
def test_an_option_that_cannot_be_so_is_named(make, option, value):
    with pytest.raises(BadInputError, match=option):
        make(**{"pypi/main": {option: value}})
