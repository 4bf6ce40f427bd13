"""The repositories that were made, kept by the chain of versions that they hold.

A repository is made in a temporary folder beside its place and renamed into it when it is whole, so
what stands there is complete; of several who want the same one, one makes it and the others wait.
The next version of a chain is added to a copy of what is there. All of it is a cache: it may be
deleted at any time, and what nobody asked for in a month is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packager_jupyter.exports.git.annex import AnnexLayout
from packager_jupyter.exports.git.base import Step, chain_id
from packager_jupyter.exports.git.dvc import DvcLayout
from packager_jupyter.exports.git.fastimport import fast_import, make_repository
from packager_jupyter.exports.git.keys import KeyMap, find_key
from packager_jupyter.exports.git.lfs import LfsLayout
from packager_jupyter.io import TEMP_PREFIX, explain_disk_full, file_lock, fsync_dir, make_dirs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packager_jupyter.exports.git.base import Layout, Snapshot
    from packager_jupyter.exports.git.keys import Found

_ALL: tuple[Layout, ...] = (AnnexLayout(), DvcLayout(), LfsLayout())
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _ALL}
"""Every kind of repository, by its name in addresses."""

BUILD_TIMEOUT_S = 1800.0
KEEP_S = 30 * 24 * 3600.0
LEFTOVER_S = 3600.0


@dataclass(frozen=True, slots=True)
class GitRepo:
    """A repository on our disk.

    Attributes
    ----------
    folder : Path
        Holds ``repo.git``, a bare repository, and what its kind keeps besides.
    chain : tuple of Snapshot
        The versions that it holds, the newest last.
    """

    folder: Path
    chain: tuple[Snapshot, ...]

    @property
    def git_dir(self) -> Path:
        """The bare repository."""
        return self.folder / "repo.git"

    def find(self, key: str) -> Found | None:
        """Return where a key leads."""
        return find_key(self.folder / "keys.sqlite", key)


class GitRepos:
    """Makes and keeps repositories below one folder; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def repo(self, kind: str, chain: Sequence[Snapshot]) -> GitRepo:
        """Return the repository of these versions, made first when it is not there.

        Parameters
        ----------
        kind : str
            A name of `LAYOUTS`.
        chain : sequence of Snapshot
            At least one version, the newest last.

        Raises
        ------
        ToolMissingError, ToolFailedError, DiskFullError, BusyError
        """
        layout = LAYOUTS[kind]
        place = self._place(layout, chain)
        if not place.is_dir():
            make_dirs(self._folder)
            lock = self._folder / f"build-{place.name[-1]}.lock"
            with file_lock(lock, timeout_s=BUILD_TIMEOUT_S):
                if not place.is_dir():
                    self._sweep()
                    self._make(layout, chain, place)
        with contextlib.suppress(FileNotFoundError):
            os.utime(place)
        return GitRepo(place, tuple(chain))

    def _place(self, layout: Layout, chain: Sequence[Snapshot]) -> Path:
        digests = [one.contents.digest for one in chain]
        return self._folder / f"{layout.name}-{chain_id(layout, digests)}"

    def _make(self, layout: Layout, chain: Sequence[Snapshot], place: Path) -> None:
        temp = self._folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
        with explain_disk_full("the repository"):
            temp.mkdir(mode=0o700)
            try:
                self._fill(layout, chain, temp)
                _make_durable(temp)
                temp.rename(place)
                fsync_dir(self._folder)
            finally:
                shutil.rmtree(temp, ignore_errors=True)

    def _fill(self, layout: Layout, chain: Sequence[Snapshot], temp: Path) -> None:
        git_dir, done = temp / "repo.git", 0
        for length in range(len(chain) - 1, 0, -1):
            before = self._place(layout, chain[:length])
            if before.is_dir():
                _copy(before, temp)
                done = length
                break
        if not done:
            make_repository(git_dir)
        for number in range(done, len(chain)):
            keys = KeyMap(temp / "keys.sqlite")
            with contextlib.closing(keys):
                step = Step(chain[number], number, chain[0], keys, temp)
                fast_import(git_dir, layout.commands(step))

    def _sweep(self) -> None:
        """Remove what a killed process left, and repositories that nobody asked for in a month."""
        now = time.time()
        for found in self._folder.iterdir():
            if found.is_file():
                continue
            limit_s = LEFTOVER_S if found.name.startswith(TEMP_PREFIX) else KEEP_S
            with contextlib.suppress(FileNotFoundError):
                if found.stat().st_mtime < now - limit_s:
                    shutil.rmtree(found, ignore_errors=True)


def _copy(before: Path, temp: Path) -> None:
    """Copy a repository; what git never changes once it is written is linked, not copied."""
    for found in before.rglob("*"):
        target = temp / found.relative_to(before)
        if found.is_dir():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "objects" in found.relative_to(before).parts:
            os.link(found, target)
        else:
            shutil.copyfile(found, target)


def _make_durable(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            with Path(root, name).open("rb") as file:
                os.fsync(file.fileno())
        fsync_dir(Path(root))
