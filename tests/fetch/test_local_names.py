"""Local file names: unchanged where the system takes them, distinct where it would not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError
from packager_jupyter.fetch.names import LocalNames

SEGMENTS = st.text(
    st.characters(exclude_characters="/\\", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=40,
).filter(lambda s: s not in {".", ".."})
PATHS = st.lists(st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=20)


def test_names_stay_what_they_are_where_they_can():
    names = LocalNames(is_portable=False, is_blind=False)
    for path in ("a/b.txt", "A/b.txt", "é", "a:b", "CON", "sp ace.", "-rf"):
        assert names(path) == path


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("a:b.txt", "a_b.txt"),
        ('q"uo?te', "q_uo_te"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("COM¹", "_COM¹"),
        ("conin$", "_conin$"),
        ("dir /file.", "dir_/file_"),
        ("plain/é.txt", "plain/\u00e9.txt"),
    ],
)
def test_what_windows_does_not_take_is_changed(path, local):
    assert LocalNames(is_portable=True, is_blind=False)(path) == local


def test_names_that_would_meet_are_numbered():
    names = LocalNames(is_portable=False, is_blind=True)
    assert [names(path) for path in ("Read.me", "read.me", "READ.ME", "x")] == [
        "Read.me",
        "read~2.me",
        "READ~3.ME",
        "x",
    ]


def test_a_file_never_takes_the_name_of_a_folder():
    names = LocalNames(is_portable=False, is_blind=True)
    assert [names(path) for path in ("data/x", "Data", "DATA/x", "data/X")] == [
        "data/x",
        "Data~2",
        "DATA~3/x",
        "data/X~2",
    ]


def test_numbers_do_not_make_a_name_too_long():
    names = LocalNames(is_portable=True, is_blind=True)
    chosen = [names(path) for path in ("a" * 255, "A" * 255, "\ufb2c" * 85)]  # NFC: 510 bytes
    assert len(set(chosen)) == 3
    assert all(len(name.encode()) <= 255 for name in chosen)


@pytest.mark.parametrize("is_blind", [False, True])
def test_nothing_reaches_the_folder_of_our_own_state(is_blind):
    names = LocalNames(is_portable=is_blind, is_blind=is_blind)
    paths = [".packager/got.jsonl", "_.packager/got.jsonl", ".Packager/x", ".packager"]
    chosen = [names(path) for path in paths]
    assert len(set(chosen)) == len(paths)
    assert not [name for name in chosen if name.split("/")[0].casefold() == ".packager"]
    assert names("a/.packager") == "a/.packager"


@settings(deadline=None)
@given(PATHS)
def test_no_two_paths_share_a_name_and_none_leaves_the_folder(paths):
    names = LocalNames(is_portable=True, is_blind=True)
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
        LocalNames(is_portable=False, is_blind=False)(path)
