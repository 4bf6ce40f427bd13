"""Names and versions of providers and modules.

Source: Terraform's provider and module registry protocols; versions are Semantic Versioning 2.0.
"""

from __future__ import annotations

import re
from typing import Any

from packager_jupyter.errors import BadInputError

_LABEL = re.compile(r"[0-9a-z](?:[0-9a-z_-]{0,62}[0-9a-z])?")
_PLATFORM = re.compile(r"[a-z0-9]{1,32}")
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_IDENTIFIER = r"[0-9A-Za-z-]+"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
)
_ARCHIVE = re.compile(
    r"(?:terraform-provider-)?(?P<type>[0-9a-z_-]+)_(?P<version>[^_]+)_(?P<os>[a-z0-9]+)_(?P<arch>[a-z0-9]+)\.zip"
)
_MAX_VERSION_LENGTH = 128


def check_label(value: str, *, what: str) -> str:
    """Return `value` in lower case when it is a namespace, type, name or system.

    Raises
    ------
    BadInputError
        Anything but letters, digits, ``-`` and ``_`` between them, 64 at most.
    """
    lower = value.lower()
    if not _LABEL.fullmatch(lower):
        raise BadInputError(
            f"{value[:80]!r} is no {what}.",
            remedy="Use 1 to 64 letters and digits, with '-' or '_' between them.",
        )
    return lower


def check_platform(value: str, *, what: str) -> str:
    """Return `value` when it is an operating system or architecture as Go names them."""
    if not _PLATFORM.fullmatch(value):
        raise BadInputError(
            f"{value[:40]!r} is no {what}.", remedy="Use Go's names, such as linux and amd64."
        )
    return value


def check_version(version: str) -> str:
    """Return `version` when it is a semantic version; raises `BadInputError`."""
    if len(version) <= _MAX_VERSION_LENGTH and _VERSION.fullmatch(version):
        return version
    raise BadInputError(
        f"{version[:80]!r} is no version.",
        remedy="Write three numbers, such as 1.4.0 or 1.4.0-beta.2, without a leading v.",
    )


def version_key(version: str) -> tuple[Any, ...]:
    """Return the sort key of a checked version, by precedence (SemVer 2.0, 11)."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (-1,)
    numbers = tuple(int(part) for part in match.group(1, 2, 3))
    pre = match.group(4)
    if pre is None:
        return (*numbers, (1,), match.group(5) or "")
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split("."))
    return (*numbers, (0, parts), match.group(5) or "")


def parse_archive_name(filename: str) -> tuple[str, str, str, str]:
    """Return (type, version, os, arch) of ``terraform-provider-TYPE_VERSION_OS_ARCH.zip``."""
    match = _ARCHIVE.fullmatch(filename)
    if match is None:
        raise BadInputError(
            f"{filename[:120]!r} is no file name of a provider archive.",
            remedy="Name it terraform-provider-TYPE_VERSION_OS_ARCH.zip, as goreleaser does.",
        )
    return match["type"], check_version(match["version"]), match["os"], match["arch"]
