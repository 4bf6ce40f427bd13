"""One set of contract tests, run on both clients: over a real server, and over the library."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from packager_jupyter.client.local import LocalClient
from packager_jupyter.client.rest import RestClient
from packager_jupyter.config import Settings
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ServerThread:
    """A standalone server on an event loop of its own, as blocking clients need it."""

    def __init__(self, services: Services, options: ServeOptions) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self._run(self._start(services, options))

    async def _start(self, services: Services, options: ServeOptions) -> StandaloneServer:
        server = StandaloneServer(services, options)
        server.start()
        return server

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def stop(self, *, drain_s: float = 0) -> None:
        self._run(self.server.stop(drain_s=drain_s))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "root").mkdir()
    return Settings(data_dir=str(tmp_path / "data"), root_dir=str(tmp_path / "root"))


@pytest.fixture
def running(settings: Settings) -> Iterator[StandaloneServer]:
    with Services.open(settings) as services:
        thread = ServerThread(services, ServeOptions(port=0))
        yield thread.server
        thread.stop()


@pytest.fixture(params=["rest", "library"])
def client(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Any]:
    """Yield each implementation on the same kind of folders."""
    if request.param == "rest":
        server = request.getfixturevalue("running")
        made: Any = RestClient(server.url, token=server.token)
    else:
        made = LocalClient(Services.open(settings))
    with made:
        yield made
