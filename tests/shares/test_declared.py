"""Shares of the settings: made once, changed as the settings change, never brought back."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select

from packager_jupyter.errors import BadInputError
from packager_jupyter.shares.declared import declare, declared_id
from packager_jupyter.store.schema import share as table

ID = declared_id("open")


@pytest.fixture
def clock():
    """Declared dates are real ones."""
    return time.time


def declare_one(shares, **options):
    declare(shares, {"open": {"package": "ocean", **options}}, owner="ann")
    return shares.get(ID, "ann")


def rows(db):
    with db.connect() as connection:
        return connection.execute(select(table)).all()


def test_starting_again_changes_nothing(shares, db, tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    options = {
        "version": "1",
        "paths": ["images/", "*.tif"],
        "audience": ["group:staff", "user:ann"],
        "password_file": str(tmp_path / "password"),
        "not_before": "2039-01-01",
        "expires": "2040-01-01T12:00",
        "description": "for the group",
        "slug": "ocean",
        "max_downloads": 7,
    }
    first = declare_one(shares, **options)
    before = rows(db)
    assert declare_one(shares, **options) == first
    assert rows(db) == before
    assert len(before) == 1
    assert (first.state, first.version, first.paths) == ("not started", "1", ("*.tif", "images"))
    assert first.audience.texts() == ["group:staff", "user:ann"]
    assert first.expires_s == 2_209_032_000
    assert shares.is_password(ID, "ann", "open sesame")
    assert "sesame" not in repr(before)


def test_the_settings_change_the_share_and_keep_its_link(shares, tmp_path):
    (tmp_path / "password").write_text("open sesame")
    declare_one(shares, slug="ocean")
    link, epoch = shares.link(ID, "ann"), shares.open(shares.link(ID, "ann"), now_s=0).epoch
    locked = declare_one(shares, slug="ocean", password_file=str(tmp_path / "password"))
    assert locked.has_password
    assert shares.link(ID, "ann") == link
    (tmp_path / "password").write_text("another sesame")
    declare_one(shares, slug="ocean", password_file=str(tmp_path / "password"))
    assert shares.open(link, now_s=0).epoch == epoch + 2
    changed = declare_one(shares, version="2", max_downloads=3)
    assert (changed.has_password, changed.version, changed.slug) == (False, "2", None)


def test_what_was_revoked_stays_revoked(shares, caplog):
    declare_one(shares)
    shares.revoke(ID, "ann")
    assert declare_one(shares, description="again").state == "revoked"
    assert "stays so" in caplog.text


def test_a_package_that_is_not_published_waits(shares, caplog, db):
    declare(shares, {"later": {"package": "lake"}, "open": {"package": "ocean"}}, owner="ann")
    assert "waits" in caplog.text
    assert [row.package for row in rows(db)] == ["ocean"]


@pytest.mark.parametrize(
    "options",
    [
        {"password": "open sesame"},
        {"expires": "soon"},
        {"expires": 7},
        {"expires": "2001-01-01"},
        {"audience": ["everyone"]},
        {"paths": ["no/such"]},
        {"slug": "No Slug"},
        {"password_file": "/no/such/file"},
        {"package": 7},
    ],
)
def test_a_wrong_declaration_is_named(shares, options, db):
    with pytest.raises(BadInputError, match="'open' of the settings"):
        declare_one(shares, **options)
    assert rows(db) == []
    with pytest.raises(BadInputError):
        declare(shares, {"open": "ocean"}, owner="ann")


def test_another_package_needs_another_name(shares):
    declare_one(shares)
    with pytest.raises(BadInputError, match="shares ocean already"):
        declare(shares, {"open": {"package": "lake"}}, owner="ann")
