"""Comparing a package with what the storage holds now."""

from __future__ import annotations

import pytest

from packager_jupyter.errors import SourceNotFoundError, StorageDeniedError
from packager_jupyter.packages import present
from packager_jupyter.packages.present import storage_changes

MD5 = "0123456789abcdef0123456789abcdef"


def found(draft, packages):
    return [
        (change.kind, change.path, change.old.path if change.old else None)
        for change in storage_changes(draft, packages._sources.open)
    ]


def test_nothing_changed(draft, packages, source):
    source.put("top", *(f"a/{n}" for n in range(9)))
    draft.add("demo", [""])
    assert found(draft, packages) == []


def test_each_kind_of_change_in_the_order_of_paths(draft, packages, source):
    source.put("a/changed", "a/gone", "a/old", "a/same", "a/touched", etag=None)
    source.put("a/old", etag=MD5, size=7)
    draft.add("demo", ["a/"], to="in")
    source.put("a/changed", etag=None, size=2)
    source.put("a/touched", etag=None, modified_s=1_800_000_000)
    source.put("a/deep/new", "b/elsewhere")
    source.put("a/z", etag=MD5, size=7)
    del source.entries["a/gone"], source.entries["a/old"]
    assert found(draft, packages) == [
        ("changed", "in/a/changed", "in/a/changed"),
        ("added", "in/a/deep/new", None),
        ("removed", "in/a/gone", "in/a/gone"),
        ("changed", "in/a/touched", "in/a/touched"),
        ("renamed", "in/a/z", "in/a/old"),
    ]


def test_the_same_size_alone_is_no_renaming(draft, packages, source):
    source.put("a/keep", "a/old")
    draft.add("demo", ["a/"])
    source.put("a/new")
    del source.entries["a/old"]
    assert [kind for kind, *_ in found(draft, packages)] == ["added", "removed"]


def test_two_objects_of_one_content_are_renamed_once_each(draft, packages, source):
    source.put("a/1", "a/2", "a/keep", etag=MD5)
    draft.add("demo", ["a/"])
    source.put("a/3", "a/4", "a/5", etag=MD5)
    del source.entries["a/1"], source.entries["a/2"]
    assert found(draft, packages) == [
        ("added", "a/5", None),
        ("renamed", "a/3", "a/1"),
        ("renamed", "a/4", "a/2"),
    ]


def test_only_folders_that_files_came_from_are_looked_into(draft, packages, source):
    source.put("a/1/x", "a/2/x", "b/1/x", "c")
    draft.add("demo", ["a/1/", "a/2/"], to="in")
    source.put("a/3/new", "b/1/new", "d/new")
    assert found(draft, packages) == [("added", "in/3/new", None)]


def test_one_folder_says_nothing_of_the_folder_above(draft, packages, source):
    source.put("a/1/x", "a/2/x")
    draft.add("demo", ["a/1/"])
    source.put("a/1/sub/new", "a/2/new")
    assert found(draft, packages) == [("added", "1/sub/new", None)]


def test_a_file_of_another_name_is_asked_for_alone(draft, packages, source, monkeypatch):
    source.put("a/1", "a/2")
    draft.add("demo", ["a/1"], rename="best")
    source.put("a/3")
    walked = []
    monkeypatch.setattr(source, "walk", lambda prefix="": walked.append(prefix) or iter(()))
    source.stats.clear()
    assert found(draft, packages) == []
    assert (walked, source.stats) == ([], ["a/1"])
    del source.entries["a/1"]
    assert found(draft, packages) == [("removed", "best", "best")]


@pytest.mark.parametrize("limit", ["MAX_ROOTS", "MAX_SINGLE"])
def test_very_many_places_are_listed_together(draft, packages, source, limit, monkeypatch):
    names = [f"{n}/{n}" for n in range(5)]
    source.put(*names, "9/unrelated")
    for name in names:
        draft.add("demo", [name], rename=f"renamed/{name.replace('/', '-')}")
    draft.add("demo", ["0/0"])
    monkeypatch.setattr(present, limit, 0)
    source.stats.clear()
    assert found(draft, packages) == []
    assert source.stats == []
    del source.entries["3/3"]
    source.put("0/new", "3/new")
    assert found(draft, packages) == [
        ("added", "new", None),
        ("removed", "renamed/3-3", "renamed/3-3"),
    ]


def test_keys_that_are_no_paths_get_the_path_that_adding_gives(draft, packages, source):
    source.put("a/x", "a/../y")
    draft.add("demo", ["a/"])
    source.put("a//new", "a/../z\n")
    wanted = {path for _, path, _ in found(draft, packages)}
    draft.add("demo", ["a/"])
    assert len(wanted) == 2
    assert wanted < {pointer.path for pointer in draft.iter_pointers()}
    assert found(draft, packages) == []


def test_a_storage_that_cannot_be_listed_whole_gives_no_comparison(draft, packages, source):
    source.put(*(f"a/{n}" for n in range(9)))
    draft.add("demo", ["a/"])
    source.fail_after = 1
    source.error = StorageDeniedError("No.", remedy="Ask.")
    with pytest.raises(StorageDeniedError):
        found(draft, packages)
    del packages._sources.sources["demo"]
    with pytest.raises(SourceNotFoundError):
        found(draft, packages)


def test_progress_ends_it(draft, packages, source):
    source.put(*(f"a/{n}" for n in range(9)))
    draft.add("demo", ["a/"])
    told = []
    open_source = packages._sources.open
    list(storage_changes(draft, open_source, progress=lambda *done: told.append(done)))
    assert told[-1] == (9, 9)

    def stop(*_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(storage_changes(draft, open_source, progress=stop))
