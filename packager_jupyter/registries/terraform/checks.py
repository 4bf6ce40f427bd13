"""What an uploaded provider version must agree in before anything of it is kept."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from packager_jupyter.errors import BadInputError
from packager_jupyter.registries.archives.zipdir import read_members
from packager_jupyter.registries.terraform.hashes import ZIP_HASH, check_stated, hash1
from packager_jupyter.registries.terraform.layout import DEFAULT_PROTOCOLS
from packager_jupyter.registries.terraform.names import check_platform, parse_archive_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_SUMS_BYTES = 256 * 1024
_SUMS_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")
_PROTOCOL = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProviderUpload:
    """What an uploader sends for one version of a provider.

    Attributes
    ----------
    archives : mapping of file name to BinaryIO
        ``terraform-provider-TYPE_VERSION_OS_ARCH.zip``, seekable.
    sums, signature : bytes or None
        ``SHA256SUMS`` and its detached signature, kept byte for byte.
    public_key : str or None
        Armored certificate of the signer.
    manifest : bytes or None
        ``terraform-registry-manifest.json``, which names the plugin protocols.
    stated : mapping of file name to sequence of str
        ``zh:`` and ``h1:`` hashes that somebody else stated, as a mirror does.
    """

    namespace: str
    type: str
    version: str
    archives: Mapping[str, BinaryIO]
    sums: bytes | None = None
    signature: bytes | None = None
    public_key: str | None = None
    manifest: bytes | None = None
    stated: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedArchive:
    """An archive that was read from end to end."""

    os: str
    arch: str
    sha256: str
    h1: str


def check_archives(upload: ProviderUpload) -> dict[str, CheckedArchive]:
    """Return the checked archives by file name; raises `BadInputError`."""
    if not upload.archives:
        raise BadInputError(
            "The upload holds no provider archive.",
            remedy="Send at least one terraform-provider-TYPE_VERSION_OS_ARCH.zip.",
        )
    found = {name: _check_archive(upload, name) for name in sorted(upload.archives)}
    platforms = [(one.os, one.arch) for one in found.values()]
    if len(set(platforms)) != len(platforms):
        raise BadInputError(
            "Two archives are for the same platform.", remedy="Send one archive per platform."
        )
    return found


def _check_archive(upload: ProviderUpload, filename: str) -> CheckedArchive:
    type_, version, os, arch = parse_archive_name(filename)
    check_platform(os, what="operating system")
    check_platform(arch, what="architecture")
    if type_ != upload.type.lower() or version != upload.version:
        raise BadInputError(
            f"{filename} is not of provider {upload.type} {upload.version}.",
            remedy="Send only the archives of this version.",
        )
    file = upload.archives[filename]
    members = read_members(file)
    if not any(m.name.startswith(f"terraform-provider-{type_}") for m in members):
        raise BadInputError(
            f"{filename} holds no program terraform-provider-{type_}….",
            remedy="Put the provider's program at the top of the archive.",
        )
    checked = CheckedArchive(os, arch, _sha256(file), hash1(file, members))
    check_stated(
        filename,
        computed=(ZIP_HASH + checked.sha256, checked.h1),
        stated=upload.stated.get(filename, ()),
    )
    return checked


def make_sums(digests: Mapping[str, str]) -> bytes:
    """Return ``SHA256SUMS`` of file names and their SHA-256."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def check_sums(sums: bytes, digests: Mapping[str, str]) -> None:
    """Refuse a ``SHA256SUMS`` that does not state every archive; raises `BadInputError`."""
    if len(sums) > MAX_SUMS_BYTES or not sums.isascii():
        raise BadInputError(
            "SHA256SUMS is no checksum file.", remedy="Make it with sha256sum *.zip."
        )
    stated = {}
    for line in sums.decode("ascii").splitlines():
        match = _SUMS_LINE.fullmatch(line.rstrip())
        if match is None or match[2] in stated:
            raise BadInputError(
                f"SHA256SUMS has a line that is none, or one file twice: {line[:100]!r}.",
                remedy="Make it with sha256sum *.zip.",
            )
        stated[match[2]] = match[1]
    for filename, digest in digests.items():
        if stated.get(filename) != digest:
            raise BadInputError(
                f"SHA256SUMS does not state the checksum of {filename}.",
                remedy="Make it again over the archives that you upload.",
            )


def protocols(manifest: bytes | None) -> Sequence[str]:
    """Return the plugin protocols of a registry manifest; raises `BadInputError`."""
    if manifest is None:
        return DEFAULT_PROTOCOLS
    try:
        rows = json.loads(manifest)["metadata"]["protocol_versions"]
        if rows and all(_PROTOCOL.fullmatch(row) for row in rows):
            return [str(row) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadInputError(
        "The registry manifest states no plugin protocols.",
        remedy='Write {"version": 1, "metadata": {"protocol_versions": ["6.0"]}}.',
    )


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file from its start."""
    file.seek(0)
    while chunk := file.read(_COPY_BYTES):
        yield chunk


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(file):
        digest.update(chunk)
    return digest.hexdigest()
