"""What the values of a share may be; each check says what to give instead."""

from __future__ import annotations

from packager_jupyter.errors import BadInputError

MIN_LIFE_S = 60
MAX_LIFE_S = 20 * 365 * 24 * 3600
MAX_DESCRIPTION_CHARS = 2000
MAX_DOWNLOADS = 10**9


def check_expiry(expires_in_s: int | None, now_s: int) -> int | None:
    """Return the Unix second at which a share ends that lives `expires_in_s` from `now_s`."""
    if expires_in_s is None:
        return None
    if not MIN_LIFE_S <= expires_in_s <= MAX_LIFE_S:
        raise BadInputError(
            f"A share cannot end in {expires_in_s} seconds.",
            remedy=f"Give between {MIN_LIFE_S} seconds and 20 years, or no end at all.",
        )
    return now_s + expires_in_s


def check_start(starts_in_s: int | None, now_s: int) -> int | None:
    """Return the Unix second from which a share is open that opens `starts_in_s` from `now_s`."""
    if starts_in_s is None:
        return None
    if not 0 <= starts_in_s <= MAX_LIFE_S:
        raise BadInputError(
            f"A share cannot begin in {starts_in_s} seconds.",
            remedy="Give 0 to 20 years, or nothing to begin at once.",
        )
    return now_s + starts_in_s


def check_window(starts_s: int | None, expires_s: int | None) -> None:
    """Refuse a share that would end before it begins; both in Unix seconds."""
    if starts_s is not None and expires_s is not None and expires_s <= starts_s:
        raise BadInputError(
            "The share would end before it begins.",
            remedy="Let it end later, or begin earlier; both are counted from now.",
        )


def check_description(description: str) -> str:
    """Return `description` when it is a note, not a book."""
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise BadInputError(
            f"The description has more than {MAX_DESCRIPTION_CHARS} characters.",
            remedy="Shorten it; the package's README has room for more.",
        )
    return description


def check_max_downloads(value: int | None) -> int | None:
    """Return the maximum of hand-outs when it is one."""
    if value is not None and not 1 <= value <= MAX_DOWNLOADS:
        raise BadInputError(
            f"The maximum of downloads is {value}.",
            remedy="Give a number of 1 or more, or none for no maximum.",
        )
    return value
