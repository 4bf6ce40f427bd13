"""Checking an upload (``:action=file_upload``): the form, the file and its metadata must agree.

Source: the legacy upload API of the packaging specifications, as twine 7, uv, poetry, hatch and
flit speak it; attestations by PEP 740.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from packager_jupyter.errors import BadInputError, DigestMismatchError, PackagerError
from packager_jupyter.registries.pypi.metadata import read_metadata
from packager_jupyter.registries.pypi.names import (
    normalize_project,
    parse_filename,
    parse_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packager_jupyter.registries.pypi.metadata import CoreMetadata
    from packager_jupyter.registries.pypi.names import DistributionName

MAX_ATTESTATIONS = 16
_HASH_BYTES = 1024 * 1024
# The strongest first: it is checked, and those behind it could only say the same again.
_DIGEST_FIELDS = {"sha256_digest": "sha256", "blake2_256_digest": "blake2_256", "md5_digest": "md5"}
_HASHES: Mapping[str, Callable[[], Any]] = {
    "sha256": hashlib.sha256,
    "blake2_256": lambda: hashlib.blake2b(digest_size=32),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}


class UploadGoneError(PackagerError):
    """An action of the old upload API that no index offers any more."""

    code = "gone"
    status = 410


@dataclass(frozen=True, slots=True)
class Upload:
    """A checked distribution file, ready to be published."""

    name: DistributionName
    file: BinaryIO
    size_bytes: int
    sha256: str
    metadata: CoreMetadata
    metadata_sha256: str
    provenance: bytes | None


def check_upload(
    form: Mapping[str, str], *, filename: str, file: BinaryIO, sha256: str | None = None
) -> Upload:
    """Return the upload when form, file name, digests and packed metadata agree.

    Parameters
    ----------
    form : mapping of str to str
        The fields of the multipart body, without ``content``.
    filename : str
        File name of the ``content`` part.
    file : BinaryIO
        Its bytes, seekable.
    sha256 : str, optional
        Their digest, where it was worked out while they arrived.

    Raises
    ------
    BadInputError
        Says which of them does not agree.
    DigestMismatchError
        The bytes are not those that the client hashed.
    UploadGoneError
        ``submit``, ``doc_upload`` or ``verify``.
    """
    check_action(form)
    name = parse_filename(filename)
    size = file.seek(0, os.SEEK_END)
    sha256 = sha256 or _digest(file, "sha256")
    _check_digest(form, file, sha256)
    if form.get("filetype", name.filetype) != name.filetype:
        raise _disagree("filetype", form["filetype"], name.filetype)
    if normalize_project(form.get("name", "")) != name.project:
        raise _disagree("name", form.get("name", ""), name.project)
    if parse_version(form.get("version", "")) != name.version:
        raise _disagree("version", form.get("version", ""), str(name.version))
    metadata = read_metadata(file, name)
    return Upload(
        name=name,
        file=file,
        size_bytes=size,
        sha256=sha256,
        metadata=metadata,
        metadata_sha256=hashlib.sha256(metadata.raw).hexdigest(),
        provenance=_provenance(form.get("attestations")),
    )


def upload_of_file(file: BinaryIO, filename: str) -> Upload:
    """Return the upload of a file without a form, for imports of a folder of distributions."""
    name = parse_filename(filename)
    form = {":action": "file_upload", "name": name.project, "version": str(name.version)}
    return check_upload(form, filename=filename, file=file)


def check_action(form: Mapping[str, str]) -> None:
    """Refuse every form but an upload; raises as `check_upload`."""
    action = form.get(":action")
    if action in {"submit", "doc_upload", "verify", "submit_pkg_info"}:
        raise UploadGoneError(
            f"The action {action} is gone from package indexes.",
            remedy="Upload the distribution file itself, for example with twine upload.",
        )
    if action != "file_upload":
        raise BadInputError(
            "The form has no :action=file_upload.",
            remedy="Use an upload tool such as twine or uv publish.",
        )
    if form.get("protocol_version", "1") != "1":
        raise BadInputError(
            "Only protocol_version 1 is understood.", remedy="Update the upload tool."
        )


def _digest(file: BinaryIO, algorithm: str) -> str:
    found = _HASHES[algorithm]()
    file.seek(0)
    while chunk := file.read(_HASH_BYTES):
        found.update(chunk)
    return str(found.hexdigest())


def _check_digest(form: Mapping[str, str], file: BinaryIO, sha256: str) -> None:
    for field, algorithm in _DIGEST_FIELDS.items():
        stated = form.get(field)
        if not stated:
            continue
        found = sha256 if algorithm == "sha256" else _digest(file, algorithm)
        if stated.lower() != found:
            raise DigestMismatchError(
                f"The file's {algorithm} is {found}, the form says {stated[:128]}.",
                remedy="The upload was damaged on its way. Try again.",
            )
        return


def _provenance(attestations: str | None) -> bytes | None:
    if not attestations:
        return None
    try:
        rows = orjson.loads(attestations)
    except orjson.JSONDecodeError:
        rows = None
    is_list = isinstance(rows, list) and 0 < len(rows) <= MAX_ATTESTATIONS
    if not is_list or not all(_is_attestation(row) for row in rows):
        raise BadInputError(
            "The attestations are no JSON list of PEP 740 attestations.",
            remedy="Make them with pypi-attestations or an upload tool that does.",
        )
    bundle = {"publisher": None, "attestations": rows}
    return orjson.dumps({"version": 1, "attestation_bundles": [bundle]})


def _is_attestation(row: object) -> bool:
    return (
        isinstance(row, dict)
        and row.get("version") == 1
        and isinstance(row.get("verification_material"), dict)
        and isinstance(row.get("envelope"), dict)
    )


def _disagree(field: str, stated: str, found: str) -> BadInputError:
    return BadInputError(
        f"The form's {field} is {stated[:80]!r}, the file name says {found!r}.",
        remedy="Upload the file as the build tool named it, with its own metadata.",
    )
