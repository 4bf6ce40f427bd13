"""Curating a package: ``new``, ``add``, ``attach``, ``rm``, ``mv``, ``publish``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.output import count_of
from packager_jupyter.cli.values import ADDRESS
from packager_jupyter.errors import PathNotFoundError, TooLargeError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import Address
    from packager_jupyter.packages.draft import AddReport, Draft

_SHOWN_SKIPS = 10


@click.command("new", cls=SessionCommand)
@click.argument("name")
@click.option("--title", metavar="TEXT", help="What it is called in the open.")
@click.option("--description", metavar="TEXT", help="What it is, in a sentence or more.")
@click.option("--license", "license_", metavar="SPDX", help="For example CC-BY-4.0.")
@click.option("--author", "authors", multiple=True, metavar="NAME", help="May be repeated.")
@click.option("--keyword", "keywords", multiple=True, metavar="WORD", help="May be repeated.")
@pass_session
def new(session: Session, /, name: str, **metadata: Any) -> None:
    """Begin a package: a folder below packages/ that you can edit."""
    draft = session.services.packages.create(
        name,
        title=metadata["title"],
        description=metadata["description"],
        license=metadata["license_"],
        authors=metadata["authors"],
        keywords=metadata["keywords"],
    )
    session.out.result(
        {"name": draft.name, "folder": str(draft.folder)}, f"Made {draft.name} in {draft.folder}"
    )
    session.out.remark(f"Add files to it: packager add {draft.name} SOURCE:KEY...")


@click.command("add", cls=SessionCommand)
@click.argument("name")
@click.argument("addresses", metavar="SOURCE:KEY...", nargs=-1, required=True, type=ADDRESS)
@click.option(
    "--to",
    default="",
    metavar="PATH",
    help="Folder in the package; for one file also its new name.",
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Only files like this; may be repeated."
)
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="No files like this; may be repeated."
)
@pass_session
def add(
    session: Session,
    *,
    name: str,
    addresses: tuple[Address, ...],
    to: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Add files and folders of a source to a draft.

    Their bytes stay where they are. A KEY that ends in / is a folder and is added with everything
    below; SOURCE: is the whole source. All of it is added or, when something fails, nothing.
    """
    sources = sorted({address.source for address in addresses})
    if len(sources) > 1:
        raise click.UsageError(f"Add from one source at a time, not from {' and '.join(sources)}.")
    draft = session.services.packages.draft(name)
    folder, rename = _destination(draft, to, is_one_file=_is_one_file(addresses))
    with session.out.progress(f"Adding from {sources[0]}") as progress:
        report = draft.add(
            sources[0],
            [address.key or "" for address in addresses],
            to=folder,
            include=include,
            exclude=exclude,
            rename=rename,
            progress=progress,
        )
    _say_added(session, draft.name, report)


def _is_one_file(addresses: tuple[Address, ...]) -> bool:
    return len(addresses) == 1 and bool(addresses[0].key) and not str(addresses[0]).endswith("/")


def _destination(draft: Draft, to: str, *, is_one_file: bool) -> tuple[str, str | None]:
    """Return folder and new name, reading ``--to`` as cp reads its last argument."""
    if not to or to.endswith("/") or not is_one_file or _is_folder(draft, to):
        return to.rstrip("/"), None
    folder, _, new_name = to.rpartition("/")
    return folder, new_name


def _is_folder(draft: Draft, path: str) -> bool:
    try:
        draft.page(path, limit=1)
    except PathNotFoundError:
        return False
    return True


