"""Names of projects, versions and distribution files, by the rules of the packaging specifications.

Source: "Names and normalization" (PEP 503), "Binary distribution format" (PEP 427), "Source
distribution file name" (PEP 625), version specifiers (PEP 440).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from packager_jupyter.errors import BadInputError

FileType = Literal["bdist_wheel", "sdist"]
MAX_NAME_LENGTH = 200
MAX_FILENAME_LENGTH = 255
MAX_VERSION_LENGTH = 200

_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class DistributionName:
    """What a distribution's file name says about it; `project` is normalised."""

    filename: str
    project: str
    version: Version
    filetype: FileType


def normalize_project(name: str) -> str:
    """Return the normalised project name (PEP 503).

    Raises
    ------
    BadInputError
        The name is empty, too long, or has characters that no project name has.
    """
    if len(name) <= MAX_NAME_LENGTH:
        try:
            return str(canonicalize_name(name, validate=True))
        except InvalidName:
            pass
    raise BadInputError(
        f"{name[:80]!r} is no project name.",
        remedy="Use ASCII letters and digits with '.', '_' or '-' between them.",
    )


def parse_version(version: str) -> Version:
    """Return the parsed version (PEP 440); raises `BadInputError` where it is none."""
    if len(version) <= MAX_VERSION_LENGTH:
        try:
            return Version(version)
        except InvalidVersion:
            pass
    raise BadInputError(
        f"{version[:80]!r} is no version.", remedy="Write it as PEP 440 says, for example 1.0.2."
    )


def parse_filename(filename: str) -> DistributionName:
    """Return what a wheel's or sdist's file name says.

    Raises
    ------
    BadInputError
        Not a name of a wheel (``.whl``) or sdist (``.tar.gz``) as the specifications write it.
    """
    if len(filename) <= MAX_FILENAME_LENGTH and _FILENAME.fullmatch(filename):
        try:
            if filename.endswith(".whl"):
                project, version, _, _ = parse_wheel_filename(filename)
                return DistributionName(filename, str(project), version, "bdist_wheel")
            if filename.endswith(".tar.gz"):
                project, version = parse_sdist_filename(filename)
                return DistributionName(filename, str(project), version, "sdist")
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            pass
    raise BadInputError(
        f"{filename[:80]!r} is no file name of a wheel or of a source distribution.",
        remedy="Upload the .whl or .tar.gz file under the name that the build tool gave it.",
    )
