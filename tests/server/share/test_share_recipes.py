"""The table of ways: every one is sound, whatever the package and however the share is locked."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from packager_jupyter.server.share.recipes import WAYS, ShareFacts, Way, recipes

URL = "https://data.example.org/lab/s/abc/"
HOSTILE = ("-rf", "$(touch x)", "`id`.csv", "a\nb.csv", '"; rm -rf ~; ".parquet', "it's.tsv")


def facts(*, is_locked=False, examples=("obs/a.csv",), files=3, wants_token=False):
    return ShareFacts(
        share_url=URL,
        name="group/ocean",
        version="2",
        is_locked=is_locked,
        files=files,
        examples=examples,
        wants_token=wants_token,
    )


def all_recipes(**options):
    return [recipe for group in recipes(facts(**options)) for recipe in group.recipes]


def test_keys_are_plain_and_unique_and_groups_stay_together():
    keys = [way.key for way in WAYS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*", key) for key in keys)
    groups = [way.group for way in WAYS]
    assert [g for n, g in enumerate(groups) if n == 0 or groups[n - 1] != g] == list(
        dict.fromkeys(groups)
    )
    for way in WAYS:
        assert way.hint.endswith(".")
        assert len(way.hint) < 100


@pytest.mark.parametrize("is_locked", [False, True])
def test_every_way_names_the_share_and_asks_only_when_it_is_locked(is_locked):
    for recipe in all_recipes(is_locked=is_locked):
        asks_link = "Link with its secret" in recipe.lines
        assert (URL in recipe.lines) != asks_link, recipe.key
        asks = asks_link or "PASSWORD" in recipe.lines or "getpass" in recipe.lines
        assert asks == is_locked, recipe.key
        assert recipe.needs_link == asks_link


@pytest.mark.parametrize("is_locked", [False, True])
@pytest.mark.parametrize("path", HOSTILE)
def test_lines_stay_one_program_whatever_a_file_is_called(path, is_locked):
    for recipe in all_recipes(is_locked=is_locked, examples=(path,)):
        if "import " in recipe.lines:
            ast.parse(recipe.lines)
            continue
        checked = subprocess.run(
            ["bash", "-n"], input=recipe.lines.encode(), capture_output=True, check=False
        )
        assert checked.returncode == 0, (recipe.key, checked.stderr)
        words = shlex.split(recipe.lines)
        assert not {"$(touch", "`id`.csv", "rm"} & set(words), recipe.key
        assert "\n" not in quote(path, safe="/")


SHELLS = {
    "sh": ["sh"],
    "bash": ["bash", "--norc"],
    "zsh": ["zsh", "-f"],
    # Where lines are pasted, an exclamation mark may bring back an earlier line.
    "bash, pasted": ["bash", "--norc", "-i"],
    "zsh, pasted": ["zsh", "-f", "-i"],
}
# What paths may hold: everything that is no control character and no slash.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)


@pytest.mark.parametrize("shell", SHELLS)
@given(name=NAMES, below=NAMES)
@example(name="-rf", below="!!")
@example(name='it\'s ! $HOME `id` $(id) \\ "x" *?[a]{1,2}~ #;&|<>', below="=ls")
@example(name="=ls", below="~root")
@example(name="!$", below="^a^b")
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_shell_takes_the_words_as_they_are_meant(shell, name, below, require, tmp_path):
    require(SHELLS[shell][0], package=SHELLS[shell][0])
    path = f"{below}/{name}"
    (curl,) = (one for one in all_recipes(examples=(path,)) if one.key == "curl")
    # In the place of the tool something that says what it was given.
    lines = f'curl() {{ printf \'%s\\0\' "$@" > "$OUT"; }}\n{curl.lines}\n'
    out = tmp_path / "words"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "OUT": str(out), "HISTFILE": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        SHELLS[shell], input=lines.encode(), capture_output=True, env=environment, check=False
    )
    words = out.read_bytes().decode().split("\0")[:-1] if out.exists() else done.stderr
    assert words == ["-fL", "-o", f"./{name}", f"{URL}files/{quote(path, safe='/~')}"]


def test_every_way_is_run_by_a_test():
    folder = Path(__file__).parent
    text = "".join(
        (folder / name).read_text()
        for name in ("test_share_tools.py", "test_share_recipe_tools.py")
    )
    assert [way.key for way in WAYS if f'"{way.key}"' not in text] == []


def test_a_locked_share_is_asked_for_before_the_second_line_is_read():
    for recipe in all_recipes(is_locked=True):
        if "IFS= read" in recipe.lines:
            assert recipe.lines.startswith("{ printf")
            assert recipe.lines.endswith("\n}")


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_share_with_an_audience_has_the_ways_that_keep_a_token_from_the_storage(is_locked):
    found = all_recipes(is_locked=is_locked, wants_token=True)
    assert {recipe.key for recipe in found} == {way.key for way in WAYS if way.sends_token}
    for recipe in found:
        assert recipe.lines.startswith("{ printf 'Token: '; ")
        assert recipe.lines.count('"$TOKEN"') + recipe.lines.count("Bearer $TOKEN") >= 1
        assert ("$PASSWORD" in recipe.lines) == is_locked
        # curl drops the header when it is sent to another host; wget and aria2 keep it.
        assert not {"wget", "aria2c", "rclone", "git"} & set(shlex.split(recipe.lines))


def test_a_way_that_does_not_apply_is_not_shown():
    assert "pandas" in {recipe.key for recipe in all_recipes()}
    assert "pandas" not in {recipe.key for recipe in all_recipes(examples=("a.bin",))}


def test_a_way_of_ones_own():
    way = Way(
        "own", "Own", "own", "Own.", lambda f: f"{f.ask}own {f.shell('x')}", opens_with="link"
    )
    (group,) = recipes(facts(is_locked=True), [way])
    assert group.title == "Own"
    assert group.recipes[0].lines.splitlines()[1:] == ['own "$LINK"x', "}"]
    assert group.recipes[0].needs_link
