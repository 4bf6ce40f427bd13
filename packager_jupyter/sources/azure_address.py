"""Where an Azure account is: connection strings and endpoints, without anything heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_connection_string(text: str) -> dict[str, str]:
    """Return the settings of an Azure connection string (``Name=value;…``)."""
    pairs = (part.partition("=") for part in text.strip().split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def endpoint_of(account: str, variables: Mapping[str, str], endpoint_url: str | None) -> str:
    """Return the address of the account's blob service, without a slash at its end."""
    settings = parse_connection_string(variables.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    url = endpoint_url or settings.get("BlobEndpoint")
    if url:
        url = url.rstrip("/")
        # An address without a name, as of an emulator, carries the account in its path.
        is_bare = (
            not urlsplit(url).path
            and urlsplit(url).netloc.replace(".", "").replace(":", "").isdigit()
        )
        return f"{url}/{account}" if is_bare else url
    scheme = settings.get("DefaultEndpointsProtocol", "https")
    suffix = settings.get("EndpointSuffix", "core.windows.net")
    return f"{scheme}://{account}.blob.{suffix}"
