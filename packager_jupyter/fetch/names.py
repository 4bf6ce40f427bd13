"""File names for package paths: the same where the system takes them, else a safe stand-in.

Paths come from another machine, so each is checked before it names anything here.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from pathlib import Path

from packager_jupyter.packages.names import check_path

STATE_FOLDER = ".packager"
MAX_NAME_BYTES = 255
# Microsoft, "Naming Files, Paths, and Namespaces": characters and names that mean something else.
_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?")
_HASH_CHARS = 8
# Each is moved one underscore on, so that none meets another.
_OURS = re.compile(rf"(?i)_*{re.escape(STATE_FOLDER)}[. ]*")


class LocalNames:
    """Gives every path of a package a name below a folder, two paths never the same one.

    Parameters
    ----------
    is_portable : bool
        Change what Windows does not take (characters, reserved names, trailing dots and blanks).
    is_blind : bool
        The folder's file system takes ``a`` and ``A``, or two spellings of ``é``, for one name.
    """

    def __init__(self, *, is_portable: bool, is_blind: bool) -> None:
        self._is_portable = is_portable
        self._is_blind = is_portable or is_blind
        # By the folder's name here: what its names mean, and which are taken however spelled.
        self._chosen: dict[tuple[str, str, bool], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def __call__(self, path: str) -> str:
        """Return the name for a path; the same paths in the same order give the same."""
        parts = check_path(path).split("/")
        if not self._is_blind:
            return "/".join([_ours(parts[0]), *parts[1:]])
        folder = ""
        for part in parts[:-1]:
            folder += self._choose(folder, part, is_folder=True) + "/"
        return folder + self._choose(folder, parts[-1], is_folder=False)

    def _choose(self, folder: str, part: str, *, is_folder: bool) -> str:
        key = (folder, part, is_folder)
        found = self._chosen.get(key)
        if found is not None:
            return found
        name = self._plain(part if folder else _ours(part))
        chosen, number = _shortened(name), 1
        while (folder, _key(chosen)) in self._taken:
            number += 1
            chosen = _numbered(name, number)
        self._taken.add((folder, _key(chosen)))
        self._chosen[key] = chosen
        return chosen

    def _plain(self, part: str) -> str:
        if not self._is_portable:
            return part
        part = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", part))
        if part.rstrip(". ") != part:
            part = part.rstrip(". ") + "_"
        return f"_{part}" if _RESERVED.fullmatch(part) else part


def is_blind(folder: Path) -> bool:
    """Whether the file system of `folder` takes differently spelled names for one.

    A folder that is not there yet, or cannot be written to, counts as one that does not.
    """
    if not folder.is_dir():
        return False
    try:
        with tempfile.NamedTemporaryFile(prefix="packager-Caf\u00e9-", dir=folder) as probe:
            name = Path(probe.name).name
            spellings = (name.swapcase(), unicodedata.normalize("NFD", name))
            return any((folder / spelling).exists() for spelling in spellings)
    except OSError:
        return False


def _ours(part: str) -> str:
    """Keep the folder of our own state out of a package's reach."""
    return f"_{part}" if _OURS.fullmatch(part) else part


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.rpartition(".")
    return _shortened(f"{stem}~{number}.{ending}" if dot and stem else f"{name}~{number}")


def _shortened(name: str) -> str:
    """Return `name` in at most 255 bytes, which normalising may have made more."""
    raw = name.encode()
    if len(raw) <= MAX_NAME_BYTES:
        return name
    mark = "~" + hashlib.sha256(raw).hexdigest()[:_HASH_CHARS]
    return raw[: MAX_NAME_BYTES - len(mark)].decode("utf-8", "ignore") + mark
