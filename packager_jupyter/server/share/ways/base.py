"""What a way out of a share is, and the facts with which its lines are filled."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from packager_jupyter.exports.base import encode_path

if TYPE_CHECKING:
    from collections.abc import Callable

# `read -s` asks without echo in bash and zsh alike; `-p` would not be a prompt in zsh.
ASK_PASSWORD = "printf 'Password: '; IFS= read -rs PASSWORD; echo\n"  # noqa: S105  # holds none
ASK_LINK = "printf 'Link with its secret: '; IFS= read -rs LINK; echo; LINK=${LINK%/}/\n"
ASK_LINK_PYTHON = """\
from getpass import getpass

link = getpass("Link with its secret: ").rstrip("/") + "/"
"""
ASK_TOKEN = "printf 'Token: '; IFS= read -rs TOKEN; echo\n"  # noqa: S105  # holds none
TOKEN_HEADER = '--header "Authorization: Bearer $TOKEN" '  # noqa: S105
HEADER = '--header "X-Share-Token: $PASSWORD" '

Opener = Literal["header", "link"]


@dataclass(frozen=True, slots=True)
class ShareFacts:
    """What lines are filled with.

    Attributes
    ----------
    share_url : str
        Address of the share as the visitor came by it, ending in ``/``.
    name, version : str
        Of the package.
    is_locked : bool
        Whether the address alone opens nothing, so that the lines must ask for the password.
    files : int
        How many data files there are.
    examples : tuple of str
        Paths of some files, data files first; never empty.
    asks_link : bool, default False
        Whether addresses begin with a link that the lines ask for; see `with_link`.
    wants_token : bool, default False
        Whether the share has an audience, so that the lines must ask for the visitor's token.
    """

    share_url: str
    name: str
    version: str
    is_locked: bool
    files: int
    examples: tuple[str, ...]
    asks_link: bool = False
    wants_token: bool = False

    @property
    def folder(self) -> str:
        """The folder into which the data goes: the last part of the package's name."""
        return self.name.rpartition("/")[2]

    @property
    def cut_dirs(self) -> int:
        """How many folders of a file's address stand before its path (``wget --cut-dirs``)."""
        return len([part for part in urlsplit(self.share_url).path.split("/") if part]) + 1

    @property
    def ask(self) -> str:
        """The lines of a shell that ask for what opens the share, empty when it is open."""
        if self.asks_link:
            return ASK_LINK
        token = ASK_TOKEN if self.wants_token else ""
        return token + (ASK_PASSWORD if self.is_locked else "")

    @property
    def header(self) -> str:
        """The options of wget, curl and aria2c that open the share, a space behind each."""
        token = TOKEN_HEADER if self.wants_token else ""
        return token + (HEADER if self.is_locked and not self.asks_link else "")

    @property
    def ask_python(self) -> str:
        """The lines of Python that ask for the link with its secret, empty when none is needed."""
        return ASK_LINK_PYTHON if self.asks_link else ""

    def with_link(self) -> ShareFacts:
        """Return these facts for a tool that can send no header."""
        return replace(self, asks_link=True)

    def shell(self, below: str = "") -> str:
        """Return the address of `below` (encoded already) as one word of a shell."""
        if self.asks_link:
            return f'"$LINK"{shlex.quote(below) if below else ""}'
        return shlex.quote(self.share_url + below)

    def python(self, below: str = "") -> str:
        """Return the address of `below` (encoded already) as an expression of Python."""
        if self.asks_link:
            return f"link + {json.dumps(below)}" if below else "link"
        return json.dumps(self.share_url + below)

    def example(self, *suffixes: str) -> str | None:
        """Return the path of a file whose name ends so (lower case), ``None`` if none is known."""
        wanted = suffixes or ("",)
        return next((path for path in self.examples if path.lower().endswith(wanted)), None)

    def file(self, path: str) -> str:
        """Return what stands below the share for the file `path`, encoded."""
        return f"files/{encode_path(path)}"


def always(facts: ShareFacts) -> bool:  # noqa: ARG001  # one signature for all of them
    """Say that a way is of use for every package."""
    return True


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get the data, or a part or a description of it.

    Attributes
    ----------
    key : str
        Names it for ever: lower-case letters, digits and ``-``.
    group : str
        The heading under which it stands.
    title : str
        The name of the tool or format, as its users write it.
    hint : str
        One short sentence: what comes, and when to take this way.
    lines : callable
        Makes the lines to copy.
    applies : callable, optional
        Whether the way is of use for a package.
    opens_with : {"header", "link"}, default "header"
        How the tool opens a locked share.
    sends_token : bool, default False
        Whether the lines tell a share with an audience who asks, and no storage.
    """

    key: str
    group: str
    title: str
    hint: str
    lines: Callable[[ShareFacts], str]
    applies: Callable[[ShareFacts], bool] = always
    opens_with: Opener = "header"
    sends_token: bool = False
