"""UTC instants in whole seconds as text and back: ``2025-08-01T10:00:00Z`` (RFC 3339)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY_S = 86_400
_EPOCH = date(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LENGTH = len("2025-08-01T10:00:00Z")

# Tables instead of arithmetic, as millions of times are written and read in a row.
_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_MINUTES_OF_DAY = [f"{number // 60:02}:{number % 60:02}" for number in range(24 * 60)]
_HOURS_S = {f"{number:02}": number * 3600 for number in range(24)}
_MINUTES_S = {f"{number:02}": number * 60 for number in range(60)}
_SECONDS = {f"{number:02}": number for number in range(60)}
_T_MINUTES_S = {f"T{text}": number * 60 for number, text in enumerate(_MINUTES_OF_DAY)}
_SECONDS_Z = {f":{text}Z": number for text, number in _SECONDS.items()}
_MAX_DAYS = 20_000

MIN_S = (date.min - _EPOCH) // timedelta(seconds=1)
MAX_S = (date.max - _EPOCH) // timedelta(seconds=1) + _DAY_S - 1


def is_writable(seconds: int) -> bool:
    """Return whether `format_time` can write that instant: the years 1 to 9999."""
    return MIN_S <= seconds <= MAX_S


def format_time(seconds: int) -> str:
    """Return Unix `seconds` as text.

    Raises
    ------
    BadInputError
        Outside the years 1 to 9999.
    """
    if not is_writable(seconds):
        raise BadInputError(
            f"The time {seconds} lies outside the years 1 to 9999.",
            remedy="Correct the modification time of the file.",
        )
    day, second = divmod(seconds, _DAY_S)
    minute, second = divmod(second, 60)
    return f"{_day_text(day)}T{_MINUTES_OF_DAY[minute]}:{_TWO_DIGITS[second]}Z"


def format_times(seconds: Sequence[int]) -> list[str]:
    """Return what `format_time` makes of each; raises as that does."""
    if not (is_writable(min(seconds)) and is_writable(max(seconds))):
        return list(map(format_time, seconds))
    return [
        f"{_day_text(one // _DAY_S)}T{_MINUTES_OF_DAY[one % _DAY_S // 60]}:{_TWO_DIGITS[one % 60]}Z"
        for one in seconds
    ]


def parse_time(text: str) -> int:
    """Return the Unix seconds of what `format_time` wrote.

    Raises
    ------
    BadInputError
        Any other text.
    """
    if len(text) == _LENGTH and text[10::3] == "T::Z":
        days = _day_number(text[:10])
        hour, minute = _HOURS_S.get(text[11:13]), _MINUTES_S.get(text[14:16])
        second = _SECONDS.get(text[17:19])
        if not (days is None or hour is None or minute is None or second is None):
            return days * _DAY_S + hour + minute + second
    raise BadInputError(
        f"{text[:40]!r} is no time.",
        remedy="Write it in UTC and whole seconds, for example 2025-08-01T10:00:00Z.",
    )


class _Days(dict[str, int]):
    """Seconds of midnights by their day as text, filled as they are asked for."""

    def __missing__(self, text: str) -> int:
        number = _day_number(text)
        if number is None:
            raise KeyError(text)
        if len(self) >= _MAX_DAYS:
            self.clear()
        self[text] = seconds = number * _DAY_S
        return seconds


_days = _Days()


def parse_times(texts: Sequence[str]) -> list[int]:
    """Return what `parse_time` returns for each of them.

    Raises
    ------
    BadInputError
        One is no time.
    """
    try:
        return [
            _days[text[:10]] + _T_MINUTES_S[text[10:16]] + _SECONDS_Z[text[16:]] for text in texts
        ]
    except (KeyError, TypeError):
        return [parse_time(text) for text in texts]


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return date.fromordinal(day + _EPOCH_DAY).isoformat()


@lru_cache(maxsize=4096)
def _day_number(text: str) -> int | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
