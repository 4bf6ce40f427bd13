"""``repo.git`` and its kin: a share as a git repository over smart HTTP.

Besides git's own two addresses there is what git-annex reads at plain paths of a remote: ``config``
says that the share holds keys, and ``annex/objects/…`` redirects to the bytes of one, for GET and
HEAD as `files` does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from packager_jupyter.errors import BadInputError, ForbiddenError, PathNotFoundError
from packager_jupyter.exports.git.annex import annex_config, annex_uuid
from packager_jupyter.exports.git.base import OverlaidLayout, Snapshot
from packager_jupyter.exports.git.overlay import make_overlay, remove_overlay, write_overlay
from packager_jupyter.exports.git.repos import LAYOUTS, GitRepos
from packager_jupyter.server.share.base import ShareHandler
from packager_jupyter.server.share.gitserve import (
    MAX_BODY_BYTES,
    unpacked,
    wants_v2,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from packager_jupyter.exports.git.repos import GitRepo
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share

SERVICE = "git-upload-pack"
MAX_CHAIN = 1000


class RepoHandler(ShareHandler):
    """A route of a repository."""

    audit_action: ClassVar[str] = "share.git"
    on_gone: Callable[[], None] | None = None

    def on_connection_close(self) -> None:
        """End what runs for a client that has gone."""
        super().on_connection_close()
        if self.on_gone is not None:
            self.on_gone()

    async def repo(self, share: Share, kind: str) -> GitRepo:
        """Return the repository of `share`, made first when nobody asked for it before.

        Raises
        ------
        PathNotFoundError
            There is no such kind.
        """
        if kind not in LAYOUTS:
            raise PathNotFoundError(
                "There is no such repository.", remedy="Look at the share's page for the right one."
            )
        tip = await self.version(share)
        key = (kind, tip.digest, share.version is None and share.created_s)
        return await self.state.repos.load(key, lambda: self._make(share, kind, tip))

    async def _make(self, share: Share, kind: str, tip: Version) -> GitRepo:
        chain = [
            Snapshot(await self._at(share, tip, digest), when_s)
            for digest, when_s in await self.call(self._history, share, tip.version)
        ]
        repos = GitRepos(Path(self.services.settings.data_dir) / "cache" / "git")
        return await self.call(repos.repo, kind, chain)

    async def _at(self, share: Share, tip: Version, digest: str | None) -> Version:
        return tip if digest is None else await self.version_of(share, digest)

    @asynccontextmanager
    async def git_dir(self, share: Share, kind: str) -> AsyncIterator[Path]:
        """Yield the bare repository that this visitor gets, for as long as the block."""
        repo, layout = await self.repo(share, kind), LAYOUTS[kind]
        if not isinstance(layout, OverlaidLayout):
            yield repo.git_dir
            return
        data = layout.config(self.share_url, is_open=share.is_open)
        overlay = await self.call(make_overlay, repo, layout.overlaid, data)
        place = await self.call(write_overlay, repo, overlay)
        try:
            yield place
        finally:
            await self.call(remove_overlay, place)

    def _history(self, share: Share, tip: str) -> list[tuple[str | None, int]]:
        """Return digest and time of each version that this visitor may see, the newest last.

        A share of one version shows that one alone: what was taken out before must not come back
        through its history. One of the latest shows what has been the latest since it was made.
        The digest of the newest is None: it is at hand.
        """
        known = self.services.packages.versions(share.package)
        names = [one.version for one in known]
        at = names.index(tip) if tip in names else None
        if at is None:
            return [(None, 0)]
        chain: list[tuple[str | None, int]] = [(None, known[at].created_s or 0)]
        if share.version is not None:
            return chain
        for newer, one in zip(known[at:], known[at + 1 : at + MAX_CHAIN], strict=False):
            if newer.created_s is None or newer.created_s <= share.created_s:
                break
            chain.append((one.digest, one.created_s or 0))
        return chain[::-1]


class RefsHandler(RepoHandler):
    """``info/refs``: what the repository has; git asks this first."""

    async def get(self, share: str, repo: str) -> None:
        """Say the refs, in the protocol that the client speaks."""
        opened = await self.visit(share)
        service = self.get_query_argument("service", "")
        if service != SERVICE:
            raise ForbiddenError(
                "This repository can be cloned and fetched from, nothing else.",
                remedy="Use git 1.6.6 or later to clone it; it cannot be pushed to.",
            )
        async with self.git_dir(opened, repo) as git_dir:
            answer = await self.state.upload_packs.advertise(git_dir, is_v2=wants_v2(self))
        self.note(self.audit_action, "ok")
        self.set_header("Content-Type", f"application/x-{SERVICE}-advertisement")
        self.finish(answer)


class UploadPackHandler(RepoHandler):
    """``git-upload-pack``: the objects that a clone or fetch wants."""

    def body_limit(self) -> int:
        """See `PackagerHandler.body_limit`."""
        return MAX_BODY_BYTES

    async def post(self, share: str, repo: str) -> None:
        """Answer one request of the protocol."""
        opened = await self.visit(share)
        if self.request.headers.get("Content-Type") != f"application/x-{SERVICE}-request":
            raise BadInputError("This is no request of git.", remedy="Clone the address with git.")
        encoding = self.request.headers.get("Content-Encoding", "").lower()
        request = await self.call(unpacked, self.body, encoding)
        await self.repo(opened, repo)
        if b"command=ls-refs" not in request[:64]:
            counted = self.count_use(opened)
            if counted is not None:
                await counted
        self.set_header("Content-Type", f"application/x-{SERVICE}-result")
        async with self.git_dir(opened, repo) as git_dir:
            await self.state.upload_packs.answer(self, git_dir, request)


class AnnexConfigHandler(RepoHandler):
    """``config`` and ``HEAD``: what git-annex asks a remote for."""

    async def get(self, share: str) -> None:
        """Say the share's name as a repository."""
        opened = await self.visit(share)
        found = await self.repo(opened, "repo")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(annex_config(annex_uuid(found.chain[0])))

    head = get


class HeadHandler(RepoHandler):
    """``HEAD``: the branch."""

    async def get(self, share: str, repo: str) -> None:
        """Say which branch a clone begins with."""
        opened = await self.visit(share)
        await self.repo(opened, repo)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(b"ref: refs/heads/main\n")

    head = get
