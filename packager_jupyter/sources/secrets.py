"""The secrets that people gave us for their sources: sealed, one each, outside the database.

A secret is a Fernet token (AES-128-CBC with HMAC-SHA256) under a key derived from the
installation's master key. It lies in a file of its own, readable by its owner only (0600 in a 0700
folder, wider modes are refused), or in the operating system's keyring where the settings say so.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, CredentialMissingError
from packager_jupyter.io import fsync_dir, make_dirs, write_atomic
from packager_jupyter.keys import check_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SUFFIX = ".secret"


class SecretStore:
    """Sealed secrets by source name.

    Parameters
    ----------
    folder : Path
        Made on first use.
    key : bytes
        32 bytes.
    """

    def __init__(self, folder: Path, *, key: bytes) -> None:
        self._folder = folder
        self._key = base64.urlsafe_b64encode(key)

    def __repr__(self) -> str:
        return "SecretStore(***)"

    def put(self, name: str, secret: Mapping[str, str]) -> None:
        """Seal and keep the variables of a source, replacing what was there."""
        from cryptography.fernet import Fernet

        self._write(name, Fernet(self._key).encrypt(json.dumps(dict(secret)).encode()))

    def get(self, name: str) -> dict[str, str]:
        """Return the variables of a source.

        Raises
        ------
        CredentialMissingError
            There are none, or they were sealed with another key.
        BadInputError
            The file is readable by others.
        """
        from cryptography.fernet import Fernet, InvalidToken

        sealed = self._read(name)
        if sealed is None:
            raise _missing(name, "is not there")
        try:
            opened = Fernet(self._key).decrypt(sealed)
        except InvalidToken:
            raise _missing(name, "was sealed with another key") from None
        values: dict[str, str] = json.loads(opened)
        return values

    def forget(self, name: str) -> None:
        """Remove the secret of a source, if there is one; durable on return."""
        file = self._folder / f"{name}{_SUFFIX}"
        if file.exists():
            file.unlink()
            fsync_dir(self._folder)

    def _write(self, name: str, sealed: bytes) -> None:
        make_dirs(self._folder)
        check_private(self._folder)
        write_atomic(self._folder / f"{name}{_SUFFIX}", sealed)

    def _read(self, name: str) -> bytes | None:
        file = self._folder / f"{name}{_SUFFIX}"
        try:
            check_private(self._folder)
            check_private(file)
            return file.read_bytes()
        except FileNotFoundError:
            return None


class KeyringSecretStore(SecretStore):
    """Sealed secrets in the operating system's keyring, apart for each installation.

    Secrets that were kept in files before are still read, and leave them when they are replaced.

    Raises
    ------
    BadInputError
        There is no keyring that works here.
    """

    def __init__(self, folder: Path, *, key: bytes) -> None:
        super().__init__(folder, key=key)
        try:
            import keyring
        except ModuleNotFoundError:
            raise _no_keyring("The package keyring is not installed.") from None
        if keyring.get_keyring().priority <= 0:
            raise _no_keyring("This account has no keyring that is unlocked.")
        self._service = f"packager_jupyter {folder.absolute()}"

    def forget(self, name: str) -> None:
        """Remove the secret of a source, if there is one."""
        import keyring
        from keyring.errors import KeyringError

        super().forget(name)
        try:
            if keyring.get_password(self._service, name) is not None:
                keyring.delete_password(self._service, name)
        except KeyringError as error:
            raise _keyring_failed(error) from None

    def _write(self, name: str, sealed: bytes) -> None:
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(self._service, name, sealed.decode("ascii"))
        except KeyringError as error:
            raise _keyring_failed(error) from None
        super().forget(name)

    def _read(self, name: str) -> bytes | None:
        import keyring
        from keyring.errors import KeyringError

        try:
            found = keyring.get_password(self._service, name)
        except KeyringError as error:
            raise _keyring_failed(error) from None
        return super()._read(name) if found is None else found.encode("ascii")


def _no_keyring(message: str) -> BadInputError:
    return BadInputError(
        message,
        remedy="Install packager_jupyter[keyring] and unlock the keyring, or unset "
        "Settings.use_keyring: secrets then lie in sealed files.",
    )


def _keyring_failed(error: Exception) -> CredentialMissingError:
    return CredentialMissingError(
        f"The operating system's keyring refused: {type(error).__name__}.",
        remedy="Unlock the keyring and try again, or unset Settings.use_keyring.",
    )


def _missing(name: str, what: str) -> CredentialMissingError:
    return CredentialMissingError(
        f"The stored credential of source {name!r} {what}.",
        remedy=f"Give it again: packager source rm {name}, then packager source add {name} … "
        "--from-env, or the Fix button in JupyterLab.",
    )
