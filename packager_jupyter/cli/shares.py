"""``share`` and ``shares ls|revoke``: who may read a package, and until when.

A password comes from standard input or is asked for; it never stands on the command line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, SessionGroup, pass_session
from packager_jupyter.cli.output import utc_minute
from packager_jupyter.cli.values import DURATION, PACKAGE_REF
from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import PackageRef
    from packager_jupyter.shares.model import ShareInfo

_LATEST = "latest"


@click.command("share", cls=SessionCommand)
@click.argument("ref", metavar="NAME[@V]", type=PACKAGE_REF)
@click.option("--password-stdin", is_flag=True, help="Lock it with the password on standard input.")
@click.option("--expires", type=DURATION, metavar="TIME", help="End after 90s, 15m, 12h, 7d ….")
@click.option("--description", default="", metavar="TEXT", help="A note of your own.")
@click.option("--slug", metavar="WORD", help="A readable word in the link.")
@click.option(
    "--max-downloads", type=click.IntRange(min=1), metavar="N", help="End after N downloads."
)
@click.option(
    "--base-url", metavar="URL", help="Address before s/….  [default: the running server]"
)
@pass_session
def share(
    session: Session,
    *,
    ref: PackageRef,
    password_stdin: bool,
    expires: int | None,
    description: str,
    slug: str | None,
    max_downloads: int | None,
    base_url: str | None,
) -> None:
    """Make a link that reads a package.

    NAME shares always the latest version, NAME@V that one. Prints the link; with a password also
    the capability link, which opens the share without asking and is what tools need. Keep that
    one as you keep the password.
    """
    from packager_jupyter.cli import addresses
    from packager_jupyter.server.auth import local_owner

    if base_url is not None:
        addresses.base_url(session.settings, given=base_url)  # refuse before anything is made
    password = _password() if password_stdin else None
    created = session.services.shares.create(
        ref.name,
        version=None if ref.version in (None, _LATEST) else ref.version,
        owner=local_owner(),
        password=password,
        expires_in_s=expires,
        description=description,
        slug=slug,
        max_downloads=max_downloads,
    )
    base = addresses.base_url(session.settings, given=base_url, share_token=created.segment)
    url = f"{base.url}s/{created.segment}/"
    capability = created.capability_segment
    body: dict[str, Any] = {
        "share": created.share.to_json(),
        "url": url,
        "token": created.token,
        "capability_url": f"{base.url}s/{capability}/" if capability else None,
    }
    session.out.result(body, *filter(None, (url, body["capability_url"])))
    if capability is not None:
        session.out.remark("The second link opens the share without its password.")
    if not base.is_reachable:
        session.out.remark("No server answers for this data folder now. Start one: packager serve")


def _password() -> str:
    """Read one line; a terminal is asked without echo."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise BadInputError(
            "No password came on standard input.",
            remedy="Pipe it in: packager share NAME --password-stdin < password.txt",
        )
    return password


@click.group(cls=SessionGroup)
def shares() -> None:
    """List and end the links that you made."""


@shares.command("ls")
@click.option("--all", "show_ended", is_flag=True, help="Ended shares too.")
@pass_session
def shares_ls(session: Session, *, show_ended: bool) -> None:
    """List your shares, the newest first. Links are secrets and are not shown."""
    from packager_jupyter.server.auth import local_owner

    found = session.services.shares.list(local_owner())
    shown = [info for info in found if show_ended or info.state in {"active", "not started"}]
    if session.out.is_json:
        session.out.json({"items": [info.to_json() for info in shown], "cursor": None})
        return
    if not shown:
        hidden = len(found)
        session.out.remark(
            f"No share is active; {hidden} ended: packager shares ls --all"
            if hidden
            else "Nothing is shared yet. Share a published package: packager share NAME"
        )
        return
    columns = ["id", "package", "version", "lock", "expires (utc)", "uses", "state", "description"]
    session.out.table(columns, [_row(info) for info in shown], right=["uses"])


def _row(info: ShareInfo) -> list[str]:
    return [
        info.id,
        info.package,
        info.version or _LATEST,
        "password" if info.has_password else "-",
        utc_minute(info.expires_s) if info.expires_s is not None else "never",
        f"{info.uses:,}",
        info.state,
        info.description,
    ]


@shares.command("revoke")
@click.argument("share_id", metavar="ID")
@pass_session
def shares_revoke(session: Session, *, share_id: str) -> None:
    """End a share at once; links to it stop working."""
    from packager_jupyter.server.auth import local_owner

    info = session.services.shares.revoke(share_id, local_owner())
    session.out.result(
        info.to_json(),
        f"Revoked {info.id}, which shared {info.package} and was used {info.uses:,} times.",
    )
