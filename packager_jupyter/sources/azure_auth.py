"""How an Azure source proves who it is: for its own requests, and in presigned URLs.

Each credential is one class with two abilities: `headers` and `query` dress a request of our own,
`sas` makes what signs single blobs for others. The vendor's library is asked for formats, tokens
and delegation keys; it sends no request to the storage but the one for a delegation key.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs

from packager_jupyter.errors import CredentialMissingError, StorageDeniedError
from packager_jupyter.sources.azure_address import parse_connection_string
from packager_jupyter.sources.azure_sas import BulkSas
from packager_jupyter.sources.redaction import hide_signatures
from packager_jupyter.sources.transport import CONNECT_S, READ_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.sources.credentials import Credential

_SKEW = timedelta(minutes=5)  # a SAS starts that early, so that clocks may differ
_OWN_SAS_S = 3600
_KEY_LIFE = timedelta(days=7)  # the longest that a delegation key may live
_SCOPE = "https://storage.azure.com/.default"


@dataclass(frozen=True, slots=True)
class AzurePlace:
    """One container: its address for us and for readers, without a slash at its end."""

    account: str
    container: str
    base_url: str
    public_url: str


def _protocol(url: str) -> str:
    """Return what a SAS allows: https, unless the endpoint has none."""
    return "https" if url.startswith("https:") else "https,http"


class AzureAuth(Protocol):
    """What each kind of credential can do."""

    who: str

    @property
    def has_ended(self) -> bool:
        """Whether it says itself that its time is over."""
        ...

    def headers(self) -> dict[str, str]:
        """Return the headers of a request of our own."""
        ...

    def query(self) -> str:
        """Return the query parameters of a request of our own, or an empty string."""
        ...

    def own_sas(self, *, ttl_s: int) -> BulkSas | None:
        """Return what signs our own request for a version or snapshot; None: `query` does."""
        ...

    def sas(self, *, ttl_s: int) -> BulkSas | None:
        """Return what signs single blobs; None when URLs need no signature.

        Raises
        ------
        CredentialMissingError
            When this credential cannot sign narrower URLs.
        """
        ...


class _Lasting:
    """A credential that names no end."""

    has_ended = False

    def own_sas(self, *, ttl_s: int) -> BulkSas | None:
        """Return none: `query` and `headers` are enough."""
        del ttl_s
        return None


class KeyAuth(_Lasting):
    """The account's key. Our own requests carry a short SAS of the container, read and list."""

    def __init__(self, place: AzurePlace, key: str) -> None:
        hide_signatures()
        self._place = place
        self._key = _check_key(key)
        self._lock = threading.Lock()
        self._own = ("", 0.0)
        self.who = f"the key of account {place.account!r}"

    def headers(self) -> dict[str, str]:
        """Return none: the SAS says it all."""
        return {}

    def query(self) -> str:
        """Return a container SAS, renewed at half of its life."""
        from azure.storage.blob import generate_container_sas

        with self._lock:
            token, until = self._own
            if time.time() > until - _OWN_SAS_S / 2:
                now = datetime.now(UTC)
                token = generate_container_sas(
                    self._place.account,
                    self._place.container,
                    account_key=self._key,
                    permission="rl",
                    start=now - 3 * _SKEW,
                    expiry=now + timedelta(seconds=_OWN_SAS_S),
                    protocol=_protocol(self._place.base_url),
                )
                self._own = (token, time.time() + _OWN_SAS_S)
            return token

    def sas(self, *, ttl_s: int) -> BulkSas:
        """Return what signs blobs with the account's key."""
        return _bulk(self._place, self._place.public_url, ttl_s, self._key, account_key=self._key)

    def own_sas(self, *, ttl_s: int) -> BulkSas:
        """Return what signs blobs for our own requests."""
        return _bulk(self._place, self._place.base_url, ttl_s, self._key, account_key=self._key)


class TokenAuth(_Lasting):
    """An identity of Microsoft Entra: bearer tokens for us, a delegation key for others."""

    def __init__(self, place: AzurePlace, credential: Any) -> None:
        hide_signatures()
        if not place.base_url.startswith("https:"):
            raise CredentialMissingError(
                "An Azure identity is only sent over https.",
                remedy="Give the source an https endpoint, or another credential.",
            )
        self._place = place
        self._credential = credential
        self._lock = threading.Lock()
        self._key: tuple[Any, datetime] | None = None
        self.who = "the Azure identity of this server"

    def headers(self) -> dict[str, str]:
        """Return the bearer token; the library keeps and renews it."""
        from azure.core.exceptions import AzureError

        try:
            token = self._credential.get_token(_SCOPE).token
        except AzureError as error:
            raise _no_identity(error) from None
        return {"Authorization": f"Bearer {token}"}

    def query(self) -> str:
        """Return nothing: the header says it all."""
        return ""

    def sas(self, *, ttl_s: int) -> BulkSas:
        """Return what signs blobs with a user delegation key."""
        key = self._delegation_key(datetime.now(UTC) + timedelta(seconds=ttl_s))
        return _bulk(self._place, self._place.public_url, ttl_s, key.value, user_delegation_key=key)

    def _delegation_key(self, until: datetime) -> Any:
        from azure.core.exceptions import AzureError
        from azure.storage.blob import BlobServiceClient, LinearRetry

        with self._lock:
            if self._key is None or self._key[1] < until:
                now = datetime.now(UTC)
                expiry = now + _KEY_LIFE
                service = self._place.base_url.removesuffix(f"/{self._place.container}")
                try:
                    with BlobServiceClient(
                        service,
                        credential=self._credential,
                        retry_policy=LinearRetry(backoff=1, retry_total=1, random_jitter_range=0),
                        connection_timeout=CONNECT_S,
                        read_timeout=READ_S,
                    ) as client:
                        key = client.get_user_delegation_key(now - _SKEW, expiry)
                except AzureError as error:
                    raise StorageDeniedError(
                        "Azure gave no user delegation key, which presigned URLs are made with.",
                        remedy="Give the identity the role Storage Blob Delegator on the account.",
                        details=type(error).__name__,
                    ) from None
                self._key = (key, expiry)
            return self._key[0]


