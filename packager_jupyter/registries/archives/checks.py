"""What every archive format shares: the limits, the refusal, and the rules for member names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ENTRIES = 50_000
MAX_MEMBER_BYTES = 1024 * 1024
MAX_RATIO = 100
MAX_NAME_BYTES = 4096


class ArchiveError(BadInputError):
    """The uploaded archive is damaged, ambiguous or hostile; nothing of it was kept."""

    code = "bad_archive"

    def __init__(self, message: str) -> None:
        super().__init__(
            f"The archive is refused: {message}.",
            remedy="Build it again with the ecosystem's own tool and upload that file.",
        )


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, as its directory states it.

    Attributes
    ----------
    name : str
        Path in the archive, ``/``-separated, checked by `check_name`; folders end with ``/``.
    size_bytes : int
        Length of the uncompressed content.
    offset : int
        Where the entry starts in the (uncompressed) container; for the format's own reader.
    """

    name: str
    size_bytes: int
    offset: int
    stored_bytes: int = 0
    method: int = 0
    crc32: int = 0


def check_name(name: str) -> str:
    """Return `name` when every reader would place it at the same spot inside the target folder.

    Raises
    ------
    ArchiveError
        Absolute, with a drive, a backslash, NUL or another control character, with an empty,
        ``.`` or ``..`` segment, or longer than 4,096 bytes.
    """
    shown = repr(name[:80])
    if not name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise ArchiveError("a member has an empty or an overlong name")
    if any(ord(c) < 0x20 or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in name):  # noqa: PLR2004 - control characters, DEL, surrogates
        raise ArchiveError(f"the member name {shown} holds a control character")
    if "\\" in name or name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        raise ArchiveError(f"the member name {shown} is absolute or holds a backslash")
    segments = name.removesuffix("/").split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ArchiveError(f"the member name {shown} leaves or repeats its folder")
    return name


def check_unique(names: Iterable[str]) -> None:
    """Refuse two members of one name, and a name that is both a file and a folder."""
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        plain = name.removesuffix("/")
        if plain in seen:
            raise ArchiveError(f"two members are called {plain[:80]!r}")
        seen.add(plain)
        if name.endswith("/"):
            folders.add(plain)
        else:
            folders.discard(plain)
    for name in seen:
        parent = name.rpartition("/")[0]
        if parent and parent in seen and parent not in folders:
            raise ArchiveError(f"{parent[:80]!r} is both a file and a folder")


def check_ratio(size_bytes: int, stored_bytes: int, name: str) -> None:
    """Refuse a member that unpacks to more than 100 times its stored length (beyond 64 KiB)."""
    if size_bytes > 64 * 1024 and size_bytes > MAX_RATIO * max(stored_bytes, 1):
        raise ArchiveError(f"{name[:80]!r} unpacks to more than {MAX_RATIO} times its length")
