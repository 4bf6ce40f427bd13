"""Curating a package: ``new``, ``add``, ``attach``, ``rm``, ``mv``, ``publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.output import count_of
from packager_jupyter.cli.values import ADDRESS, PACKAGE_REF
from packager_jupyter.errors import PackagerError, PathNotFoundError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import Address, PackageRef
    from packager_jupyter.packages.base import AddReport
    from packager_jupyter.packages.draft import Draft

_SHOWN = 10


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
    from packager_jupyter.api.recorded import create_package

    draft = create_package(
        session.services,
        session.actor,
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
@click.argument("addresses", metavar="[SOURCE:KEY]...", nargs=-1, type=ADDRESS)
@click.option("--source", metavar="S", help="The source that --keys is about.")
@click.option(
    "--keys",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Every key in a CSV, JSONL, Parquet or .txt file, or in an S3 Inventory's manifest.json.",
)
@click.option(
    "--to",
    default="",
    metavar="PATH",
    help="Where it goes: folder/ puts it there, a path without / at its end renames it.",
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
    source: str | None,
    key_file: Path | None,
    to: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Add files and folders of a source to a draft.

    Their bytes stay where they are. A KEY that ends in / is a folder and is added with everything
    below; SOURCE: is the whole source. All of it is added or, when something fails, nothing.

    --source S --keys FILE adds what a file names, without listing anything: a column key, and
    perhaps size, etag, last_modified, version_id and checksum; a .txt holds one key a line. Rows
    without a size are looked up.
    """
    if (source is None) != (key_file is None) or bool(addresses) == bool(key_file):
        raise click.UsageError("Give SOURCE:KEY..., or --source S with --keys FILE: one of them.")
    if source is not None and key_file is not None:
        from packager_jupyter.packages.inventory import open_keys

        with session.out.progress(f"Adding from {key_file.name}") as progress:
            report = session.services.packages.draft(name).add_keys(
                source,
                open_keys(key_file),
                to=to,
                include=include,
                exclude=exclude,
                progress=progress,
            )
        _say_added(session, name, report)
        return
    sources = sorted({address.source for address in addresses})
    if len(sources) > 1:
        raise click.UsageError(f"Add from one source at a time, not from {' and '.join(sources)}.")
    draft = session.services.packages.draft(name)
    folder, rename = _destination(to, is_one=len(addresses) == 1)
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


def _destination(to: str, *, is_one: bool) -> tuple[str, str | None]:
    """Return folder and new name: what ends in ``/`` is a folder, and so is what several go to."""
    from packager_jupyter.packages.names import check_path

    if not to or to.endswith("/") or not is_one:
        return to, None
    if to == ".":
        return "", to
    folder, _, new_name = check_path(to).rpartition("/")
    return folder, new_name


def _say_added(session: Session, name: str, report: AddReport) -> None:
    if session.out.is_json:
        session.out.json(
            {
                "package": name,
                "files_added": report.files_added,
                "files_replaced": report.files_replaced,
                "files_unchanged": report.files_unchanged,
                "files_filtered": report.files_filtered,
                "files_skipped": report.files_skipped,
                "bytes_added": report.bytes_added,
                "skipped": [{"key": skip.key, "reason": skip.reason} for skip in report.skipped],
                "lookalikes": [list(pair) for pair in report.lookalikes],
            }
        )
        return
    size = session.out.size(report.bytes_added)
    parts = [f"{count_of(report.files_added, 'file')} added ({size})"]
    for number, words in (
        (report.files_replaced, "replaced"),
        (report.files_unchanged, "there already"),
        (report.files_filtered, "left out by the patterns"),
        (report.files_skipped, "skipped"),
    ):
        if number:
            parts.append(f"{number:,} {words}")
    session.out.line(f"{name}: {', '.join(parts)}.")
    for skip in report.skipped[:_SHOWN]:
        session.out.remark(f"skipped {skip}")
    if report.files_skipped > _SHOWN:
        session.out.remark(f"… {report.files_skipped - _SHOWN:,} more; see --json")
    for first, second in report.lookalikes[:_SHOWN]:
        session.out.remark(f"some systems take these for one name: {first!r} and {second!r}")


