"""Strict reading of JSON bodies: what RFC 8259 leaves open is refused, not guessed.

Duplicate names, ``NaN`` and ``Infinity``, numbers too large for a double, unpaired surrogates and
deep nesting are errors with a sentence each, because two readers could understand them differently.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from packager_jupyter.errors import BadInputError

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REMEDY = "Send one JSON object in UTF-8, as RFC 8259 describes it."


def parse_json(body: bytes) -> Any:
    """Return the JSON value in `body`.

    Raises
    ------
    BadInputError
        When the body is empty, not UTF-8, not JSON, nested deeper than `MAX_DEPTH`, or holds a
        duplicate name, a number that is not finite, or an unpaired surrogate.
    """
    if not body.strip():
        raise _bad("The request has no body.")
    _check_depth(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(f"The body is not UTF-8: byte {error.start} does not fit.") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise _bad(
            f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise _bad("The body holds a number that is too long.") from error
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _bad(message: str) -> BadInputError:
    return BadInputError(message, remedy=_REMEDY)


def _check_depth(body: bytes) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _bad(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise _bad(f"The body names {_shown(twice)} twice in one object.")
    return result


def _refuse_constant(constant: str) -> NoReturn:
    raise _bad(f"The body holds {constant}, which is no JSON number.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _bad("The body holds a number that is too large.")
    return number


def _check_surrogates(value: Any) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str) and _SURROGATE.search(item):
            raise _bad("The body holds half of a surrogate pair, which is no character.")
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _shown(name: str) -> str:
    return ascii(name[:40])
