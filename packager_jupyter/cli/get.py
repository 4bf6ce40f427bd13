"""``get``: the files of a share or package into a folder; parallel, resuming, verified."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.access import access_options, access_to
from packager_jupyter.cli.base import SessionCommand, bytes_option, pass_session
from packager_jupyter.cli.output import count_of, printable
from packager_jupyter.cli.values import PACKAGE_REF

if TYPE_CHECKING:
    from packager_jupyter.cli.access import Access
    from packager_jupyter.cli.base import Session
    from packager_jupyter.fetch.download import Downloader
    from packager_jupyter.fetch.items import Origin
    from packager_jupyter.fetch.report import GetReport
    from packager_jupyter.fetch.share import ShareOrigin

_SHOWN_FAILURES = 20


@click.command("get", cls=SessionCommand)
@click.argument("origin", metavar="NAME[@V]|URL")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--jobs", type=click.IntRange(1, 64), default=8, show_default=True, metavar="N",
              help="Files at the same time.")  # fmt: skip
@click.option("--include", multiple=True, metavar="GLOB", help="Only paths like this.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No paths like this.")
@click.option("--portable", is_flag=True, help="Change names that Windows does not take.")
@click.option("--overwrite", is_flag=True, help="Replace files that get did not bring.")
@click.option("--dry-run", is_flag=True, help="List what is missing; fetch nothing.")
@access_options
@bytes_option
@pass_session
def get(
    session: Session,
    *,
    origin: str,
    folder: Path | None,
    jobs: int,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    portable: bool,
    overwrite: bool,
    dry_run: bool,
    password_stdin: bool,
    token_stdin: bool,
) -> None:
    """Fetch the files of a share (by its link) or of a package of this installation.

    Files that are here already are not fetched again; a run that was stopped goes on where it
    stopped. Sizes and every known checksum are verified. DIR is the current folder by default; its
    folder .packager remembers what was verified (got.jsonl) and which files have another name here
    than in the package (names.jsonl). A locked share asks for its password on a terminal;
    elsewhere it comes from --password-stdin or PACKAGER_SHARE_PASSWORD. A share for people who have
    signed in needs your token for its server: from --token-stdin, or from PACKAGER_TOKEN when the
    link lies below PACKAGER_URL; inside Jupyter its own server is known.
    """
    fetch_files(
        session,
        origin,
        folder,
        jobs=jobs,
        include=include,
        exclude=exclude,
        portable=portable,
        overwrite=overwrite,
        dry_run=dry_run,
        password_stdin=password_stdin,
        token_stdin=token_stdin,
    )


def fetch_files(
    session: Session,
    origin: str,
    folder: Path | None,
    *,
    jobs: int = 8,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    portable: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    password_stdin: bool = False,
    token_stdin: bool = False,
) -> None:
    """Do what ``get`` does."""
    from packager_jupyter.fetch.download import Downloader
    from packager_jupyter.packages.globs import path_filter

    opened = _open(
        session, origin, jobs=jobs, password_stdin=password_stdin, token_stdin=token_stdin
    )
    try:
        with session.out.progress("Fetching") as progress:
            downloader = Downloader(
                opened,
                folder or Path.cwd(),
                jobs=jobs,
                passes=path_filter(include, exclude),
                is_portable=portable or os.name == "nt",
                is_overwriting=overwrite,
                progress=progress,
            )
            report = None if dry_run else downloader.run()
        if report is None:
            _show_plan(session, downloader)
        else:
            _show_report(session, report, folder or Path.cwd())
    finally:
        opened.close()


def _open(
    session: Session, origin: str, *, jobs: int, password_stdin: bool, token_stdin: bool
) -> Origin:
    from packager_jupyter.fetch.package import PackageOrigin
    from packager_jupyter.fetch.share import is_share_url

    if is_share_url(origin):
        access = access_to(origin, password_stdin=password_stdin, token_stdin=token_stdin)
        return _open_share(origin, access, jobs=jobs)
    if password_stdin or token_stdin:
        flag = "--password-stdin" if password_stdin else "--token-stdin"
        raise click.UsageError(f"{flag} goes with the link of a share.")
    ref = PACKAGE_REF.convert(origin, None, None)
    contents = session.services.packages.version(ref.name, ref.version or "latest")
    return PackageOrigin(contents, session.services.sources, title=f"{ref.name}@{contents.version}")


def _open_share(url: str, access: Access, *, jobs: int) -> ShareOrigin:
    """Open a share, asking a person at a terminal for the password that it needs."""
    from packager_jupyter.errors import PasswordRequiredError
    from packager_jupyter.fetch.share import ShareOrigin

    opened = ShareOrigin(url, **access._asdict(), connections=jobs)
    if access.password is not None or not sys.stdin.isatty():
        return opened
    try:
        opened.check_access()
    except PasswordRequiredError:
        opened.close()
        typed = click.prompt("Password of the share", hide_input=True, err=True)
        return ShareOrigin(url, password=typed, token=access.token, connections=jobs)
    return opened


def _show_plan(session: Session, downloader: Downloader) -> None:
    rows = downloader.plan()
    if session.out.is_json:
        items = [{"path": i.path, "name": name, "size_bytes": i.size_bytes} for i, name in rows]
        session.out.json({"items": items, "cursor": None})
        return
    for item, name in rows:
        session.out.line(f"{session.out.size(item.size_bytes):>12}  {printable(name)}")
    total = sum(item.size_bytes for item, _ in rows)
    session.out.remark(f"{count_of(len(rows), 'file')} to fetch, {session.out.size(total)}.")


def _show_report(session: Session, report: GetReport, folder: Path) -> None:
    failed = [{"path": f.path, **f.error.to_json()} for f in report.failed]
    lines = [
        (
            f"{count_of(report.files, 'file')} fetched, {session.out.size(report.bytes)}; "
            f"{report.present:,} were here already."
        )
    ]
    if report.unverified:
        lines.append(
            f"{count_of(report.unverified, 'file')} without a known checksum: sizes compared."
        )
    if report.renamed:
        lines.append(f"{count_of(len(report.renamed), 'name')} changed for this system.")
    value = {
        "folder": str(folder),
        "files": report.files,
        "bytes": report.bytes,
        "present": report.present,
        "unverified": report.unverified,
        "renamed": report.renamed,
        "failed": failed,
    }
    session.out.result(value, *lines)
    if not report.failed:
        return
    session.out.remark(f"{count_of(len(report.failed), 'file')} could not be fetched:")
    for each in report.failed[:_SHOWN_FAILURES]:
        session.out.remark(f"  {printable(each.path)}: {printable(str(each.error))}")
    if len(report.failed) > _SHOWN_FAILURES:
        session.out.remark(f"  … and {len(report.failed) - _SHOWN_FAILURES:,} more (--json: all)")
    raise click.exceptions.Exit(1)
