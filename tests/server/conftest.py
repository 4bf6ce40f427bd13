"""Both hosts, running: a jupyter_server with the extension, and the standalone server.

A test that asks for `host` runs in both; `HostUnderTest.fetch` sends real HTTP over a real socket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  # pytest-jupyter's way into a folder
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tornado.httpclient import HTTPResponse

    from packager_jupyter.services import Services


@dataclass
class HostUnderTest:
    """One running host.

    `root` is the address of our own root (ending in ``/``), `token` opens its API.
    """

    kind: str
    root: str
    token: str
    services: Services

    async def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        is_anonymous: bool = False,
        follow_redirects: bool = False,
    ) -> HTTPResponse:
        """Send one request; a `body` that is no bytes goes out as JSON."""
        sent = dict(headers or {})
        if not is_anonymous:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(
                self.root + path,
                method=method,
                body=body,
                headers=sent,
                raise_error=False,
                follow_redirects=follow_redirects,
                allow_nonstandard_methods=True,
            )
        finally:
            client.close()

    async def api(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Call the REST API, expect `status`, return the JSON."""
        response = await self.fetch(method, f"api/v1/{path}", body)
        assert response.code == status, (response.code, response.body)
        return json.loads(response.body) if response.body else None


@pytest.fixture
def packager_config() -> dict[str, Any]:
    """Return what `Settings` shall be beyond the folders; override it to change a setting."""
    return {}


@pytest.fixture
def jp_server_config(tmp_path: Path, packager_config: dict[str, Any]) -> Config:
    """Enable the extension, with its state in this test's folder and strict authentication."""
    return Config(
        {
            "ServerApp": {
                "jpserver_extensions": {
                    "packager_jupyter": True,
                    # Its websocket alone would warn under strict authentication.
                    "jupyter_server_terminals": False,
                },
                "allow_unauthenticated_access": False,
            },
            "Settings": {"data_dir": str(tmp_path / "packager-data"), **packager_config},
        }
    )


@pytest.fixture
def jupyter_host(jp_serverapp: Any, http_server: Any, jp_http_port: int) -> HostUnderTest:
    """Run our extension inside jupyter_server."""
    return HostUnderTest(
        "jupyter",
        f"http://127.0.0.1:{jp_http_port}{jp_serverapp.base_url}packager/",
        jp_serverapp.identity_provider.token,
        jp_serverapp.web_app.settings["packager"],
    )


@pytest.fixture
def standalone_server(
    tmp_path: Path, packager_config: dict[str, Any], jp_asyncio_loop: Any
) -> Iterator[Any]:
    """Run the standalone server."""
    from packager_jupyter.config import Settings
    from packager_jupyter.serve import ServeOptions, StandaloneServer
    from packager_jupyter.services import Services

    root = tmp_path / "standalone-root"
    root.mkdir()
    settings = Settings(
        data_dir=str(tmp_path / "standalone-data"), root_dir=str(root), **packager_config
    )

    async def start() -> StandaloneServer:
        server = StandaloneServer(services, ServeOptions(port=0))
        server.start()
        return server

    with Services.open(settings) as services:
        server = jp_asyncio_loop.run_until_complete(start())
        yield server
        jp_asyncio_loop.run_until_complete(server.stop(drain_s=0))


@pytest.fixture
def standalone_host(standalone_server: Any) -> HostUnderTest:
    """Speak to the standalone server."""
    services = standalone_server.app.settings["packager"]
    return HostUnderTest("standalone", standalone_server.url, standalone_server.token, services)


@pytest.fixture(params=["jupyter", "standalone"])
def host(request: pytest.FixtureRequest) -> HostUnderTest:
    """Run the test in each host."""
    return request.getfixturevalue(f"{request.param}_host")


@pytest.fixture
def anonymous(host: HostUnderTest) -> Callable[..., Any]:
    """Return a `fetch` without a credential."""

    async def fetch(method: str, path: str, body: Any = None, **more: Any) -> HTTPResponse:
        return await host.fetch(method, path, body, is_anonymous=True, **more)

    return fetch
