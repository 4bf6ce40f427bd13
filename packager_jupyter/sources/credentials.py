"""Resolving a credential: from where the source says, and from nowhere else.

Each way answers alone; they are never mixed with each other and never with the server's own
ambient credentials. Variables have the names that the vendors' tools use (``AWS_ACCESS_KEY_ID``,
``AZURE_STORAGE_KEY``, …).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, CredentialMissingError
from packager_jupyter.keys import check_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packager_jupyter.sources.secrets import SecretStore
    from packager_jupyter.sources.spec import CredentialKind, SourceSpec

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_CONTAINER",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "BUCKET_NAME",
    "BUCKET_PREFIX",
)
_SECRET_FREE = {
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_CONTAINER",
    "BUCKET_NAME",
    "BUCKET_PREFIX",
}
_NAMES_OF_KEYS = ("AWS_ACCESS_KEY_ID", "AZURE_STORAGE_ACCOUNT")
_MAX_BYTES = 64 * 1024
_READS = 3


@dataclass(frozen=True, slots=True)
class Credential:
    """A resolved credential.

    Attributes
    ----------
    kind : str
        ``none`` and ``anonymous`` carry no variables; ``profile`` names one in `ref`;
        ``azure-default`` is the vendor's chain; every other kind was read into `variables`.
    variables : mapping of str to str
        Never shown: the repr leaves it out.
    """

    kind: CredentialKind
    ref: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def hint(self) -> str | None:
        """The last four characters of the key's name, or None."""
        return hint_of(self.variables)


def hint_of(variables: Mapping[str, str]) -> str | None:
    """Return the last four characters of the key's name (never of a secret), or None."""
    for name in _NAMES_OF_KEYS:
        if variables.get(name):
            return f"…{variables[name][-4:]}"
    return None


def check_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a person gave; raises `BadInputError` for an unknown one."""
    for name, value in variables.items():
        if name not in VARIABLES or not isinstance(value, str) or len(value) > _MAX_BYTES:
            raise BadInputError(
                f"{name[:60]!r} is no variable of a credential.",
                remedy=f"Use: {', '.join(VARIABLES)}.",
            )
    return {name: value.strip("\r\n") for name, value in variables.items() if value}


def resolve(spec: SourceSpec, secrets: SecretStore) -> Credential:
    """Return the credential of a source, read now.

    Raises
    ------
    CredentialMissingError
        It is not where the source says.
    """
    return _RESOLVERS[spec.credential.kind](spec, secrets)


def read_env(prefix: str) -> dict[str, str]:
    """Return the variables that stand in the environment as ``PREFIX_NAME``."""
    start = f"{prefix}_" if prefix else ""
    return {name: os.environ[start + name] for name in VARIABLES if os.environ.get(start + name)}


def read_folder(folder: Path) -> dict[str, str]:
    """Return the variables of a folder with one file per variable (a mounted Kubernetes secret).

    One trailing newline is dropped from each. Raises `CredentialMissingError` when the folder
    cannot be read.
    """
    try:
        for _ in range(_READS):
            # The kubelet swaps "..data" for a new folder in one step: read all variables from one
            # of them, so that a new key never meets an old secret.
            at = (folder / "..data").resolve() if (folder / "..data").is_symlink() else folder
            found = _read_variables(at)
            if at == folder or at == (folder / "..data").resolve():
                return found
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(folder, type(error).__name__) from None
    raise _unreadable(folder, "it changes all the time")


def _read_variables(folder: Path) -> dict[str, str]:
    found = {}
    for name in VARIABLES:
        file = folder / name
        if file.is_file():
            found[name] = file.read_text("utf-8")[:_MAX_BYTES].removesuffix("\n")
    return found


def _unreadable(folder: Path, reason: str) -> CredentialMissingError:
    return CredentialMissingError(
        f"The secrets folder {folder.name!r} cannot be read: {reason}.",
        remedy="Check that the secret is mounted and readable by this server's user.",
    )


def check_folder_private(folder: Path) -> None:
    """Refuse a folder of secrets that others may read.

    A mounted Kubernetes secret (it has a link ``..data``) keeps the modes that the kubelet gave
    it: the mount is the pod's own.

    Raises
    ------
    BadInputError
        When group or others may read a variable.
    """
    if (folder / "..data").is_symlink():
        return
    for name in VARIABLES:
        file = folder / name
        if name not in _SECRET_FREE and file.is_file():
            check_private(file)


def _bare(spec: SourceSpec, _secrets: SecretStore) -> Credential:
    return Credential(spec.credential.kind, spec.credential.ref)


def _stored(spec: SourceSpec, secrets: SecretStore) -> Credential:
    return Credential("stored", None, secrets.get(spec.name))


def _from_env(spec: SourceSpec, _secrets: SecretStore) -> Credential:
    prefix = spec.credential.ref or ""
    variables = read_env(prefix)
    if not _holds_secret(variables):
        raise CredentialMissingError(
            f"The environment has no credential for source {spec.name!r} under {prefix}_….",
            remedy=f"Set {prefix}_AWS_ACCESS_KEY_ID and {prefix}_AWS_SECRET_ACCESS_KEY (or "
            f"{prefix}_AZURE_STORAGE_…) where the server starts.",
        )
    return Credential("env", prefix, variables)


def _from_folder(spec: SourceSpec, _secrets: SecretStore) -> Credential:
    folder = Path(spec.credential.ref or "")
    check_folder_private(folder)
    variables = read_folder(folder)
    if not _holds_secret(variables):
        raise CredentialMissingError(
            f"The secrets folder of source {spec.name!r} holds no credential.",
            remedy="Put one file per variable there, for example AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY.",
        )
    return Credential("dir", spec.credential.ref, variables)


def _holds_secret(variables: Mapping[str, str]) -> bool:
    return bool(variables.keys() - _SECRET_FREE)


_RESOLVERS: dict[CredentialKind, Callable[[SourceSpec, SecretStore], Credential]] = {
    "none": _bare,
    "anonymous": _bare,
    "profile": _bare,
    "azure-default": _bare,
    "stored": _stored,
    "env": _from_env,
    "dir": _from_folder,
}
