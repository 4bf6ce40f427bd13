"""Repositories made from versions: the same every time, whole or not there, and honest."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field

import pytest

from packager_jupyter.errors import DiskFullError, ToolFailedError, ToolMissingError
from packager_jupyter.exports.git import fastimport, repos
from packager_jupyter.exports.git.annex import annex_key, key_entry, mixed_folders
from packager_jupyter.exports.git.base import Snapshot
from packager_jupyter.exports.git.names import git_refusal
from packager_jupyter.exports.git.repos import GitRepos
from packager_jupyter.io import TEMP_PREFIX
from packager_jupyter.packages.pointer import Pointer


@dataclass
class Note:
    path: str
    size_bytes: int
    media_type: str | None = "text/plain"


@dataclass
class Contents:
    """A version in memory."""

    paths: list
    version: str = "1"
    name: str = "ocean"
    notes: dict = field(default_factory=lambda: {"README.md": b"# Ocean\n"})

    @property
    def digest(self):
        text = repr((self.paths, self.version, self.notes))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def attachments(self):
        return [Note(path, len(data)) for path, data in self.notes.items()]

    def read_attachment(self, path):
        return self.notes[path]

    def iter_pointers(self):
        for path in sorted(self.paths):
            digest = hashlib.md5(path.encode()).hexdigest()
            sums = {} if path.startswith("unknown") else {"md5": digest}
            yield Pointer(path, "lake", path, f"s3://b/{path}", 5, 1_700_000_000, None, None, sums)


FIRST = Snapshot(Contents(["a.csv", "d/b.csv", "unknown/c.bin"]), 1_700_000_000)
SECOND = Snapshot(Contents(["a.csv", "d/e.csv", "unknown/c.bin"], version="2"), 1_700_000_100)


def git(folder, *arguments):
    done = subprocess.run(
        ["git", f"--git-dir={folder}", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def refs(repo):
    return git(repo.git_dir, "for-each-ref", "--format=%(refname) %(objectname)")


def test_the_same_versions_give_the_same_commits_wherever_they_are_made(tmp_path):
    one, two = GitRepos(tmp_path / "one"), GitRepos(tmp_path / "two")
    first = one.repo("repo", [FIRST])
    grown = one.repo("repo", [FIRST, SECOND])  # added to a copy of the first
    whole = two.repo("repo", [FIRST, SECOND])  # made at once
    assert refs(grown) == refs(whole)
    assert git(grown.git_dir, "rev-parse", "main^") == git(first.git_dir, "rev-parse", "main")
    assert git(grown.git_dir, "ls-tree", "-r", "--name-only", "main").split("\n")[:-1] == [
        "README.md",
        "a.csv",
        "d/e.csv",
        "unknown/c.bin",
    ]
    git(grown.git_dir, "fsck", "--strict", "--full")
    # What the first version had can still be had, and leads to that version.
    old = next(p for p in FIRST.contents.iter_pointers() if p.path == "d/b.csv")
    assert (grown.find(key_entry(annex_key(old))).number, first.find("none")) == (0, None)
    same = next(p for p in SECOND.contents.iter_pointers() if p.path == "a.csv")
    assert grown.find(key_entry(annex_key(same))).number == 1


def test_asking_again_makes_nothing(tmp_path, monkeypatch):
    kept = GitRepos(tmp_path)
    kept.repo("repo", [FIRST])
    monkeypatch.setattr(repos, "fast_import", None)
    assert kept.repo("repo", [FIRST]).git_dir.is_dir()


def test_of_many_who_ask_at_once_one_makes_it(tmp_path, monkeypatch):
    made = []

    def counted(folder, commands):
        made.append(folder)
        time.sleep(0.2)
        fastimport.fast_import(folder, commands)

    monkeypatch.setattr(repos, "fast_import", counted)
    threads = [
        threading.Thread(target=lambda: GitRepos(tmp_path).repo("repo", [FIRST])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="git is not installed"):
        GitRepos(tmp_path / "cache").repo("repo", [FIRST])
    assert [p for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("echo broken >&2; exit 128", ToolFailedError),
        ("exit 1", ToolFailedError),
        ("echo 'fatal: write error: No space left on device' >&2; exit 128", DiskFullError),
    ],
)
def test_a_git_that_fails_leaves_nothing(tmp_path, monkeypatch, says, error):
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncase "$*" in *fast-import*) {says};; esac\nexec {GIT} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    many = Snapshot(Contents([f"d/{n}" for n in range(5000)]), 1)
    with pytest.raises(error):
        GitRepos(tmp_path / "cache").repo("repo", [many])
    assert [p for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


GIT = fastimport.git_program()
ENDLESS = """
import itertools, pathlib, sys
from packager_jupyter.exports.git.base import Snapshot
from packager_jupyter.exports.git.repos import GitRepos
sys.path.insert(0, sys.argv[2])
from exports.test_git_repos import Contents
class Endless(Contents):
    def iter_pointers(self):
        for pointer in super().iter_pointers():
            yield pointer
        print("going", flush=True)
        import time; time.sleep(60)
