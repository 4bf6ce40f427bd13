"""``registry import|export|reindex|gc|fsck``: filling feeds, and the health of the store."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager_jupyter.cli import manage
from packager_jupyter.cli.base import SessionGroup, pass_session
from packager_jupyter.cli.output import count_of
from packager_jupyter.errors import BadInputError, StoreCorruptError

if TYPE_CHECKING:
    from packager_jupyter.cli.base import Session
    from packager_jupyter.oci.fsck import Problem
    from packager_jupyter.oci.layout import LayoutStore
    from packager_jupyter.registries.spec import FeedSpec

_SHOWN = 20
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(cls=SessionGroup)
def registry() -> None:
    """Fill and copy feeds; check and tidy the artifact store."""


for _command in (manage.yank, manage.unyank, manage.delete, manage.status):
    registry.add_command(_command)


def _spec(session: Session, path: str) -> FeedSpec:
    from packager_jupyter.registries.feeds import split_path

    return session.services.feeds.spec(*split_path(path))


@registry.command("import")
@click.argument("feed", metavar="FEED")
@click.argument("folder", metavar="FOLDER", type=_FOLDER)
@pass_session
def import_(session: Session, *, feed: str, folder: Path) -> None:
    """Publish a folder of wheels, or a mirror of Terraform providers, in a feed.

    What is there already stays; files that cannot be taken are named, and the exit code is 1.
    """
    from packager_jupyter.api.owner import local_owner
    from packager_jupyter.registries.imports import import_folder

    spec = _spec(session, feed)
    report = import_folder(session.services.feeds, spec, folder, by=local_owner())
    failures = [{"name": name, **error.to_json()} for name, error in report.failures]
    session.out.result(
        {
            "feed": feed,
            "published": report.published,
            "unchanged": report.unchanged,
            "failures": failures,
        },
        f"{feed}: {len(report.published):,} published, {len(report.unchanged):,} there already.",
    )
    for name, error in report.failures[:_SHOWN]:
        session.out.remark(f"not taken: {name}: {error.message}")
    if failures:
        raise BadInputError(
            f"{count_of(len(failures), 'file')} of {folder.name!r} could not be taken.",
            remedy="Correct what is named above and run the import again.",
        )


@registry.command("export")
@click.argument("feed", metavar="FEED")
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@pass_session
def export(session: Session, *, feed: str, folder: Path) -> None:
    """Copy a feed into ordinary OCI layouts, one folder per project."""
    from packager_jupyter.oci.copy import Place, copy_repository
    from packager_jupyter.oci.layout import LayoutStore

    spec = _spec(session, feed)
    source, target = session.services.oci, LayoutStore(folder.absolute())
    repositories = [name for root in spec.repositories for name in source.repositories(root)]
    manifests = size_bytes = 0
    for name in repositories:
        done = copy_repository(Place(source, name), Place(target, name), overwrite=True)
        manifests += done.manifests
        size_bytes += done.size_bytes
    session.out.result(
        {
            "feed": feed,
            "folder": str(folder),
            "repositories": repositories,
            "manifests": manifests,
            "bytes_copied": size_bytes,
        },
        f"{feed}: {count_of(len(repositories), 'repository', 'repositories')} in {folder}, "
        f"{session.out.size(size_bytes)} copied.",
    )


@registry.command("reindex")
@click.argument("feed", metavar="FEED")
@pass_session
def reindex(session: Session, *, feed: str) -> None:
    """Make the summaries of a feed anew from what it holds."""
    spec = _spec(session, feed)
    projects = 0
    for one in session.services.feeds.parts(spec):
        for project in one.projects():
            projects += one.reindex(project) is not None
    session.services.feeds.guard(spec.ecosystem, spec.name).recount()
    session.out.result(
        {"feed": feed, "projects": projects}, f"{feed}: {count_of(projects, 'project')} indexed."
    )


@registry.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--untagged", is_flag=True, help="Manifests that were pushed without a tag go too.")
@pass_session
def gc(session: Session, *, dry_run: bool, untagged: bool) -> None:
    """Take away what nothing names any more, an hour after its last use at the earliest.

    It goes to the trash of its repository first; the trash is emptied after a day.
    """
    from packager_jupyter.oci.gc import collect

    store = _folder_store(session)
    if not dry_run:
        session.services.feeds.tidy()
    report = collect(store, dry_run=dry_run, untagged=untagged)
    figures = [one.name for one in fields(report) if one.name != "failures"]
    body: dict[str, Any] = {name: getattr(report, name) for name in figures}
    body["failures"] = [{"repo": repo, **error.to_json()} for repo, error in report.failures]
    word = "would go" if dry_run else "gone"
    session.out.result(
        body,
        f"{count_of(report.repositories, 'repository', 'repositories')}: "
        f"{count_of(report.blobs, 'blob')} ({session.out.size(report.size_bytes)}) and "
        f"{count_of(report.manifests, 'manifest')} {word}; "
        f"{session.out.size(report.purged_bytes)} freed from the trash.",
    )
    for repo, error in report.failures[:_SHOWN]:
        session.out.remark(f"left alone: {repo}: {error.message}")
    if report.failures:
        raise StoreCorruptError(
            f"{count_of(len(report.failures), 'repository', 'repositories')} could not be tidied.",
            remedy="Run: packager registry fsck",
        )


@registry.command("fsck")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@click.option("--quick", is_flag=True, help="Check presence and sizes, not every byte.")
@pass_session
def fsck(session: Session, *, repair: bool, quick: bool) -> None:
    """Check every artifact against its digest; the exit code is 1 when something is wrong."""
    from packager_jupyter.oci.fsck import check

    report = check(_folder_store(session), rehash=not quick, repair=repair)
    session.out.result(
        asdict(report) | {"is_ok": report.is_ok},
        f"{count_of(report.repositories, 'repository', 'repositories')}, "
        f"{count_of(report.manifests, 'manifest')}, {count_of(report.blobs, 'blob')} "
        f"({session.out.size(report.size_bytes)}): "
        f"{count_of(len(report.problems), 'problem')}.",
    )
    for problem in report.problems[:_SHOWN]:
        session.out.remark(_shown(problem))
    if not report.is_ok:
        wrong = [problem for problem in report.problems if not problem.is_repaired]
        raise StoreCorruptError(
            f"The artifact store has {count_of(len(wrong), 'problem')}.",
            remedy="Run: packager registry fsck --repair; what stays wrong comes from a backup or "
            "is pushed again.",
        )


def _shown(problem: Problem) -> str:
    state = "repaired: " if problem.is_repaired else ""
    return f"{state}{problem.repo}: {problem.message} {problem.remedy}"


def _folder_store(session: Session) -> LayoutStore:
    from packager_jupyter.oci.layout import LayoutStore

    store = session.services.oci
    if not isinstance(store, LayoutStore):
        raise BadInputError(
            "The artifacts are kept in a registry, which looks after them itself.",
            remedy="Use the registry's own tools to check and tidy it.",
        )
    return store
