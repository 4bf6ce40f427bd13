"""What is to be had, and from where: one Protocol.

A manifest comes from another machine, so every path in it is hostile until checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


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
    etag : str or None
        Strong entity tag that the object must still have when it is read, without quotes; None
        where the version says which object is meant, or nothing does.
    modified_s : int or None
    is_attachment : bool
    locator : str
        How its origin finds it again (an address, or a path).
    """

    path: str
    size_bytes: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    etag: str | None = None
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

    def addresses(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Return addresses that spare `read` a round trip each, by path.

        What is missing has none, or what is wrong with it is told by `read`.
        """
        ...

    def read(self, item: Item, *, start: int, address: str | None = None) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on.

        Parameters
        ----------
        item : Item
        start : int
        address : str, optional
            One of `addresses`, which may have expired.

        Raises
        ------
        PackagerError
            With ``retry_after_s`` or a `StorageError` when trying again may help.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
