"""UTC instants in whole seconds as text and back: ``2025-08-01T10:00:00Z`` (RFC 3339)."""

from __future__ import annotations

import contextlib
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

# Tables instead of arithmetic, as millions of times are written and read in a row.
_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_MINUTES_OF_DAY = [f"{number // 60:02}:{number % 60:02}" for number in range(24 * 60)]
_T_MINUTES_S = {f"T{text}": number * 60 for number, text in enumerate(_MINUTES_OF_DAY)}
_SECONDS_Z = {f":{text}Z": number for number, text in enumerate(_TWO_DIGITS)}
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
    minute, second = _T_MINUTES_S.get(text[10:16]), _SECONDS_Z.get(text[16:])
    if minute is not None and second is not None:
        with contextlib.suppress(KeyError):
            return _midnights[text[:10]] + minute + second
    raise BadInputError(
        f"{text[:40]!r} is no time.",
        remedy="Write it in UTC and whole seconds, for example 2025-08-01T10:00:00Z.",
    )


class _Midnights(dict[str, int]):
    """Seconds of midnights by their day as text, kept as they are asked for."""

    def __missing__(self, text: str) -> int:
        number = _day_number(text)
        if number is None:
            raise KeyError(text)
        if len(self) >= _MAX_DAYS:
            self.clear()
        self[text] = seconds = number * _DAY_S
        return seconds


_midnights = _Midnights()


def parse_times(texts: Sequence[str]) -> list[int]:
    """Return what `parse_time` returns for each of them.

    Raises
    ------
    BadInputError
        One is no time.
    """
    try:
        return [
            _midnights[text[:10]] + _T_MINUTES_S[text[10:16]] + _SECONDS_Z[text[16:]]
            for text in texts
        ]
    except (KeyError, TypeError):
        return [parse_time(text) for text in texts]


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return date.fromordinal(day + _EPOCH_DAY).isoformat()


def _day_number(text: str) -> int | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
