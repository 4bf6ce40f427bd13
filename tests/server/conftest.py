"""Both hosts, running: a jupyter_server with the extension, and the standalone server.

A test that asks for `host` runs in both; `HostUnderTest.fetch` sends real HTTP over a real socket.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from pytest_jupyter.jupyter_server import *  # noqa: F403  # pytest-jupyter's way into a folder
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets.config import Config

from packager_jupyter.server import openapi
from packager_jupyter.server.routes import routes

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
        answer = json.loads(response.body) if response.body else None
        check_shape(method, path, status, answer)
        return answer

    async def job(self, method: str, path: str, body: Any) -> Any:
        """Start a job, wait for its end, return it."""
        job = await self.api(method, path, body, status=202)
        for _ in range(1000):
            if job["state"] != "running":
                return job
            await asyncio.sleep(0.01)
            job = await self.api("GET", f"jobs/{job['id']}")
        pytest.fail(f"the job does not end: {job}")


@cache
def _described() -> tuple[dict[str, Any], Registry]:
    document = openapi.document()
    resource = Resource(contents=document, specification=DRAFT202012)
    return document, Registry().with_resource("urn:api", resource)


def check_shape(method: str, path: str, status: int, answer: Any) -> None:
    """Hold an answer of the API against its description."""
    document, registry = _described()
    address = "api/v1/" + path.partition("?")[0]
    route = next(route for route in routes() if re.fullmatch(route.pattern, address))
    operation = document["paths"]["/" + route.path][method.lower()]
    assert status >= 400 or str(status) in operation["responses"], f"{status} is not described"
    at = f"urn:api#/paths/~1{route.path.replace('/', '~1')}/{method.lower()}/responses/{status}"
    if status >= 400:
        at = "urn:api#/components/responses/Failure"
    elif "content" not in operation["responses"][str(status)]:
        assert answer is None
        return
    schema = {"$ref": f"{at}/content/application~1json/schema"}
    wrong = list(Draft202012Validator(schema, registry=registry).iter_errors(answer))
    assert not wrong, "; ".join(f"{error.json_path}: {error.message}" for error in wrong)


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
def standalone_services(tmp_path: Path, packager_config: dict[str, Any]) -> Iterator[Services]:
    """Yield services for a standalone server."""
    from packager_jupyter.config import Settings
    from packager_jupyter.services import Services

    root = tmp_path / "standalone-root"
    root.mkdir()
    settings = Settings(
        data_dir=str(tmp_path / "standalone-data"), root_dir=str(root), **packager_config
    )
    with Services.open(settings) as services:
        yield services


@pytest.fixture
def standalone_server(standalone_services: Services, jp_asyncio_loop: Any) -> Iterator[Any]:
    """Run the standalone server."""
    from packager_jupyter.serve import ServeOptions, StandaloneServer

    async def start() -> StandaloneServer:
        server = StandaloneServer(standalone_services, ServeOptions(port=0))
        server.start()
        return server

    server = jp_asyncio_loop.run_until_complete(start())
    yield server
    jp_asyncio_loop.run_until_complete(server.stop(drain_s=0))


@pytest.fixture
def standalone_host(standalone_server: Any) -> HostUnderTest:
    """Speak to the standalone server."""
    services = standalone_server.app.settings["packager"]
    return HostUnderTest("standalone", standalone_server.url, standalone_server.token, services)


@pytest.fixture
def certificate(tmp_path: Path, require: Any) -> tuple[Path, Path]:
    """Return the files of a certificate for 127.0.0.1, which signs itself, and of its key."""
    openssl = require("openssl", package="openssl")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(params=["jupyter", "standalone"])
def host(request: pytest.FixtureRequest, packager_config: dict[str, Any]) -> HostUnderTest:
    """Run the test in each host; parametrize `packager_config` to change a setting."""
    return request.getfixturevalue(f"{request.param}_host")


@pytest.fixture
def anonymous(host: HostUnderTest) -> Callable[..., Any]:
    """Return a `fetch` without a credential."""

    async def fetch(method: str, path: str, body: Any = None, **more: Any) -> HTTPResponse:
        return await host.fetch(method, path, body, is_anonymous=True, **more)

    return fetch
