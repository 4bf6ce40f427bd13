"""Child processes that cannot outlive us, free ports, and folders that a killed run left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FOLDER_PREFIX = "packager-peer-"
CONNECTION_FILE = "connection.json"


class PeerMissingError(Exception):
    """A peer cannot run here; the text says what is missing and how to get it."""


class PeerFailedError(Exception):
    """A peer that should run did not; the text ends with what it said last."""


def need(commands: Sequence[str], *, package: str) -> None:
    """Raise `PeerMissingError` naming `package` unless every command is on the PATH."""
    missing = [name for name in commands if shutil.which(name) is None]
    if missing:
        raise PeerMissingError(f"{', '.join(missing)} not found: install {package}")


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports that are free on 127.0.0.1 right now."""
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            sock = held.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            ports.append(sock.getsockname()[1])
        return ports


def is_listening(port: int) -> bool:
    """Say whether something accepts TCP connections on 127.0.0.1:`port`."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def spawn(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a daemon that the kernel kills when this thread's process ends, however it ends.

    `setpriv` (util-linux) sets ``PR_SET_PDEATHSIG`` and becomes the command, so the pid is the
    daemon's own. Without it only an orderly end stops the daemon.
    """
    setpriv = shutil.which("setpriv")
    guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    with log.open("ab") as out:
        return subprocess.Popen(
            [*guard, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )


class Connection(Protocol):
    """How to reach a peer; kept in a file for other processes."""

    def save(self, file: Path) -> None:
        """Write it to `file`."""
        ...


C = TypeVar("C", bound=Connection)


class Peer(ABC, Generic[C]):
    """A server of our own, up inside a ``with`` block, which yields its connection."""

    name: str

    def __init__(self) -> None:
        self.folder = make_folder(self.name)
        self._processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> C:
        """Bring it up, with all its files in `folder`."""

    def stop(self) -> None:
        """End it and forget what it stored; its state is needed by nobody."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> C:
        try:
            connection = self.start()
            connection.save(self.folder / CONNECTION_FILE)
        except BaseException:
            self.stop()
            raise
        return connection

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def daemon(
        self,
        name: str,
        command: Sequence[str],
        *,
        is_ready: Callable[[], bool],
        max_wait_s: float = 60,
    ) -> None:
        """Start one process of the peer and wait for it, failing with the tail of its log."""
        log = self.folder / f"{name}.out"
        process = spawn(command, log=log)
        self._processes.append(process)
        deadline = time.monotonic() + max_wait_s
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise PeerFailedError(f"{self.name}: {name} did not come up:\n{tail}")
            time.sleep(0.1)


def make_folder(name: str) -> Path:
    """Make a private folder for one peer, sweeping those whose makers are dead."""
    for old in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        pid = old.name.removeprefix(FOLDER_PREFIX).split("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-{name}-"))


def is_alive(pid: int) -> bool:
    """Say whether a process `pid` exists, ours or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into an orderly `SystemExit`."""

    def leave(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, leave)
