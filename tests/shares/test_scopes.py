"""Scopes of registry tokens: exactly what they name, and nothing else."""

from __future__ import annotations

import itertools

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.shares.scopes import is_allowed, parse_scope


def allows(scope, ecosystem, feed, project, action):
    return is_allowed(
        [parse_scope(scope)], ecosystem=ecosystem, feed=feed, project=project, action=action
    )


def test_a_scope_allows_what_it_names_and_nothing_else():
    places = itertools.product(
        ("pypi", "terraform"), ("main", "other"), ("demo-a", "other"), ("read", "publish", "delete")
    )
    allowed = {place for place in places if allows("pypi/main/demo-*:publish", *place)}
    assert allowed == {
        ("pypi", "main", "demo-a", "publish"),
        ("pypi", "main", "demo-a", "read"),
    }


def test_without_a_project_a_scope_covers_the_feed():
    assert allows("pypi/main:read", "pypi", "main", "anything", "read")
    assert allows("pypi/main:read", "pypi", "main", None, "read")
    assert not allows("pypi/main:read", "pypi", "main", "anything", "publish")
    assert not allows("pypi/main/demo:delete", "pypi", "main", None, "delete")


def test_no_scope_allows_nothing():
    assert not is_allowed([], ecosystem="pypi", feed="main", project="demo", action="read")


@pytest.mark.parametrize(
    "text", ["", "pypi", "pypi/main", "pypi/main:own", "PYPI/main:read", "a/b/c d:read", "x" * 999]
)
def test_what_is_no_scope_is_refused(text):
    with pytest.raises(BadInputError, match="scope"):
        parse_scope(text)
