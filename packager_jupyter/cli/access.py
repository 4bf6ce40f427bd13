"""What opens a share besides its link: its password, or the token that says who asks.

A password is the share's. A token is the person's and opens more than one share, so none is sent to
a server that it was not meant for: one from the environment goes to the server that it is of and no
other, whoever wrote the link.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443}
# Nothing before an @, and nothing that two readers of addresses take for different hosts.
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")


class Access(NamedTuple):
    """What is sent along with the requests to a share."""

    password: str | None = None
    token: str | None = None


def access_options(command: Any) -> Any:
    """Add ``--password-stdin`` and ``--token-stdin``."""
    for option in (
        click.option(
            "--token-stdin",
            is_flag=True,
            help="Read your token for the share's server from stdin: for shares with an audience.",
        ),
        click.option(
            "--password-stdin", is_flag=True, help="Read the share's password from stdin."
        ),
    ):
        command = option(command)
    return command


def access_to(link: str, *, password_stdin: bool, token_stdin: bool) -> Access:
    """Return what the person gives to open the share at `link`: standard input, environment."""
    if password_stdin and token_stdin:
        raise click.UsageError(
            "Standard input is one thing: give the password in PACKAGER_SHARE_PASSWORD."
        )
    password = os.environ.get("PACKAGER_SHARE_PASSWORD")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    token = sys.stdin.readline().strip() if token_stdin else own_token(link, os.environ)
    if token_stdin and not token:
        raise BadInputError(
            "No token came on standard input.",
            remedy="Pipe it in: packager get LINK --token-stdin < token.txt",
        )
    return Access(password or None, token or None)


def own_token(link: str, environment: Mapping[str, str]) -> str | None:
    """Return the token for the server that `link` is of, if the environment has one.

    That is ``PACKAGER_TOKEN`` when the link lies below ``PACKAGER_URL``, else the token of the
    Jupyter server around us when the link lies below that.
    """
    from packager_jupyter.client.discovery import addresses

    return next(
        (one.token for one in addresses(None, None, environment) if is_below(link, one.url)), None
    )


def is_below(link: str, root: str) -> bool:
    """Return whether `link` is of the server whose packager has the address `root`."""
    try:
        (scheme, netloc, path), (own_scheme, own_netloc, own_path) = (
            (parts.scheme, (parts.hostname, parts.port or _PORTS.get(parts.scheme)), parts.path)
            for parts in (urlsplit(link), urlsplit(root))
        )
    except ValueError:
        return False
    return (
        _HOST.fullmatch(urlsplit(link).netloc) is not None
        and (scheme, netloc) == (own_scheme, own_netloc)
        and path.startswith(own_path.rstrip("/") + "/")
        and "/../" not in path
    )
