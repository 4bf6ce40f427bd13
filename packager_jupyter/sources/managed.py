"""Sources that come from ``secrets_dir``: each folder in it is one, as Kubernetes mounts secrets.

A folder holds one file per variable: where the data is (``BUCKET_NAME``, ``BUCKET_PREFIX``,
``AWS_ENDPOINT_URL``, ``AWS_REGION``; ``AZURE_STORAGE_ACCOUNT``, ``AZURE_STORAGE_CONTAINER``) and
the credential. It is read anew at each use.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from packager_jupyter.errors import PackagerError
from packager_jupyter.sources.azure_address import parse_connection_string
from packager_jupyter.sources.credentials import hint_of, read_folder
from packager_jupyter.sources.kinds import kind_of, settle_options
from packager_jupyter.sources.spec import (
    CredentialRef,
    SourceOptions,
    SourceSpec,
    is_source_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)


def managed_names(secrets_dir: Path | None) -> list[str]:
    """Return the names of the folders that may be sources."""
    if secrets_dir is None or not secrets_dir.is_dir():
        return []
    return sorted(folder.name for folder in secrets_dir.iterdir() if is_source_name(folder.name))


def managed_spec(secrets_dir: Path | None, name: str) -> SourceSpec | None:
    """Return the source that the folder `name` describes, or None when it describes none."""
    if secrets_dir is None or not is_source_name(name):
        return None  # also what a mount keeps beside the secrets: "..data"
    folder = secrets_dir / name
    try:
        return _spec_of(folder) if folder.is_dir() else None
    except PackagerError as error:
        # One folder that is wrong must not take the others away.
        _log.warning("The folder %s of secrets_dir is no source: %s", name, error)
        return None


def _spec_of(folder: Path) -> SourceSpec | None:
    variables = read_folder(folder)
    url = _url_of(variables)
    if url is None:
        return None  # some other secret that is mounted beside ours
    options = SourceOptions(region=variables.get("AWS_REGION"))
    return SourceSpec(
        folder.name,
        kind_of(url),
        url,
        settle_options(url, options, variables),
        CredentialRef("dir", str(folder)),
        hint_of(variables),
        is_managed=True,
    )


def _url_of(variables: Mapping[str, str]) -> str | None:
    bucket, prefix = variables.get("BUCKET_NAME"), variables.get("BUCKET_PREFIX", "").strip("/")
    settings = parse_connection_string(variables.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    account = variables.get("AZURE_STORAGE_ACCOUNT") or settings.get("AccountName")
    container = variables.get("AZURE_STORAGE_CONTAINER") or bucket
    if account and container:
        return f"azure://{account}/{container}/{prefix}".rstrip("/")
    return f"s3://{bucket}/{prefix}".rstrip("/") if bucket else None
