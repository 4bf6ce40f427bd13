"""Proving what is in a package: ``verify``, ``hash``, ``diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli.base import SessionCommand, bytes_option, pass_session
from packager_jupyter.cli.contents import open_contents
from packager_jupyter.cli.output import count_of, printable
from packager_jupyter.cli.values import PACKAGE_REF, PackageRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packager_jupyter.cli.base import Session
    from packager_jupyter.packages.diff import Change
    from packager_jupyter.packages.verify import Problem

_SHOWN = 100
_dask_option = click.option(
    "--dask", "dask", metavar="ADDRESS", help="Work on this Dask cluster, e.g. tcp://host:8786."
)
_MARKS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


@click.command("verify", cls=SessionCommand)
@click.argument("ref", metavar="NAME[@V]", type=PACKAGE_REF)
@click.option("--deep", is_flag=True, help="Read every byte and compare checksums too.")
@click.option("--jobs", type=click.IntRange(1, 64), default=16, show_default=True, metavar="N",
              help="Requests at the same time.")  # fmt: skip
@_dask_option
@pass_session
def verify(session: Session, *, ref: PackageRef, deep: bool, jobs: int, dask: str | None) -> None:
    """Check that every object of a package is still there and still the same.

    Ends with 1 when one is missing, changed, archived, forbidden or damaged.
    """
    from packager_jupyter.packages.verify import Verifier

    problems: list[Problem] = []
    with session.out.progress("Verifying") as progress:
        contents = open_contents(session, ref)
        options: Any = {
            "on_problem": problems.append, "is_deep": deep, "jobs": jobs, "progress": progress
        }  # fmt: skip
        if dask is None:
            report = Verifier(contents, session.services.sources.open, **options).run()
        else:
            from packager_jupyter.scale import cluster, verify_on

            with cluster(dask) as client:
                report = verify_on(client, session.settings, contents, **options)
    problems.sort(key=lambda problem: problem.path)
    value = {
        "is_ok": report.is_ok,
        "files": report.files,
        "unhashed": report.unhashed,
        "problems": dict(report.problems),
        "items": [{"path": p.path, "kind": p.kind, "message": p.message} for p in problems],
    }
    if session.out.is_json:
        session.out.json(value)
    else:
        for problem in problems[:_SHOWN]:
            shown = printable(problem.path)
            session.out.line(f"{problem.kind:<10}  {shown}  {printable(problem.message)}")
        if len(problems) > _SHOWN:
            session.out.remark(f"… and {len(problems) - _SHOWN:,} more (--json: all)")
        sums = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.problems.items()))
        session.out.remark(
            f"{count_of(report.files, 'file')} checked: {sums or 'all as published'}."
        )
        if report.unhashed:
            session.out.remark(
                f"{count_of(report.unhashed, 'file')} without a checksum: their bytes prove "
                f"nothing. Run: packager hash {ref.name}"
            )
    if not report.is_ok:
        raise click.exceptions.Exit(1)


@click.command("hash", cls=SessionCommand)
@click.argument("name")
@click.option("--algorithm", "algorithms", multiple=True, metavar="NAME", default=("sha256",),
              show_default=True, help="sha256, md5, sha1 or sha512; repeatable.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, metavar="N",
              help="Files at the same time.")  # fmt: skip
@_dask_option
@bytes_option
@pass_session
def hash_(
    session: Session, *, name: str, algorithms: tuple[str, ...], jobs: int, dask: str | None
) -> None:
    """Compute the checksums that the pointers of a draft lack, by reading their bytes.

    A run that was stopped goes on where it stopped.
    """
    from contextlib import ExitStack

    from packager_jupyter.packages.hashing import hash_draft

    services = session.services
    compute = None
    with ExitStack() as stack, session.out.progress("Hashing") as progress:
        if dask is not None:
            from packager_jupyter.scale import cluster, hash_on

            client = stack.enter_context(cluster(dask))
            compute = hash_on(client, session.settings, algorithms, jobs)
        report = hash_draft(
            services.packages.draft(name),
            services.sources.open,
            algorithms=algorithms,
            jobs=jobs,
            progress=progress,
            compute=compute,
        )
    failed = [{"path": path, **error.to_json()} for path, error in report.failed]
    session.out.result(
        {
            "files": report.files,
            "bytes": report.bytes,
            "skipped": report.skipped,
            "failed": failed,
        },
        f"{count_of(report.files, 'file')} hashed, {session.out.size(report.bytes)} read; "
        f"{report.skipped:,} had their checksums.",
    )
    for path, error in report.failed[:_SHOWN]:
        session.out.remark(f"  {printable(path)}: {printable(str(error))}")
    if report.failed:
        raise click.exceptions.Exit(1)


@click.command("diff", cls=SessionCommand)
@click.argument("name")
@click.argument("old", metavar="[V1]", required=False)
@click.argument("new", metavar="[V2]", required=False)
@click.option("--storage", "is_storage", is_flag=True,
              help="Compare with what the storage holds now.")  # fmt: skip
@bytes_option
@pass_session
def diff(
    session: Session, *, name: str, old: str | None, new: str | None, is_storage: bool
) -> None:
    """Show what changed between two versions, or between a version and the draft.

    Without V1 the latest version is compared with the draft; without V2, V1 with the draft.

    With --storage, V1 (default: the draft, or the latest version when there is none) is compared
    with the storage: objects that changed, are gone, or are new in the folders it came from.
    """
    from packager_jupyter.packages.diff import with_renames
    from packager_jupyter.packages.present import storage_changes

    packages = session.services.packages
    if is_storage:
        if new:
            raise click.UsageError("--storage goes with one version: NAME [V1].")
        contents = open_contents(session, PackageRef(name, old))
        with session.out.progress("Listing the storage") as progress:
            found = list(
                storage_changes(contents, session.services.sources.open, progress=progress)
            )
        changes: Iterable[Change] = found
    else:
        before = packages.version(name, old or "latest")
        changes = with_renames(before, packages.version(name, new) if new else packages.draft(name))
    _show_changes(session, changes)


def _show_changes(session: Session, changes: Iterable[Change]) -> None:
    from packager_jupyter.packages.diff import Counts

    counts = Counts()
    if session.out.is_json:
        with session.out.json_items() as write:
            for change in changes:
                counts.count(change)
                write(_as_json(change))
            session.out.close_items(**_totals(counts))
        return
    for change in changes:
        counts.count(change)
        session.out.line(_as_line(session, change))
    session.out.remark(
        f"{counts.added:,} added, {counts.removed:,} removed, {counts.changed:,} changed, "
        f"{counts.renamed:,} renamed."
    )


def _as_json(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": change.kind, "path": change.path}
    if change.kind == "renamed" and change.old is not None:
        row["from"] = change.old.path
    for name, pointer in (("old", change.old), ("new", change.new)):
        if pointer is not None:
            row[name] = {"size_bytes": pointer.size_bytes, "etag": pointer.etag}
    return row


def _as_line(session: Session, change: Change) -> str:
    pointer = change.new or change.old
    size = session.out.size(pointer.size_bytes) if pointer else ""
    shown = printable(change.path)
    if change.kind == "renamed" and change.old is not None:
        shown = f"{printable(change.old.path)} → {shown}"
    return f"{_MARKS[change.kind]} {size:>12}  {shown}"


def _totals(counts: Any) -> dict[str, Any]:
    return {
        f"{part}{kind}": getattr(counts, f"{part}{kind}")
        for part in ("", "bytes_")
        for kind in ("added", "removed", "changed", "renamed")
    }
