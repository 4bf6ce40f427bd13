"""``stage``: a share as plain files, or as a repository for git-annex or DVC."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.get import fetch_files
from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from packager_jupyter.cli.base import Session

FILES = "files"
_DOCUMENTS = ("bagit", "ro-crate")
_KINDS = (FILES, "git-annex", "dvc", *_DOCUMENTS)


@click.command("stage", cls=SessionCommand)
@click.argument("origin", metavar="NAME[@V]|URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.option("--as", "kind", type=click.Choice(_KINDS), default=FILES, show_default=True,
              help="What DIR shall be.")  # fmt: skip
@click.option("--password-stdin", is_flag=True, help="Read the share's password from stdin.")
@pass_session
def stage(
    session: Session,
    *,
    origin: str,
    folder: str,
    kind: str,
    password_stdin: bool,
) -> None:
    """Make DIR hold a share, ready for the tool that you work with.

    With --as files every file is fetched, as 'packager get' does. With --as git-annex or dvc DIR
    becomes a repository (a clone) whose tool fetches the files from the storage; inside a
    git-annex repository or a DVC project DIR becomes a part of it, as one commit. With --as bagit
    DIR is a bag whose fetch.txt names the files, with --as ro-crate a crate that names them. But
    for files, DIR must be new or empty.
    """
    from pathlib import Path

    from packager_jupyter.fetch.share import is_share_url

    if kind == FILES:
        fetch_files(session, origin, Path(folder), password_stdin=password_stdin)
        return
    if not is_share_url(origin):
        raise BadInputError(
            f"For --as {kind} there must be a share, where the files can be fetched from.",
            remedy=f"Share the package and stage its link: packager share {shlex.quote(origin)}",
        )
    password = os.environ.get("PACKAGER_SHARE_PASSWORD")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    _stage_repository(session, origin, Path(folder), kind=kind, password=password)


def _stage_repository(
    session: Session, url: str, folder: Path, *, kind: str, password: str | None
) -> None:
    from packager_jupyter.fetch.share import ShareOrigin
    from packager_jupyter.fetch.stage import Stager
    from packager_jupyter.fetch.stage_documents import stage_document

    if kind in _DOCUMENTS:
        origin = ShareOrigin(url, password=password)
        try:
            staged = stage_document(origin, kind, folder)
        finally:
            origin.close()
    else:
        staged = Stager(url, password=password).stage(kind, folder)
    where = "ready" if staged.is_new else f"part of the repository {staged.repository}"
    session.out.result(
        {
            "folder": str(staged.folder),
            "repository": str(staged.repository),
            "is_new": staged.is_new,
            "next": list(staged.next_lines),
        },
        f"{staged.folder} is {where}. Its files come with:",
        *[f"  {line}" for line in staged.next_lines],
    )
