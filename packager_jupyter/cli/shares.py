"""``share`` and ``shares ls|log|edit|rotate|link|revoke``: who may read a package, and until when.

A password comes from standard input or is asked for; it never stands on the command line.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, SessionGroup, page_options, pass_session
from packager_jupyter.cli.output import printable, utc_minute, utc_second
from packager_jupyter.cli.values import MOMENT, PACKAGE_REF
from packager_jupyter.errors import BadInputError, PackagerError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import PackageRef
    from packager_jupyter.shares.model import CreatedShare, ShareInfo

_LATEST = "latest"


def _terms(command: Any) -> Any:
    """Add the options that ``share`` and ``shares edit`` have in common."""
    for option in reversed(_TERMS):
        command = option(command)
    return command


_TERMS = (
    click.option(
        "--password-stdin", is_flag=True, help="Lock it with the password on standard input."
    ),
    click.option("--expires", type=MOMENT, metavar="TIME", help="End in 12h, 7d, or on a date."),
    click.option(
        "--not-before", type=MOMENT, metavar="TIME", help="Open in 12h, 7d, or on a date."
    ),
    click.option(
        "--audience",
        multiple=True,
        metavar="WHO",
        help="anyone, signed-in, user:NAME or group:NAME; repeat it for more.",
    ),
    click.option(
        "--path",
        "--include",
        "paths",
        multiple=True,
        metavar="PATH|GLOB",
        help="Share only this file, folder or pattern; repeat it for more.",
    ),
    click.option("--description", metavar="TEXT", help="A note of your own."),
    click.option("--slug", metavar="WORD", help="A readable word in the link."),
    click.option(
        "--max-downloads", type=click.IntRange(min=1), metavar="N", help="End after N downloads."
    ),
)
BASE_URL = click.option(
    "--base-url", metavar="URL", help="Address before s/….  [default: the running server]"
)
_NAMES = {
    "expires": "expires_in_s",
    "not-before": "starts_in_s",
    "audience": "audience",
    "path": "paths",
    "description": "description",
    "slug": "slug",
    "max-downloads": "max_downloads",
    "password": "password",
}
"""Options and what `Shares.update` calls them; each of them can be cleared."""


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, by the names of `Shares.create`."""
    found = {_NAMES[name.replace("_", "-")]: value for name, value in options.items()}
    given = {name: value for name, value in found.items() if value not in (None, ())}
    if options["password"]:
        given["password"] = _password()
    else:
        given.pop("password", None)
    return given


@click.command("share", cls=SessionCommand)
@click.argument("ref", metavar="NAME[@V]", type=PACKAGE_REF)
@_terms
@BASE_URL
@pass_session
def share(session: Session, /, *, ref: PackageRef, base_url: str | None, **options: Any) -> None:
    """Make a link that reads a package, or a part of one.

    NAME shares always the latest version, NAME@V that one. Prints the link; with a password also
    the capability link, which opens the share without asking and is what tools need. Keep that
    one as you keep the password.
    """
    from packager_jupyter.api.recorded import create_share
    from packager_jupyter.api.shares import prepare_share
    from packager_jupyter.cli import addresses

    if base_url is not None:
        addresses.base_url(session.settings, given=base_url)  # refuse before anything is made
    options["path"], options["password"] = options.pop("paths"), options.pop("password_stdin")
    created = create_share(
        session.services,
        session.actor,
        ref.name,
        version=None if ref.version in (None, _LATEST) else ref.version,
        **_given(options),
    )
    _show_links(session, created, base_url)
    # The link stands; the first visitor of a million files should not wait for this.
    with suppress(PackagerError):  # what is wrong with the version, its page will say
        prepare_share(session.services, ref.name, ref.version, created.share.paths)


def _show_links(session: Session, created: CreatedShare, base_url: str | None) -> None:
    from packager_jupyter.api.shares import shown_once
    from packager_jupyter.cli import addresses

    base = addresses.base_url(session.settings, given=base_url, share_token=created.segment)
    body = shown_once(created, public_url=base.url)
    session.out.result(body, *filter(None, (body["url"], body["capability_url"])))
    if body["capability_url"] is not None:
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
    """List, change and end the links that you made."""


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
    columns = [
        *("id", "package", "version", "lock", "audience", "expires (utc)"),
        *("uses", "last use (utc)", "state", "description"),
    ]
    session.out.table(columns, [_row(info) for info in shown], right=["uses"])


