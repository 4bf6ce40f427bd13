"""Checking an upload (``:action=file_upload``): the form, the file and its metadata must agree.

Source: the legacy upload API of the packaging specifications, as twine 7, uv, poetry, hatch and
flit speak it; attestations by PEP 740.
"""

from __future__ import annotations

import hashlib
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
    from collections.abc import Mapping

    from packager_jupyter.registries.pypi.metadata import CoreMetadata
    from packager_jupyter.registries.pypi.names import DistributionName

MAX_ATTESTATIONS = 16
_HASH_BYTES = 1024 * 1024
_DIGEST_FIELDS = {"md5_digest": "md5", "sha256_digest": "sha256", "blake2_256_digest": "blake2_256"}


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


def check_upload(form: Mapping[str, str], *, filename: str, file: BinaryIO) -> Upload:
    """Return the upload when form, file name, digests and packed metadata agree.

    Parameters
    ----------
    form : mapping of str to str
        The fields of the multipart body, without ``content``.
    filename : str
        File name of the ``content`` part.
    file : BinaryIO
        Its bytes, seekable.

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
    digests, size = _digests(file)
    _check_digests(form, digests)
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
        sha256=digests["sha256"],
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


def _digests(file: BinaryIO) -> tuple[dict[str, str], int]:
    hashes: dict[str, Any] = {
        "md5": hashlib.md5(usedforsecurity=False),
        "sha256": hashlib.sha256(),
        "blake2_256": hashlib.blake2b(digest_size=32),
    }
    file.seek(0)
    size = 0
    while chunk := file.read(_HASH_BYTES):
        size += len(chunk)
        for each in hashes.values():
            each.update(chunk)
    return {name: each.hexdigest() for name, each in hashes.items()}, size


def _check_digests(form: Mapping[str, str], digests: Mapping[str, str]) -> None:
    for field, algorithm in _DIGEST_FIELDS.items():
        stated = form.get(field)
        if stated and stated.lower() != digests[algorithm]:
            raise DigestMismatchError(
                f"The file's {algorithm} is {digests[algorithm]}, the form says {stated[:128]}.",
                remedy="The upload was damaged on its way. Try again.",
            )


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
