"""``token create|ls|revoke``: credentials for machines, shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionGroup, pass_session
from packager_jupyter.cli.output import utc_minute
from packager_jupyter.cli.values import DURATION

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session


@click.group(cls=SessionGroup)
def token() -> None:
    """Make, list and end the tokens with which programs come."""


@token.command("create")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="What it may do; may be repeated: pypi/main:read, pypi/main/demo-*:publish, "
    "oci/packages/*:read, api:read.",
)
@click.option(
    "--expires", type=DURATION, default="90d", show_default=True, metavar="TIME", help="12h, 7d …."
)
@click.option("--description", default="", metavar="TEXT", help="A note of your own.")
@pass_session
def create(session: Session, *, scopes: tuple[str, ...], expires: int, description: str) -> None:
    """Make a token and print it, this once.

    Clients send it as the password of a login (any user name does) or as a Bearer token.
    """
    from packager_jupyter.api.owner import local_owner

    created = session.services.tokens.create(
        local_owner(), scopes=scopes, expires_in_s=expires, description=description
    )
    info = created.info
    session.audit("token.create", info.id)
    session.out.result({"token": created.secret, "info": info.to_json()}, created.secret)
    session.out.remark(
        f"Token {info.id} ends on {utc_minute(info.expires_s)} UTC. It is not shown again."
    )


@token.command("ls")
@click.option("--all", "show_ended", is_flag=True, help="Ended tokens too.")
@pass_session
def ls(session: Session, *, show_ended: bool) -> None:
    """List your tokens, the newest first; never the secrets."""
    from packager_jupyter.api.owner import local_owner

    found = [info.to_json() for info in session.services.tokens.list(local_owner())]
    shown = [info for info in found if show_ended or info["state"] == "active"]
    if session.out.is_json:
        session.out.json({"items": shown, "cursor": None})
        return
    if not shown:
        session.out.remark("No token is active. Make one: packager token create --scope SCOPE")
        return
    columns = ["id", "scopes", "expires (utc)", "last used (utc)", "state", "description"]
    rows = [
        [
            info["id"],
            " ".join(info["scopes"]),
            utc_minute(info["expires_s"]),
            utc_minute(info["last_used_s"]),
            info["state"],
            info["description"],
        ]
        for info in shown
    ]
    session.out.table(columns, rows)


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@pass_session
def revoke(session: Session, *, token_id: str) -> None:
    """End a token at once."""
    from packager_jupyter.api.owner import local_owner

    session.services.tokens.revoke(token_id, owner=local_owner())
    session.audit("token.revoke", token_id)
    session.out.result({"id": token_id, "state": "revoked"}, f"Revoked {token_id}.")
