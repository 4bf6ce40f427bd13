"""Under which address people reach this installation: what ``share`` prints before ``s/…``.

Owns ``<data_dir>/server.json``, by which a standalone server says where it listens. A Jupyter
server says so itself, in Jupyter's runtime folder. Nothing else is asked: a guess at a port would
hand the share's token to whoever listens there.
"""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import orjson

from packager_jupyter.errors import BadInputError
from packager_jupyter.io import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.config import Settings

DEFAULT_URL = "http://127.0.0.1:8850/"
_SERVER_FILE = "server.json"
_PROBE_S = 2.0
_LOCKED_STATUSES = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An address ending in ``/``, and how sure it is.

    `is_reachable` is False when no server was found and the address is where ``packager serve``
    would listen.
    """

    url: str
    origin: Literal["flag", "setting", "server", "default"]

    @property
    def is_reachable(self) -> bool:
        """Whether somebody named the address or a server answers there."""
        return self.origin != "default"


def base_url(
    settings: Settings, *, given: str | None = None, share_token: str | None = None
) -> BaseUrl:
    """Return the address of this installation.

    Parameters
    ----------
    settings : Settings
    given : str, optional
        What the person named with ``--base-url``; goes first.
    share_token : str, optional
        A share of this installation: a Jupyter server counts only when it knows this share, which
        shows that it works on the same data folder.

    Raises
    ------
    BadInputError
        When `given` is no web address.
    """
    if given is not None:
        parts = urlsplit(given)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInputError(
                f"{given!r} is no web address.",
                remedy="Give the whole address, for example https://data.example.org/packager/",
            )
        return BaseUrl(given if given.endswith("/") else given + "/", "flag")
    if settings.public_url:
        return BaseUrl(settings.public_url, "setting")
    announced = _announced(Path(settings.data_dir))
    if announced is not None:
        return BaseUrl(announced, "server")
    for url in _jupyter_servers():
        if _answers(f"{url}s/{share_token}/" if share_token else f"{url}healthz"):
            return BaseUrl(url, "server")
    return BaseUrl(DEFAULT_URL, "default")


class Announcement:
    """What this process says in `data_dir` about where it answers, until it is taken back.

    Parameters
    ----------
    data_dir : Path
        Exists already.
    """

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / _SERVER_FILE

    def make(self, url: str) -> None:
        """Say that this process answers at `url`."""
        write_atomic(self._file, orjson.dumps({"url": url, "pid": os.getpid()}))

    def take_back(self) -> None:
        """Remove what `make` wrote; another process's announcement stays."""
        if _read_json(self._file).get("pid") == os.getpid():
            self._file.unlink(missing_ok=True)


def _announced(data_dir: Path) -> str | None:
    body = _read_json(data_dir / _SERVER_FILE)
    url, pid = body.get("url"), body.get("pid")
    if not isinstance(url, str) or not isinstance(pid, int) or not _is_alive(pid):
        return None
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_PROBE_S).close()
    except OSError:
        return None
    return url


def _jupyter_servers() -> Iterator[str]:
    """Yield the addresses below which running Jupyter servers of this person mount us."""
    from jupyter_core.paths import jupyter_runtime_dir

    files = sorted(
        Path(jupyter_runtime_dir()).glob("jpserver-*.json"),
        key=lambda file: file.stat().st_mtime,
        reverse=True,
    )
    for file in files:
        body = _read_json(file)
        url, pid = body.get("url"), body.get("pid")
        if isinstance(url, str) and isinstance(pid, int) and _is_alive(pid):
            yield f"{url.rstrip('/')}/packager/"


def _read_json(file: Path) -> dict[str, object]:
    try:
        body = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}  # gone, or being written by another version: as if nobody had said anything
    return body if isinstance(body, dict) else {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # http(s) of a local server
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_S):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code in _LOCKED_STATUSES
    except (OSError, ValueError):
        return False
