"""A version as a repository of the Hugging Face hub: complete, each folder once, told apart."""

from __future__ import annotations

import json

import pytest

from exports.contents import PATHS, Contents, pointer
from packager_jupyter.exports import huggingface as hf
from packager_jupyter.exports.base import Place

PLACE = Place("https://data.example.org/s/abc/", 1_700_000_000)
SHA256 = "e" * 64


def tree(contents, **options):
    options = {"folder": "", "is_deep": True} | options
    return json.loads(b"".join(hf.tree(contents, PLACE, **options)))


@pytest.fixture
def contents():
    paths = [*PATHS, "deep/a/b/c.txt", "deep/a/d.txt", "deep/a-b", "img/x.png"]
    return Contents(
        [pointer(path, sha256=SHA256) for path in paths],
        {"README.md": b"# x", "deep/a/note.md": b"", "img/y.md": b""},
    )


def test_the_tree_names_every_file_and_each_folder_once(contents):
    entries = tree(contents)
    files = [one["path"] for one in entries if one["type"] == "file"]
    folders = [one["path"] for one in entries if one["type"] == "directory"]
    expected = {one.path for one in contents.iter_pointers()}
    expected |= {one.path for one in contents.attachments()}
    assert sorted(files) == sorted(expected)
    assert sorted(folders) == sorted({"deep", "deep/a", "deep/a/b", "img", "a", "日本"} | parents())


def parents():
    return {path.rpartition("/")[0] for path in PATHS if path.count("/") == 1}


def test_one_level_is_one_level(contents):
    entries = {one["path"]: one["type"] for one in tree(contents, folder="deep", is_deep=False)}
    assert entries == {"deep/a": "directory", "deep/a-b": "file"}
    assert tree(contents, folder="deep/a/b", is_deep=False)[0]["path"] == "deep/a/b/c.txt"


def test_a_file_has_what_clients_read(contents):
    found = {one["path"]: one for one in tree(contents)}
    assert found["img/x.png"]["lfs"] == {"oid": SHA256, "size": 5, "pointerSize": 134}
    assert found["img/x.png"]["lastCommit"]["id"] == hf.commit_of(contents.digest)
    # As `git hash-object` says of an empty file.
    assert found["img/y.md"]["oid"] == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_nothing_is_an_empty_list():
    assert tree(Contents()) == []


def test_the_tag_of_a_file_follows_the_object():
    one = pointer("a")
    others = [
        one._replace(etag="x"),
        one._replace(version_id="2"),
        one._replace(size_bytes=6),
        one._replace(modified_s=1),
        one._replace(key="b"),
        one._replace(source="pond"),
    ]
    tags = [hf.etag_of(each) for each in (one, *others)]
    assert len(set(tags)) == len(tags)
    assert hf.etag_of(one._replace(path="other")) == tags[0]
    assert hf.etag_of(pointer("a", sha256=SHA256)) == SHA256


def test_revisions(contents):
    commit = hf.commit_of(contents.digest)
    assert len(commit) == 40
    names = ("main", commit, "3", "latest", "refs/pr/1", "")
    assert [hf.is_revision(contents, name) for name in names] == [True] * 3 + [False] * 3


def test_files_are_named_only_where_they_are_few(contents):
    def info(*, with_files):
        return json.loads(b"".join(hf.info(contents, PLACE, with_files=with_files)))

    names = {one["rfilename"] for one in info(with_files=True)["siblings"]}
    assert {"README.md", "img/x.png"} < names
    assert "siblings" not in info(with_files=False)
