"""A real PostgreSQL server on 127.0.0.1, its data in a folder that goes with it.

``postgres`` refuses to run as root; as root it runs as the user that Debian's package brings.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from peers.process import Peer, PeerFailedError, PeerMissingError, free_ports

DEBIAN_FOLDER = Path("/usr/lib/postgresql")
ACCOUNT = "postgres"
USER = "packager"


@dataclass(frozen=True, slots=True)
class PostgresConnection:
    """How to reach a PostgreSQL server that trusts whoever comes from this machine."""

    port: int

    def save(self, file: Path) -> None:
        """Write it for `load`."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> PostgresConnection:
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text()))

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        import psycopg

        name = f"db_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


class PostgresServer(Peer[PostgresConnection]):
    """A PostgreSQL of our own; see the module's text."""

    name = "postgres"

    def __init__(self, *, port: int | None = None) -> None:
        self._programs = _programs()
        super().__init__()
        self._port = port or free_ports(1)[0]

    def start(self) -> PostgresConnection:
        """Make a cluster without durability (it is thrown away) and bring it up."""
        self.folder.chmod(0o711)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        as_owner: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam(ACCOUNT)
            os.chown(data, owner.pw_uid, owner.pw_gid)
            # A change of user takes the signal at the parent's death away, so it is set again.
            change = ["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]
            as_owner = ["setpriv", *change, "--pdeathsig", "KILL", "--"]
        initdb = str(self._programs / "initdb")
        made = subprocess.run(
            [*as_owner, initdb, "-D", str(data), "-A", "trust", "-U", USER, "--no-sync"],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise PeerFailedError(f"initdb: {made.stderr[-2000:]}")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        probe = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1"]
        self.daemon(
            "postgres",
            [*as_owner, str(self._programs / "postgres"), "-D", str(data), *options],
            is_ready=lambda: not subprocess.call([*probe, "-p", str(self._port)]),
        )
        return PostgresConnection(self._port)


def _programs() -> Path:
    """Return the folder of the newest server's programs, which Debian keeps off the PATH."""
    found = sorted(
        DEBIAN_FOLDER.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path))
    if not found:
        raise PeerMissingError("postgres not found: install the Debian package postgresql")
    return found[0].parent
