"""What Azure Blob Storage's error codes mean to a person.

Codes: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    ObjectChangedError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageBusyError,
    StorageCredentialError,
    StorageDeniedError,
    StorageError,
)
from packager_jupyter.sources.failures import Failure, explain

if TYPE_CHECKING:
    from packager_jupyter.errors import PackagerError
    from packager_jupyter.sources.failures import Scene
    from packager_jupyter.sources.transport import Answer

_find_code = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?<Error>\s*<Code>(\w+)</Code>"
).match
_REFUSED = Failure(
    StorageCredentialError,
    "The storage of source {source!r} at {endpoint} does not accept {who}: it is wrong, or has "
    "expired.",
    "Store the credential of the account again. A SAS ends at the time in its 'se'; make a new "
    "one.",
)
_ENDED = Failure(
    StorageCredentialError,
    "{who} of source {source!r} has expired.",
    "Make a new SAS with the permissions to read and list, and store it for the source.",
)
# Azure says so of firewalls, emulators also of wrong keys.
_NOT_ACCEPTED = Failure(
    StorageDeniedError,
    "{who} of source {source!r} may not {action} {what}, or is wrong.",
    "Check the credential, and that the account's firewall lets this machine in.",
)
_DENIED = Failure(
    StorageDeniedError,
    "{who} of source {source!r} may not {action} {what}.",
    "Ask who owns the account for the role Storage Blob Data Reader (with Storage Blob Delegator "
    "to presign), for 'r' and 'l' in the SAS, or for access through the account's firewall.",
)
_NO_CONTAINER = Failure(
    StorageBucketNotFoundError,
    "There is no {place} at {endpoint}, as source {source!r} says, or it is not public.",
    "Check the spelling of account and container, and the endpoint.",
)
_NO_BLOB = Failure(
    ObjectNotFoundError,
    "There is no object {what} (any more).",
    "Look at the source's listing; it may have been moved or deleted.",
)
_BUSY = Failure(
    StorageBusyError,
    "The storage of source {source!r} is overloaded or out of order, also after several tries.",
    "Try again in a while.",
)
_ARCHIVED = Failure(
    StorageError,
    "{what} is archived and cannot be read at once.",
    "Rehydrate it in the storage first, then try again.",
)
_CHANGED = Failure(
    ObjectChangedError,
    "{what} was changed while it was being read.",
    "Read it again from its start.",
)
TABLE: dict[str, Failure] = {
    **dict.fromkeys(
        ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
        _REFUSED,
    ),
    **dict.fromkeys(
        (
            "AuthorizationPermissionMismatch",
            "AuthorizationProtocolMismatch",
            "AuthorizationResourceTypeMismatch",
            "AuthorizationServiceMismatch",
            "AuthorizationSourceIPMismatch",
            "InsufficientAccountPermissions",
            "AccountIsDisabled",
            "PublicAccessNotPermitted",
        ),
        _DENIED,
    ),
    **dict.fromkeys(("ContainerNotFound", "ContainerBeingDeleted"), _NO_CONTAINER),
    **dict.fromkeys(("BlobNotFound", "InvalidUri", "OutOfRangeInput"), _NO_BLOB),
    **dict.fromkeys(("ServerBusy", "InternalError", "OperationTimedOut"), _BUSY),
    "AuthorizationFailure": _NOT_ACCEPTED,
    "BlobArchived": _ARCHIVED,
    "ConditionNotMet": _CHANGED,
}


def azure_error(answer: Answer, scene: Scene, *, has_ended: bool = False) -> PackagerError:
    """Return the error that Azure's `answer` means in `scene`.

    `has_ended` says that the credential is a SAS whose time is over, whatever Azure calls that.
    """
    code = answer.headers.get("x-ms-error-code")
    if code is None:
        match = _find_code(answer.body[:300])
        code = match[1].decode() if match else None
    table = dict.fromkeys(TABLE, _ENDED) if has_ended else TABLE
    return explain(table, code, answer, scene)
