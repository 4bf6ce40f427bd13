"""The two hashes with which lock files and mirrors name a provider's archive.

``zh:`` is the SHA-256 of the archive. ``h1:`` is a hash over what it unpacks to (Go's
``dirhash.Hash1``): SHA-256 in base64 of one line per member, ``<SHA-256>  <name>``, in the order of
their names, so that it is the same for an archive that was packed again.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, BinaryIO

from packager_jupyter.errors import BadInputError
from packager_jupyter.registries.archives.zipdir import iter_member

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packager_jupyter.registries.archives.checks import Member

ZIP_HASH, DIRECTORY_HASH = "zh:", "h1:"
MAX_UNPACKED_BYTES = 4 * 1024**3


def hash1(file: BinaryIO, members: Sequence[Member]) -> str:
    """Return the ``h1:`` hash of a ZIP whose members were read with `read_members`.

    Raises
    ------
    BadInputError
        It unpacks to more than 4 GiB, or a member is damaged.
    """
    if sum(member.size_bytes for member in members) > MAX_UNPACKED_BYTES:
        raise BadInputError(
            f"A provider archive unpacks to more than {MAX_UNPACKED_BYTES:,} bytes.",
            remedy="Pack the provider's program and its licence only.",
        )
    whole = hashlib.sha256()
    for member in sorted(members, key=lambda one: one.name.encode()):
        digest = hashlib.sha256()
        for piece in iter_member(file, member):
            digest.update(piece)
        whole.update(f"{digest.hexdigest()}  {member.name}\n".encode())
    return DIRECTORY_HASH + base64.b64encode(whole.digest()).decode()


def check_stated(filename: str, *, computed: Iterable[str], stated: Iterable[str]) -> None:
    """Refuse an archive that has another hash than somebody stated.

    Hashes of other schemes say nothing.

    Raises
    ------
    BadInputError
    """
    ours: Mapping[str, str] = {text[:3]: text for text in computed}
    wrong = [text for text in stated if text[:3] in ours and ours[text[:3]] != text]
    if wrong:
        raise BadInputError(
            f"{filename[:120]} is not the archive that its mirror names: {wrong[0][:80]}.",
            remedy="Make the mirror again with `terraform providers mirror`.",
        )
