"""Shell patterns over package paths and keys, with one meaning everywhere.

``*`` and ``?`` stay within one segment, ``[abc]`` and ``[!abc]`` are classes, and a segment ``**``
stands for any number of segments. A pattern without ``/`` is matched against the last segment, one
with ``/`` against the whole relative path. Upper and lower case differ, as in a shell.

Patterns come from strangers too, so matching never goes back further than the last star: every
star but the last of a segment becomes an atomic group, and ``**`` is matched segment by segment.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_PATTERN_LENGTH = 1024
_SPECIAL = frozenset("*?[")
_TOKEN = re.compile(r"\*+|\?|\[(?:[!^].|[^!^])[^\]]*\]|.", re.DOTALL)
_ANY = None
"""Stands for ``**`` in a compiled pattern."""


def is_glob(text: str) -> bool:
    """Return whether `text` holds a pattern character, so that it is no plain substring."""
    return not _SPECIAL.isdisjoint(text)


def glob_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test of relative paths for one pattern.

    Raises
    ------
    BadInputError
        The pattern is empty, longer than 1,024 characters, or holds a backward range.
    """
    if not pattern or len(pattern) > MAX_PATTERN_LENGTH:
        raise BadInputError(
            f"{shown(pattern)} is no pattern.",
            remedy="Give a pattern such as '*.tif' or 'images/**/*.tif', at most "
            f"{MAX_PATTERN_LENGTH} characters.",
        )
    if "/" not in pattern:
        name = segment_regex(pattern)
        return lambda path: name.fullmatch(path.rpartition("/")[2]) is not None
    segments = [_ANY if part == "**" else segment_regex(part) for part in pattern.split("/")]
    return lambda path: _match_segments(segments, path.split("/"))


def path_filter(include: Iterable[str], exclude: Iterable[str]) -> Callable[[str], bool] | None:
    """Return a test of relative paths, or None when everything passes.

    A path passes when it matches one `include` pattern, or there is none, and no `exclude` pattern.
    """
    wanted = [glob_matcher(pattern) for pattern in include]
    unwanted = [glob_matcher(pattern) for pattern in exclude]
    if not wanted and not unwanted:
        return None

    def passes(path: str) -> bool:
        if wanted and not any(matches(path) for matches in wanted):
            return False
        return not any(matches(path) for matches in unwanted)

    return passes


def segment_regex(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of one segment's pattern, for ``fullmatch``."""
    tokens = _TOKEN.findall(pattern)
    stars = [number for number, token in enumerate(tokens) if token.startswith("*")]
    if not stars:
        return re.compile("".join(map(_literal, tokens)))
    out = ["".join(map(_literal, tokens[: stars[0]]))]
    for star, next_star in pairwise(stars):
        # The leftmost place is as good as any later one, because another star follows.
        out.append(f"(?>[^/]*?{''.join(map(_literal, tokens[star + 1 : next_star]))})")
    out.append(f"[^/]*{''.join(map(_literal, tokens[stars[-1] + 1 :]))}")
    return re.compile("".join(out))


def _literal(part: str) -> str:
    if part == "?":
        return "[^/]"
    if part.startswith("[") and len(part) > 1:
        return _character_class(part[1:-1])
    return re.escape(part)


def _character_class(body: str) -> str:
    negated = body[0] in {"!", "^"}
    if negated:
        body = body[1:]
    if any(low > high for low, high in re.findall(r"(.)-(.)", body, re.DOTALL)):
        raise BadInputError(
            f"The range in {shown(f'[{body}]')} runs backwards.",
            remedy="Write the smaller character first, for example '[a-z]'.",
        )
    safe = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    return f"(?!/)[{'^' if negated else ''}{safe}]"


def _match_segments(pattern: list[re.Pattern[str] | None], segments: list[str]) -> bool:
    """Match with one step back at a time: only to the last ``**``, which takes one more segment."""
    at = position = 0
    last_any = restart = -1
    while position < len(segments):
        wanted = pattern[at] if at < len(pattern) else None
        if at < len(pattern) and wanted is _ANY:
            last_any, restart = at, position
            at += 1
        elif wanted is not None and wanted.fullmatch(segments[position]):
            at += 1
            position += 1
        elif last_any >= 0:
            restart += 1
            at, position = last_any + 1, restart
        else:
            return False
    return all(part is _ANY for part in pattern[at:])
