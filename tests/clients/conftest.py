"""A standalone server in a process of its own, for the real clients of package registries."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from clients.world import share_world
from packager_jupyter.config import Settings
from packager_jupyter.services import Services
from peers.certificates import write_certificate
from peers.process import free_ports, is_listening, spawn
from server.share.storages import S3, Azure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.world import World


@dataclass(frozen=True)
class RegistryServer:
    """A running server: its address (ending in ``/``) and the core in this process."""

    url: str
    services: Services
    folder: Path
    ca: Path | None = None
    pid: int = 0

    def token(self, *scopes: str) -> str:
        """Return a fresh token with these scopes."""
        return self.services.tokens.create("alice", scopes=scopes).secret

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which a client finds nothing of this machine's settings."""
        keep = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in keep if name in os.environ}
        if self.ca:
            kept["SSL_CERT_FILE"] = str(self.ca)
        return kept | {"HOME": str(home), **more}


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[RegistryServer]:
    yield from serve_registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def https_registry(tmp_path_factory) -> Iterator[RegistryServer]:
    """The same with TLS; ``SSL_CERT_FILE`` of `environment` is its authority."""
    folder = tmp_path_factory.mktemp("https")
    pem, ca = write_certificate(folder, hosts=["127.0.0.1"])
    yield from serve_registry(folder, "--tls-cert", str(pem), "--tls-key", str(pem), ca=ca)


def serve_registry(
    folder: Path, *arguments: str, ca: Path | None = None, oci_store: str | None = None
) -> Iterator[RegistryServer]:
    """Start a server on a folder, and stop it afterwards."""
    data = folder / "data"
    [port] = free_ports(1)
    command = [sys.executable, "-m", "packager_jupyter.cli", "serve"]
    command += ["--port", str(port), "--data-dir", str(data), "--root-dir", str(folder)]
    url = f"{'https' if ca else 'http'}://127.0.0.1:{port}/"
    store = {} if oci_store is None else {"oci_store": oci_store}
    command += [] if oci_store is None else ["--oci-store", oci_store]
    services = Services.open(Settings(data_dir=str(data), root_dir=str(folder), **store))
    process = spawn([*command, *arguments], log=folder / "server.log")
    try:
        _wait(port)
        yield RegistryServer(url, services, folder, ca, process.pid)
    finally:
        process.terminate()
        process.wait(30)
        services.close()


def _wait(port: int) -> None:
    for _ in range(300):
        if is_listening(port):
            return
        time.sleep(0.1)
    pytest.fail("the server did not start")


@pytest.fixture(scope="module", params=["s3", "azure"])
def world(request, tmp_path_factory) -> Iterator[World]:
    """Yield the package of `clients.world` on Ceph RGW and on Azurite."""
    if request.param == "azure":
        storage = Azure(request.getfixturevalue("azurite"))
    else:
        storage = S3(request.getfixturevalue("rgw"))
    folder = tmp_path_factory.mktemp("world")
    with share_world(folder, storage, kind=request.param) as yielded:
        yield yielded
