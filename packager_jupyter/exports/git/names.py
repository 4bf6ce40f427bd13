"""Which paths of a package git can hold, and the honest list of those that it cannot.

git refuses to check out a path with a component that some file system takes for ``.git``, and
obeys files such as ``.gitmodules`` and ``.gitattributes`` of whoever made the repository. Neither
is anything for a package to decide, so such paths stay out, and a file in the repository says so.
"""

from __future__ import annotations

import json
import re

# HFS+ takes these for nothing at all (git, utf8.c, next_hfs_char).
_INVISIBLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# NTFS: short names of .git and its kin, and what it cuts off an end (git, path.c, is_ntfs_dotgit).
_SHORT = re.compile(r"g[a-z0-9]{1,6}~[0-9]{1,6}(?:[. ]*(?::.*)?)$")
NAME = "LEFT-OUT.txt"
MAX_LISTED = 100_000


def git_refusal(path: str, own: frozenset[str] = frozenset()) -> str | None:
    """Say why `path` stays out of a repository; None when it can stand there.

    Parameters
    ----------
    path : str
        A path of a package (`packages.names.check_path`).
    own : set of str, optional
        Components, in lower case, that mean something to the tool that the repository is for.
    """
    lowered = path.lower()
    if ".git" not in lowered and "~" not in lowered and path.isascii() and not own:
        return None
    for component in lowered.split("/"):
        seen = component if component.isascii() else _INVISIBLE.sub("", component)
        if seen.startswith(".git"):
            return "git keeps names that begin with .git for itself"
        if _SHORT.match(seen):
            return "some systems take this name for one that git keeps for itself"
        if seen in own:
            return f"the repository's tool keeps the name {seen} for itself"
    return None


class LeftOut:
    """What a repository lacks, with the reason; listed in a file of it."""

    def __init__(self, reason: str = "") -> None:
        self._lines: list[str] = []
        self._count = 0
        self._reason = reason

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, path: str, reason: str) -> None:
        """Note one path."""
        self._count += 1
        if len(self._lines) < MAX_LISTED:
            self._lines.append(f"{json.dumps(path, ensure_ascii=True)}\t{reason}")

    def file_name(self, taken: set[str]) -> str:
        """Return a name for the list that is none of `taken`."""
        name, number = NAME, 1
        while name in taken:
            number += 1
            name = f"LEFT-OUT-{number}.txt"
        return name

    def text(self) -> bytes:
        """Return the list."""
        head = f"{self._count} files of the package are not in this repository:\n"
        more = self._count - len(self._lines)
        tail = [f"and {more} more"] if more else []
        return "\n".join([head, *self._lines, *tail, ""]).encode()
