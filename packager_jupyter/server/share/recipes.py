"""The table of "How to get this": every way out of a share, each with the lines to copy.

To add a way, write a row (`Way`) into the module of its group below ``server/share/ways/`` and, for
a new group, that module's tuple into `WAYS`. The page, its tests and the documentation follow.

- ``key`` names the way for ever: it is the anchor ``#get-<key>`` and what tests look it up by.
- ``lines`` makes the lines from a `ShareFacts`. Build every address with its `shell` or `python`:
  they quote, and they stay right on a share that is locked.
- ``opens_with`` says how the tool opens a locked share. ``"header"``: the lines ask for the
  password and send ``X-Share-Token`` (`ShareFacts.ask`, `ShareFacts.header`). ``"link"``: the tool
  can send no header, so its lines ask for the link that carries its secret, and what `shell`
  and `python` return begins with it. Lines of a shell begin with `ShareFacts.ask`, those of Python
  with `ShareFacts.ask_python`; both are empty where nothing must be asked. No line ever holds a
  password or a secret that the visitor's own address does not hold already.
- ``sends_token`` says that the lines work on a share with an audience: `ShareFacts.ask` asks for
  the visitor's token and `ShareFacts.header` sends it, with a tool that does not send it on when
  it is redirected to a storage. The page of such a share has these ways alone.
- ``applies`` says for which packages the way is of use.
- Paths of files come from strangers: `ShareFacts.example` and `shlex.quote` are your friends.

Every way has a test that runs its lines with the real tool, on an open and on a locked share:
`tests/server/share/ways.py` copies them from the page as a person would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.server.share.ways.base import ShareFacts, Way
from packager_jupyter.server.share.ways.download import DOWNLOAD_WAYS
from packager_jupyter.server.share.ways.git import GIT_WAYS
from packager_jupyter.server.share.ways.python import PYTHON_WAYS
from packager_jupyter.server.share.ways.standards import STANDARD_WAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WAYS", "Recipe", "RecipeGroup", "ShareFacts", "Way", "recipes"]

WAYS: tuple[Way, ...] = (*DOWNLOAD_WAYS, *PYTHON_WAYS, *GIT_WAYS, *STANDARD_WAYS)
"""All ways, in the order in which they are shown; groups in the order of their first way."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way, filled in for one share.

    Attributes
    ----------
    key, title, hint : str
        As in its `Way`.
    lines : str
        What to copy.
    needs_link : bool
        Whether these lines ask for the link with its secret.
    """

    key: str
    title: str
    hint: str
    lines: str
    needs_link: bool


@dataclass(frozen=True, slots=True)
class RecipeGroup:
    """Ways that belong together, under one heading."""

    title: str
    recipes: tuple[Recipe, ...]


def recipes(facts: ShareFacts, ways: Iterable[Way] = WAYS) -> list[RecipeGroup]:
    """Return the ways that apply, filled in, in groups."""
    groups: dict[str, list[Recipe]] = {}
    for way in ways:
        # Other tools would send the token on to the storage, or have no way to send one.
        if way.applies(facts) and (way.sends_token or not facts.wants_token):
            groups.setdefault(way.group, []).append(_filled(way, facts))
    return [RecipeGroup(title, tuple(found)) for title, found in groups.items()]


def _filled(way: Way, facts: ShareFacts) -> Recipe:
    needs_link = facts.is_locked and way.opens_with == "link"
    filled_with = facts.with_link() if needs_link else facts
    lines = way.lines(filled_with)
    if filled_with.ask and lines.startswith(filled_with.ask):
        # A terminal that pastes line by line would take the second line for the answer.
        lines = f"{{ {lines}\n}}"
    return Recipe(way.key, way.title, way.hint, lines, needs_link)
