"""``feed create|ls|rm``: the package registries of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from packager_jupyter.cli.base import SessionGroup, pass_session
from packager_jupyter.cli.values import SIZE
from packager_jupyter.registries.spec import Immutability

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.registries.spec import FeedSpec


@click.group(cls=SessionGroup)
def feed() -> None:
    """Make and list package registries: pypi/NAME, terraform/NAME."""


@feed.command("create")
@click.argument("path", metavar="ECOSYSTEM/NAME")
@click.option(
    "--anonymous-read", is_flag=True, help="Everybody may read it; publishing needs a token."
)
@click.option(
    "--immutability",
    type=click.Choice(get_args(Immutability)),
    default=get_args(Immutability)[0],
    show_default=True,
    help="What was published never changes; in an append-only feed it is never deleted either.",
)
@click.option("--max-file", type=SIZE, metavar="SIZE", help="Largest file: 500MB, 2GiB ….")
@click.option("--max-project", type=SIZE, metavar="SIZE", help="Most bytes of one project.")
@click.option("--max-feed", type=SIZE, metavar="SIZE", help="Most bytes of the whole feed.")
@pass_session
def create(
    session: Session,
    *,
    path: str,
    anonymous_read: bool,
    immutability: Immutability,
    max_file: int | None,
    max_project: int | None,
    max_feed: int | None,
) -> None:
    """Make a feed, for example pypi/main.

    To change the options of a feed, take it off the air (feed rm) and make it again: what it holds
    stays.
    """
    spec = session.services.feeds.create(
        path,
        is_anonymous_read=anonymous_read,
        immutability=immutability,
        max_file_bytes=max_file,
        max_project_bytes=max_project,
        max_feed_bytes=max_feed,
    )
    session.audit("feed.create", path)
    session.out.result(spec.to_json(), f"Made {path}.")
    session.out.remark(
        f"Let a program publish to it: packager token create --scope {path}:publish",
        "Serve it: packager serve",
    )


@feed.command("ls")
@pass_session
def ls(session: Session) -> None:
    """List the feeds."""
    specs = session.services.feeds.specs()
    if session.out.is_json:
        session.out.json({"items": [spec.to_json() for spec in specs], "cursor": None})
        return
    if not specs:
        session.out.remark("There is no feed yet. Make one: packager feed create pypi/main")
        return
    rows = [
        [
            f"{spec.ecosystem}/{spec.name}",
            "everybody" if spec.is_anonymous_read else "tokens",
            spec.immutability,
            _limits(session, spec),
            "configuration" if spec.is_declared else "feed create",
        ]
        for spec in specs
    ]
    session.out.table(["feed", "readers", "published", "limits", "made by"], rows)


def _limits(session: Session, spec: FeedSpec) -> str:
    limits = {
        "file": spec.max_file_bytes,
        "project": spec.max_project_bytes,
        "feed": spec.max_feed_bytes,
    }
    shown = [f"{what} {session.out.size(size)}" for what, size in limits.items() if size]
    return ", ".join(shown) or "-"


@feed.command("rm")
@click.argument("path", metavar="ECOSYSTEM/NAME")
@pass_session
def rm(session: Session, *, path: str) -> None:
    """Take a feed off the air; what it holds stays in the artifact store."""
    session.services.feeds.remove(path)
    session.audit("feed.remove", path)
    session.out.result({"feed": path}, f"{path} is off the air.")
    session.out.remark(f"What it holds stays. To serve it again: packager feed create {path}")
