"""A real Azure Blob server: Azurite, installed once by npm into a cache folder.

It checks shared keys, SAS signatures and expiry. It has no versions, does not enforce ``sip`` and
answers suffix ranges with 500.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peers.process import (
    Peer,
    PeerFailedError,
    PeerMissingError,
    free_ports,
    is_listening,
    need,
)

VERSION = "3.35.0"
ACCOUNT = "devstoreaccount1"
# The key that every Azurite in the world has; it is documented by its makers and opens nothing.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
INSTALL_S = 600


@dataclass(frozen=True, slots=True)
class AzuriteConnection:
    """How to reach an Azurite; `endpoint` ends in the account's name, as Azurite wants it."""

    endpoint: str
    account: str = ACCOUNT
    key: str = KEY

    @property
    def connection_string(self) -> str:
        """The connection string of the account."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};"
            f"AccountKey={self.key};BlobEndpoint={self.endpoint};"
        )

    def save(self, file: Path) -> None:
        """Write it for `load`."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> AzuriteConnection:
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text()))

    def client(self) -> Any:
        """Return a BlobServiceClient with the account key."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string)

    def container(self, name: str | None = None) -> str:
        """Make an empty container and return its name."""
        name = name or f"container-{uuid.uuid4().hex[:12]}"
        self.client().create_container(name)
        return name


class AzuriteServer(Peer[AzuriteConnection]):
    """An Azurite of our own; see the module's text."""

    name = "azurite"

    def __init__(self, *, port: int | None = None) -> None:
        need(["node"], package="Node 20 or newer (the Debian package nodejs)")
        self._main = _install()
        super().__init__()
        self._port = port or free_ports(1)[0]

    def start(self) -> AzuriteConnection:
        """Bring up the blob server alone."""
        self.daemon(
            "azurite",
            [
                "node",
                str(self._main),
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                str(self._port),
                "--location",
                str(self.folder),
                "--silent",
                "--disableTelemetry",
                "--skipApiVersionCheck",
                "--disableProductStyleUrl",
            ],
            is_ready=lambda: is_listening(self._port),
        )
        return AzuriteConnection(endpoint=f"http://127.0.0.1:{self._port}/{ACCOUNT}")


def cache_folder() -> Path:
    """Where downloaded test servers are kept: $PACKAGER_TEST_CACHE, else in the user's cache."""
    named = os.environ.get("PACKAGER_TEST_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packager-tests"


def _install() -> Path:
    """Return Azurite's blob server, installing the pinned version when it is not there yet."""
    folder = cache_folder() / f"azurite-{VERSION}"
    main = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may want it at once
        done = folder / "installed"
        if done.exists() and main.exists():
            return main
        need(["npm"], package="npm (the Debian package npm, or the PyPI package that brings Node)")
        log = folder / "npm.log"
        with log.open("w") as out:
            code = subprocess.run(
                [
                    "npm",
                    "install",
                    "--prefix",
                    str(folder),
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-package-lock",
                    f"azurite@{VERSION}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_S,
                check=False,
            ).returncode
        if code:
            raise PeerMissingError(
                f"the npm package azurite@{VERSION} could not be installed:\n"
                + log.read_text(errors="replace")[-1500:]
            )
        if not main.exists():
            raise PeerFailedError(f"azurite@{VERSION} has no {main.relative_to(folder)}")
        done.touch()
        return main