class SasAuth:
    """A SAS that somebody else made: good for reading, not for making narrower URLs."""

    def __init__(self, token: str) -> None:
        self._token = token.strip().removeprefix("?")
        values = parse_qs(self._token)
        if "sig" not in values:
            raise CredentialMissingError(
                "The SAS of the source is not one: it has no signature.",
                remedy="Store the whole SAS token, from 'sv=' or 'sp=' to the end of 'sig='.",
            )
        self._end = values.get("se", [""])[0]
        self.who = f"the SAS that ends at {self._end}" if self._end else "the SAS"

    @property
    def has_ended(self) -> bool:
        """Whether the time in its ``se`` is over."""
        try:
            end = datetime.fromisoformat(self._end)
        except ValueError:
            return False
        return (end if end.tzinfo else end.replace(tzinfo=UTC)) < datetime.now(UTC)

    def headers(self) -> dict[str, str]:
        """Return none."""
        return {}

    def query(self) -> str:
        """Return the SAS itself."""
        return self._token

    def own_sas(self, *, ttl_s: int) -> None:
        """Return none: the SAS itself is enough."""
        del ttl_s

    def sas(self, *, ttl_s: int) -> BulkSas:
        """Refuse: passing the SAS on would open the whole container to every visitor."""
        del ttl_s
        raise CredentialMissingError(
            "A SAS cannot sign URLs of single files; passing it on would open all of the "
            "container.",
            remedy="Connect the source with the account's key, a connection string that has it, "
            "or an Azure identity, to share what is in it.",
        )


class AnonymousAuth(_Lasting):
    """A public container."""

    who = "anonymous access"

    def headers(self) -> dict[str, str]:
        """Return none."""
        return {}

    def query(self) -> str:
        """Return nothing."""
        return ""

    def sas(self, *, ttl_s: int) -> None:
        """Return none: plain URLs are enough."""
        del ttl_s


def authenticate(place: AzurePlace, credential: Credential) -> AzureAuth:
    """Return how the source proves who it is.

    Raises
    ------
    CredentialMissingError
        When there is no credential, or it is incomplete or of another account.
    """
    if credential.kind == "anonymous":
        return AnonymousAuth()
    if credential.kind == "azure-default":
        from azure.identity import DefaultAzureCredential

        return TokenAuth(place, DefaultAzureCredential(exclude_interactive_browser_credential=True))
    variables = credential.variables
    settings = parse_connection_string(variables.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    account = settings.get("AccountName") or variables.get("AZURE_STORAGE_ACCOUNT")
    if account and account != place.account:
        raise CredentialMissingError(
            f"The credential is of the account {account!r}, but the source is in "
            f"{place.account!r}.",
            remedy="Store the credential of the account in the source's address.",
        )
    key = settings.get("AccountKey") or variables.get("AZURE_STORAGE_KEY")
    if key:
        return KeyAuth(place, key)
    token = settings.get("SharedAccessSignature") or variables.get("AZURE_STORAGE_SAS_TOKEN")
    if token:
        return SasAuth(token)
    raise CredentialMissingError(
        "The source has no credential for Azure.",
        remedy="Connect it again with AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or "
        "AZURE_STORAGE_CONNECTION_STRING, with the Azure default chain, or with --anonymous when "
        "the container is public.",
    )


def _bulk(place: AzurePlace, url: str, ttl_s: int, key: str, **credential: Any) -> BulkSas:
    from azure.storage.blob import generate_blob_sas

    now = datetime.now(UTC)

    def sign(
        name: str,
        *,
        snapshot: str | None,
        version_id: str | None,
        content_disposition: str | None,
        content_type: str | None,
        sts_hook: Callable[[str], None] | None,
    ) -> str:
        return generate_blob_sas(
            place.account,
            place.container,
            name,
            snapshot=snapshot,
            version_id=version_id,
            permission="r",
            start=now - _SKEW,
            expiry=now + timedelta(seconds=ttl_s),
            protocol=_protocol(url),
            content_disposition=content_disposition,
            content_type=content_type,
            sts_hook=sts_hook,
            **credential,
        )

    return BulkSas(sign, key)


def _check_key(key: str) -> str:
    try:
        base64.b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        raise CredentialMissingError(
            "The key of the Azure account is not one: it is not base64.",
            remedy="Copy the whole key, with the '=' at its end.",
        ) from None
    return key


def _no_identity(error: Exception) -> CredentialMissingError:
    return CredentialMissingError(
        "The Azure default chain gives this server no identity.",
        remedy="Sign in (`az login`), set AZURE_CLIENT_ID and kin, or give the machine a managed "
        "identity.",
        details=type(error).__name__,
    )
