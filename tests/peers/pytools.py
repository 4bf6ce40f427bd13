"""Programs of PyPI that users have and our own environment must not: each set in its own venv.

Their dependencies conflict with each other and with Jupyter's. A set is installed once, by uv, into
the cache folder of the tests, and made again when its requirements change.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from peers.azurite import cache_folder
from peers.process import PeerMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSTALL_S = 900
# What each set is for stands where it is used. Versions are those that the recipes were seen with.
SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "annex": ("git-annex>=10.20261026", "datalad>=1.3"),
        "bagit": ("bdbag>=1.8", "bagit>=1.9", "setuptools<81"),
        "croissant": ("mlcroissant>=1.1",),
        "devpi": ("devpi-server>=6.16",),
        "datacite": ("datacite>=1.4",),
        "dvc": ("dvc>=3.67",),
        "frictionless": ("frictionless>=5.18",),
        "fsspec": ("fsspec[http]>=2026.2",),
        "hatch": ("hatch>=1.14",),
        "helm": ("helm-binary>=3.17",),
        "huggingface": ("huggingface_hub>=1.0", "datasets>=4"),
        "poetry": ("poetry>=2.2",),
        "pooch": ("pooch>=1.8",),
        "proxpi": ("proxpi>=1.2", "gunicorn>=23"),
        "pypiserver": ("pypiserver[cache]>=2.3",),
        "rocrate": ("roc-validator>=0.6", "rocrate>=0.13"),
        "simple-repository-server": ("simple-repository-server>=0.10",),
        "stac": ("pystac[validation]>=1.12", "stac-geoparquet>=0.7"),
    }
)


def python_tools(name: str) -> Path:
    """Return the ``bin`` folder of the set `name`, installing it when it is not there yet.

    Raises
    ------
    PeerMissingError
        It could not be installed; the text names the packages and ends with what uv said.
    """
    wanted = SETS[name]
    text = "\n".join([sys.version, *wanted])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = cache_folder() / "pytools" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may want it at once
        if not (folder / "installed").exists():
            _install(wanted, folder)
    return folder / "venv" / "bin"


def tool_environment(bin_folder: Path, *, home: Path) -> dict[str, str]:
    """Return the variables for a run of a set's programs: its own first, a home of the test's own.

    Parameters
    ----------
    bin_folder : Path
        What `python_tools` returned.
    home : Path
        Made when missing; holds what the programs write for their user.
    """
    home.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    kept.pop("PYTHONPATH", None)
    path = os.pathsep.join([str(bin_folder), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "HOME": str(home), "VIRTUAL_ENV": str(bin_folder.parent)}


def _install(wanted: Sequence[str], folder: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), *_path()]))
    if uv is None:
        raise PeerMissingError("uv not found: install the PyPI package uv")
    venv = folder / "venv"
    log = folder / "uv.log"
    python = str(venv / "bin" / "python")
    commands = [
        [uv, "venv", "--clear", "--python", sys.executable, str(venv)],
        [uv, "pip", "install", "--python", python, *wanted],
    ]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with log.open("w") as out:
        for command in commands:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_S,
                env=env,
                check=False,
            )
            if done.returncode:
                raise PeerMissingError(
                    f"the PyPI packages {', '.join(wanted)} could not be installed:\n"
                    + log.read_text(errors="replace")[-1500:]
                )
    (folder / "installed").touch()


def _path() -> list[str]:
    return os.environ.get("PATH", os.defpath).split(os.pathsep)
