"""The two commands of the README: what they show, keep and refuse. They run whole in the CI run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import debian
from console import BootstrapError, Console
from environment import BUILD_INPUTS, Environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def console(tmp_path):
    return Console(tmp_path / "build" / "bootstrap.log")


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "a checkout"
    for name in BUILD_INPUTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name} as it was")
    return root


def test_wrong_usage_says_what_there_is_and_ends_with_2():
    command = [sys.executable, str(ROOT / "tools" / "bootstrap.py"), "other"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "python3 tools/bootstrap.py demo" in done.stderr
    assert not done.stdout


def test_a_failed_command_shows_its_last_lines_and_the_remedy(console):
    script = "import sys; print(*range(1000), sep='\\n'); sys.exit(3)"
    with pytest.raises(BootstrapError) as failure:
        console.run([sys.executable, "-c", script], remedy="Do that.")
    text = str(failure.value)
    assert "\n999\n" in text
    assert "\n900\n" not in text
    assert "ended with 3" in text
    assert text.endswith("Do that.")
    assert "\n0\n" in console.log.read_text()


def test_a_command_that_is_not_there_is_a_sentence(console):
    with pytest.raises(BootstrapError, match=r"no-such-command cannot be run.*Do that\."):
        console.run(["no-such-command"], remedy="Do that.")


def test_only_a_change_of_what_is_built_asks_for_an_installation(console, checkout):
    environment = Environment(console, root=checkout)
    before = environment._digest()
    (checkout / "README.md").write_text("other")
    assert environment._digest() == before
    (checkout / "labextension" / "src").mkdir()
    (checkout / "labextension" / "src" / "index.ts").write_text("new")
    assert environment._digest() != before


def test_the_test_installation_serves_the_demo_but_not_the_reverse(console, checkout):
    environment = Environment(console, root=checkout)
    environment.folder.mkdir()
    stamp = environment.folder / ".installed.json"
    stamp.write_text('{"digest": "d", "extra": "test"}')
    assert environment._is_installed("demo", "d")
    stamp.write_text('{"digest": "d", "extra": "demo"}')
    assert not environment._is_installed("test", "d")
    assert not environment._is_installed("demo", "e")
    stamp.write_text("{half")
    assert not environment._is_installed("demo", "d")


def test_a_folder_that_is_not_ours_is_never_cleared(console, checkout):
    foreign = checkout / ".venv"
    foreign.mkdir()
    (foreign / "keep").write_text("me")
    with pytest.raises(BootstrapError, match="Move it away"):
        Environment(console, root=checkout).provide("demo")
    assert (foreign / "keep").read_text() == "me"


def test_an_environment_that_was_moved_is_made_again(console, checkout):
    environment = Environment(console, root=checkout)
    environment._make()
    assert environment._has_pip()
    moved = checkout.rename(checkout.parent / "elsewhere")
    there = Environment(console, root=moved)
    assert not there._has_pip()
    there._make()
    assert there._has_pip()


def test_the_variables_keep_what_the_network_needs(console, checkout, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    variables = Environment(console, root=checkout).variables()
    assert variables["HTTPS_PROXY"] == "http://proxy.example.org"
    assert variables["PATH"].startswith(f"{checkout}/.venv/bin:")


def test_a_missing_package_is_found(require):
    require("dpkg-query", package="dpkg")
    known = debian.DebianPackage("dpkg", "is there")
    unknown = debian.DebianPackage("no-such-package-at-all", "is not")
    assert debian.missing([known, unknown]) == [unknown]


def test_what_the_tests_require_is_installed_for_them():
    listed = {item.name for item in debian.FOR_TESTS}
    asked = set()
    for file in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                asked |= {
                    word.value.value
                    for word in node.keywords
                    if word.arg == "package" and isinstance(word.value, ast.Constant)
                }
    assert asked
    assert asked - {"dpkg"} <= listed
