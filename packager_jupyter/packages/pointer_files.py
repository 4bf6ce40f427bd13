"""Many pointer files in a row: the same bytes as `pointer_file` writes, in a fraction of the time.

What all files of a version share is made once, and for a pointer as most are (a plain path, an
address made of a root and a key) it is enough to look at the path to know that no value needs
quotes. Any other pointer goes to `pointer_file`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from packager_jupyter.packages.pointer_file import (
    LONGEST_RESERVED,
    MAGIC,
    MAX_FILE_BYTES,
    is_plain,
    pointer_file,
    scalar,
)
from packager_jupyter.packages.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.packages.pointer import Pointer

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FIRST = frozenset(_LETTERS)
USUAL = f"{_LETTERS}0123456789_.-/".encode()
"""Characters that neither a URL nor a plain value spells otherwise."""

_ROOTS = 1000
_ANY = "z" * (LONGEST_RESERVED + 1)
"""Stands for every usual path: what is plain before it is so before any of them; it is no hex."""

HEAD = f"pointer: {MAGIC}\npath: "
_scalar = lru_cache(maxsize=256)(scalar)


class PointerFiles:
    """Writes the pointer files of one version.

    Parameters
    ----------
    package, version : str
    url_of : callable
        Returns the lasting address of the bytes of a path. It must end in the path, percent-encoded
        as RFC 3986 2.3 demands at the least: what is unreserved there stays as it is.

    Attributes
    ----------
    tail : str
        The lines after those of the storage, up to the path at the end of the address.
    has_plain_base : bool
        Whether what is before the path needs no quotes, before whatever path.
    """

    def __init__(self, *, package: str, version: str, url_of: Callable[[str], str]) -> None:
        self._package = package
        self._version = version
        self._url_of = url_of
        base = url_of("a")[:-1]
        self.has_plain_base = len(base) > LONGEST_RESERVED and is_plain(base + _ANY)
        self.tail = f"\npackage: {scalar(f'{package}@{version}')}\nurl: {base}"
        self._roots: dict[tuple[str, str], str] = {}

    def write(self, pointer: Pointer) -> bytes:
        """Return the file of one pointer.

        Raises
        ------
        TooLargeError
            Over 16 KiB.
        """
        path, key = pointer.path, pointer.key
        place = ""
        if _is_usual(path) and pointer.uri.endswith(key):
            place = self.place(pointer.source, pointer.uri[: len(pointer.uri) - len(key)])
        if not place or not (key == path or _is_usual(key)):
            return self._slowly(pointer)
        middle = ""
        if pointer.checksums:
            if len(pointer.checksums) > 1:
                return self._slowly(pointer)
            ((name, value),) = pointer.checksums.items()
            if name[0] not in FIRST:
                return self._slowly(pointer)
            middle = f"\nchecksums: {name}:{value}"
        etag = pointer.etag
        if etag is not None:
            middle += f"\netag: {scalar(etag)}"
        if pointer.modified_s is not None:
            middle += f'\nmodified: "{format_time(pointer.modified_s)}"'
        if pointer.media_type is not None:
            middle += f"\nmedia_type: {_scalar(pointer.media_type)}"
        after = "" if pointer.version_id is None else f"\nversion_id: {scalar(pointer.version_id)}"
        data = (
            f"{HEAD}{path}\nsize: {pointer.size_bytes}{middle}{place}{key}{after}"
            f"{self.tail}{path}\nx-key: {key}\n"
        ).encode()
        return data if len(data) <= MAX_FILE_BYTES else self._slowly(pointer)

    def place(self, source: str, root: str) -> str:
        """Return the lines of source and key up to the key itself; empty where that is not all."""
        if not self.has_plain_base or not source:
            return ""
        place = self._roots.get((source, root))
        if place is None:
            place = f"\nsource: {scalar(source)}\nkey: {root}"
            if not is_plain(root + _ANY):
                place = ""
            if len(self._roots) < _ROOTS:
                self._roots[source, root] = place
        return place

    def _slowly(self, pointer: Pointer) -> bytes:
        return pointer_file(
            pointer,
            package=self._package,
            version=self._version,
            url=self._url_of(pointer.path),
        )


def _is_usual(path: str) -> bool:
    """Return whether neither a URL nor a plain value spells `path` otherwise."""
    return (
        len(path) > LONGEST_RESERVED
        and path[0] in FIRST
        and not path.encode().translate(None, USUAL)
    )
