import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.globs import glob_matcher, is_glob, path_filter


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("*.tif", "a/b/one.tif", True),
        ("*.tif", "a/one.tiff", False),
        ("a/*.tif", "a/one.tif", True),
        ("a/*.tif", "a/b/one.tif", False),
        ("a/**/*.tif", "a/one.tif", True),
        ("a/**/*.tif", "a/b/c/one.tif", True),
        ("**/b/*", "a/b/c", True),
        ("**/b/*", "b/c", True),
        ("a/**", "a/b/c", True),
        ("a/**", "b/a/c", False),
        ("a/**/c/**/e", "a/c/b/c/d/e", True),
        ("a/**/c/**/e", "a/b/d/e", False),
        ("?.txt", "a/x.txt", True),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[!a-c]x", "dx", True),
        ("[]]x", "]x", True),
        ("[x", "[x", True),
        ("[!]", "[!]", True),
        ("[!]", "a", False),
        ("[!]]x", "ax", True),
        ("a.b", "axb", False),
        ("*.TIF", "one.tif", False),
        ("*\n*", "a\nb", True),
    ],
)
def test_patterns(pattern, path, is_match):
    assert glob_matcher(pattern)(path) is is_match


@given(
    st.text("ab*?[]!-.", min_size=1, max_size=8).filter(lambda text: "**" not in text),
    st.text("ab.-", min_size=1, max_size=8),
)
def test_one_segment_agrees_with_fnmatch(pattern, name):
    try:
        found = glob_matcher(pattern)(name)
    except BadInputError:
        return  # fnmatch takes a backward range as one that never matches
    assert found == fnmatch.fnmatchcase(name, pattern)


def test_a_hostile_pattern_costs_nothing():
    matches = glob_matcher("*a" * 60 + "b")
    deep = glob_matcher("**/a/" * 60 + "b")
    started = time.process_time()
    assert not matches("a" * 250)
    assert not deep("a/" * 400 + "c")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", ["", "x" * 1025, "[b-a]"])
def test_bad_patterns(pattern):
    with pytest.raises(BadInputError):
        glob_matcher(pattern)


def test_include_and_exclude():
    assert path_filter([], []) is None
    passes = path_filter(["*.csv", "docs/**"], ["tmp/**"])
    assert passes is not None
    assert [path for path in ("a.csv", "docs/x/y", "a.txt", "tmp/a.csv") if passes(path)] == [
        "a.csv",
        "docs/x/y",
    ]
    assert is_glob("*.csv")
    assert not is_glob("2024")