@click.command("attach", cls=SessionCommand)
@click.argument("name")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--to", default="", metavar="PATH", help="folder/ puts it there; a path without / renames it."
)
@pass_session
def attach(session: Session, *, name: str, files: tuple[Path, ...], to: str) -> None:
    """Copy small files into a draft: README.md, notebooks, text."""
    draft = session.services.packages.draft(name)
    folder, new_name = _destination(to, is_one=len(files) == 1)
    folder = f"{folder.rstrip('/')}/" if folder else ""
    targets = [(file, folder + (new_name or file.name)) for file in files]
    _attach_all(draft, targets)
    session.out.result(
        {"package": draft.name, "attached": [path for _, path in targets]},
        f"{draft.name}: attached {', '.join(path for _, path in targets)}.",
    )


def _attach_all(draft: Draft, targets: list[tuple[Path, str]]) -> None:
    """Attach all files or, when one cannot be, leave the attachments as they were."""
    before: list[tuple[str, bytes | None]] = []
    try:
        for file, path in targets:
            data = file.read_bytes()
            try:
                old = draft.read_attachment(path)
            except PathNotFoundError:
                old = None
            draft.attach(data, path)
            before.append((path, old))
    except (PackagerError, OSError):
        for path, old in reversed(before):
            if old is None:
                draft.remove([path])
            else:
                draft.attach(old, path)
        raise


@click.command("rm", cls=SessionCommand)
@click.argument("name")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@pass_session
def rm(session: Session, *, name: str, paths: tuple[str, ...]) -> None:
    """Take files and folders out of a draft; the storage keeps its own."""
    report = session.services.packages.draft(name).remove(list(paths))
    session.out.result(
        {
            "package": name,
            "files_removed": report.files_removed,
            "bytes_removed": report.bytes_removed,
        },
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
@click.option(
    "--to", metavar="DIR|URL", help="Copy the version to another artifact store or registry, too."
)
@pass_session
def publish(session: Session, *, name: str, version: str | None, to: str | None) -> None:
    """Freeze a draft as an immutable version; prints its digest.

    Publishing what is published already changes nothing and prints the same digest. The login of
    a registry comes from PACKAGER_OCI_USERNAME and _PASSWORD, or PACKAGER_OCI_TOKEN.
    """
    from packager_jupyter.api import recorded

    done = recorded.publish(session.services, session.actor, name, version)
    body = {
        "package": name,
        "version": done.version,
        "digest": done.digest,
        "is_new": done.is_new,
        "files": done.files,
        "bytes": done.bytes,
    }
    if to is not None:
        _copy_to(session, name, done.version, to)
        body["copied_to"] = to
    size = f"{count_of(done.files, 'file')}, {session.out.size(done.bytes)}"
    session.out.result(body, f"{name}@{done.version}  {done.digest}")
    word = "Published" if done.is_new else "Nothing changed since"
    session.out.remark(f"{word} {name}@{done.version}: {size}.")
    if done.is_new:
        session.out.remark(f"Give it to others: packager share {name}@{done.version}")
    if to is not None:
        session.out.remark(f"Copied to {to}.")


@click.command("rm-version", cls=SessionCommand)
@click.argument("ref", metavar="NAME@V", type=PACKAGE_REF)
@pass_session
def rm_version(session: Session, *, ref: PackageRef) -> None:
    """Delete a published version for good; its name is never given again.

    Shares of it answer as gone, and latest names the newest version that is left. The objects in
    the storage stay as they are.
    """
    from packager_jupyter.api.recorded import delete_version

    if ref.version is None:
        raise click.UsageError("Name the version: NAME@V.")
    delete_version(session.services, session.actor, ref.name, ref.version)
    session.out.result({"package": ref.name, "deleted": ref.version}, f"Deleted {ref}.")


def _copy_to(session: Session, name: str, version: str, address: str) -> None:
    """Copy a version, its attachments and what refers to it; the newest one is ``latest`` there."""
    from packager_jupyter.oci.copy import Place, copy_artifact
    from packager_jupyter.packages.artifact import LATEST, repository
    from packager_jupyter.services import open_artifact_store

    repo = repository(name)
    target = open_artifact_store(session.settings, address=address)
    try:
        source, there = Place(session.services.oci, repo), Place(target, repo)
        copy_artifact(source, version, there)
        newest = source.store.resolve(repo, LATEST).digest
        if source.store.resolve(repo, version).digest == newest:
            copy_artifact(source, LATEST, there, overwrite=True)
    finally:
        target.close()
