import re
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import (
    are_plain_names,
    check_package_name,
    check_path,
    check_version,
    folder_runs,
    is_plain_name,
    is_plain_path,
    join_path,
    path_for_key,
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(["", ".", "..", "a", "b.csv", "\n", "\\", "~0123456789abcdef", "é", "e\u0301"]),
    max_size=8,
).map("/".join)


@pytest.mark.parametrize("name", ["a", "ocean-2024", "team/ocean.v2", "a__b", "x---y", "0"])
def test_package_names_that_are_taken(name):
    assert check_package_name(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "only lower-case"),
        ("Ocean", "only lower-case"),
        ("a b", "only lower-case"),
        ("../x", "only lower-case"),
        ("a/..", "only lower-case"),
        ("a//b", "more than one '/'"),
        ("a/b/c", "more than one '/'"),
        ("a/", "only lower-case"),
        ("a\n", "only lower-case"),
        ("-a", "only lower-case"),
        ("a___b", "only lower-case"),
        ("é", "only lower-case"),
        ("a" * 129, "129 characters"),
    ],
)
def test_package_names_that_are_refused(name, words):
    with pytest.raises(BadInputError, match=re.escape(words)) as caught:
        check_package_name(name)
    assert caught.value.remedy


@pytest.mark.parametrize("version", ["1", "2024.1", "v1_0-rc.1", "A" * 128])
def test_versions_that_are_taken(version):
    assert check_version(version) == version


@pytest.mark.parametrize("version", ["", "latest", "_x", ".1", "-1", "a/b", "1\n", "A" * 129, "é"])
def test_versions_that_are_refused(version):
    with pytest.raises(BadInputError):
        check_version(version)


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.csv", ".hidden/x", "a b/é", "...", "a..b", "~", "x" * 255, "y" * 255 + "/z", "%2E"],
)
def test_paths_that_are_taken(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "empty"),
        ("/a", "begins with"),
        ("a/", "ends with"),
        ("a//b", "empty segment"),
        ("a/./b", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("a/../b", "'.' or '..'"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        ("a\x85b", "control"),
        ("a\x7f", "control"),
        ("a\\b", "backslash"),
        ("a\ud800", "Unicode"),
        ("é" * 128, "more than 255 bytes"),
        ("ab/" * 342 + "c", "more than 1,024 bytes"),
    ],
)
def test_paths_that_are_refused_say_which_rule(path, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        check_path(path)
    assert not is_plain_path(path)


@given(KEYS)
@example("a/../b")
@example("//x")
@example("trail/")
@example("x" * 1024)
@example("/" * 1024)
@example("../../etc/passwd")
def test_every_key_gets_a_valid_path(key):
    path = path_for_key(key)
    assert check_path(path) == path
    if is_plain_path(key) and all(is_plain_name(part) for part in key.split("/")):
        assert path == key


@given(KEYS, KEYS)
@example("a//b", "a/_~e3b0c44298fc1c14/b")
def test_two_keys_never_share_a_path(one, other):
    if one != other:
        assert path_for_key(one) != path_for_key(other)


@given(KEYS)
def test_a_stand_in_is_not_mistaken_for_a_key_of_that_spelling(key):
    path = path_for_key(key)
    if path != key:
        assert path_for_key(path) != path


def test_stand_ins_are_readable_and_keep_the_ending():
    assert path_for_key("a/../b") == "a/__~fa08499e14d0113b/b"
    assert path_for_key("..") == "__~5ec1f7e700f37c3d"
    assert re.fullmatch(r"notes_of_monday~[0-9a-f]{16}\.csv", path_for_key("notes\nof\\monday.csv"))
    assert re.fullmatch(r"x+~[0-9a-f]{16}\.tif", path_for_key("x" * 300 + ".tif"))


def test_a_key_that_is_no_text_is_refused_by_name():
    with pytest.raises(BadInputError, match="dc80"):
        path_for_key("file\udc80.csv")


def test_joining_checks_the_whole():
    assert join_path("", "a") == "a"
    assert join_path("x/y", "a") == "x/y/a"
    with pytest.raises(BadInputError, match="bytes"):
        join_path("x" * 255 + "/" + "y" * 255, "z" * 255 + "/" + "z" * 255 + "/abc")


@given(
    st.lists(
        st.text("aZ0.~/\\\n\x7fé", max_size=4) | st.sampled_from(["x" * 256, "a~0123456789abcdef"]),
        max_size=4,
    )
)
def test_many_names_are_checked_as_one_is(names):
    assert are_plain_names(names) == all(is_plain_name(name) for name in names)


@given(st.text(max_size=40))
def test_the_fast_check_agrees_with_the_slow_one(name):
    try:
        check_path(name)
        is_valid = True
    except BadInputError:
        is_valid = False
    assert is_plain_path(name) == is_valid
    if is_plain_name(name):
        assert is_valid
        assert "/" not in name


@given(st.lists(KEYS, max_size=8))
@example(["a/b", "a/c"])
@example(["a/b", "x", "a/c"])
@example(["a/b", "a/c/d", "a/e"])
@example(["a/b\na/c", "a/d"])
@example(["a/b", "a\n/c", "a/d"])
def test_runs_of_one_folder_are_those_of_each_path(paths):
    folders = [path[: path.rfind("/") + 1] for path in paths]

    runs = list(folder_runs(paths))

    assert [prefix for prefix, _ in runs] == [prefix for prefix, _ in groupby(folders)]
    assert [prefix + name for prefix, names in runs for name in names] == paths
