"""The table of ways: every one is sound, whatever the package and however the share is locked."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from urllib.parse import quote

import pytest

from packager_jupyter.server.share.recipes import WAYS, ShareFacts, Way, recipes

URL = "https://data.example.org/lab/s/abc/"
HOSTILE = ("-rf", "$(touch x)", "`id`.csv", "a\nb.csv", '"; rm -rf ~; ".parquet', "it's.tsv")


def facts(*, is_locked=False, examples=("obs/a.csv",), files=3):
    return ShareFacts(
        share_url=URL,
        name="group/ocean",
        version="2",
        is_locked=is_locked,
        files=files,
        examples=examples,
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


def test_a_locked_share_is_asked_for_before_the_second_line_is_read():
    for recipe in all_recipes(is_locked=True):
        if "IFS= read" in recipe.lines:
            assert recipe.lines.startswith("{ printf")
            assert recipe.lines.endswith("\n}")


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
