"""How values are written on the command line: durations, ``SOURCE:KEY``, ``NAME@VERSION``.

Each is a click type, so that a value that cannot be read is wrong usage (exit 2) with a sentence
that shows a right one.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import click

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNIT_BYTES: dict[str, int] = {
    "": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_SIZE = re.compile(r"([1-9][0-9]{0,17})((?:[kMGT]B|[KMGT]iB)?)")
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")


def parse_duration_s(text: str) -> int:
    """Return the seconds of ``90s``, ``15m``, ``12h`` or ``7d``.

    Raises
    ------
    ValueError
        When `text` is anything else; zero and negative durations are not durations.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNIT_S[match[2]]


def duration_text(seconds: int) -> str:
    """Return the shortest exact spelling of a duration: ``7d``, ``36h``, ``90s``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNIT_S[unit] == 0:
            return f"{seconds // _UNIT_S[unit]}{unit}"
    return f"{seconds}s"


class Duration(click.ParamType[int]):
    """A duration, in seconds once converted."""

    name = "duration"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Convert, or fail as wrong usage."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration_s(value)
        except ValueError:
            self.fail(f"{value!r} is no duration; write 90s, 15m, 12h or 7d.", param, ctx)


class Moment(click.ParamType[int]):
    """A point in time, as seconds from now: a duration, or a date with or without a time, UTC."""

    name = "moment"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Convert, or fail as wrong usage; what lies in the past is 0."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration_s(value)
        except ValueError:
            pass
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 12h, 7d or 2027-01-31T09:00.", param, ctx)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0, int(at.timestamp() - time.time()))


class Size(click.ParamType[int]):
    """A number of bytes: ``500000000``, ``500MB``, ``2GiB``."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Convert, or fail as wrong usage."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no size; write 500MB, 2GiB or a number of bytes.", param, ctx)
        return int(match[1]) * _UNIT_BYTES[match[2]]


@dataclass(frozen=True, slots=True)
class Address:
    """``SOURCE:KEY``; `key` is None when there was no colon, ``""`` for the whole source."""

    source: str
    key: str | None

    def __str__(self) -> str:
        return self.source if self.key is None else f"{self.source}:{self.key}"


class AddressType(click.ParamType[Address]):
    """A source and a key in it. Source names hold no colon, so the first one divides."""

    name = "source:key"

    def __init__(self, *, needs_key: bool) -> None:
        self._needs_key = needs_key

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Convert, or fail as wrong usage."""
        if isinstance(value, Address):
            return value
        source, colon, key = value.partition(":")
        if not source or (self._needs_key and not colon):
            example = f"{source or 'lake'}:folder/file.csv"
            self.fail(
                f"{value!r} names no key of a source; write SOURCE:KEY, for example {example}, "
                f"or {source or 'lake'}:folder/ for a folder.",
                param,
                ctx,
            )
        return Address(source, key if colon else None)


@dataclass(frozen=True, slots=True)
class PackageRef:
    """``NAME`` or ``NAME@VERSION``, where the version may be a tag, ``latest`` or a digest."""

    name: str
    version: str | None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


class PackageRefType(click.ParamType[PackageRef]):
    """A package, and perhaps a version of it. Package names hold no ``@``."""

    name = "name[@version]"

    def convert(
        self, value: str | PackageRef, param: click.Parameter | None, ctx: click.Context | None
    ) -> PackageRef:
        """Convert, or fail as wrong usage."""
        if isinstance(value, PackageRef):
            return value
        name, at, version = value.partition("@")
        if not name or (at and not version):
            self.fail(f"{value!r} names no package; write NAME or NAME@VERSION.", param, ctx)
        return PackageRef(name, version if at else None)


DURATION = Duration()
MOMENT = Moment()
SIZE = Size()
ADDRESS = AddressType(needs_key=True)
SOURCE_OR_ADDRESS = AddressType(needs_key=False)
PACKAGE_REF = PackageRefType()
