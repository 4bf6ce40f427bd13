"""botocore, kept on a short leash: the only module that imports it.

botocore decides how the URLs of a bucket look (`S3Access` learns that once and then signs by
`sigv4`). It never sends a request of ours, and it never looks for credentials: clients are built
with the source's own keys, or unsigned, from a session that reads neither the environment nor
``~/.aws``. Only a source that names a profile has that one profile read, without the instance
metadata service behind it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packager_jupyter.errors import BadInputError, CredentialMissingError
from packager_jupyter.sources.quoting import attachment_disposition, quote_path, quote_value
from packager_jupyter.sources.redaction import hide_signatures
from packager_jupyter.sources.sigv4 import S3Keys, learn_layout, presigner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.sources.base import Method, Signer
    from packager_jupyter.sources.sigv4 import SigV4Layout

DEFAULT_REGION = "us-east-1"
_SESSION_LOCK = threading.Lock()
_STAMP = "%Y%m%dT%H%M%SZ"
_AMBIENT_PROVIDERS = ("env", "container-role", "iam-role", "ec2-credentials-file", "boto-config")
_OPERATIONS: dict[Method, str] = {"GET": "get_object", "HEAD": "head_object"}


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where a bucket is: everything that shapes its URLs except the credential."""

    bucket: str
    region: str
    endpoint_url: str | None
    path_style: bool | None


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """What a named AWS profile says besides its keys."""

    keys: S3Keys
    region: str | None
    endpoint_url: str | None


@cache
def _sealed_session() -> Any:
    """Return the botocore session that reads no environment variable and no file of the user.

    It holds no credential and no connection, only botocore's description of S3, which takes a
    tenth of a second to load; making clients from it needs `_SESSION_LOCK`.
    """
    from botocore.session import Session

    hide_signatures()
    variables = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    return Session(session_vars=variables)


