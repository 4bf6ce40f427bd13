"""``registry yank|unyank|delete|status``: what happens to published Python files afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.registries.pypi.simple import Status

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.registries.pypi.index import PypiIndex

_feed = click.argument("feed", metavar="FEED")
_filename = click.argument("filename", metavar="FILENAME")


@click.command("yank", cls=SessionCommand)
@_feed
@_filename
@click.option("--reason", metavar="TEXT", help="Shown to whoever installs it all the same.")
@pass_session
def yank(session: Session, *, feed: str, filename: str, reason: str | None) -> None:
    """Take a file out of ordinary resolution; who asks for exactly its version still gets it."""
    index, project = _index(session, feed), _project(filename)
    index.yank(project, filename, reason=reason, by=_by())
    session.out.result({"filename": filename, "yanked": reason or True}, f"Yanked {filename}.")


@click.command("unyank", cls=SessionCommand)
@_feed
@_filename
@pass_session
def unyank(session: Session, *, feed: str, filename: str) -> None:
    """Undo a yank."""
    _index(session, feed).unyank(_project(filename), filename, by=_by())
    session.out.result({"filename": filename, "yanked": False}, f"{filename} is back.")


@click.command("delete", cls=SessionCommand)
@_feed
@_filename
@pass_session
def delete(session: Session, *, feed: str, filename: str) -> None:
    """Take a file away for good. Its name is never free again."""
    index, project = _index(session, feed), _project(filename)
    index.delete(project, filename, by=_by())
    session.out.result({"filename": filename, "deleted": True}, f"Deleted {filename}.")
    session.out.remark("Its bytes go with the next: packager registry gc")


@click.command("status", cls=SessionCommand)
@_feed
@click.argument("project", metavar="PROJECT")
@click.argument("status", metavar="STATUS", type=click.Choice(get_args(Status)))
@click.option("--reason", metavar="TEXT", help="Shown on the project's page.")
@pass_session
def status(session: Session, *, feed: str, project: str, status: str, reason: str | None) -> None:
    """Mark a project as active, archived, quarantined or deprecated.

    An archived project takes no uploads; a quarantined one offers no files either.
    """
    from packager_jupyter.registries.pypi.names import normalize_project

    name = normalize_project(project)
    _index(session, feed).set_status(name, status, reason=reason, by=_by())
    session.out.result(
        {"project": name, "status": status, "reason": reason}, f"{name} is {status}."
    )


def _index(session: Session, feed: str) -> PypiIndex:
    from packager_jupyter.errors import BadInputError
    from packager_jupyter.registries.feeds import split_path

    spec = session.services.feeds.spec(*split_path(feed))
    if spec.ecosystem != "pypi":
        raise BadInputError(
            f"{feed} is no feed of Python packages.",
            remedy="Only those know yanking and the like: pypi/NAME.",
        )
    return session.services.feeds.pypi(spec.name)


def _project(filename: str) -> str:
    from packager_jupyter.registries.pypi.names import parse_filename

    return parse_filename(filename).project


def _by() -> str:
    from packager_jupyter.api.owner import local_owner

    return local_owner()
