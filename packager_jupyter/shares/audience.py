"""For whom a share is, besides whoever has its link and its password.

An audience is written as a list of entries: ``anyone``; ``signed-in``; or any number of
``user:NAME`` and ``group:NAME``. It is compared with who asks at every request, so leaving a group
ends the access with the next one. What a host cannot find out it must not promise: a share is only
made with entries of kinds that the host can check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

ANYONE = "anyone"
SIGNED_IN = "signed-in"
USER = "user"
GROUP = "group"
MAX_ENTRIES = 200
MAX_NAME_CHARS = 256

REMEDY = "Write anyone, signed-in, user:NAME or group:NAME."


class Visitor(NamedTuple):
    """Who asks, as the host knows it; `groups` is None where the host knows no groups."""

    name: str
    groups: frozenset[str] | None = None


class _Kind(NamedTuple):
    has_name: bool
    admits: Callable[[Visitor, str], bool]
    cannot: str


_KINDS: dict[str, _Kind] = {
    SIGNED_IN: _Kind(
        has_name=False,
        admits=lambda _visitor, _name: True,
        cannot="This server asks nobody to sign in",
    ),
    USER: _Kind(
        has_name=True,
        admits=lambda visitor, name: visitor.name == name,
        cannot="Everybody who signs in to this server is the same user",
    ),
    GROUP: _Kind(
        has_name=True,
        admits=lambda visitor, name: visitor.groups is not None and name in visitor.groups,
        cannot="This server knows no groups; a JupyterHub does",
    ),
}
KINDS = frozenset(_KINDS)
WITHOUT_HOST = frozenset({SIGNED_IN, USER})
"""What may be promised where no host is asked: in the library and on the command line."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read a share; no entry is anyone.

    Attributes
    ----------
    entries : tuple of (str, str)
        Kind and name (empty for ``signed-in``), sorted.
    """

    entries: tuple[tuple[str, str], ...] = ()

    @property
    def is_anyone(self) -> bool:
        """Whether nobody has to say who they are."""
        return not self.entries

    def admits(self, visitor: Visitor | None) -> bool:
        """Return whether `visitor` (None: nobody known) may read."""
        if self.is_anyone:
            return True
        return visitor is not None and any(
            _KINDS[kind].admits(visitor, name) for kind, name in self.entries
        )

    def texts(self) -> list[str]:
        """Return the entries as people write them."""
        if self.is_anyone:
            return [ANYONE]
        return [f"{kind}:{name}" if name else kind for kind, name in self.entries]

    def check_host(self, checkable: Collection[str]) -> Audience:
        """Return the audience when a host that can check the kinds `checkable` can check it.

        Raises
        ------
        BadInputError
        """
        for kind, name in self.entries:
            if kind not in checkable:
                entry = f"{kind}:{name}" if name else kind
                raise BadInputError(
                    f"A share for {shown(entry)} cannot be made here. {_KINDS[kind].cannot}.",
                    remedy="Protect the share with a password instead.",
                )
        return self

    def to_record(self) -> dict[str, Any]:
        """Return what the database keeps."""
        if self.is_anyone:
            return {"kind": ANYONE}
        return {"kind": "some", "entries": self.texts()}


ANYBODY = Audience()


def parse_audience(texts: Iterable[str]) -> Audience:
    """Return the audience that people wrote as `texts`; none is anyone.

    Raises
    ------
    BadInputError
        An entry is none, there are too many, or ``anyone`` or ``signed-in`` stand beside others.
    """
    found = sorted({_entry(text) for text in texts})
    if len(found) > MAX_ENTRIES:
        raise BadInputError(
            f"An audience of {len(found)} entries is too long.",
            remedy=f"Name at most {MAX_ENTRIES}, or a group.",
        )
    if len(found) > 1 and any(kind in {ANYONE, SIGNED_IN} for kind, _ in found):
        raise BadInputError(
            "'anyone' and 'signed-in' stand alone: they include everybody else that is named.",
            remedy="Give either one of them, or users and groups.",
        )
    return Audience() if found in ([], [(ANYONE, "")]) else Audience(tuple(found))


def read_audience(record: dict[str, Any]) -> Audience:
    """Return the audience that `Audience.to_record` made."""
    if record.get("kind") == ANYONE:
        return ANYBODY
    return parse_audience(record["entries"])


def _entry(text: str) -> tuple[str, str]:
    if text == ANYONE:
        return text, ""
    kind, colon, name = text.partition(":")
    known = _KINDS.get(kind)
    is_right = (
        known is not None
        and known.has_name == bool(colon)
        and known.has_name == bool(name)
        and len(name) <= MAX_NAME_CHARS
        and name.isprintable()
    )
    if not is_right:
        raise BadInputError(f"{shown(text)} is no audience.", remedy=REMEDY)
    return kind, name
