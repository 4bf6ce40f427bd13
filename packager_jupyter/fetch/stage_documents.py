"""A share as a BagIt bag or an RO-Crate on this machine: its description, ready to be filled.

What comes is from a stranger. Nothing is unpacked by a library: each member of the bag's tar must
be a regular file under a plain path below one folder, and is written by us into a folder of our
own, which takes its name when everything is there.
"""

from __future__ import annotations

import shlex
import shutil
import tarfile
import tempfile
from typing import IO, TYPE_CHECKING, Any, cast

from packager_jupyter.errors import ConflictError, StorageError, TooLargeError
from packager_jupyter.exports.bagit import bag
from packager_jupyter.exports.base import Place
from packager_jupyter.fetch.stage import Staged
from packager_jupyter.io import TEMP_PREFIX, explain_disk_full
from packager_jupyter.packages.names import is_plain_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from packager_jupyter.fetch.share import ShareOrigin
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version

MAX_BYTES = 4 * 1024**3
"""Of a bag's own files: manifests of ten million files stay below."""

_CRATE = "ro-crate-metadata.json"
_CHUNK_BYTES = 1024 * 1024
_FETCH_BAG = "bdbag --resolve-fetch all {folder}"


def stage_document(origin: ShareOrigin, kind: str, folder: Path) -> Staged:
    """Make `folder`, not there yet or empty, the bag or crate of a share.

    Parameters
    ----------
    origin : ShareOrigin
    kind : str
        A name of `DOCUMENTS`.
    folder : Path

    Raises
    ------
    ConflictError
        The folder is there and not empty.
    StorageError
        What came is no bag; nothing stays behind then.
    """
    return _staged(folder, lambda temp: DOCUMENTS[kind](origin, temp))


def stage_public_bag(
    version: Version, folder: Path, *, address: Callable[[Pointer], str], created_s: int | None
) -> Staged:
    """Make `folder`, not there yet or empty, a bag whose files come from their own addresses.

    Parameters
    ----------
    version : Version
    folder : Path
    address : callable
        Gives the lasting address of a pointer's file; what it raises leaves nothing behind.
    created_s : int or None
        When the version was published, Unix seconds.

    Raises
    ------
    ConflictError
        The folder is there and not empty.
    """

    def write(temp: Path) -> str:
        with tempfile.TemporaryFile(dir=temp) as archive:
            for part in bag(version, Place("", created_s, address=address)):
                archive.write(part)
            archive.seek(0)
            _unpack(archive, temp)
        return _FETCH_BAG

    return _staged(folder, write)


def _staged(folder: Path, write: Callable[[Path], str]) -> Staged:
    """Let `write` fill a folder that takes the name of `folder` when it is whole."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(
            f"{folder} is there already and not empty.", remedy="Name a new folder."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    temp = folder.parent / f"{TEMP_PREFIX}{folder.name[:64]}"
    shutil.rmtree(temp, ignore_errors=True)
    with explain_disk_full(folder.name):
        temp.mkdir()
        try:
            line = write(temp)
            if folder.exists():
                folder.rmdir()
            temp.rename(folder)
        finally:
            shutil.rmtree(temp, ignore_errors=True)
    return Staged(folder, folder, True, (line.format(folder=shlex.quote(str(folder))),))


def _bag(origin: ShareOrigin, temp: Path) -> str:
    with origin.document("bag.tar") as stream:
        try:
            _unpack(cast("IO[bytes]", stream), temp)
        except tarfile.TarError:
            raise _no_bag() from None
        while stream.read(_CHUNK_BYTES):
            pass  # to the end, so that a bag that was cut off is noticed
    if not (temp / "bagit.txt").is_file():
        raise _no_bag()
    return _FETCH_BAG


def _unpack(stream: IO[bytes], temp: Path) -> None:
    left = MAX_BYTES
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            if not member.isreg() or not path or not is_plain_path(path):
                raise _no_bag()
            left -= member.size
            if left < 0:
                raise TooLargeError(
                    f"The bag has more than {MAX_BYTES:,} bytes of its own.",
                    remedy="Take --as files.",
                )
            target = temp / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content: Any = archive.extractfile(member)
            with target.open("xb") as file:
                shutil.copyfileobj(content, file, _CHUNK_BYTES)


def _crate(origin: ShareOrigin, temp: Path) -> str:
    with origin.document(_CRATE) as stream, (temp / _CRATE).open("xb") as file:
        shutil.copyfileobj(stream, file, _CHUNK_BYTES)
    return "packager get LINK {folder}"


def _no_bag() -> StorageError:
    return StorageError(
        "What the server sent is no bag.", remedy="Check the link, or take --as files."
    )


DOCUMENTS: dict[str, Callable[[ShareOrigin, Path], str]] = {
    "bagit": _bag,
    "ro-crate": _crate,
}
"""How each kind of description is staged; what is returned says how to go on."""
