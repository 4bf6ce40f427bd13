"""Fixtures that every test may ask for: real storage servers, a browser, the packager's services.

A server that cannot run here is a skip that names what to install; with ``CI=true`` a skip that
names a Debian, npm or PyPI package is a failure, as all of them can be had there.
``PACKAGER_TEST_RGW`` and ``PACKAGER_TEST_AZURITE`` name the connection file of a server that runs
already (see ``tests/peers``).

pytest-jupyter is not loaded for all: a folder that needs ``jp_fetch`` imports it in its own
conftest, because its automatic fixtures make a Jupyter server for each test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peers.azurite import AzuriteConnection, AzuriteServer
from peers.debtools import debian_program
from peers.postgres import PostgresServer
from peers.process import PeerMissingError
from peers.pytools import python_tools
from peers.rgw import RgwConnection, RgwServer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from playwright.sync_api import Browser

    from packager_jupyter.services import Services
    from peers.postgres import PostgresConnection

CAN_BE_HAD = re.compile(r"\b(Debian|npm|PyPI) packages?\b")
MARKED_FIXTURES = {"rgw", "azurite", "browser"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``CI=true``, let a test fail that skips for want of a package that can be had."""
    report = yield
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and os.environ.get("CI") == "true" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if CAN_BE_HAD.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\n(with CI=true nothing that can be had is skipped)"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that it needs, so that `-m "not rgw"` selects."""
    for item in items:
        for name in MARKED_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(name)


@pytest.fixture(scope="session")
def require() -> Callable[..., str]:
    """Return a function that finds a command on the PATH, or skips naming its package."""

    def find(command: str, *, package: str) -> str:
        found = shutil.which(command)
        if found is None:
            pytest.skip(f"{command} not found: install the Debian package {package}")
        return found

    return find


@pytest.fixture(scope="session")
def require_tools() -> Callable[[str], Path]:
    """Return a function that gives the ``bin`` folder of a set of `peers.pytools`, or skips."""

    def find(name: str) -> Path:
        try:
            return python_tools(name)
        except PeerMissingError as missing:
            pytest.skip(str(missing))

    return find


@pytest.fixture(scope="session")
def require_debian() -> Callable[[str], str]:
    """Return a function that gives the path of a program of `peers.debtools`, or skips."""

    def find(name: str) -> str:
        try:
            return debian_program(name)
        except PeerMissingError as missing:
            pytest.skip(str(missing))

    return find


@pytest.fixture(scope="session")
def rgw() -> Iterator[RgwConnection]:
    """Yield a real S3 server; take a fresh bucket from `rgw.bucket()`."""
    running = os.environ.get("PACKAGER_TEST_RGW")
    if running:
        yield RgwConnection.load(Path(running))
        return
    try:
        server = RgwServer()
    except PeerMissingError as missing:
        pytest.skip(str(missing))
    with server as connection:
        yield connection


@pytest.fixture(scope="session")
def azurite() -> Iterator[AzuriteConnection]:
    """Yield a real Azure Blob server; take a fresh container from `azurite.container()`."""
    running = os.environ.get("PACKAGER_TEST_AZURITE")
    if running:
        yield AzuriteConnection.load(Path(running))
        return
    try:
        server = AzuriteServer()
    except PeerMissingError as missing:
        pytest.skip(str(missing))
    with server as connection:
        yield connection


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresConnection]:
    """Yield a real PostgreSQL; take the URL of a fresh database from `postgres.database()`."""
    try:
        server = PostgresServer()
    except PeerMissingError as missing:
        pytest.skip(str(missing))
    with server as connection:
        yield connection


@pytest.fixture
def db_kind() -> str:
    """Return the kind of database; what must hold on PostgreSQL too is parametrized by it."""
    return "sqlite"


@pytest.fixture
def db_url(db_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database of this test alone."""
    if db_kind == "postgres":
        return str(request.getfixturevalue("postgres").database())
    return f"sqlite:///{tmp_path / 'state' / 'packager.sqlite'}"


@pytest.fixture(scope="module")
def browser(require: Callable[..., str]) -> Iterator[Browser]:
    """Yield a real Chromium, driven by playwright.

    One per module, not per session: playwright's synchronous API keeps an event loop running in
    this thread, and coroutine tests of other modules could not run beside it.
    """
    from playwright._impl._driver import compute_driver_executable
    from playwright.sync_api import sync_playwright

    driver, _script = compute_driver_executable()
    probe = subprocess.run([driver, "--version"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"playwright: {probe.stderr.strip()}: install the Debian package libatomic1")
    executable = require("chromium", package="chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * 127.0.0.1",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Yield the packager's services on folders of this test alone."""
    from packager_jupyter.config import Settings
    from packager_jupyter.services import Services

    root = tmp_path / "root"
    root.mkdir()
    opened = Services.open(Settings(data_dir=str(tmp_path / "data"), root_dir=str(root)))
    yield opened
    opened.close()