def _client(place: S3Place, keys: S3Keys | None) -> Any:
    from botocore import UNSIGNED
    from botocore.config import Config

    # "auto" at Amazon would presign for the global host, which redirects (and so breaks the
    # signature) for young buckets of other regions; at any other endpoint it means path style.
    unsaid = "auto" if place.endpoint_url else "virtual"
    style = {None: unsaid, True: "path", False: "virtual"}[place.path_style]
    config = Config(
        # Without it botocore presigns us-east-1 by Signature Version 2, which lets callers add
        # response headers that nobody signed.
        signature_version="s3v4" if keys else UNSIGNED,
        s3={"addressing_style": style},
        ignore_configured_endpoint_urls=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    credential = (
        {
            "aws_access_key_id": keys.access_key_id,
            "aws_secret_access_key": keys.secret_access_key,
            "aws_session_token": keys.session_token,
        }
        if keys
        else {}
    )
    try:
        with _SESSION_LOCK:
            return _sealed_session().create_client(
                "s3",
                region_name=place.region,
                endpoint_url=place.endpoint_url,
                config=config,
                **credential,
            )
    except ValueError:
        raise BadInputError(
            f"The endpoint {place.endpoint_url!r} or the region {place.region!r} is not valid.",
            remedy="Give the endpoint as a whole address, for example https://s3.example.org.",
        ) from None


class Profile:
    """One named profile of ``~/.aws``, and nothing else of it; safe to share between threads.

    Keys of roles and single sign-on are renewed by botocore when they end; everything is read
    again when the files change.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._seen: tuple[int | None, ...] = ()
        self._found: Any = None
        self._scoped: Mapping[str, Any] = {}

    def settings(self) -> ProfileSettings:
        """Return what the profile says now.

        Raises
        ------
        CredentialMissingError
            When the profile does not exist or yields no keys.
        """
        from botocore.exceptions import BotoCoreError

        with self._lock:
            try:
                seen = _change_times()
                if seen != self._seen:
                    self._load()
                    self._seen = seen
                frozen = self._found.get_frozen_credentials() if self._found else None
            except BotoCoreError as error:
                raise CredentialMissingError(
                    f"The AWS profile {self._name!r} cannot be used: {type(error).__name__}.",
                    remedy="See `aws configure list-profiles` for the names, and sign in again if "
                    "the profile uses single sign-on.",
                ) from None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise CredentialMissingError(
                f"The AWS profile {self._name!r} has no keys.",
                remedy=f"Run `aws configure --profile {self._name}`, or choose another credential.",
            )
        return ProfileSettings(
            keys=S3Keys(frozen.access_key, frozen.secret_key, frozen.token),
            region=self._scoped.get("region"),
            endpoint_url=self._scoped.get("endpoint_url"),
        )

    def _load(self) -> None:
        from botocore.session import Session

        hide_signatures()
        session = Session(profile=self._name)
        self._scoped = session.get_scoped_config()
        resolver = session.get_component("credential_provider")
        present = {provider.METHOD for provider in resolver.providers}
        for name in _AMBIENT_PROVIDERS:
            if name in present:
                resolver.remove(name)
        self._found = resolver.load_credentials()


def _change_times() -> tuple[int | None, ...]:
    """Return when the user's AWS files were last changed."""
    files = (
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    times: list[int | None] = []
    for file in files:
        try:
            times.append(Path(file).expanduser().stat().st_mtime_ns)
        except OSError:
            times.append(None)
    return tuple(times)


class S3Access:
    """How one credential reads one bucket: bulk signer where proven, botocore where not.

    Parameters
    ----------
    place : S3Place
    keys : S3Keys or None
        None for anonymous access: URLs are then plain.
    """

    def __init__(self, place: S3Place, keys: S3Keys | None) -> None:
        self._place = place
        self._keys = keys
        self._client = _client(place, keys)
        self._layout: SigV4Layout | None = learn_layout(self.presign_key, keys) if keys else None

    @property
    def is_bulk(self) -> bool:
        """Whether URLs are signed by `sigv4` (the proof against botocore held)."""
        return self._layout is not None

    @property
    def origin(self) -> str:
        """Scheme and host of the endpoint, for messages."""
        parts = urlsplit(self._client.meta.endpoint_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def __repr__(self) -> str:
        return f"S3Access({self._place.bucket!r}, key={self._keys.hint if self._keys else None!r})"

    def presign(self, operation: str, parameters: Mapping[str, Any], *, ttl_s: int) -> str:
        """Return botocore's own presigned URL of any operation on the bucket.

        Raises
        ------
        BadInputError
            When botocore refuses the bucket's name or a parameter.
        """
        from botocore.exceptions import BotoCoreError

        try:
            url: str = self._client.generate_presigned_url(
                operation, Params={"Bucket": self._place.bucket, **parameters}, ExpiresIn=ttl_s
            )
        except (BotoCoreError, UnicodeEncodeError) as error:
            raise BadInputError(
                f"S3 cannot name what was asked for in bucket {self._place.bucket!r}.",
                remedy="Check the bucket's name: 3 to 63 lower-case letters, digits, '-' and '.'.",
                details=type(error).__name__,
            ) from None
        return url

    def presign_key(
        self,
        key: str,
        *,
        method: Method,
        ttl_s: int,
        version_id: str | None = None,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Return botocore's own presigned URL of one object; the options are `base.Signer`'s."""
        disposition = None if filename is None else attachment_disposition(filename)
        # The order of a dict is the order in which botocore writes the parameters.
        options = {
            "Key": key,
            "VersionId": version_id,
            "ResponseContentType": media_type,
            "ResponseContentDisposition": disposition,
        }
        given = {name: value for name, value in options.items() if value is not None}
        return self.presign(_OPERATIONS[method], given, ttl_s=ttl_s)

    def signer(
        self,
        *,
        ttl_s: int,
        method: Method,
        prefix: str,
        signed_headers: Mapping[str, str] | None = None,
    ) -> Signer:
        """Return a signer for keys below `prefix`; see `base.Source.signer`.

        `signed_headers` are sent along by who uses the URL; botocore's own URLs do without.
        """
        if self._keys is None:
            return self._plain_signer(prefix)
        if self._layout is None:
            return self._slow_signer(prefix, method=method, ttl_s=ttl_s)
        return presigner(
            self._layout,
            self._keys,
            stamp=datetime.now(UTC).strftime(_STAMP),
            ttl_s=ttl_s,
            method=method,
            prefix=prefix,
            signed_headers=signed_headers,
        )

    def _plain_signer(self, prefix: str) -> Signer:
        base = self.presign_key("p", method="GET", ttl_s=1).removesuffix("p")

        def address(
            key: str,
            *,
            version_id: str | None = None,
            filename: str | None = None,  # noqa: ARG001 - S3 honours it on signed requests only
            media_type: str | None = None,  # noqa: ARG001 - likewise
        ) -> str:
            query = "" if version_id is None else f"?versionId={quote_value(version_id)}"
            return base + quote_path(prefix + key) + query

        return address

    def _slow_signer(self, prefix: str, *, method: Method, ttl_s: int) -> Signer:
        def sign(
            key: str,
            *,
            version_id: str | None = None,
            filename: str | None = None,
            media_type: str | None = None,
        ) -> str:
            return self.presign_key(
                prefix + key,
                method=method,
                ttl_s=ttl_s,
                version_id=version_id,
                filename=filename,
                media_type=media_type,
            )

        return sign