def _say_added(session: Session, name: str, report: AddReport) -> None:
    skipped = [str(skip) for skip in report.skipped]
    if session.out.is_json:
        session.out.json(
            {
                "package": name,
                "files_added": report.files_added,
                "files_replaced": report.files_replaced,
                "files_unchanged": report.files_unchanged,
                "bytes_added": report.bytes_added,
                "skipped": skipped,
            }
        )
        return
    size = session.out.size(report.bytes_added)
    parts = [f"{count_of(report.files_added, 'file')} added ({size})"]
    if report.files_replaced:
        parts.append(f"{report.files_replaced:,} replaced")
    if report.files_unchanged:
        parts.append(f"{report.files_unchanged:,} were there already")
    session.out.line(f"{name}: {', '.join(parts)}.")
    for skip in skipped[:_SHOWN_SKIPS]:
        session.out.remark(f"skipped: {skip}")
    if len(skipped) > _SHOWN_SKIPS:
        session.out.remark(f"… and {len(skipped) - _SHOWN_SKIPS:,} more; all with --json")


@click.command("attach", cls=SessionCommand)
@click.argument("name")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--to", default="", metavar="PATH", help="Folder; for one file also its new name.")
@pass_session
def attach(session: Session, *, name: str, files: tuple[Path, ...], to: str) -> None:
    """Copy small files into a draft: README.md, notebooks, text."""
    draft = session.services.packages.draft(name)
    limit = session.settings.max_attachment_bytes
    targets = []
    for file in files:  # all are looked at before the first is written
        if file.stat().st_size > limit:
            raise TooLargeError(
                f"{file.name} has {file.stat().st_size:,} bytes; an attachment has at most "
                f"{limit:,}.",
                remedy="Put it into a source and add it as a pointer, or raise "
                "Settings.max_attachment_bytes.",
            )
        is_name = (
            len(files) == 1 and to and not to.endswith("/") and not (draft.folder / to).is_dir()
        )
        folder = to.rstrip("/")
        targets.append((file, to if is_name else f"{folder}/{file.name}".lstrip("/")))
    for file, path in targets:
        draft.attach(file.read_bytes(), path)
    session.out.result(
        {"package": draft.name, "attached": [path for _, path in targets]},
        f"{draft.name}: attached {', '.join(path for _, path in targets)}.",
    )


@click.command("rm", cls=SessionCommand)
@click.argument("name")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@pass_session
def rm(session: Session, *, name: str, paths: tuple[str, ...]) -> None:
    """Take files and folders out of a draft; the storage keeps its own."""
    report = session.services.packages.draft(name).remove(list(paths))
    session.out.result(
        {"package": name, "files_removed": report.files_removed},
        f"{name}: {count_of(report.files_removed, 'file')} removed.",
    )


@click.command("mv", cls=SessionCommand)
@click.argument("name")
@click.argument("source_path", metavar="FROM")
@click.argument("target_path", metavar="TO")
@pass_session
def mv(session: Session, *, name: str, source_path: str, target_path: str) -> None:
    """Rename or move a file or folder of a draft."""
    session.services.packages.draft(name).move(source_path, target_path)
    session.out.result(
        {"package": name, "from": source_path, "to": target_path},
        f"{name}: {source_path} is now {target_path}.",
    )


@click.command("publish", cls=SessionCommand)
@click.argument("name")
@click.option("--version", metavar="V", help="Name of the version.  [default: 1, 2, …]")
@pass_session
def publish(session: Session, *, name: str, version: str | None) -> None:
    """Freeze a draft as an immutable version; prints its digest.

    Publishing what is published already changes nothing and prints the same digest.
    """
    draft = session.services.packages.draft(name)
    done = draft.publish(version, now_s=int(time.time()))
    body = {
        "package": name,
        "version": done.version,
        "digest": done.digest,
        "is_new": done.is_new,
        "files": done.files,
        "bytes": done.bytes,
    }
    size = f"{count_of(done.files, 'file')}, {session.out.size(done.bytes)}"
    session.out.result(body, f"{name}@{done.version}  {done.digest}")
    word = "Published" if done.is_new else "Nothing changed since"
    session.out.remark(f"{word} {name}@{done.version}: {size}.")
    if done.is_new:
        session.out.remark(f"Give it to others: packager share {name}@{done.version}")
