"""The shapes of the REST API: checking request bodies and describing both directions.

A request is a dataclass, a response a TypedDict; the annotations are the contract. `read` builds
the dataclass from JSON or says which field is wrong, `schema_of` gives the JSON Schema of either
for OpenAPI. ``Annotated[int, Range(60, 604800)]`` bounds a number, a string in ``Annotated`` is
the description of the field.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from packager_jupyter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Json = dict[str, Any]

REMEDY = "Correct the request; api/v1/openapi.json describes every field."
_WORDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_SCHEMAS: dict[type, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds of a number; None leaves a side open."""

    low: int | None = None
    high: int | None = None


def read(model: type[T], value: Any) -> T:
    """Build the dataclass `model` from a JSON `value`.

    Raises
    ------
    BadInputError
        Names the field and what it must be: an unknown or missing name, a wrong type, a number
        out of its range. Nothing is converted: ``"5"`` is no number.
    """
    return typing.cast("T", _read_model(model, value, "the body"))


def _read_model(model: type[Any], value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    hints = _fields(model)
    for name in value:
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise BadInputError(
                f"{where[0].upper()}{where[1:]} has no field {name[:40]!r}.",
                remedy=f"The fields are: {known}.",
            )
    fields = {}
    for spec in dataclasses.fields(model):
        name = _json_name(spec.name)
        if name in value:
            inner = name if where == "the body" else f"{where}.{name}"
            fields[spec.name] = _read_value(hints[name], value[name], inner)
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise BadInputError(f"{name!r} is missing in {where}.", remedy=REMEDY)
    return model(**fields)


def _json_name(name: str) -> str:
    """Return the name in JSON: ``from_`` and ``async_`` stand for Python's own words."""
    return name.removesuffix("_")


def _fields(model: type[Any]) -> Json:
    hints = get_type_hints(model, include_extras=True)
    return {_json_name(name): hint for name, hint in hints.items()}


def _read_value(hint: Any, value: Any, where: str) -> Any:
    reader = _READERS.get(get_origin(hint))
    if reader is not None:
        return reader(get_args(hint), value, where)
    if dataclasses.is_dataclass(hint):
        return _read_model(typing.cast("type[Any]", hint), value, where)
    # bool is an int to Python, but not to JSON.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong(where, _WORDS[hint], value)
    return value


def _read_annotated(args: tuple[Any, ...], value: Any, where: str) -> Any:
    result = _read_value(args[0], value, where)
    for limit in args[1:]:
        if isinstance(limit, Range) and result is not None:
            _check_range(limit, result, where)
    return result


def _read_literal(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in args:
        raise _wrong(where, "one of " + ", ".join(map(repr, args)), value)
    return value


def _read_list(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    return [_read_value(args[0], item, f"{where}[{at}]") for at, item in enumerate(value)]


def _read_dict(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return {key: _read_value(args[1], item, f"{where}.{key}") for key, item in value.items()}


def _read_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    others = [arg for arg in args if arg is not type(None)]
    if value is None and len(others) < len(args):
        return None
    return _read_value(others[0], value, where)


_READERS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    Annotated: _read_annotated,
    Literal: _read_literal,
    list: _read_list,
    dict: _read_dict,
    Union: _read_union,
    types.UnionType: _read_union,
}


def _check_range(limit: Range, value: int, where: str) -> None:
    if (limit.low is not None and value < limit.low) or (
        limit.high is not None and value > limit.high
    ):
        low = "" if limit.low is None else f" from {limit.low}"
        high = "" if limit.high is None else f" up to {limit.high}"
        raise BadInputError(
            f"{where!r} is {value}, but must be a whole number{low}{high}.", remedy=REMEDY
        )


def _wrong(where: str, expected: str, value: Any) -> BadInputError:
    found = _WORDS.get(type(value), "something else")
    shown = where if where == "the body" else repr(where)
    return BadInputError(
        f"{shown[0].upper()}{shown[1:]} must be {expected}, not {found}.", remedy=REMEDY
    )


class SchemaBook:
    """JSON Schemas of models, each named once and referred to by ``$ref``.

    Attributes
    ----------
    schemas : dict of str to dict
        What stands under ``components/schemas`` of the OpenAPI document.
    """

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}
        self._describers: dict[Any, Callable[[tuple[Any, ...]], Json]] = {
            Annotated: self._annotated,
            Literal: lambda args: {"enum": list(args)},
            list: lambda args: {"type": "array", "items": self.of(args[0])},
            dict: lambda args: {"type": "object", "additionalProperties": self.of(args[1])},
            Union: self._union,
            types.UnionType: self._union,
        }

    def ref(self, model: type[Any]) -> Json:
        """Return a reference to `model`, describing it on first use."""
        name = model.__name__
        if name not in self.schemas:
            self.schemas[name] = {}  # breaks the circle of a model that holds itself
            self.schemas[name] = self._describe(model)
        return {"$ref": f"#/components/schemas/{name}"}

    def _describe(self, model: type[Any]) -> Json:
        hints = _fields(model)
        if dataclasses.is_dataclass(model):
            required = [
                _json_name(spec.name)
                for spec in dataclasses.fields(model)
                if spec.default is dataclasses.MISSING
                and spec.default_factory is dataclasses.MISSING
            ]
        else:
            # __required_keys__ does not see through annotations that are strings (PEP 563).
            optional: Any = typing.NotRequired
            required = [name for name, hint in hints.items() if get_origin(hint) is not optional]
        body: Json = {
            "type": "object",
            "properties": {name: self.of(hint) for name, hint in hints.items()},
            "additionalProperties": False,
        }
        if model.__doc__:
            body["description"] = " ".join(model.__doc__.split())
        if required:
            body["required"] = required
        return body

    def of(self, hint: Any) -> Json:
        """Return the schema of one annotation."""
        origin, args = get_origin(hint), get_args(hint)
        if origin in {typing.NotRequired, typing.Required}:
            return self.of(args[0])
        describer = self._describers.get(origin)
        if describer is not None:
            return describer(args)
        if hint is Any:
            return {}
        return dict(_SCHEMAS[hint]) if hint in _SCHEMAS else self.ref(hint)

    def _union(self, args: tuple[Any, ...]) -> Json:
        return {"anyOf": [self.of(arg) for arg in args]}

    def _annotated(self, args: tuple[Any, ...]) -> Json:
        schema = self.of(args[0])
        for extra in args[1:]:
            if isinstance(extra, str):
                schema = {**schema, "description": extra}
            elif isinstance(extra, Range):
                bounds = {"minimum": extra.low, "maximum": extra.high}
                schema |= {key: value for key, value in bounds.items() if value is not None}
        return schema
