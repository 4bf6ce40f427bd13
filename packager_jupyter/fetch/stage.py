"""A share as a repository on this machine: a clone, or a folder of a repository that is there.

git, git-annex and DVC do the work, as the person who runs this has set them up. They get their
arguments as a list, what comes from outside behind ``--`` or joined to an option, and a password in
their environment. What they say is shown without the share's address, which may hold a secret.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    ToolFailedError,
    ToolMissingError,
)
from packager_jupyter.fetch.share import ShareOrigin, base_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SAID_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Staged:
    """What staging made, and how to go on.

    Attributes
    ----------
    folder : Path
    repository : Path
        The root of the repository: `folder` itself, or what was there before.
    is_new : bool
        Whether the repository is a new one.
    next_lines : tuple of str
        What to run for the bytes.
    """

    folder: Path
    repository: Path
    is_new: bool
    next_lines: tuple[str, ...]


class Stager:
    """Stages one share.

    Parameters
    ----------
    url : str
        The share's link, or any address below it.
    password : str, optional

    Attributes
    ----------
    base : str
        The share's own address, ending in ``/``; it may hold a secret.
    """

    def __init__(self, url: str, *, password: str | None = None) -> None:
        self.base = base_of(url)
        self._password = password
        self._environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        if password:
            # Bound to the share's address, so that no storage gets it from git.
            pairs = {f"http.{self.base}.extraHeader": f"X-Share-Token: {password}"}
            self._environment |= _settings(pairs, self._environment)

    def stage(self, kind: str, folder: Path) -> Staged:
        """Make `folder` hold the share as a repository of `kind`.

        Parameters
        ----------
        kind : str
            A name of `KINDS`.
        folder : Path
            Not there yet, or empty. Inside a repository it becomes a part of it.

        Raises
        ------
        ToolMissingError, ToolFailedError
            Nothing is staged then, and a repository that was there is as it was.
        ConflictError
            The folder is not empty, or the repository has staged changes.
        BadInputError
            The repository is none that the share can become a part of.
        """
        folder = folder.resolve()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConflictError(
                f"{folder} is there already and not empty.", remedy="Name a new folder."
            )
        _program("git")
        around = self._repository_around(folder)
        return KINDS[kind](self, folder, around)

    def _repository_around(self, folder: Path) -> Path | None:
        above = next(one for one in folder.parents if one.is_dir())
        command = ["git", "-C", str(above), "rev-parse", "--show-toplevel"]
        done = self._run(command)
        text = done.stdout.decode(errors="surrogateescape").rstrip("\n")
        return type(folder)(text) if done.returncode == 0 and text else None

    def clone(self, name: str, folder: Path) -> None:
        """Clone the repository ``name.git`` of the share."""
        existed = folder.exists()
        try:
            self.check(["git", "clone", "-q", "--", f"{self.base}{name}.git", str(folder)])
        except BaseException:
            if not existed:
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def annex(self, folder: Path, around: Path | None) -> Staged:
        """Stage for git-annex and DataLad."""
        lines = (f"cd {shlex.quote(str(folder))}", "git annex get .")
        if around is None:
            self.clone("repo", folder)
            return Staged(folder, folder, True, lines)
        _program("git-annex")
        git = ["git", "-C", str(around)]
        if self._run([*git, "config", "--get", "annex.uuid"]).returncode:
            raise BadInputError(
                f"{around} is a git repository without git-annex.",
                remedy="Run 'git annex init' in it, or stage into a folder outside of it.",
            )
        self.refuse_staged(around)
        mark = hashlib.sha256(self.base.encode()).hexdigest()[:8]
        remote, below = f"packager-{mark}", folder.relative_to(around.resolve()).as_posix()
        if self._run([*git, "remote", "get-url", remote]).returncode:
            self.check([*git, "remote", "add", "--", remote, f"{self.base}repo.git"])
        self.check([*git, "fetch", "-q", remote])
        try:
            self.check([*git, "read-tree", f"--prefix={below}/", "-u", f"{remote}/main"])
            self.check([*git, "annex", "fix", "-q", "--", below])
            self.check([*git, "annex", "merge", "-q"])
            # -n: the hook of git-annex would look at each of a hundred thousand files again.
            self.check([*git, "commit", "-q", "-n", "-m", "Stage a share"])
        except BaseException:
            self._run([*git, "rm", "-r", "-f", "-q", "--cached", "--", below])
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Staged(folder, around, False, lines)

    def dvc(self, folder: Path, around: Path | None) -> Staged:
        """Stage for DVC."""
        from packager_jupyter.fetch.stage_dvc import find_project, stage_into

        into = f"cd {shlex.quote(str(folder))}"
        project = find_project(folder, around)
        if project is not None:
            stage_into(self, folder, project)
            return Staged(folder, project.root, False, (into, "dvc pull -R ."))
        if around is not None:
            raise BadInputError(
                f"{around} is a git repository without DVC.",
                remedy="Run 'dvc init' in it and commit that, or stage into a folder outside of "
                "it.",
            )
        self.clone("dvc", folder)
        return Staged(folder, folder, True, (into, "dvc pull"))

    def origin(self) -> ShareOrigin:
        """Return the share for single documents; close it."""
        return ShareOrigin(self.base, password=self._password)

    def refuse_staged(self, repository: Path) -> None:
        """Raise `ConflictError` when a commit would take more than what is staged here."""
        if not self.succeeds(["git", "-C", str(repository), "diff", "--cached", "--quiet"]):
            raise ConflictError(
                f"{repository} has staged changes, which would become part of the same commit.",
                remedy="Commit or unstage them first.",
            )

    def succeeds(self, command: list[str]) -> bool:
        """Run a program whose answer is how it ends."""
        return self._run(command).returncode == 0

    def check(self, command: list[str]) -> bytes:
        """Run a program that has to succeed, return what it wrote; raises `ToolFailedError`."""
        done = self._run(command)
        if done.returncode:
            said = done.stderr.decode(errors="replace").replace(self.base, "[share]/")
            raise ToolFailedError(
                f"{command[0]} could not stage the share.",
                remedy="The details say why. Check the link, and the password if it has one.",
                details=said.strip()[-_SAID_CHARACTERS:],
            )
        return done.stdout

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603  # a list, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment,
            check=False,
        )


KINDS: dict[str, Callable[[Stager, Path, Path | None], Staged]] = {
    "git-annex": Stager.annex,
    "dvc": Stager.dvc,
}
"""How each kind of repository is staged."""


def _program(name: str) -> None:
    if shutil.which(name) is None:
        raise ToolMissingError(
            f"{name} is not installed here.", remedy=f"Install {name}, or take --as files."
        )


def _settings(pairs: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that add settings to git (git-config(1), ``GIT_CONFIG_COUNT``)."""
    text = environment.get("GIT_CONFIG_COUNT", "0")
    start = int(text) if text.isdecimal() else 0
    found = {"GIT_CONFIG_COUNT": str(start + len(pairs))}
    for at, (key, value) in enumerate(pairs.items(), start):
        found |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return found
