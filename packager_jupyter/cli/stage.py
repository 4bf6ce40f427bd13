"""``stage``: a share as plain files, or as a repository for git-annex or DVC."""

from __future__ import annotations

import shlex
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from packager_jupyter.cli.access import access_options, access_to
from packager_jupyter.cli.base import SessionCommand, pass_session
from packager_jupyter.cli.get import fetch_files
from packager_jupyter.cli.shares import BASE_URL
from packager_jupyter.cli.values import PACKAGE_REF
from packager_jupyter.errors import BadInputError, SignInRequiredError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packager_jupyter.cli.access import Access
    from packager_jupyter.cli.base import Session
    from packager_jupyter.cli.values import PackageRef
    from packager_jupyter.fetch.stage import Staged

FILES = "files"
_DOCUMENTS = ("bagit", "ro-crate")
_KINDS = (FILES, "git-annex", "dvc", *_DOCUMENTS)
_LATEST = "latest"


@click.command("stage", cls=SessionCommand)
@click.argument("origin", metavar="NAME[@V]|URL")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.option("--as", "kind", type=click.Choice(_KINDS), default=FILES, show_default=True,
              help="What DIR shall be.")  # fmt: skip
@click.option("--share", "share_id", metavar="ID", help="Through this share of your package.")
@click.option(
    "--new-share", is_flag=True, help="Through a new share, open to whoever has the link."
)
@click.option(
    "--public", is_flag=True, help="With bagit: by the objects' own addresses, without a share."
)
@BASE_URL
@access_options
@pass_session
def stage(
    session: Session,
    *,
    origin: str,
    folder: str,
    kind: str,
    share_id: str | None,
    new_share: bool,
    public: bool,
    base_url: str | None,
    password_stdin: bool,
    token_stdin: bool,
) -> None:
    """Make DIR hold a share, ready for the tool that you work with.

    With --as files every file is fetched, as 'packager get' does. With --as git-annex or dvc DIR
    becomes a repository (a clone) whose tool fetches the files from the storage; inside a
    git-annex repository or a DVC project DIR becomes a part of it, as one commit. With --as bagit
    DIR is a bag whose fetch.txt names the files, with --as ro-crate a crate that names them. But
    for files, DIR must be new or empty.

    What is staged names lasting addresses of its files, and only a share has those. So a package
    of yours is staged, but for files, through one of its shares (--share ID, see 'packager shares
    ls') or through one that is made for it (--new-share). A bag of a package whose sources anybody
    may read can name the objects themselves (--public).
    """
    from pathlib import Path

    from packager_jupyter.fetch.share import is_share_url

    is_link = is_share_url(origin)
    through = [bool(share_id), new_share, public]
    if any(through) and (is_link or kind == FILES):
        raise click.UsageError(
            "--share, --new-share and --public go with NAME[@V], and not with --as files."
        )
    if sum(through) > 1:
        raise click.UsageError("Give --share, --new-share or --public: one of them.")
    if public:
        _stage_public(session, PACKAGE_REF.convert(origin, None, None), Path(folder), kind=kind)
        return
    if kind == FILES:
        fetch_files(
            session, origin, Path(folder), password_stdin=password_stdin, token_stdin=token_stdin
        )
        return
    found: AbstractContextManager[tuple[str, str | None]]
    if is_link:
        found = nullcontext((origin, None))
    else:
        ref = PACKAGE_REF.convert(origin, None, None)
        found = _link_of(session, ref, kind, share_id=share_id, is_new=new_share, base_url=base_url)
    with found as (link, through_id):
        access = access_to(link, password_stdin=password_stdin, token_stdin=token_stdin)
        staged = _stage(link, Path(folder), kind=kind, access=access)
    _show(session, staged, share_id=through_id)


