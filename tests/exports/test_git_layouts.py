"""The layouts of DVC and Git LFS, and the file that differs between visitors."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest
import yaml

from exports.test_git_repos import FIRST, SECOND, Contents, git
from packager_jupyter.exports.git.base import Snapshot
from packager_jupyter.exports.git.dvc import DvcLayout, import_file, yaml_text
from packager_jupyter.exports.git.lfs import attributes
from packager_jupyter.exports.git.overlay import make_overlay, remove_overlay, write_overlay
from packager_jupyter.exports.git.repos import GitRepos
from packager_jupyter.packages.pointer import Pointer

SECRET = "https://data.example.org/s/token~capability/"
LAYOUT = DvcLayout()


def made(tmp_path, *chain):
    return GitRepos(tmp_path / "cache").repo("dvc", list(chain))


def names(folder, ref="main"):
    return git(folder, "ls-tree", "-r", "-z", "--name-only", ref).split("\0")[:-1]


def test_the_address_is_in_what_a_visitor_gets_and_nowhere_else(tmp_path):
    repo = made(tmp_path, FIRST, SECOND)
    config = LAYOUT.config(SECRET, is_open=True)
    overlay = make_overlay(repo, LAYOUT.overlaid, config)
    assert "capability" not in repr(overlay)
    place = write_overlay(repo, overlay)
    try:
        assert git(place, "show", "main:.dvc/config").encode() == config
        assert git(place, "show", "main~1:.dvc/config").encode() == config
        assert git(place, "log", "--format=%s").split("\n")[:-1] == ["ocean 2", "ocean 1"]
        assert names(place) == names(repo.git_dir)
        subprocess.run(["git", f"--git-dir={place}", "fsck", "--strict", "--full"], check=True)
    finally:
        remove_overlay(place)
    assert not place.exists()
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not any(b"capability" in data for data in kept)
    assert git(repo.git_dir, "show", "main:.dvc/config") == ""
    # One address gives the same commits every time, another gives others.
    assert make_overlay(repo, LAYOUT.overlaid, config).tip == overlay.tip
    other = LAYOUT.config("https://elsewhere.example.org/s/x/", is_open=True)
    assert make_overlay(repo, LAYOUT.overlaid, other).tip != overlay.tip


def test_an_entry_is_found_whatever_the_names_before_it(tmp_path):
    notes = {"00000 .dv": b"a", "100644 config": b"b", "README.md": b"c"}
    repo = made(tmp_path, Snapshot(Contents(["a"], notes=notes), 1))
    place = write_overlay(repo, make_overlay(repo, LAYOUT.overlaid, b"new"))
    assert git(place, "show", "main:.dvc/config") == "new"
    assert git(place, "show", "main:100644 config") == "b"
    remove_overlay(place)


def test_the_list_is_the_one_that_dvc_would_write(tmp_path):
    paths = ["z", "a b", "é/x", "日本/データ", 'q"q', "a/b", "A", "unknown/c", "\U0001f600"]
    repo = made(tmp_path, Snapshot(Contents(paths), 1))
    output = yaml.safe_load(git(repo.git_dir, "show", "main:data.dvc"))["outs"][0]
    text = (repo.folder / "objects" / output["md5"]).read_text()
    entries = [
        {"md5": hashlib.md5(path.encode()).hexdigest(), "relpath": path}
        for path in sorted(paths)
        if not path.startswith("unknown")
    ]
    assert text == json.dumps(entries, sort_keys=True)
    assert output["md5"] == hashlib.md5(text.encode()).hexdigest() + ".dir"
    assert (output["nfiles"], output["size"]) == (8, 40)


def test_folders_of_dvc_are_none_of_the_package(tmp_path):
    notes = {"data/x.md": b"", "unhashed": b"", "dvc.yaml": b"stages: {}", "x.dvc": b"outs: []"}
    contents = Contents(["a", "s/.dvc/config", "s/.DvcIgnore", "s/.git/config"], notes=notes)
    repo = made(tmp_path, Snapshot(contents, 1))
    found = names(repo.git_dir)
    assert "data-2.dvc" in found
    assert not {"dvc.yaml", "x.dvc"} & set(found)
    left_out = git(repo.git_dir, "show", "main:LEFT-OUT.txt")
    for path in ("dvc.yaml", "x.dvc", "s/.dvc/config", "s/.DvcIgnore", "s/.git/config"):
        assert json.dumps(path) in left_out


@pytest.mark.parametrize(
    "text", ['"', "\\", "a: b #c", "\u2028", "é", "\U0001f600", "\ufeff", "- x"]
)
def test_text_in_yaml(text):
    assert yaml.safe_load(f"a: {yaml_text(text)}") == {"a": text}
    pointer = Pointer(f"d/{text}", "lake", "k", "s3://b/k", 5, None, "tag-2")
    read = yaml.safe_load(import_file(pointer))
    assert read["outs"][0]["path"] == text
    assert read["deps"][0]["checksum"] == '"tag-2"'


@pytest.mark.parametrize("name", ["a*b", "a[b]c", 'q"q', "a b", "-x", "#x", "!x", "a?b"])
def test_attributes_mean_one_file(name, tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_bytes(attributes([name]))
    others = ["aXb", "abc", "x", "sub/" + name]
    command = ["git", "check-attr", "-z", "filter", "--", name, *others]
    asked = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    fields = asked.stdout.decode().split("\0")[:-1]
    values = dict(zip(fields[0::3], fields[2::3], strict=True))
    assert values == {name: "unspecified", **dict.fromkeys(others, "lfs")}
