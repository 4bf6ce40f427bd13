"""Scopes of registry tokens: exactly what they name, and nothing else."""

from __future__ import annotations

import itertools

import pytest

from packager_jupyter.errors import BadInputError
from packager_jupyter.shares.scopes import is_allowed, is_repository_allowed, parse_scope


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


REPOSITORIES = (
    "packages/climate",
    "packages/lab/climate",
    "packages2/x",
    "pypi/main/demo",
    "hello",
)


def repositories(scope, action):
    parsed = [parse_scope(scope)]
    return [one for one in REPOSITORIES if is_repository_allowed(parsed, one, action=action)]


@pytest.mark.parametrize(
    ("scope", "action", "allowed"),
    [
        ("oci/packages/*:read", "read", ["packages/climate", "packages/lab/climate"]),
        ("oci/packages/climate:read", "read", ["packages/climate"]),
        ("oci/packages:read", "read", []),
        ("oci/hello:publish", "publish", ["hello"]),
        ("oci/hello:publish", "read", ["hello"]),
        ("oci/hello:publish", "delete", []),
        ("oci/hello:delete", "read", []),
        ("oci/*:delete", "delete", list(REPOSITORIES)),
        ("*/*:read", "read", []),
        ("*/*/*:publish", "publish", []),
        ("pypi/main:publish", "read", []),
    ],
)
def test_repositories_are_reached_with_scopes_of_their_own(scope, action, allowed):
    assert repositories(scope, action) == allowed


def test_a_scope_of_repositories_opens_no_feed():
    for ecosystem, feed in (("pypi", "main"), ("terraform", "main")):
        assert not allows("oci/*:read", ecosystem, feed, "demo", "read")
        assert not allows(f"oci/{ecosystem}/{feed}/*:read", ecosystem, feed, "demo", "read")


@pytest.mark.parametrize("text", ["oci/:read", "oci/Hello:read", "oci/a[bc]:read", "oci/*:own"])
def test_what_is_no_scope_of_repositories_is_refused(text):
    with pytest.raises(BadInputError, match="scope"):
        parse_scope(text)
