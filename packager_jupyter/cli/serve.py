"""``serve``: the standalone server in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionCommand, pass_session

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.serve import StandaloneServer

TOKEN_ENV = "PACKAGER_TOKEN"  # noqa: S105  # the name of a variable
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve", cls=SessionCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address to bind.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8850,
    show_default=True,
    help="Port to bind; 0 takes a free one.",
)
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate with its chain, PEM.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Private key of the certificate, PEM.")
@click.option("--public-url", metavar="URL", help="Address under which people reach this server.")
@click.option(
    "--oci-store", metavar="DIR|URL", help="Where the artifacts are kept: a folder or a registry."
)
@pass_session
def serve(
    session: Session,
    *,
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    public_url: str | None,
    oci_store: str | None,
) -> None:
    """Serve shares and the REST API until Ctrl-C.

    The start-up token for the REST API is read from the environment variable PACKAGER_TOKEN, else
    made and shown, once, on a terminal only.
    """
    from packager_jupyter.cli.addresses import Announcement
    from packager_jupyter.serve import ServeOptions, run

    if public_url is not None:
        session.set_flag("public_url", public_url)
    if oci_store is not None:
        is_folder = "://" not in oci_store
        session.set_flag("oci_store", str(Path(oci_store).absolute()) if is_folder else oci_store)
    given_token = os.environ.get(TOKEN_ENV) or None
    options = ServeOptions(
        host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, token=given_token
    )
    announcement = Announcement(Path(session.settings.data_dir))
    asked_public = session.settings.public_url

    def announce(server: StandaloneServer) -> None:
        announcement.make(asked_public or server.url)
        address = asked_public or server.url
        session.out.result({"url": address, "listening": server.url}, f"Serving at {address}")
        session.out.remark("Stop with Ctrl-C.")
        if given_token is None and sys.stderr.isatty():  # a log file must not learn it
            session.out.remark(f"Token of the REST API, until the server stops: {server.token}")

    try:
        run(session.settings, options, announce=announce)
    finally:
        announcement.take_back()
