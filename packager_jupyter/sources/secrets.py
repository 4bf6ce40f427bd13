"""The secrets that people gave us for their sources: one sealed file each, outside the database.

A file is readable by its owner only (0600 in a 0700 folder, wider modes are refused) and holds a
Fernet token (AES-128-CBC with HMAC-SHA256). Its key is derived from the installation's master key.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from packager_jupyter.errors import CredentialMissingError
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

        make_dirs(self._folder)
        check_private(self._folder)
        sealed = Fernet(self._key).encrypt(json.dumps(dict(secret)).encode())
        write_atomic(self._folder / f"{name}{_SUFFIX}", sealed)

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

        file = self._folder / f"{name}{_SUFFIX}"
        try:
            check_private(self._folder)
            check_private(file)
            opened = Fernet(self._key).decrypt(file.read_bytes())
        except FileNotFoundError:
            raise _missing(name, "is not there") from None
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


def _missing(name: str, what: str) -> CredentialMissingError:
    return CredentialMissingError(
        f"The stored credential of source {name!r} {what}.",
        remedy=f"Give it again: packager source rm {name}, then packager source add {name} … "
        "--from-env, or the Fix button in JupyterLab.",
    )
