"""What a source that is connected through the API may point at.

The API's callers choose addresses that the server then asks, so: endpoints must be the vendors'
own or allowed by the administrator (no request forgery into the server's network), folders must lie
below those that are meant for it, and only whoever runs the server may use credentials that the
server already has. Whoever runs the server (the person of a Jupyter server) may name any endpoint
but a metadata service: a team's own storage mostly lies in its own network.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from packager_jupyter.errors import ForbiddenError
from packager_jupyter.sources.endpoints import check_endpoint_allowed, check_endpoint_of_owner
from packager_jupyter.sources.spec import CredentialRef, SourceOptions, parse_file_url

if TYPE_CHECKING:
    from packager_jupyter.api.shapes.sources import CredentialGiven, OptionsGiven
    from packager_jupyter.config import Settings

_OWN_CREDENTIALS = frozenset({"none", "stored", "anonymous"})


def options_of(given: OptionsGiven) -> SourceOptions:
    """Return what the request says in the core's own type."""
    return SourceOptions(**asdict(given))


def credential_of(given: CredentialGiven) -> CredentialRef:
    """Return what the request says in the core's own type."""
    return CredentialRef(given.kind, given.ref)


def check_allowed(
    settings: Settings,
    *,
    url: str,
    options: SourceOptions,
    credential: CredentialRef,
    is_owner: bool,
) -> None:
    """Refuse a source that the API must not connect; blocks, as it resolves names.

    Raises
    ------
    ForbiddenError
        The endpoint, the folder or the credential is not for callers of the API.
    BadInputError
        An address cannot be understood.
    """
    for endpoint in (options.endpoint_url, options.public_endpoint_url):
        if endpoint is not None and is_owner:
            check_endpoint_of_owner(endpoint)
        elif endpoint is not None:
            check_endpoint_allowed(endpoint, settings.endpoint_hosts)
    if url.startswith("file:"):
        _check_folder(settings, Path(parse_file_url(url)), what="folder")
    if url.startswith("list:"):
        raise ForbiddenError(
            "A list of addresses cannot be connected through the API, as this server would ask "
            "every address in it.",
            remedy="Have the server's administrator connect it: packager source add NAME list:FILE",
        )
    if options.ca_bundle is not None:
        _check_folder(settings, Path(options.ca_bundle), what="file")
    if credential.kind not in _OWN_CREDENTIALS and not is_owner:
        raise ForbiddenError(
            f"A source connected through the API cannot use a credential of kind "
            f"{credential.kind!r}.",
            remedy="Send the secret itself, or have the server's administrator connect it: "
            "packager source add",
        )


def _check_folder(settings: Settings, path: Path, *, what: str) -> None:
    roots = settings.local_roots or [settings.root_dir]
    real = path.resolve()
    if not any(real.is_relative_to(Path(root).resolve()) for root in roots):
        raise ForbiddenError(
            f"The {what} {path} is not below those that the API may use.",
            remedy="Choose one below the server's root folder, or have the administrator add its "
            "folder to Settings.local_roots.",
        )
