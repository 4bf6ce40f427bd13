"""What is committed speaks of itself alone: no machine's paths, no registry's host, one version."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

import packager_jupyter

ROOT = Path(__file__).resolve().parents[2]
# Built from parts, so that this file does not find itself.
HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("debian", "org"),
    ]
]
MACHINE_PATHS = re.compile(r"(?<![\w.$}/<-])/(work|root|farm)(/|\b)")
HOME_PATHS = re.compile(r"(?<![\w.$}/])/home/(?!jovyan\b)[a-z]")
DOCUMENTED = ("packager_jupyter/", "tools/", "benchmarks/")


@pytest.fixture(scope="module")
def committed(require) -> dict[str, str]:
    """Return the text of every committed text file by its path."""
    git = require("git", package="git")
    done = subprocess.run(
        [git, "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this is no git checkout")
    texts = {}
    for name in done.stdout.decode().split("\0"):
        file = ROOT / name
        if name and file.is_file() and b"\0" not in file.read_bytes()[:8192]:
            texts[name] = file.read_text(errors="replace")
    return texts


def lines_with(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    """Return ``file:line`` of each match."""
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_a_machine_is_committed(committed):
    assert not lines_with(committed, MACHINE_PATHS)
    assert not lines_with(committed, HOME_PATHS)


def test_no_host_of_a_package_registry_is_committed(committed):
    assert not lines_with(committed, re.compile("|".join(map(re.escape, HOSTS))))


@pytest.mark.parametrize("path", ["/" + "work/x", "cd /" + "root/a", "'/" + "work'"])
def test_a_path_of_a_machine_is_found(path):
    assert MACHINE_PATHS.search(path)


@pytest.mark.parametrize("path", ["/workspace", "src/work/x", "https://example.org/work/"])
def test_an_innocent_path_is_left_alone(path):
    assert not MACHINE_PATHS.search(path)


def test_every_module_says_what_it_owns(committed):
    silent = [
        name
        for name, text in committed.items()
        if name.endswith(".py")
        and name.startswith(DOCUMENTED)
        and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent


def test_the_labextension_has_the_version_of_the_package():
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    assert package["version"] == packager_jupyter.__version__