def _row(info: ShareInfo) -> list[str]:
    return [
        info.id,
        info.package,
        (info.version or _LATEST) + (" (part)" if info.paths else ""),
        "password" if info.has_password else "-",
        ", ".join(info.audience.texts()),
        utc_minute(info.expires_s) if info.expires_s is not None else "never",
        f"{info.uses:,}",
        utc_minute(info.last_used_s) if info.last_used_s is not None else "never",
        info.state,
        info.description,
    ]


@shares.command("log")
@click.argument("share_id", metavar="ID")
@page_options
@pass_session
def shares_log(session: Session, *, share_id: str, limit: int | None, cursor: str | None) -> None:
    """Show who did what with a share, the newest first: accesses, failures, changes."""
    from packager_jupyter.api.shares import LOG_ROWS, share_log
    from packager_jupyter.server.auth import local_owner

    if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
        raise click.UsageError("--cursor is what an earlier listing said.")
    found = share_log(
        session.services,
        share_id,
        owner=local_owner(),
        before_id=None if cursor is None else int(cursor),
        limit=limit or LOG_ROWS,
    )
    if session.out.is_json:
        session.out.json(found)
        return
    rows = [
        [
            utc_second(row["at_s"]),
            printable(row["principal"]),
            row["ip"] or "-",
            row["action"],
            row["result"],
            row["request_id"] or "-",
        ]
        for row in found["items"]
    ]
    session.out.table(["time (utc)", "who", "address", "what", "result", "request"], rows)
    if found["cursor"]:
        session.out.remark(f"There are more: go on with --cursor {found['cursor']}")


@shares.command("revoke")
@click.argument("share_id", metavar="ID")
@pass_session
def shares_revoke(session: Session, *, share_id: str) -> None:
    """End a share at once; links to it stop working."""
    from packager_jupyter.api.recorded import revoke_share

    info = revoke_share(session.services, session.actor, share_id)
    session.out.result(
        info.to_json(),
        f"Revoked {info.id}, which shared {info.package} and was used {info.uses:,} times.",
    )


@shares.command("edit")
@click.argument("share_id", metavar="ID")
@click.option("--version", metavar="V", help="Share this version, or latest.")
@_terms
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(sorted(_NAMES)),
    help="Take this away again; repeat it for more.",
)
@BASE_URL
@pass_session
def shares_edit(
    session: Session,
    /,
    *,
    share_id: str,
    version: str | None,
    clear: tuple[str, ...],
    base_url: str | None,
    **options: Any,
) -> None:
    """Change a share and leave its link as it is.

    What you do not name stays. A new password ends every visit that the old one opened.
    """
    from packager_jupyter.api.recorded import update_share
    from packager_jupyter.api.shares import CLEARED

    options["path"], options["password"] = options.pop("paths"), options.pop("password_stdin")
    given = _given(options)
    for name in clear:
        if _NAMES[name] in given:
            raise click.UsageError(f"--{name} and --clear {name} contradict each other.")
        given[_NAMES[name]] = CLEARED.get(_NAMES[name])
    if version is not None:
        given["version"] = None if version == _LATEST else version
    if not given:
        raise click.UsageError("Say what to change; packager shares edit --help lists it.")
    changed = update_share(session.services, session.actor, share_id, **given)
    _show_links(session, changed, base_url)


@shares.command("rotate")
@click.argument("share_id", metavar="ID")
@BASE_URL
@pass_session
def shares_rotate(session: Session, *, share_id: str, base_url: str | None) -> None:
    """Give a share another link; the old one stops working at once."""
    from packager_jupyter.api.recorded import rotate_share

    rotated = rotate_share(session.services, session.actor, share_id)
    _show_links(session, rotated, base_url)


@shares.command("link")
@click.argument("share_id", metavar="ID")
@BASE_URL
@pass_session
def shares_link(session: Session, *, share_id: str, base_url: str | None) -> None:
    """Print the link of a share again. The capability link cannot be had again."""
    from packager_jupyter.api.recorded import link_share
    from packager_jupyter.api.shares import share_url
    from packager_jupyter.cli import addresses

    segment = link_share(session.services, session.actor, share_id)
    base = addresses.base_url(session.settings, given=base_url, share_token=segment)
    url = share_url(base.url, segment)
    session.out.result({"url": url}, url)
