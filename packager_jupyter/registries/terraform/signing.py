"""OpenPGP for provider checksums: our own key, and checking what uploaders signed.

Clients refuse a provider without a detached signature over ``SHA256SUMS``. Where an uploader
brings none, we sign with a key of this installation. OpenPGP itself is Sequoia's (RFC 9580).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError, StorageError
from packager_jupyter.io import explain_disk_full, make_dirs, write_atomic
from packager_jupyter.keys import check_private

if TYPE_CHECKING:
    from pathlib import Path

    from pysequoia import Cert, Tsk

MAX_KEY_BYTES = 256 * 1024
MAX_SIGNATURE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A certificate as the registry protocol gives it to clients.

    Attributes
    ----------
    key_id : str
        The last 16 hexadecimal digits of the fingerprint, upper case.
    """

    key_id: str
    ascii_armor: str


class SigningKey:
    """The key of this installation; made on first use, kept in a private file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def public(self) -> PublicKey:
        """Return the public half."""
        return _public(self._load().extract_certificate())

    def sign(self, data: bytes) -> bytes:
        """Return a binary detached signature over `data`."""
        from pysequoia import SignatureMode, sign

        signer = self._load().signer()
        return bytes(sign(signer, data, mode=SignatureMode.DETACHED, armor=False))

    def _load(self) -> Tsk:
        from pysequoia import Tsk

        try:
            with explain_disk_full("the registry's signing key"):
                make_dirs(self._file.parent)
                if not self._file.exists():
                    key = Tsk.generate(user_id="packager registry")
                    with contextlib.suppress(FileExistsError):  # another process made it first
                        write_atomic(self._file, str(key).encode(), must_not_exist=True)
                check_private(self._file)
                return Tsk.from_bytes(self._file.read_bytes())
        except OSError as error:
            raise StorageError(
                f"The registry's signing key {self._file.name} cannot be read or made.",
                remedy="Let the account that the server runs as read and write its data folder.",
                details=f"{error.strerror}",
            ) from error


def verify_signature(data: bytes, signature: bytes, armored_keys: list[str]) -> PublicKey:
    """Return the key that made a detached signature over `data`.

    Parameters
    ----------
    data, signature : bytes
        The signature is binary or armored.
    armored_keys : list of str
        Certificates that may have signed.

    Raises
    ------
    BadInputError
        None of the keys made this signature over these bytes, or something is no OpenPGP.
    """
    from pysequoia import Cert, Sig, verify

    if len(signature) > MAX_SIGNATURE_BYTES or any(len(k) > MAX_KEY_BYTES for k in armored_keys):
        raise _unverified("The signature or a key is larger than any real one.")
    certificates: list[Cert] = []

    def known(_key_ids: list[str]) -> list[Cert]:
        return certificates

    try:
        certificates += [Cert.from_bytes(armor.encode()) for armor in armored_keys]
        result = verify(data, store=known, signature=Sig.from_bytes(signature))
    except Exception as error:
        raise _unverified("The signature does not fit SHA256SUMS and the keys.") from error
    fingerprints = {valid.certificate for valid in result.valid_sigs}
    for certificate in certificates:
        if certificate.fingerprint in fingerprints:
            return _public(certificate)
    raise _unverified("None of the keys made the signature.")


def _public(certificate: Cert) -> PublicKey:
    return PublicKey(certificate.fingerprint[-16:].upper(), str(certificate))


def _unverified(message: str) -> BadInputError:
    return BadInputError(
        message,
        remedy="Sign SHA256SUMS again (gpg --detach-sign) and upload the public key with it, or "
        "upload without a signature to have this registry sign.",
    )
