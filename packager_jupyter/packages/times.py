"""UTC instants in whole seconds as text and back: ``2025-08-01T10:00:00Z`` (RFC 3339)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

from packager_jupyter.errors import BadInputError

_DAY_S = 86_400
_EPOCH = date(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)

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
    hour, minute = divmod(minute, 60)
    return f"{_day_text(day)}T{hour:02}:{minute:02}:{second:02}Z"


def parse_time(text: str) -> int:
    """Return the Unix seconds of what `format_time` wrote.

    Raises
    ------
    BadInputError
        Any other text.
    """
    found = _TIME.fullmatch(text)
    if found:
        day, hour, minute, second = found.groups()
        if hour < "24" and minute < "60" and second < "60":
            days = _day_number(day)
            if days is not None:
                return days * _DAY_S + int(hour) * 3600 + int(minute) * 60 + int(second)
    raise BadInputError(
        f"{text[:40]!r} is no time.",
        remedy="Write it in UTC and whole seconds, for example 2025-08-01T10:00:00Z.",
    )


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return date.fromordinal(day + _EPOCH_DAY).isoformat()


@lru_cache(maxsize=4096)
def _day_number(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
