"""git as a program that we run: where it is, in what surroundings, and ``git fast-import``.

It never runs through a shell, reads no configuration of the system or of a user, and asks nobody
anything. What comes from outside reaches it as data on its standard input, never as an argument.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from packager_jupyter.errors import DiskFullError, ToolFailedError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

INIT_S = 60
END_S = 600
_ERROR_CHARACTERS = 800
# Made once, read often: no search for similar objects, which would cost more than it saves.
_IMPORT = ("-c", "core.compression=1", "-c", "pack.compression=1", "-c", "fastimport.unpackLimit=1")


def git_program() -> str:
    """Return the path of git.

    Raises
    ------
    ToolMissingError
        It is not installed.
    """
    found = shutil.which("git")
    if found is None:
        raise ToolMissingError(
            "git is not installed on the server, so packages cannot be cloned.",
            remedy="Install git on the server, or get the data in another way.",
        )
    return found


def git_environment() -> dict[str, str]:
    """Return the variables of a git that knows nothing but its arguments."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
    }


def make_repository(folder: Path) -> None:
    """Make an empty bare repository without templates and hooks at `folder`."""
    command = [git_program(), "init", "--quiet", "--bare", "--template=", "--", str(folder)]
    done = subprocess.run(  # noqa: S603  # git and our own folder
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=git_environment(),
        timeout=INIT_S,
        check=False,
    )
    if done.returncode:
        raise _failed(done.stderr)
    (folder / "HEAD").write_bytes(b"ref: refs/heads/main\n")


def fast_import(folder: Path, commands: Iterable[bytes]) -> None:
    """Feed `commands` to ``git fast-import`` in the bare repository at `folder`.

    Raises
    ------
    ToolFailedError, DiskFullError, ToolMissingError
        Nothing of the commands counts then. What `commands` raises goes on.
    """
    errors = folder / "fast-import.log"
    command = [git_program(), *_IMPORT, f"--git-dir={folder}", "fast-import", "--quiet", "--done"]
    with errors.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # git and our own folder
            [*command, "--date-format=raw", "--depth=0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=git_environment(),
        )
        try:
            _feed(process, commands)
            process.wait(END_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    said = errors.read_bytes()
    errors.unlink()
    if process.returncode:
        raise _failed(said)


def _feed(process: subprocess.Popen[bytes], commands: Iterable[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101  # as the pipe was asked for
    try:
        for chunk in commands:
            process.stdin.write(chunk)
        process.stdin.write(b"done\n")
        process.stdin.close()
    except BrokenPipeError:
        # It has ended for a reason of its own, which its exit code and its words tell.
        process.wait(END_S)


def _failed(said: bytes) -> ToolFailedError | DiskFullError:
    text = said.decode(errors="replace")
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return DiskFullError(
            "The disk is full: could not make the repository.",
            remedy="Nothing was changed. Free some space and try again.",
        )
    return ToolFailedError(
        "git could not make the repository.",
        remedy="Look into the server's log; try again after an update of git.",
        details=text[-_ERROR_CHARACTERS:],
    )
