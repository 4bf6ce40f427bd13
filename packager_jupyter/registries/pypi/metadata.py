"""Core metadata of a distribution file, read without unpacking it.

Source: "Core metadata specifications"; a wheel keeps it in ``{name}-{version}.dist-info/METADATA``
(PEP 427), a source distribution in ``{name}-{version}/PKG-INFO`` (PEP 643).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from packaging.metadata import InvalidMetadata, Metadata
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from packager_jupyter.errors import BadInputError
from packager_jupyter.registries.archives.tarscan import scan_tar
from packager_jupyter.registries.archives.zipdir import read_member, read_members

if TYPE_CHECKING:
    from packager_jupyter.registries.archives.checks import Member
    from packager_jupyter.registries.pypi.names import DistributionName

_METADATA, _RECORD = "METADATA", "RECORD"
_MAX_RECORD_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The metadata file of a distribution: its bytes as packed, and its parsed fields."""

    raw: bytes
    fields: Metadata


def read_metadata(file: BinaryIO, name: DistributionName) -> CoreMetadata:
    """Return the core metadata of the distribution in `file`, held against its file name.

    Raises
    ------
    ArchiveError
        The archive is damaged or hostile.
    BadInputError
        No metadata, invalid metadata, or another name or version than the file name says.
    """
    raw = _from_wheel(file, name) if name.filetype == "bdist_wheel" else _from_sdist(file, name)
    fields = parse_metadata(raw)
    if canonicalize_name(fields.name) != name.project or fields.version != name.version:
        raise BadInputError(
            f"The file is called {name.filename}, but its metadata says "
            f"{fields.name} {fields.version}.",
            remedy="Build it again; do not rename distribution files.",
        )
    return CoreMetadata(raw, fields)


def parse_metadata(raw: bytes) -> Metadata:
    """Return the validated fields of a metadata file.

    Raises
    ------
    BadInputError
        Says which field is wrong.
    """
    try:
        return Metadata.from_email(raw, validate=True)
    except ExceptionGroup as group:
        problems = "; ".join(str(error) for error in group.exceptions[:3])
    except (InvalidMetadata, ValueError, RecursionError) as error:
        problems = str(error)
    raise BadInputError(
        f"The metadata of the distribution is invalid: {problems[:300]}.",
        remedy="Correct the project's metadata and build it again.",
    )


def _from_wheel(file: BinaryIO, name: DistributionName) -> bytes:
    members = read_members(file)
    folder = _dist_info(members, name)
    by_name = {member.name: member for member in members}
    record = by_name.get(f"{folder}/{_RECORD}")
    if record is None or f"{folder}/WHEEL" not in by_name:
        raise _missing(f"{folder}/{_RECORD} or WHEEL")
    member = by_name.get(f"{folder}/{_METADATA}")
    if member is None:
        raise _missing(f"{folder}/{_METADATA}")
    _check_record(read_member(file, record, max_bytes=_MAX_RECORD_BYTES), set(by_name), folder)
    return read_member(file, member)


def _check_record(raw: bytes, names: set[str], folder: str) -> None:
    """Refuse a wheel whose RECORD and members are not the same files.

    Source: "Binary distribution format", the .dist-info directory: RECORD lists every file but its
    own signatures. Installers that read the one or the other would install different files.
    """
    try:
        rows = csv.reader(raw.decode("utf-8").splitlines(), strict=True)
        listed = {row[0] for row in rows if row}
    except (UnicodeDecodeError, csv.Error):
        raise _unrecorded("is damaged") from None
    own = {f"{folder}/{_RECORD}{suffix}" for suffix in ("", ".jws", ".p7s")}
    files = {name for name in names if not name.endswith("/")}
    hidden, absent = files - listed - own, listed - files - own
    if hidden:
        raise _unrecorded(f"does not list {min(hidden)[:120]!r}")
    if absent:
        raise _unrecorded(f"lists {min(absent)[:120]!r}, which is not there")


def _dist_info(members: list[Member], name: DistributionName) -> str:
    tops = {member.name.partition("/")[0] for member in members}
    folders = [top for top in tops if top.endswith(".dist-info")]
    if len(folders) != 1:
        raise _missing("exactly one .dist-info folder")
    project, _, version = folders[0].removesuffix(".dist-info").partition("-")
    try:
        is_same = canonicalize_name(project) == name.project and Version(version) == name.version
    except InvalidVersion:
        is_same = False
    if not is_same:
        raise BadInputError(
            f"The wheel {name.filename} holds {folders[0]}, of another name or version.",
            remedy="Build it again; do not rename distribution files.",
        )
    return folders[0]


def _from_sdist(file: BinaryIO, name: DistributionName) -> bytes:
    file.seek(0)
    top = name.filename.removesuffix(".tar.gz")
    wanted = f"{top}/PKG-INFO"
    scan = scan_tar(file, want=lambda member: member == wanted)
    if wanted not in scan.contents:
        raise _missing(wanted)
    if any(member.name.partition("/")[0] != top for member in scan.members):
        raise BadInputError(
            f"The source distribution has members outside {top}/.",
            remedy="Build it again with the project's build tool.",
        )
    return scan.contents[wanted]


def _unrecorded(what: str) -> BadInputError:
    return BadInputError(
        f"The wheel's RECORD {what}.", remedy="Build it again with the project's build tool."
    )


def _missing(what: str) -> BadInputError:
    return BadInputError(
        f"The distribution lacks {what}.",
        remedy="Build it again with the project's build tool.",
    )
