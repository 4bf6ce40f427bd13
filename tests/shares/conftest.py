"""Shares on a real SQLite file, with a clock that the test turns."""

from __future__ import annotations

import pytest

from packager_jupyter.config import Settings
from packager_jupyter.errors import PackageNotFoundError
from packager_jupyter.shares.shares import Shares
from packager_jupyter.store.database import Database

KEY = bytes(range(32))


class Clock:
    """Unix seconds that stand still until told otherwise."""

    def __init__(self, now_s=1_700_000_000.0):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


class Part:
    """A version with one folder, as far as shares look."""

    def __init__(self, paths):
        self.unmatched = tuple(path for path in paths if path not in {"images", "*.tif"})


class TwoVersions:
    """Packages as far as shares look: one package with two versions."""

    def version(self, name, ref="latest", *, paths=()):
        if name != "ocean" or ref not in {"1", "2", "latest"}:
            raise PackageNotFoundError("No such package.", remedy="List them.")
        return Part(paths)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def db(db_url):
    opened = Database.open(db_url)
    yield opened
    opened.close()


@pytest.fixture
def shares(db, clock, tmp_path):
    opened = Shares(
        db, TwoVersions(), key=KEY, settings=Settings(data_dir=str(tmp_path)), clock=clock
    )
    yield opened
    opened.close()
