"""The database: made privately, migrated as declared, durable, clear about what it cannot read."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from packager_jupyter.errors import BadInputError, StoreCorruptError
from packager_jupyter.store.database import Database
from packager_jupyter.store.schema import audit, metadata


def _row(n):
    return {"at_s": n, "principal": "p", "action": "a", "object": "o", "result": "ok"}


@pytest.fixture
def url(db_url):
    return db_url


def test_new_database_is_private_and_durable(url, tmp_path):
    db = Database.open(url)
    file = tmp_path / "state" / "packager.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with db.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    db.close()


on_both = pytest.mark.parametrize("db_kind", ["sqlite", "postgres"])


@on_both
def test_migrations_build_exactly_the_declared_schema(url):
    db = Database.open(url)
    with db.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    db.close()


@on_both
def test_a_failed_transaction_leaves_nothing(url):
    db = Database.open(url)
    with pytest.raises(IntegrityError), db.begin() as connection:
        connection.execute(insert(audit), [_row(1), {**_row(2), "result": None}])
    with db.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(audit)) == 0
    db.close()


def _write(url, count):
    db = Database.open(url)
    for n in range(count):
        with db.begin() as connection:
            connection.execute(insert(audit), _row(n))
    db.close()


@on_both
def test_processes_that_open_and_write_at_once_lose_nothing(url):
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_write, args=(url, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    db = Database.open(url)
    with db.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(audit)) == 100
    db.close()


def test_a_file_that_is_no_database_is_kept_and_explained(url, tmp_path):
    file = tmp_path / "state" / "packager.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"<html>not a database</html>" * 100)
    with pytest.raises(StoreCorruptError, match="backup"):
        Database.open(url)
    assert file.read_bytes().startswith(b"<html>")


def test_a_newer_schema_is_refused_untouched(url, tmp_path):
    Database.open(url).close()
    file = tmp_path / "state" / "packager.sqlite"
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE alembic_version SET version_num='9999'")
    with pytest.raises(StoreCorruptError, match="newer version"):
        Database.open(url)
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


@pytest.mark.parametrize("bad", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "odd://x/y"])
def test_urls_that_cannot_hold_state_are_refused(bad):
    with pytest.raises(BadInputError):
        Database.open(bad)
