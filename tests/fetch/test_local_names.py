"""Local file names: unchanged where the system takes them, distinct where it would not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError
from packager_jupyter.fetch.items import LocalNames

SEGMENTS = st.text(
    st.characters(exclude_characters="/\\", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=40,
).filter(lambda s: s not in {".", ".."})
PATHS = st.lists(st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=20)


def test_names_stay_what_they_are_where_they_can():
    names = LocalNames(is_portable=False, is_case_blind=False)
    for path in ("a/b.txt", "A/b.txt", "é", "a:b", "CON", "sp ace.", "-rf"):
        assert names(path) == path


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("a:b.txt", "a_b.txt"),
        ('q"uo?te', "q_uo_te"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("dir /file.", "dir_/file_"),
        ("plain/é.txt", "plain/\u00e9.txt"),
    ],
)
def test_what_windows_does_not_take_is_changed(path, local):
    assert LocalNames(is_portable=True, is_case_blind=False)(path) == local


def test_names_that_would_meet_are_numbered():
    names = LocalNames(is_portable=False, is_case_blind=True)
    assert [names(path) for path in ("Read.me", "read.me", "READ.ME", "x")] == [
        "Read.me",
        "read~2.me",
        "READ~3.ME",
        "x",
    ]


@given(PATHS)
def test_no_two_paths_share_a_name_and_none_leaves_the_folder(paths):
    names = LocalNames(is_portable=True, is_case_blind=True)
    try:
        chosen = [names(path) for path in paths]
    except BadInputError:
        return  # a path that no package can have
    assert len({name.casefold() for name in chosen}) == len(chosen)
    for name in chosen:
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert all(len(part.encode()) <= 255 for part in parts)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", "", "a//b", "a\0b"])
def test_a_hostile_path_is_refused(path):
    with pytest.raises(BadInputError):
        LocalNames(is_portable=False, is_case_blind=False)(path)
