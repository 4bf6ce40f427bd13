"""Copies lines from a share's page and runs them, as a person would."""

from __future__ import annotations

import asyncio
import html
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from server.share.ocean import BROWSER, PASSWORD

if TYPE_CHECKING:
    from server.share.ocean import Published


SHELLS = {"bash": ("bash", "-e"), "zsh": ("zsh", "-f", "-e")}
ACCESS = ["open", "capability", "password"]


@dataclass
class Shared:
    """A share of a package as one of its visitors has it.

    Attributes
    ----------
    link : str
        The link with its secret, for those who need one.
    token : str
        The visitor's own, where the share has an audience.
    shell : str
        Which shell the person has: a name of `SHELLS`.
    """

    published: Published
    segment: str
    link: str
    headers: dict[str, str] = field(default_factory=dict)
    is_locked: bool = False
    token: str = ""
    shell: str = "bash"

    async def lines(self, key):
        """Return the lines of the way `key` from the page."""
        answer = await self.published.get(self.segment, **BROWSER, **self.headers)
        page = answer.body.decode()
        found = re.search(rf'<details [^>]*id="get-{key}".*?<code>(.*?)</code>', page, re.DOTALL)
        assert found, f"the page has no way {key}"
        return html.unescape(found[1])

    async def run(self, key, folder, **options):
        """Run the lines of the way `key` in `folder`; return exit code and output."""
        lines = await self.lines(key)
        assert PASSWORD not in lines
        if self.is_locked and "~" in self.link:
            assert self.link.rpartition("~")[2].strip("/") not in lines
        options.setdefault("interpreter", SHELLS[self.shell])
        assert not self.token or self.token not in lines
        answer = self.link if "Link with its secret" in lines else PASSWORD
        answers = [self.token] * bool(self.token) + [answer] * self.is_locked
        return await run(lines, folder, answer="\n".join(answers), **options)


def shared_in(published, how):
    """Return a new share: ``open``, ``capability`` (its secret in the link), ``password``, or
    ``audience``, with or without ``+password``.

    A shell may stand behind it: ``password zsh``.
    """
    how, _, shell = how.partition(" ")
    shared = _shared_in(published, how)
    shared.shell = shell or "bash"
    return shared


def _shared_in(published, how):
    root = published.host.root
    if how.startswith("audience"):
        token = published.host.services.tokens.create("ann", scopes=["api:read"]).secret
        locked = {"password": PASSWORD} if how == "audience+password" else {}
        created = published.share(audience=["user:ann"], **locked)
        headers = {"Authorization": f"Bearer {token}"}
        headers |= {"X_Share_Token": PASSWORD} if locked else {}
        link = f"{root}s/{created.segment}/"
        return Shared(
            published, created.segment, link, headers, is_locked=bool(locked), token=token
        )
    if how == "open":
        segment = published.share().segment
        return Shared(published, segment, f"{root}s/{segment}/")
    created = published.share(password=PASSWORD)
    link = f"{root}s/{created.capability_segment}"
    if how == "capability":
        return Shared(published, created.capability_segment, link)
    headers = {"X_Share_Token": PASSWORD}
    return Shared(published, created.segment, link, headers, is_locked=True)


async def run(lines, folder, *, answer="", interpreter=SHELLS["bash"], path="", timeout_s=120):
    """Run copied lines in `folder`, answering what they ask."""
    script = Path(folder) / "lines"
    script.write_text(lines)
    process = await asyncio.create_subprocess_exec(
        *interpreter,
        str(script),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": os.pathsep.join([*([str(path)] if path else []), "/usr/bin", "/bin"]),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
        },
    )
    output, _ = await asyncio.wait_for(process.communicate(f"{answer}\n".encode()), timeout_s)
    return process.returncode, output.decode(errors="replace")


def found_in(folder):
    """Return every file below `folder` by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }
