"""What a source is on record: name, kind, address, options, and where its credential comes from.

Everything here may be shown to people; nothing here is secret.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

CredentialKind = Literal["none", "stored", "env", "dir", "profile", "azure-default", "anonymous"]
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to reach the storage, where the address alone does not say it.

    Attributes
    ----------
    endpoint_url : str or None
        Of the service, when it is not the vendor's own.
    region : str or None
    path_style : bool or None
        ``https://host/bucket/key`` instead of ``https://bucket.host/key``; None: as the endpoint
        needs.
    ca_bundle : str or None
        File with the certificates of the authority behind the endpoint.
    public_endpoint_url : str or None
        Endpoint in presigned URLs, when readers reach the storage by another name than we do.
    presign_as : str or None
        The bucket (``s3://bucket/prefix``) that a ``local`` folder is a mount of.
    """

    endpoint_url: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: str | None = None
    public_endpoint_url: str | None = None
    presign_as: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the options that are set."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SourceOptions:
        """Return the options of a JSON object; raises `BadInputError` for a wrong one."""
        known = set(cls.__slots__)
        for key, entry in value.items():
            is_right = isinstance(entry, bool) if key == "path_style" else isinstance(entry, str)
            if key not in known or not (is_right or entry is None):
                raise BadInputError(
                    f"{key[:40]!r} is no option of a source, or its value is of the wrong type.",
                    remedy=f"Options are: {', '.join(sorted(known))}.",
                )
        return cls(**value)


@dataclass(frozen=True, slots=True)
class CredentialRef:
    """Where the credential of a source comes from; `ref` names the prefix, folder or profile."""

    kind: CredentialKind = "none"
    ref: str | None = None

    def __post_init__(self) -> None:
        needs_ref = self.kind in {"env", "dir", "profile"}
        if self.kind not in get_args(CredentialKind) or needs_ref != bool(self.ref):
            raise BadInputError(
                f"{self.kind!r} is no way to give a credential, or lacks or has a name too much.",
                remedy="Use none, stored, anonymous or azure-default without a name; env, dir or "
                "profile with one.",
            )


NONE = CredentialRef()


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One connected storage, as it may be shown.

    Attributes
    ----------
    credential_hint : str or None
        The last four characters of the key's name, never of a secret.
    is_managed : bool
        Comes from a folder of ``secrets_dir``; it is changed there, not here.
    """

    name: str
    kind: str
    url: str
    options: SourceOptions = field(default_factory=SourceOptions)
    credential: CredentialRef = NONE
    credential_hint: str | None = None
    is_managed: bool = False
    revision: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return what the REST API and ``--json`` show."""
        credential: dict[str, Any] = {"kind": self.credential.kind}
        if self.credential.ref:
            credential["ref"] = self.credential.ref
        if self.credential_hint:
            credential["hint"] = self.credential_hint
        return {
            "name": self.name,
            "kind": self.kind,
            "url": self.url,
            "options": self.options.to_json(),
            "credential": credential,
            "is_managed": self.is_managed,
        }


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """An address split: the container (S3: bucket) and the prefix, empty or ending in ``/``."""

    account: str | None
    container: str
    prefix: str


def is_source_name(name: str) -> bool:
    """Whether a source may be called `name`."""
    return _NAME.fullmatch(name) is not None


def check_source_name(name: str) -> str:
    """Return `name` when a source may have it, else raise `BadInputError`."""
    if is_source_name(name):
        return name
    raise BadInputError(
        f"{name[:80]!r} is no name for a source.",
        remedy="Use 1 to 63 lower-case letters, digits, '.', '_' and '-', beginning with a letter "
        "or digit.",
    )


def check_options(options: SourceOptions) -> SourceOptions:
    """Return `options` when their addresses are addresses, else raise `BadInputError`."""
    for url in (options.endpoint_url, options.public_endpoint_url):
        if url is None:
            continue
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in {"http", "https"} and bool(parts.hostname)
            is_good = is_good and parts.port != 0 and "@" not in parts.netloc
        except ValueError:
            is_good, parts = False, urlsplit("")
        if not is_good or parts.query or parts.fragment or re.search(r"[\x00-\x20\\]", url):
            raise BadInputError(
                "An endpoint of the source is no plain web address.",
                remedy="Write scheme, host and, where needed, port: https://s3.example.org:8443. "
                "A user name or key has no place in it.",
            )
    return options


def parse_bucket_url(url: str, *, scheme: str) -> BucketAddress:
    """Split ``s3://bucket/prefix`` or ``azure://account/container/prefix``.

    Raises
    ------
    BadInputError
        The address has another shape, a user, a query or a control character.
    """
    account = None
    rest = url.removeprefix(f"{scheme}://")
    if scheme == "azure":
        account, _, rest = rest.partition("/")
    container, _, prefix = rest.partition("/")
    is_bad = rest == url or _CONTROL.search(url) or not container or account == ""
    if is_bad or any(mark in f"{account or ''}{container}" for mark in "@?#:\\"):
        shape = "azure://account/container/prefix" if scheme == "azure" else "s3://bucket/prefix"
        raise BadInputError(
            f"{url[:120]!r} is not the address of a bucket.",
            remedy=f"Write it as {shape}; endpoint and credential are options of their own.",
        )
    prefix = prefix.strip("/")
    return BucketAddress(account, container, f"{prefix}/" if prefix else "")


def parse_file_url(url: str) -> str:
    """Return the absolute folder of ``file:///folder``; raises `BadInputError`."""
    parts = urlsplit(url)
    folder = unquote(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in folder:
        raise BadInputError(
            f"{url[:120]!r} is not the address of a folder.",
            remedy="Write it as file:///folder, with the whole path.",
        )
    if not folder.startswith("/") or parts.query or parts.fragment:
        raise BadInputError(
            f"{url[:120]!r} is not the address of a folder.",
            remedy="Write it as file:///folder; write '?' as %3F and '#' as %23.",
        )
    return folder


def parse_list_url(url: str) -> str:
    """Return the absolute file of ``list:FILE``; raises `BadInputError`."""
    file = url.removeprefix("list:").removeprefix("//")
    if not url.startswith("list:") or not file.startswith("/") or _CONTROL.search(file):
        raise BadInputError(
            f"{url[:120]!r} is not the address of a list.",
            remedy="Write it as list:/folder/file.txt, with the whole path of a file on this "
            "machine.",
        )
    return file