GitRepos(pathlib.Path(sys.argv[1])).repo("repo", [Snapshot(Endless(["a"]), 1)])
"""


def test_a_killed_maker_leaves_nothing_that_counts_and_it_is_swept(tmp_path, request):
    tests = str(request.config.rootpath / "tests")
    command = [sys.executable, "-c", textwrap.dedent(ENDLESS), str(tmp_path), tests]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"going\n"
    os.killpg(process.pid, signal.SIGKILL)  # with its git, which would write on for a moment
    process.wait()
    process.stdout.close()
    [left] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert left.name.startswith(TEMP_PREFIX)
    os.utime(left, (1, 1))
    kept = GitRepos(tmp_path)
    old = kept.repo("repo", [FIRST]).folder
    assert not left.exists()
    os.utime(old, (1, 1))
    kept.repo("repo", [SECOND])
    assert not old.exists()


@pytest.mark.parametrize(
    "path",
    [
        ".git",
        ".git/config",
        "a/.GIT/x",
        ".gitmodules",
        "x/.gitattributes",
        "git~1/x",
        "GITMOD~1",
        ".git ./x",
        ".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/x",
        "\ufeff.git/x",
        "gi7eba~1",
    ],
)
def test_names_that_git_keeps_for_itself_stay_out(path, tmp_path):
    assert git_refusal(path)
    made = GitRepos(tmp_path).repo("repo", [Snapshot(Contents([path, "good.csv"]), 1)])
    names = git(made.git_dir, "ls-tree", "-r", "--name-only", "main").split()
    assert names == ["LEFT-OUT.txt", "README.md", "good.csv"]
    assert "good.csv" not in git(made.git_dir, "show", "main:LEFT-OUT.txt")


@pytest.mark.parametrize("path", ["git", "a.git", "x/git~", "~1", "dig~1x", "étoile/.gi", "g.it"])
def test_other_names_go_in(path):
    assert git_refusal(path) is None


@pytest.mark.parametrize(
    "path", ['"quoted"', "a b", "tab?", "é/日本", "-rf", "a'b", "100%", "$(x)"]
)
def test_odd_names_arrive_as_they_are(path, tmp_path):
    made = GitRepos(tmp_path).repo("repo", [Snapshot(Contents([path]), 1)])
    assert path in git(made.git_dir, "ls-tree", "-r", "-z", "--name-only", "main").split("\0")


def test_a_list_of_what_is_left_out_never_hides_a_file(tmp_path):
    contents = Contents([".git/x"], notes={"LEFT-OUT.txt": b"mine"})
    made = GitRepos(tmp_path).repo("repo", [Snapshot(contents, 1)])
    assert git(made.git_dir, "show", "main:LEFT-OUT.txt") == "mine"
    assert ".git/x" in git(made.git_dir, "show", "main:LEFT-OUT-2.txt")


def test_folders_of_keys_are_those_of_git_annex(require):
    program = require("git-annex", package="git-annex")
    keys = ["MD5E-s5--0cc175b9c0f1b6a831c399e269772661.csv", "WORM-s3-m1--ab.tar.gz"]
    for key in keys:
        said = subprocess.run(
            [program, "examinekey", key, "--format=${hashdirmixed} ${hashdirlower}\\n"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        digest = hashlib.md5(key.encode()).digest()
        assert said[0] == f"{mixed_folders(digest)}/"
        assert said[1].replace("/", "") == key_entry(key).partition("/")[0]
