"""What the operating system says about the folder of a draft, in words with a remedy."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from packager_jupyter.errors import ForbiddenError, PackageNotFoundError, StorageError
from packager_jupyter.io import explain_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_BROKEN = frozenset({errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EREMOTEIO})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})


@contextlib.contextmanager
def explain_disk() -> Iterator[None]:
    """Turn an `OSError` about a draft's files into one of ours; also a decorator."""
    try:
        with explain_disk_full("in the folder of the package"):
            yield
    except FileNotFoundError as error:
        raise PackageNotFoundError(
            "The draft's folder is gone.",
            remedy="Somebody deleted or moved it; list the packages again.",
        ) from error
    except OSError as error:
        if error.errno in _DENIED:
            raise ForbiddenError(
                "The folder of the package may not be read or changed.",
                remedy="Ask its owner for the rights to it.",
                details=error.strerror,
            ) from error
        if error.errno in _BROKEN or error.errno in _TOO_MANY:
            raise disk_error(error.strerror or str(error)) from error
        raise


def disk_error(details: str) -> StorageError:
    """Return the error for a disk that does not work."""
    return StorageError(
        "The disk with the folder of the package reported an error; nothing was changed.",
        remedy="Look into the system's log, then try again.",
        details=details,
    )
