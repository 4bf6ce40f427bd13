"""JupyterLab on the sample: started as a process of its own, watched, and stopped cleanly.

The process has its own configuration folder, so that neither a password nor an extension of the
person's own Jupyter changes what the demo shows. Its token travels in the environment: command
lines can be read by everybody on the machine.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import orjson

from packager_jupyter.errors import BusyError, PackagerError
from packager_jupyter.io import make_dirs, write_atomic

if TYPE_CHECKING:
    from types import TracebackType

_SIDEBAR = "packager-jupyter-sidebar"
_HOST = "127.0.0.1"
_USUAL_PORT = 8888
_PORT_TRIES = 50
_START_S = 120.0
_STOP_S = 15.0
_POLL_S = 0.2
_LOG_LINES = 5


class LabFailedError(PackagerError):
    """JupyterLab did not start, or does not answer as it should."""

    code = "jupyterlab_failed"


def check_port(port: int) -> None:
    """Raise `BusyError` when `port` is taken."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_HOST, port))
        return
    raise BusyError(
        f"Port {port} is taken.", remedy="Choose another one with --port, or leave it out."
    )


class Lab:
    """One running JupyterLab; a context manager that starts and stops it.

    `base_url` and what is made from it are known after `wait_until`.

    Parameters
    ----------
    root : Path
        Its root folder.
    data_dir : Path
        The packager's state that it works on.
    private : Path
        Where its own settings, workspaces and log go.
    port : int or None
        None takes JupyterLab's usual one, or the next that is free.
    open_path : str
        What to show first, relative to `root`.
    opens_browser : bool
    """

    def __init__(
        self,
        *,
        root: Path,
        data_dir: Path,
        private: Path,
        port: int | None,
        open_path: str,
        opens_browser: bool,
    ) -> None:
        self._root = root
        self._data_dir = data_dir
        self._private = private
        self._port = port
        self._default_url = f"/lab/tree/{quote(open_path)}"
        self._opens_browser = opens_browser
        self._token = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""
        self.log = private / "jupyterlab.log"

    @property
    def login_url(self) -> str:
        """The address that opens JupyterLab at once; holds its token."""
        return f"{self.base_url}{self._default_url[1:]}?token={self._token}"

    @property
    def packager_url(self) -> str:
        """Where our own routes begin."""
        return f"{self.base_url}packager/"

    def __enter__(self) -> Self:
        make_dirs(self._private)
        _write_first_view(self._private)
        environment = {
            **os.environ,
            "JUPYTER_TOKEN": self._token,
            "JUPYTER_CONFIG_DIR": str(self._private / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(self._private / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._private / "workspaces"),
            "PACKAGER_DATA_DIR": str(self._data_dir),
        }
        command = [
            *(sys.executable, "-m", "jupyterlab"),
            *(() if self._opens_browser else ("--no-browser",)),
            f"--ServerApp.ip={_HOST}",
            f"--ServerApp.port={self._port or _USUAL_PORT}",
            f"--ServerApp.port_retries={0 if self._port else _PORT_TRIES}",
            f"--ServerApp.root_dir={self._root}",
            "--ServerApp.jpserver_extensions=packager_jupyter=True",
            f"--LabApp.default_url={self._default_url}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        with self.log.open("wb") as log:
            self.log.chmod(0o600)
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
                command,
                env=environment,
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on, without Jupyter's question
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_until(self, path: str) -> None:
        """Return once ``<packager_url><path>`` answers.

        Raises
        ------
        LabFailedError
            JupyterLab ended, did not answer in time, or answered without our routes.
        """
        deadline = time.monotonic() + _START_S
        status: int | None = None
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise self._failed("JupyterLab ended before it was up.")
            self.base_url = self.base_url or self._announced_url()
            status = _status(self.packager_url + path) if self.base_url else None
            if status == 200:  # noqa: PLR2004  # HTTP's own number
                return
            if status is not None:
                break
            time.sleep(_POLL_S)
        if status is None:
            raise self._failed(f"JupyterLab did not answer within {_START_S:.0f} seconds.")
        raise self._failed(f"JupyterLab is up, but the sample's share answered {status}.")

    def _announced_url(self) -> str:
        """Return where the process listens, which it writes into Jupyter's runtime folder."""
        from jupyter_core.paths import jupyter_runtime_dir

        pid = self._process.pid if self._process else 0
        try:
            body = orjson.loads((Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json").read_bytes())
        except (OSError, ValueError):
            return ""
        return str(body.get("url", ""))

    def wait(self) -> None:
        """Return when JupyterLab ends by itself (somebody chose Shut Down)."""
        if self._process is not None:
            self._process.wait()

    def _failed(self, message: str) -> LabFailedError:
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return LabFailedError(
            message,
            remedy=f'See {self.log}. Is everything installed? pip install "packager_jupyter[demo]"',
            details="\n".join(lines[-_LOG_LINES:]),
        )


def _write_first_view(private: Path) -> None:
    """Let JupyterLab open with our sidebar and without its question about news, the first time."""
    layout = {
        "main": None,
        "left": {
            "collapsed": False,
            "visible": True,
            "current": _SIDEBAR,
            "widgets": [_SIDEBAR],
        },
        "relativeSizes": [0.3, 0.7, 0],
    }
    workspace = {"data": {"layout-restorer:data": layout}, "metadata": {"id": "default"}}
    for path, content in (
        ("settings/@jupyterlab/apputils-extension/notification", {"fetchNews": "false"}),
        ("workspaces/default-37a8", workspace),  # JupyterLab's file name for the default one
    ):
        kind = "settings" if path.startswith("settings") else "workspace"
        file = private / f"{path}.jupyterlab-{kind}"
        if not file.exists():
            make_dirs(file.parent)
            write_atomic(file, orjson.dumps(content))


def _status(url: str) -> int | None:
    """Return the HTTP status of `url`, or None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own server
            found: int = answer.status
            return found
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
