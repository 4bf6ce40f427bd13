"""The error hierarchy: every failure a person can cause or meet has one class here.

An error carries four things: a stable machine `code`, one sentence (`message`), what to do about
it (`remedy`) and the HTTP status that the server answers with. Rooms raise these; only the hosts
turn them into HTTP responses, exit codes or dialogs. Messages and remedies are shown to people,
so they never hold a secret, a presigned URL or a traceback.
"""

from __future__ import annotations

from typing import ClassVar


class PackagerError(Exception):
    """Base of every error that packager_jupyter raises on purpose.

    Parameters
    ----------
    message : str
        One sentence that says what happened, in the words of the person who meets it.
    remedy : str
        What to do about it.
    details : str, optional
        Technical text for a "Details" fold; free of secrets.
    retry_after_s : int, optional
        Seconds after which the same call may succeed; sent as ``Retry-After`` (RFC 9110 10.2.3).
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        remedy: str,
        details: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def to_json(self) -> dict[str, str]:
        """Return the one error shape of the REST API and of ``--json`` output."""
        body = {"code": self.code, "message": self.message, "remedy": self.remedy}
        if self.details:
            body["details"] = self.details
        return body


class InternalError(PackagerError):
    """A defect of ours: the message is general, the log has the traceback."""


class BadInputError(PackagerError):
    """The request itself is wrong and would be wrong again."""

    code = "bad_input"
    status = 400


class NameInvalidError(BadInputError):
    """A repository, tag or digest is not written as the OCI specification says."""

    code = "name_invalid"


class DigestMismatchError(BadInputError):
    """The bytes that were sent are not those of the digest or size that was announced."""

    code = "digest_mismatch"


class ManifestInvalidError(BadInputError):
    """What was sent as an OCI manifest is none, or contradicts itself."""

    code = "manifest_invalid"


class ManifestBlobUnknownError(BadInputError):
    """A manifest names a blob or manifest that the repository does not hold."""

    code = "manifest_blob_unknown"


class NotAuthenticatedError(PackagerError):
    """Nobody has said who is asking."""

    code = "not_authenticated"
    status = 401


class PasswordRequiredError(NotAuthenticatedError):
    """The share is locked and no valid password, cookie or capability came along."""

    code = "password_required"


class SignInRequiredError(NotAuthenticatedError):
    """The share is for people who have signed in, and nobody has."""

    code = "sign_in_required"


class ForbiddenError(PackagerError):
    """Known, but not allowed."""

    code = "forbidden"
    status = 403


class NotFoundError(PackagerError):
    """The named thing does not exist (or must look so to a stranger)."""

    code = "not_found"
    status = 404


class SourceNotFoundError(NotFoundError):
    """No source of that name is connected."""

    code = "source_not_found"


class PackageNotFoundError(NotFoundError):
    """No draft or version of that name exists."""

    code = "package_not_found"


class PathNotFoundError(NotFoundError):
    """The package has no such file or folder."""

    code = "path_not_found"


class ShareNotFoundError(NotFoundError):
    """Unknown, expired, revoked or used up: the same for all four."""

    code = "share_not_found"


class ObjectNotFoundError(NotFoundError):
    """The storage has no such object (any more)."""

    code = "object_not_found"


class BlobNotFoundError(NotFoundError):
    """The OCI store has no such blob, manifest or tag."""

    code = "blob_not_found"


class ConflictError(PackagerError):
    """The request is well formed but contradicts what is already there."""

    code = "conflict"
    status = 409


class ObjectChangedError(ConflictError):
    """The object is not the one that the pointer was made from."""

    code = "object_changed"


class VersionExistsError(ConflictError):
    """Another content already stands under this immutable version."""

    code = "version_exists"


class RevisionMismatchError(PackagerError):
    """Somebody else changed the resource first (RFC 9110 13.1.1, ``If-Match``)."""

    code = "changed_elsewhere"
    status = 412


class TooLargeError(PackagerError):
    """Over a limit that the server states."""

    code = "too_large"
    status = 413


class NotPreviewableError(PackagerError):
    """A file of which no preview can be made: of another kind than its name says, or too large."""

    code = "not_previewable"
    status = 422


class RateLimitedError(PackagerError):
    """Too many tries; `retry_after_s` says when to come back (RFC 6585 4)."""

    code = "rate_limited"
    status = 429


class StorageError(PackagerError):
    """A storage behind a source answered with an error we cannot pass on as our own."""

    code = "storage_error"
    status = 502


class StorageDeniedError(StorageError):
    """The storage refused the credential: wrong, expired, or not allowed to do this."""

    code = "storage_access_denied"


class StorageCredentialError(StorageDeniedError):
    """The storage does not accept the credential at all: unknown key, wrong secret, expired."""

    code = "storage_credential_refused"


class StorageBusyError(StorageError):
    """The storage asks us to slow down, or failed, at every try; later it may work."""

    code = "storage_busy"
    status = 503


class StorageBucketNotFoundError(StorageError):
    """The bucket, container or folder that the source names does not exist."""

    code = "storage_bucket_not_found"


class StorageNotUnderstoodError(StorageError):
    """What answered is not the storage protocol (an HTML page of a proxy, for example)."""

    code = "storage_not_understood"


class StorageUnreachableError(StorageError):
    """No answer at all: name resolution, connection, TLS or a time-out."""

    code = "storage_unreachable"
    status = 503


class CredentialMissingError(PackagerError):
    """The source has no credential, or its credential cannot be read."""

    code = "credential_missing"
    status = 502


class StoreCorruptError(PackagerError):
    """A file of ours does not hash to its digest or cannot be read as what it is."""

    code = "store_corrupt"


class DiskFullError(PackagerError):
    """The disk or the quota is full; nothing was changed."""

    code = "disk_full"
    status = 507


class BusyError(PackagerError):
    """A lock or a queue could not be had in time."""

    code = "busy"
    status = 503


class ToolMissingError(PackagerError):
    """A program that this needs is not installed where the server runs."""

    code = "tool_missing"
    status = 501


class ToolFailedError(PackagerError):
    """A program that we run has failed; `details` ends with what it said."""

    code = "tool_failed"
    status = 500


class CancelledError(PackagerError):
    """The person cancelled the work; what it says was kept is kept."""

    code = "cancelled"
    status = 409
