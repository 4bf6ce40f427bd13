"""What a visitor is told when something behind a share does not work.

The owner's errors name buckets, hosts and keys of credentials, and tell to change settings. A
visitor can do none of that and must not read it: these are the same failures in words for
strangers. What really happened stands in the log, under the request id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BlobNotFoundError,
    CredentialMissingError,
    PackageNotFoundError,
    SourceNotFoundError,
    StorageError,
    StorageUnreachableError,
    StoreCorruptError,
)
from packager_jupyter.shares.model import share_gone

if TYPE_CHECKING:
    from packager_jupyter.errors import (
        PackagerError,
    )

RETRY_AFTER_S = 10
_CANNOT = (StorageError, CredentialMissingError, SourceNotFoundError)


def for_visitors(error: PackagerError, *, request_id: str) -> PackagerError:
    """Return `error` as a visitor may see it; most errors stay as they are."""
    tell = f"If it lasts, tell the person who sent you the link; the request id is {request_id}."
    if isinstance(error, PackageNotFoundError):
        # The version was deleted: for the visitor the share is gone.
        return share_gone()
    if isinstance(error, StorageError) and error.status == StorageUnreachableError.status:
        return StorageUnreachableError(
            "The storage behind this share does not answer at the moment.",
            remedy=f"Try again in a moment. {tell}",
            retry_after_s=error.retry_after_s or RETRY_AFTER_S,
        )
    if isinstance(error, _CANNOT):
        return StorageError(
            "The storage behind this share cannot be read at the moment.",
            remedy=f"Try again later. {tell}",
            retry_after_s=error.retry_after_s or RETRY_AFTER_S,
        )
    if isinstance(error, BlobNotFoundError | StoreCorruptError):
        return StoreCorruptError("This package is damaged on the server.", remedy=tell)
    return error
