"""Looking into packages: ``show``, ``status``, ``versions``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, bytes_option, page_options, pass_session
from packager_jupyter.cli.output import count_of, printable, utc_minute
from packager_jupyter.cli.values import PACKAGE_REF
from packager_jupyter.errors import PackageNotFoundError, PathNotFoundError
from packager_jupyter.packages.index_query import FolderRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import PackageRef
    from packager_jupyter.packages.base import Contents, DraftStatus
    from packager_jupyter.packages.index_query import PointerPage, Row
    from packager_jupyter.packages.pointer import Pointer

_PAGE = 1000
_DRAFT = "draft"


@click.command("show", cls=SessionCommand)
@click.argument("ref", metavar="[NAME[@V]]", type=PACKAGE_REF, required=False)
@click.argument("path", metavar="[PATH]", default="")
@click.option("-r", "--recursive", is_flag=True, help="Every file below, not one level.")
@page_options
@bytes_option
@pass_session
def show(
    session: Session,
    *,
    ref: PackageRef | None,
    path: str,
    recursive: bool,
    limit: int | None,
    cursor: str | None,
) -> None:
    """Show what a package holds, or which packages there are.

    NAME is the draft, or the latest version when there is none; NAME@draft and NAME@V are exact.
    """
    if recursive and cursor:
        raise click.UsageError("--cursor goes with a listing of one level, not with --recursive.")
    if ref is None:
        _show_packages(session)
        return
    opened = open_contents(session, ref)
    folder = path.rstrip("/")
    try:
        pages = (
            _below(opened, folder, limit=limit)
            if recursive
            else _level(opened, folder, limit=limit, cursor=cursor)
        )
        first = next(pages)
    except PathNotFoundError:
        _show_file(session, opened, folder)
        return
    _show_folder(session, opened, folder, first=first, rest=pages)


def open_contents(session: Session, ref: PackageRef) -> Contents:
    """Return the draft or version that a person named; see ``show``."""
    packages = session.services.packages
    if ref.version not in (None, _DRAFT):
        return packages.version(ref.name, ref.version)
    try:
        return packages.draft(ref.name)
    except PackageNotFoundError:
        if ref.version == _DRAFT:
            raise
        return packages.version(ref.name)


def _level(
    opened: Contents, folder: str, *, limit: int | None, cursor: str | None
) -> Iterator[PointerPage]:
    left = limit
    while True:
        page = opened.page(folder, cursor=cursor, limit=min(_PAGE, left or _PAGE))
        yield page
        cursor = page.cursor
        if left is not None:
            left -= len(page.rows)
        if cursor is None or left == 0:
            return


def _below(opened: Contents, folder: str, *, limit: int | None) -> Iterator[PointerPage]:
    """Yield pages of files alone, depth first; the last one of a cut listing has a cursor."""
    from dataclasses import replace

    left = limit
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        for page in _level(opened, at, limit=None, cursor=None):
            files: list[Row] = [row for row in page.rows if not isinstance(row, FolderRow)]
            waiting += [row.path for row in reversed(page.rows) if isinstance(row, FolderRow)]
            if left is not None and len(files) > left:
                yield replace(page, rows=files[:left], cursor="")
                return
            yield replace(page, rows=files, cursor=None)
            left = None if left is None else left - len(files)


def _show_folder(
    session: Session,
    opened: Contents,
    folder: str,
    *,
    first: PointerPage,
    rest: Iterator[PointerPage],
) -> None:
    last = first
    if session.out.is_json:
        with session.out.json_items() as write:
            for page in (first, *rest):
                last = page
                for row in page.rows:
                    write(row_json(row))
            session.out.close_items(
                cursor=last.cursor or None,
                is_complete=last.cursor is None,
                **_header_json(opened, folder),
            )
        return
    if not folder:
        _write_header(session, opened)
    for row in first.rows:
        click.echo(_row_line(session, row))
    for last in rest:
        for row in last.rows:
            click.echo(_row_line(session, row))
    if last.cursor:
        session.out.remark(f"There are more: go on with --cursor {shlex.quote(last.cursor)}")
    elif last.cursor is not None:
        session.out.remark("Stopped at --limit; there are more.")


def _identity(opened: Contents) -> tuple[str | None, str | None]:
    """Return version and digest, which only a published one has."""
    return getattr(opened, "version", None), getattr(opened, "digest", None)


def _header_json(opened: Contents, folder: str) -> dict[str, Any]:
    totals = opened.totals(folder)
    version, digest = _identity(opened)
    header: dict[str, Any] = {
        "package": opened.name,
        "version": version,
        "digest": digest,
        "totals": {"files": totals.files, "bytes": totals.bytes},
    }
    if not folder:
        header["metadata"] = opened.metadata().to_json()
        header["attachments"] = [item.to_json() for item in opened.attachments()]
    return header


def row_json(row: Row) -> dict[str, Any]:
    """Return a row as the REST API shows it."""
    if isinstance(row, FolderRow):
        return row.to_json()
    return {
        "path": row.path,
        "name": row.name,
        "is_folder": False,
        "size_bytes": row.size_bytes,
        "modified_s": row.modified_s,
        "source": row.source,
        "key": row.key,
        "version_id": row.version_id,
        "etag": row.etag,
        "checksums": dict(row.checksums),
        "media_type": row.media_type,
    }


def _row_line(session: Session, row: Row) -> str:
    size = session.out.size(row.size_bytes)
    width = 14 if session.out.is_exact else 8
    if isinstance(row, FolderRow):
        return f"{size:>{width}}  {count_of(row.files, 'file'):16}  {printable(row.path)}/"
    return f"{size:>{width}}  {utc_minute(row.modified_s):16}  {printable(row.path)}"


def _write_header(session: Session, opened: Contents) -> None:
    out = session.out
    metadata, totals, attachments = opened.metadata(), opened.totals(""), opened.attachments()
    if metadata.title:
        out.line(metadata.title)
    version, digest = _identity(opened)
    out.line(f"{opened.name}@{version}  {digest}" if version else f"{opened.name}, draft")
    facts = [count_of(totals.files, "file"), out.size(totals.bytes)]
    facts.append(count_of(len(attachments), "attachment"))
    facts += filter(None, [metadata.license, ", ".join(map(str, metadata.authors))])
    out.line(" · ".join(facts))
    out.line("")
    width = 14 if out.is_exact else 8
    for item in attachments:
        click.echo(f"{out.size(item.size_bytes):>{width}}  {'attached':16}  {printable(item.path)}")


def _show_file(session: Session, opened: Contents, path: str) -> None:
    for item in opened.attachments():
        if item.path == path:
            session.out.fields(
                {
                    "path": item.path,
                    "size_bytes": item.size_bytes,
                    "media_type": item.media_type,
                    "is_attached": True,
                }
            )
            return
    pointer: Pointer = opened.get(path)
    session.out.fields(row_json(pointer) | {"uri": pointer.uri})


def _show_packages(session: Session) -> None:
    infos = session.services.packages.names()
    if session.out.is_json:
        session.out.json({"items": [info.to_json() for info in infos], "cursor": None})
        return
    if not infos:
        session.out.remark("No package yet. Begin one: packager new NAME")
        return
    rows = []
    for info in infos:
        draft, latest = info.draft, info.latest
        rows.append(
            [
                info.name,
                f"{draft.files:,} · {session.out.size(draft.bytes)}" if draft else "-",
                latest.version if latest else "-",
                f"{latest.files:,} · {session.out.size(latest.bytes)}" if latest else "-",
                info.title or "",
            ]
        )
    session.out.table(["package", "draft", "latest", "published", "title"], rows)


@click.command("status", cls=SessionCommand)
@click.argument("name")
@bytes_option
@pass_session
def status(session: Session, *, name: str) -> None:
    """Say what the draft NAME holds and what changed since publishing."""
    found = session.services.packages.draft(name).status()
    if session.out.is_json:
        session.out.json({"package": name, **found.to_json()})
        return
    out = session.out
    out.heading(name)
    for label, text in (
        ("files", f"{found.files:,} · {out.size(found.bytes)}"),
        ("without a checksum", f"{found.unhashed_files:,}"),
        ("attachments", f"{found.attachments:,}"),
        ("state", _state_text(name, found)),
        ("digest", found.digest or "known when it is published"),
    ):
        out.line(f"  {label:<18}  {text}")
    if found.is_changed or found.base_version is None:
        out.remark(f"Freeze it: packager publish {name}")


def _state_text(name: str, found: DraftStatus) -> str:
    if found.base_version is None:
        return "never published"
    if not found.is_changed:
        return f"as published: {name}@{found.base_version}"
    if found.added is None:
        return f"changed since {name}@{found.base_version}"
    counts = ((found.added, "added"), (found.removed, "removed"), (found.changed, "changed"))
    words = [f"{number:,} {word}" for number, word in counts if number] or ["texts changed"]
    return f"since {name}@{found.base_version}: {', '.join(words)}"


@click.command("versions", cls=SessionCommand)
@click.argument("name")
@click.option("--all", "with_deleted", is_flag=True, help="Deleted versions, too.")
@bytes_option
@pass_session
def versions(session: Session, *, name: str, with_deleted: bool) -> None:
    """List the published versions of NAME, the newest first."""
    deleted = session.services.packages.deleted_versions(name) if with_deleted else []
    infos = session.services.packages.versions(name, or_none=bool(deleted))
    if session.out.is_json:
        body: dict[str, Any] = {"items": [info.to_json() for info in infos], "cursor": None}
        if with_deleted:
            body["deleted"] = [one.to_json() for one in deleted]
        session.out.json(body)
        return
    for one in deleted:
        session.out.remark(f"deleted {utc_minute(one.deleted_s)}: {one.version}  {one.digest}")
    if not infos:
        session.out.remark(f"{name} was never published: packager publish {name}")
        return
    session.out.table(
        ["version", "published (utc)", "files", "size", "digest"],
        [
            [
                info.version,
                utc_minute(info.created_s),
                f"{info.files:,}",
                session.out.size(info.bytes),
                info.digest,
            ]
            for info in infos
        ],
        right=["files", "size"],
    )
