"""Audiences: how they are written, whom they admit, what a host that cannot check refuses."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.shares.audience import (
    KINDS,
    WITHOUT_HOST,
    Visitor,
    parse_audience,
    read_audience,
)

ANN = Visitor("ann")
BOB = Visitor("bob", frozenset({"staff"}))


@pytest.mark.parametrize(
    ("texts", "nobody", "ann", "bob"),
    [
        ([], True, True, True),
        (["anyone"], True, True, True),
        (["signed-in"], False, True, True),
        (["user:ann"], False, True, False),
        (["user:Ann"], False, False, False),
        (["group:staff"], False, False, True),
        (["group:bob"], False, False, False),
        (["user:ann", "group:staff"], False, True, True),
        (["user:a:b"], False, False, False),
    ],
)
def test_who_is_admitted(texts, nobody, ann, bob):
    audience = read_audience(parse_audience(texts).to_record())
    assert audience == parse_audience(reversed(texts))
    assert parse_audience(audience.texts()) == audience
    assert [audience.admits(one) for one in (None, ANN, BOB)] == [nobody, ann, bob]


@pytest.mark.parametrize(
    "texts",
    [
        ["everyone"],
        ["user"],
        ["user:"],
        ["signed-in:x"],
        ["anyone", "user:ann"],
        ["signed-in", "group:staff"],
        ["user:a\nb"],
        ["user:" + "x" * 300],
        [f"user:{number}" for number in range(201)],
        ["role:x"],
    ],
)
def test_what_is_no_audience(texts):
    with pytest.raises(BadInputError):
        parse_audience(texts)


def test_a_host_promises_only_what_it_can_check():
    everything = [["signed-in"], ["user:ann"], ["group:staff"]]
    for texts in everything:
        parse_audience(texts).check_host(KINDS)
        with pytest.raises(BadInputError, match="cannot be made here"):
            parse_audience(texts).check_host(frozenset())
    parse_audience([]).check_host(frozenset())
    with pytest.raises(BadInputError, match="JupyterHub"):
        parse_audience(["group:staff"]).check_host(WITHOUT_HOST)
