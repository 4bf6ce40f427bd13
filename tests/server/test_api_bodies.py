"""Request bodies: strict JSON, and shapes that say which field is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.api.models import Range, SchemaBook, read
from packager_jupyter.errors import BadInputError
from packager_jupyter.server.strict_json import MAX_DEPTH, parse_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_json_writes_is_read_back(value):
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no body"),
        (b"  \n", "no body"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        (b'{"x": {"a": 1, "a": 1}}', "'a' twice"),
        (rb'{"a": "\ud800"}', "surrogate"),
        (rb'{"\udc00": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper"),
        (b"[" * 1_000_000, "deeper"),
        (b'{"a":' * 100_000, "deeper"),
        (b'"' + b"[" * 100_000, "deeper"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(body, word):
    with pytest.raises(BadInputError, match=word) as caught:
        parse_json(body)
    assert caught.value.remedy


def test_brackets_in_strings_have_no_depth():
    text = "[" * 500 + '\\"'
    assert parse_json(json.dumps({"a": text}).encode()) == {"a": text}
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None


@dataclass
class Inner:
    """Inside."""

    word: str = ""


@dataclass
class Sample:
    """A body."""

    name: str
    ttl_s: Annotated[int, Range(60, 600), "Seconds."] = 60
    keys: list[str] = field(default_factory=list)
    kind: Literal["a", "b"] = "a"
    secret: dict[str, str] | None = None
    is_on: bool = False
    inner: Inner | None = None


def test_a_body_becomes_its_dataclass():
    sample = read(
        Sample, {"name": "x", "keys": ["k"], "secret": {"A": "B"}, "inner": {"word": "w"}}
    )
    assert sample == Sample("x", keys=["k"], secret={"A": "B"}, inner=Inner("w"))
    assert read(Sample, {"name": "x", "secret": None}).secret is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "must be an object, not a list"),
        ("x", "must be an object, not a string"),
        ({}, "'name' is missing"),
        ({"name": 1}, "'name' must be a string, not a whole number"),
        ({"name": None}, "'name' must be a string, not null"),
        ({"name": "x", "ttl_s": "60"}, "'ttl_s' must be a whole number, not a string"),
        ({"name": "x", "ttl_s": True}, "not true or false"),
        ({"name": "x", "ttl_s": 60.0}, "not a number"),
        ({"name": "x", "ttl_s": 59}, "59, but must be a whole number from 60 up to 600"),
        ({"name": "x", "keys": "k"}, "'keys' must be a list, not a string"),
        ({"name": "x", "keys": ["k", 2]}, r"'keys\[1\]' must be a string"),
        ({"name": "x", "kind": "c"}, "'kind' must be one of 'a', 'b'"),
        ({"name": "x", "secret": {"A": 1}}, "'secret.A' must be a string"),
        ({"name": "x", "is_on": 1}, "'is_on' must be true or false"),
        ({"name": "x", "inner": {"word": 3}}, "'inner.word' must be a string"),
        ({"name": "x", "nmae": 1}, "no field 'nmae'"),
    ],
)
def test_a_wrong_field_is_named(body, words):
    with pytest.raises(BadInputError, match=words) as caught:
        read(Sample, body)
    assert caught.value.remedy


def test_a_value_never_stands_in_the_message():
    with pytest.raises(BadInputError) as caught:
        read(Sample, {"name": "x", "secret": {"AWS_SECRET_ACCESS_KEY": ["hunter2hunter2"]}})
    assert "hunter2" not in str(caught.value)


class Shown(TypedDict):
    """An answer."""

    id: Annotated[str, "The id."]
    inner: NotRequired[Inner | None]


def test_schemas_say_what_is_required():
    book = SchemaBook()
    book.ref(Sample)
    book.ref(Shown)
    assert book.schemas["Sample"]["required"] == ["name"]
    assert book.schemas["Sample"]["properties"]["ttl_s"] == {
        "type": "integer",
        "minimum": 60,
        "maximum": 600,
        "description": "Seconds.",
    }
    assert book.schemas["Shown"]["required"] == ["id"]
    assert book.schemas["Shown"]["properties"]["inner"] == {
        "anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]
    }
