"""What is to be had, and from where: one Protocol, and the file names that it gets here.

A manifest comes from another machine, so every path in it is hostile until checked.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from packager_jupyter.packages.names import check_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_NAME_BYTES = 255
_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_HASH_CHARS = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a package.

    Attributes
    ----------
    path : str
        Path in the package, checked.
    size_bytes : int
    checksums : mapping of str to str
        Algorithm to lower-case hex; what is unknown is absent.
    identity : str
        Differs whenever the content may: etag and version, or a checksum.
    modified_s : int or None
    is_attachment : bool
    locator : str
        How its origin finds it again (an address, or a path).
    """

    path: str
    size_bytes: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    modified_s: int | None = None
    is_attachment: bool = False
    locator: str = ""

    @property
    def part_name(self) -> str:
        """Name of its partial file: another content never continues this one's part."""
        text = f"{self.path}\0{self.size_bytes}\0{self.identity}\0{sorted(self.checksums.items())}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Origin(Protocol):
    """Where files come from: a share of any server, or a package of this one."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    def items(self) -> Iterator[Item]:
        """Yield every file; raises when the list is not complete."""
        ...

    def read(self, item: Item, *, start: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on.

        Raises
        ------
        PackagerError
            With ``retry_after_s`` or a `StorageError` when trying again may help.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class LocalNames:
    """Gives every path of a package a name below a folder.

    Parameters
    ----------
    is_portable : bool
        Change what Windows does not take (characters, reserved names, trailing dots and blanks).
    is_case_blind : bool
        The folder's file system takes ``a`` and ``A`` for one file.
    """

    def __init__(self, *, is_portable: bool, is_case_blind: bool) -> None:
        self._is_portable = is_portable
        self._is_case_blind = is_case_blind
        self._taken: set[str] = set()

    def __call__(self, path: str) -> str:
        """Return the name for a checked path; the same paths in the same order give the same."""
        name = "/".join(self._segment(part) for part in check_path(path).split("/"))
        if not (self._is_portable or self._is_case_blind):
            return name
        chosen, number = name, 1
        while self._key(chosen) in self._taken:
            number += 1
            stem, dot, ending = name.rpartition(".")
            at_dot = dot and "/" not in ending
            chosen = f"{stem}~{number}.{ending}" if at_dot else f"{name}~{number}"
        self._taken.add(self._key(chosen))
        return chosen

    def _key(self, name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold()

    def _segment(self, part: str) -> str:
        if self._is_portable:
            part = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", part))
            if part.rstrip(". ") != part:
                part = part.rstrip(". ") + "_"
            if _RESERVED.fullmatch(part):
                part = f"_{part}"
        raw = part.encode()
        if len(raw) <= MAX_NAME_BYTES:
            return part
        mark = "~" + hashlib.sha256(raw).hexdigest()[:_HASH_CHARS]
        kept = raw[: MAX_NAME_BYTES - len(mark)].decode("utf-8", "ignore")
        return kept + mark
