"""The registry of kinds: what `s3`, `azure`, `local` and `list` are to the rest of the house.

A new kind of storage is one row here and one module beside this one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.sources.azure_address import endpoint_of
from packager_jupyter.sources.spec import (
    check_options,
    parse_bucket_url,
    parse_file_url,
    parse_list_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packager_jupyter.sources.base import Source
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.spec import SourceOptions, SourceSpec


def _no_endpoint(_url: str, _variables: Mapping[str, str]) -> str | None:
    return None


def _s3_endpoint(_url: str, variables: Mapping[str, str]) -> str | None:
    return variables.get("AWS_ENDPOINT_URL")


def _azure_endpoint(url: str, variables: Mapping[str, str]) -> str | None:
    account = parse_bucket_url(url, scheme="azure").account or ""
    named = endpoint_of(account, variables, None)
    return None if named == endpoint_of(account, {}, None) else named


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source.

    Attributes
    ----------
    scheme : str
        Of its address.
    module : str
        Offers ``open_source(spec, credential, *, local_key) -> Source``.
    check_url : callable
        Raises `BadInputError` for an address that is none.
    endpoint_in : callable
        The endpoint that a credential's own variables name, or None.
    """

    scheme: str
    module: str
    check_url: Callable[[str], object]
    endpoint_in: Callable[[str, Mapping[str, str]], str | None] = _no_endpoint


KINDS: dict[str, Kind] = {
    "s3": Kind(
        "s3",
        "packager_jupyter.sources.s3",
        lambda url: parse_bucket_url(url, scheme="s3"),
        _s3_endpoint,
    ),
    "azure": Kind(
        "azure",
        "packager_jupyter.sources.azure",
        lambda url: parse_bucket_url(url, scheme="azure"),
        _azure_endpoint,
    ),
    "local": Kind("file", "packager_jupyter.sources.local", parse_file_url),
    "list": Kind("list", "packager_jupyter.sources.listed", parse_list_url),
}


def kind_of(url: str) -> str:
    """Return the kind of source that an address names; raises `BadInputError`."""
    scheme, separator, _ = url.partition(":" if url.startswith("list:") else "://")
    for name, kind in KINDS.items():
        if separator and kind.scheme == scheme:
            kind.check_url(url)
            return name
    raise BadInputError(
        f"{url[:120]!r} is no address of a storage.",
        remedy="Write s3://bucket/prefix, azure://account/container/prefix, file:///folder or "
        "list:FILE.",
    )


def settle_options(
    url: str, options: SourceOptions, variables: Mapping[str, str] | None
) -> SourceOptions:
    """Return checked options that say every endpoint which the source will talk to.

    An endpoint that stands among the variables of a credential (``AWS_ENDPOINT_URL``, a connection
    string) becomes an option: there it is seen, and checked against what the API allows.

    Raises
    ------
    BadInputError
        When `url` or an option is not one.
    """
    kind = KINDS[kind_of(url)]
    if options.presign_as is not None:
        kind = KINDS[kind_of(options.presign_as)]
    if options.endpoint_url is None and variables:
        named = kind.endpoint_in(options.presign_as or url, variables)
        options = replace(options, endpoint_url=named)
    return check_options(options)


def open_source(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> Source:
    """Open a source of any kind; asks nothing of its storage yet."""
    module = importlib.import_module(KINDS[spec.kind].module)
    opened: Source = module.open_source(spec, credential, local_key=local_key)
    return opened
