"""Reading the query string: decoded exactly, checked against the table."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from packager_jupyter.server.rules import Operation, Query

MAX_PARAMETERS = 64
_MAX_DIGITS = 18  # fits everything that we count
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


def parse_query(query: str) -> dict[str, str]:
    """Return the query string, decoded as UTF-8 and otherwise untouched.

    Keys of objects may hold control characters and blanks at their ends, which Tornado's own
    ``get_argument`` strips.

    Raises
    ------
    BadInputError
        Not UTF-8, a name given twice, or more than `MAX_PARAMETERS` names.
    """
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadInputError(
            "The query of the address cannot be read.",
            remedy="Encode it as UTF-8, percent-encoded, with at most 64 parameters.",
        ) from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInputError(
            "The query of the address gives one parameter twice.",
            remedy="Give each parameter once.",
        )
    return found


def specs_of(operation: Operation | None) -> tuple[Query, ...]:
    """Return the parameters that an operation describes."""
    return operation.query if operation else ()


def typed(spec: Query, text: str | None) -> str | int | bool | None:
    """Return the value of one parameter as `spec` says; None in `text` means absent.

    Raises
    ------
    BadInputError
        Missing though required, not of its kind, below its bound, or not one of its choices.
    """
    if text is None:
        if spec.is_required:
            raise BadInputError(
                f"The query parameter {spec.name!r} is missing.",
                remedy=f"Add it to the address: {spec.doc}",
            )
        return spec.default
    if spec.kind is int:
        return _whole(spec, text)
    if spec.kind is bool:
        if text.lower() not in _BOOLEANS:
            raise _bad_value(spec, "true or false")
        return _BOOLEANS[text.lower()]
    if spec.choices and text not in spec.choices:
        raise _bad_value(spec, "one of " + ", ".join(spec.choices))
    return text


def _whole(spec: Query, text: str) -> int:
    # isdecimal alone would take digits of other scripts
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise _bad_value(spec, "a whole number")
    number = int(text)
    if spec.low is not None and number < spec.low:
        raise _bad_value(spec, f"at least {spec.low}")
    return number if spec.high is None else min(number, spec.high)


def _bad_value(spec: Query, expected: str) -> BadInputError:
    return BadInputError(
        f"The query parameter {spec.name!r} must be {expected}.", remedy=f"{spec.doc}"
    )
