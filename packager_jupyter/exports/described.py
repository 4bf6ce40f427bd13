"""What descriptions of a package say alike: people, licences, dates, streamed JSON.

Where the owner says nothing, a description leaves the field out, or says that it is unknown where
its standard demands the field: nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.exports.base import in_batches

if TYPE_CHECKING:
    from packager_jupyter.exports.base import Exportable, Place

_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_ORCID_AROUND = re.compile(r"[<(\[]?(?:https?://orcid\.org/)?" + _ORCID.pattern + r"[>)\]]?")
_MAIL = re.compile(r"<[^>]*>")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_OTHER = re.compile(r"[^a-z0-9._-]+")
_NO_TIME = 0


@dataclass(frozen=True, slots=True)
class Person:
    """An author: the name, and the ORCID iD where one is given. Mail addresses stay out."""

    name: str
    orcid: str | None

    @property
    def orcid_url(self) -> str | None:
        """The iD as its full address."""
        return f"https://orcid.org/{self.orcid}" if self.orcid else None


def person_of(text: str) -> Person:
    """Return the author that somebody wrote as "Ann Author <ann@example.org>", with or without."""
    found = _ORCID.search(text)
    name = _MAIL.sub("", _ORCID_AROUND.sub("", text)).strip(" ,;")
    return Person(name or "unnamed", found[0] if found else None)


def license_url(text: str) -> str | None:
    """Return the address of a licence: the text itself when it is one, or that of an SPDX id."""
    if text.startswith(("https://", "http://")) and " " not in text:
        return text
    return f"https://spdx.org/licenses/{text}" if _SPDX.fullmatch(text) else None


def slug(text: str) -> str:
    """Return `text` with nothing but ``a-z0-9._-`` in it."""
    return _OTHER.sub("-", text.lower()).strip("-.") or "x"


def title_of(contents: Exportable) -> str:
    """Return the title, or the name where there is none."""
    return contents.metadata().title or contents.name


def description_of(contents: Exportable) -> str:
    """Return the description, or name and version where there is none."""
    return contents.metadata().description or f"{contents.name}, version {contents.version}"


def iso(seconds: int) -> str:
    """Return a time as ``2026-05-03T14:07:00Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def published_s(contents: Exportable, place: Place) -> int:
    """Return when the version was published, for standards that must have it.

    Where the store keeps no note of it (`Place.created_s`), that is the newest modification of a
    file: it cannot have been earlier.
    """
    if place.created_s is not None:
        return place.created_s
    return max((pointer.modified_s or _NO_TIME for pointer in contents.iter_pointers()), default=0)


Part = dict[str, Any] | tuple[str, Iterable[Any]]


def document(*parts: Part) -> Iterator[bytes]:
    """Yield one JSON object in batches; see `pieces`."""
    return in_batches(chain(pieces(*parts), (b"\n",)))


def pieces(*parts: Part) -> Iterator[bytes]:
    """Yield one JSON object: of dictionaries, and of pairs of a name and the items of its list.

    Lists may be of any length; each item stands on a line of its own, and may itself be what this
    function returns.
    """
    before = b"{"
    for part in parts:
        if isinstance(part, dict):
            if part:
                yield before + orjson.dumps(part)[1:-1]
                before = b","
            continue
        name, items = part
        yield before + orjson.dumps(name) + b":["
        comma = b"\n"
        for item in items:
            if isinstance(item, Iterator):
                yield comma
                yield from item
            else:
                yield comma + orjson.dumps(item)
            comma = b",\n"
        yield b"]"
        before = b","
    yield b"}" if before == b"," else b"{}"
