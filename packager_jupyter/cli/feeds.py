"""``feed create|ls|rm``: the package registries of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionGroup, pass_session

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session


@click.group(cls=SessionGroup)
def feed() -> None:
    """Make and list package registries: pypi/NAME, terraform/NAME."""


@feed.command("create")
@click.argument("path", metavar="ECOSYSTEM/NAME")
@click.option(
    "--anonymous-read", is_flag=True, help="Everybody may read it; publishing needs a token."
)
@pass_session
def create(session: Session, *, path: str, anonymous_read: bool) -> None:
    """Make a feed, for example pypi/main."""
    spec = session.services.feeds.create(path, is_anonymous_read=anonymous_read)
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
            "configuration" if spec.is_declared else "feed create",
        ]
        for spec in specs
    ]
    session.out.table(["feed", "readers", "made by"], rows)


@feed.command("rm")
@click.argument("path", metavar="ECOSYSTEM/NAME")
@pass_session
def rm(session: Session, *, path: str) -> None:
    """Take a feed off the air; what it holds stays in the artifact store."""
    session.services.feeds.remove(path)
    session.out.result({"feed": path}, f"{path} is off the air.")
    session.out.remark(f"What it holds stays. To serve it again: packager feed create {path}")
