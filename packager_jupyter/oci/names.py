"""Names of the OCI distribution specification: repositories, tags, digests, references.

Every name that reaches a store passes here first, so a store never sees a name that could leave
its folder or be read as something else. Lengths are checked before any pattern, so hostile input
costs nothing. Source of the grammar: distribution-spec 1.1, "Pulling manifests"; image-spec 1.1,
"Digests".
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from packager_jupyter.errors import NameInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from hashlib import _Hash

MAX_REPOSITORY_LENGTH = 255
MAX_TAG_LENGTH = 128
DIGEST_HEX_LENGTH: Mapping[str, int] = {"sha256": 64, "sha512": 128}
"""Registered digest algorithms that we take, with the length of their lower-case hex."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DIGEST = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([0-9a-f]+)")
_SHOWN = 80
_MAX_DIGEST_LENGTH = 8 + max(DIGEST_HEX_LENGTH.values())


def _shown(value: str) -> str:
    """Return `value` as it may stand in a message: quoted, printable and short."""
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")


def check_repository(name: str) -> str:
    """Return `name` when it is a repository name, else raise `NameInvalidError`.

    One or more components joined by ``/``; a component is lower-case letters and digits, with
    single ``.``, ``_``, ``__`` or any number of ``-`` between them; 255 characters at most.
    """
    if len(name) > MAX_REPOSITORY_LENGTH:
        raise NameInvalidError(
            f"The repository name {_shown(name)} has {len(name)} characters.",
            remedy=f"Use at most {MAX_REPOSITORY_LENGTH} characters.",
        )
    if not _REPOSITORY.fullmatch(name):
        raise NameInvalidError(
            f"{_shown(name)} is no repository name.",
            remedy="Use lower-case letters and digits, with '.', '_' or '-' between them, and '/' "
            "between components.",
        )
    return name


def check_tag(tag: str) -> str:
    """Return `tag` when it is a tag, else raise `NameInvalidError`."""
    if len(tag) > MAX_TAG_LENGTH:
        raise NameInvalidError(
            f"The tag {_shown(tag)} has {len(tag)} characters.",
            remedy=f"Use at most {MAX_TAG_LENGTH} characters.",
        )
    if not _TAG.fullmatch(tag):
        raise NameInvalidError(
            f"{_shown(tag)} is no tag.",
            remedy="Use letters, digits, '_', '.' and '-'; begin with a letter, a digit or '_'.",
        )
    return tag


def check_digest(digest: str) -> str:
    """Return `digest` when it is one that we can check, else raise `NameInvalidError`."""
    split_digest(digest)
    return digest


def split_digest(digest: str) -> tuple[str, str]:
    """Split a checked digest into algorithm and lower-case hex."""
    match = _DIGEST.fullmatch(digest) if len(digest) <= _MAX_DIGEST_LENGTH else None
    if match is None:
        raise NameInvalidError(
            f"{_shown(digest)} is no digest.",
            remedy="Write the algorithm, ':' and lower-case hexadecimal digits, for example "
            "'sha256:' and 64 digits.",
        )
    algorithm, encoded = match.groups()
    length = DIGEST_HEX_LENGTH.get(algorithm)
    if length is None:
        raise NameInvalidError(
            f"The digest algorithm {_shown(algorithm)} is not known here.",
            remedy=f"Use one of: {', '.join(DIGEST_HEX_LENGTH)}.",
        )
    if len(encoded) != length:
        raise NameInvalidError(
            f"A {algorithm} digest has {length} hexadecimal digits, this one has {len(encoded)}.",
            remedy="Give the whole digest.",
        )
    return algorithm, encoded


def is_digest(reference: str) -> bool:
    """Tell a digest from a tag: only a digest holds a ``:``."""
    return ":" in reference


def check_reference(reference: str) -> str:
    """Return `reference` when it is a tag or a digest, else raise `NameInvalidError`."""
    return check_digest(reference) if is_digest(reference) else check_tag(reference)


def digest_bytes(data: bytes, *, algorithm: str = "sha256") -> str:
    """Return the digest of `data`, ``algorithm:hex``."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def new_hash(digest: str | None = None) -> _Hash:
    """Return an empty hash of the algorithm of `digest`; SHA-256 when there is none."""
    return hashlib.new(split_digest(digest)[0] if digest else "sha256")