@contextmanager
def _link_of(
    session: Session,
    ref: PackageRef,
    kind: str,
    *,
    share_id: str | None,
    is_new: bool,
    base_url: str | None,
) -> Iterator[tuple[str, str]]:
    """Yield link and id of a share of a package here; a new one ends when nothing comes of it.

    Raises
    ------
    BadInputError
        The share is not one of just this, none was named, or nothing answers to its link.
    """
    from packager_jupyter.api import recorded

    shares, actor = session.services.shares, session.actor
    version = None if ref.version in (None, _LATEST) else ref.version
    session.services.packages.version(ref.name, version or _LATEST)  # says what is wrong with it
    if share_id is not None:
        info = shares.get(share_id, actor.name)
        if (info.package, info.version, info.state) != (ref.name, version, "active"):
            raise BadInputError(
                f"The share {info.id} is of {info.package}@{info.version or _LATEST}, and "
                f"{info.state}.",
                remedy=f"Name an active share of {ref.name}@{version or _LATEST}: "
                "packager shares ls --all",
            )
        segment = recorded.link_share(session.services, actor, share_id)
        yield _address(session, segment, base_url), share_id
        return
    if not is_new:
        raise _no_share(session, ref, version, kind)
    _address(session, None, base_url)  # refuse before anything is made
    created = recorded.create_share(
        session.services,
        actor,
        ref.name,
        version=version,
        description=f"for packager stage --as {kind}",
    )
    try:
        yield _address(session, created.segment, base_url), created.share.id
    except BaseException:
        recorded.revoke_share(session.services, actor, created.share.id)
        raise
    session.out.remark(
        f"Made the share {created.share.id}. What was staged lives as long as it does."
    )


def _address(session: Session, segment: str | None, base_url: str | None) -> str:
    from packager_jupyter.api.shares import share_url
    from packager_jupyter.cli import addresses

    base = addresses.base_url(session.settings, given=base_url, share_token=segment)
    if not base.is_reachable:
        raise BadInputError(
            "No server answers for this data folder now, and what is staged comes from one.",
            remedy="Start one and try again: packager serve. Or say where it is: --base-url URL",
        )
    return share_url(base.url, segment or "")


def _no_share(session: Session, ref: PackageRef, version: str | None, kind: str) -> BadInputError:
    """Return the error for a package without a share named; its remedy names one that there is."""
    from packager_jupyter.api.owner import local_owner

    fitting = [
        info
        for info in session.services.shares.list(local_owner())
        if (info.package, info.version, info.state) == (ref.name, version, "active")
    ]
    whole = next((info for info in fitting if not info.paths and info.audience.is_anyone), None)
    command = f"packager stage {shlex.quote(str(ref))} DIR --as {kind}"
    return BadInputError(
        f"For --as {kind} there must be a share, where the files can be fetched from.",
        remedy=f"There is one already: {command} --share {whole.id}"
        if whole
        else f"Make one for it: {command} --new-share",
    )


def _stage_public(session: Session, ref: PackageRef, folder: Path, *, kind: str) -> None:
    from packager_jupyter.fetch.public import PublicAddresses
    from packager_jupyter.fetch.stage_documents import stage_public_bag

    if kind != "bagit":
        raise click.UsageError("--public goes with --as bagit.")
    packages = session.services.packages
    version = packages.version(ref.name, ref.version or _LATEST)
    dates = {info.version: info.created_s for info in packages.versions(ref.name)}
    created_s = dates.get(version.version)
    staged = stage_public_bag(
        version,
        folder,
        address=PublicAddresses(session.services.sources),
        created_s=created_s,
    )
    _show(session, staged)


def _stage(url: str, folder: Path, *, kind: str, access: Access) -> Staged:
    from packager_jupyter.fetch.share import ShareOrigin
    from packager_jupyter.fetch.stage import Stager
    from packager_jupyter.fetch.stage_documents import stage_document

    if kind in _DOCUMENTS:
        origin = ShareOrigin(url, **access._asdict())
        try:
            return stage_document(origin, kind, folder)
        finally:
            origin.close()
    _refuse_audience(url, kind, password=access.password)
    return Stager(url, password=access.password).stage(kind, folder)


def _show(session: Session, staged: Staged, *, share_id: str | None = None) -> None:
    where = "ready" if staged.is_new else f"part of the repository {staged.repository}"
    session.out.result(
        {
            "folder": str(staged.folder),
            "repository": str(staged.repository),
            "is_new": staged.is_new,
            "share": share_id,
            "next": list(staged.next_lines),
        },
        f"{staged.folder} is {where}. Its files come with:",
        *[f"  {line}" for line in staged.next_lines],
    )


def _refuse_audience(url: str, kind: str, *, password: str | None) -> None:
    """Refuse a share that wants a token: git-annex and DVC would hand it on to the storage."""
    from packager_jupyter.fetch.share import ShareOrigin

    origin = ShareOrigin(url, password=password)
    try:
        origin.check_access()
    except SignInRequiredError:
        raise BadInputError(
            "The share is for people who have signed in, and the tools of a repository cannot "
            "say who you are without telling the storage, too.",
            remedy=f"Take --as files, or ask for a share without an audience for --as {kind}.",
        ) from None
    finally:
        origin.close()
