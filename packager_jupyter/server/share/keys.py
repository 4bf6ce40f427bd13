"""The bytes behind the keys of git-annex and DVC: redirects, as `files` gives them for paths.

A key is looked up among those of the share's own repository and never taken apart, so nothing
outside the share can be had by guessing one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.exports.git.annex import key_entry
from packager_jupyter.exports.git.dvc import OBJECTS
from packager_jupyter.server.share.files import FileAnswers
from packager_jupyter.server.share.git import RepoHandler
from packager_jupyter.server.share.sending import Sending, sliced

if TYPE_CHECKING:
    from packager_jupyter.exports.git.repos import GitRepo
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.packages.version import Version
    from packager_jupyter.shares.model import Share

_KEY_PARTS = 4
_MD5 = re.compile(r"([0-9a-f]{2})/([0-9a-f]{30})(\.dir)?")


class KeyHandler(FileAnswers, RepoHandler):
    """A route that hands out what keys of a repository mean."""

    async def redirect_key(self, share: Share, kind: str, key: str) -> None:
        """Redirect to the bytes of a key."""
        pointer = await self.pointer_of(share, kind, key)
        await self.check(pointer)
        await self.redirect_to(share, pointer)

    async def describe_key(self, share: Share, kind: str, key: str) -> None:
        """Answer HEAD for a key as the storage has it now."""
        await self.describe_file(await self.pointer_of(share, kind, key))

    async def pointer_of(self, share: Share, kind: str, key: str) -> Pointer:
        """Return the file that a key means; raises `PathNotFoundError`."""
        repo = await self.repo(share, kind)
        found = await self.call(repo.find, key)
        if found is None:
            raise no_such_key()
        version = cast("Version", repo.chain[found.number].contents)
        pointer = await self.pointer(version, found.path)
        if pointer is None:
            raise no_such_key()
        return pointer


class AnnexObjectHandler(KeyHandler):
    """``annex/objects/…/KEY/KEY``: the bytes of a key, under whichever two folders."""

    async def get(self, share: str, path: str) -> None:
        """Redirect to the bytes."""
        opened = await self.visit(share)
        await self.redirect_key(opened, "repo", key_entry(_key(path)))

    async def head(self, share: str, path: str) -> None:
        """Say whether the storage has it; git-annex drops its own copy only then."""
        opened = await self.visit(share)
        await self.describe_key(opened, "repo", key_entry(_key(path)))


class DvcObjectHandler(KeyHandler):
    """``dvc/files/md5/…``: DVC's remote: a file by its MD5, or the list of a directory."""

    async def get(self, share: str, path: str) -> None:
        """Redirect to the bytes of a file, or send a list."""
        opened = await self.visit(share)
        md5, is_list = _md5(path)
        if is_list:
            await self._send_list(opened, md5)
        else:
            await self.redirect_key(opened, "dvc", md5)

    async def head(self, share: str, path: str) -> None:
        """Say size and tag."""
        opened = await self.visit(share)
        md5, is_list = _md5(path)
        if is_list:
            await self._send_list(opened, md5)
        else:
            await self.describe_key(opened, "dvc", md5)

    async def _send_list(self, share: Share, md5: str) -> None:
        repo = await self.repo(share, "dvc")
        text = await self.call(_read_list, repo, md5)
        self.note(self.audit_action, "ok")
        sending = Sending(
            self, filename=f"{md5}.dir", media_type="application/json", etag=md5, is_inline=True
        )
        await sending.send(len(text), sliced(text))


def _read_list(repo: GitRepo, md5: str) -> bytes:
    try:
        return (repo.folder / OBJECTS / f"{md5}.dir").read_bytes()
    except FileNotFoundError:
        raise no_such_key() from None


def _md5(path: str) -> tuple[str, bool]:
    found = _MD5.fullmatch(path)
    if found is None:
        raise no_such_key()
    return found[1] + found[2], found[3] is not None


def _key(path: str) -> str:
    parts = path.split("/")
    if len(parts) != _KEY_PARTS or parts[2] != parts[3]:
        raise no_such_key()
    return parts[3]


def no_such_key() -> PathNotFoundError:
    """Return the error for a key that means nothing in this share."""
    return PathNotFoundError(
        "This share has no file with that key.",
        remedy="Fetch the repository again: the file may belong to another version.",
    )
