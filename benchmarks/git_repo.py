"""A share's `repo.git` made from a version, beside git-annex making the same by itself.

git-annex is given keys in a batch (`git annex fromkey --batch --force`), its quickest way without
reading the files, then commits; it gets a fiftieth of the files, as it needs minutes for a hundred
thousand. Ours is the whole repository, both branches and the map of keys, from the version's
pointers on. `--size` is the number of files. The last line is the most memory that this process
and its largest child (`git fast-import`) held: together the bound of what a server needs for it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Case, Suite, main

from packager_jupyter.exports.git.annex import annex_key
from packager_jupyter.exports.git.base import Snapshot
from packager_jupyter.exports.git.repos import GitRepos
from packager_jupyter.packages.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PEER_PART = 50
PUBLISHED_S = 1_700_000_000
numbers = count()


@dataclass(frozen=True)
class Version:
    """A version of so many files in folders of a thousand, none of them kept in memory."""

    files: int
    name: str = "survey"
    version: str = "1"

    @property
    def digest(self) -> str:
        """See `exports.base.Exportable`."""
        return f"sha256:{self.files:064x}"

    def attachments(self) -> Sequence[object]:
        """See `exports.base.Exportable`."""
        return []

    def read_attachment(self, path: str) -> bytes:
        """See `exports.base.Exportable`."""
        raise FileNotFoundError(path)

    def iter_pointers(self) -> Iterator[Pointer]:
        """See `exports.base.Exportable`."""
        for number in range(self.files):
            path = f"obs/{number // 1000:04}/file {number:07}.csv"
            md5 = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
            sums = {"md5": md5}
            uri = f"s3://bucket/{path}"
            yield Pointer(path, "lake", path, uri, number, PUBLISHED_S, md5, None, sums)


def make(folder: Path, version: Version) -> None:
    """Make the repository anew."""
    place = folder / f"ours-{next(numbers)}"
    repo = GitRepos(place).repo("repo", [Snapshot(version, PUBLISHED_S)])
    assert (repo.git_dir / "refs" / "heads" / "main").exists()
    shutil.rmtree(place)


def make_by_annex(folder: Path, version: Version) -> None:
    """Let git-annex make a repository with the same keys."""
    place = folder / f"annex-{next(numbers)}"
    place.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    for name in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{name}_NAME": "Bench", f"GIT_{name}_EMAIL": "bench@example.org"}
    lines = "".join(f"{annex_key(one)} {one.path}\n" for one in version.iter_pointers())

    def run(*command: str, text: str = "") -> None:
        subprocess.run(
            command, cwd=place, env=env, input=text, text=True, check=True, capture_output=True
        )

    run("git", "init", "-q")
    run("git", "annex", "init", "-q")
    run("git", "annex", "fromkey", "-q", "--batch", "--force", text=lines)
    run("git", "commit", "-q", "-n", "-m", "survey")
    subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
    shutil.rmtree(place)


def build(size: int) -> list[Suite]:
    folder = Path(tempfile.mkdtemp(prefix="bench-git-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    part = Version(max(1, size // PEER_PART))
    cases = [
        Case("git annex fromkey --batch", part.files, lambda: make_by_annex(folder, part)),
        Case("repo.git", size, lambda: make(folder, Version(size))),
    ]
    return [Suite(f"a repository of {size:,} files", "file", cases, clock="wall")]


def say_memory() -> None:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(kind).ru_maxrss / 1024 for kind in kinds)
    print(f"\nmost memory: {own:.0f} MiB here, {child:.0f} MiB in the largest child")


if __name__ == "__main__":
    main(build, size=100_000, doc=__doc__, rounds=1)
    say_memory()
