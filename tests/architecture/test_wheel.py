"""The wheel holds what is committed and the built sidebar, and nothing that a build left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "packager_jupyter" / "labextension"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory) -> set[str]:
    """Return the names in a wheel of this checkout, around the sidebar that is built already."""
    if not (BUILT / "package.json").exists() or (BUILT / "build_log.json").exists():
        pytest.skip("the npm package in labextension is not built for production: jlpm build:prod")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        env={**os.environ, "SKIP_JUPYTER_BUILDER": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_committed_file_of_the_package(wheel_names, require):
    git = require("git", package="git")
    done = subprocess.run(
        [git, "-C", str(ROOT), "ls-files", "-z", "packager_jupyter"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this is no git checkout")
    committed = {name for name in done.stdout.decode().split("\0") if name}
    assert committed
    assert not {name for name in committed if (ROOT / name).exists()} - wheel_names


def test_the_wheel_brings_the_sidebar_and_the_server_extension(wheel_names):
    shared = {name.partition(".data/data/")[2] for name in wheel_names if ".data/data/" in name}
    sidebar = "share/jupyter/labextensions/packager-jupyter"
    assert f"{sidebar}/package.json" in shared
    assert f"{sidebar}/install.json" in shared
    assert f"{sidebar}/static/style.js" in shared
    assert "etc/jupyter/jupyter_server_config.d/packager_jupyter.json" in shared


def test_the_wheel_holds_no_leftovers(wheel_names):
    leftovers = (".map", "build_log.json", ".pyc", ".tsbuildinfo")
    assert not [name for name in wheel_names if name.endswith(leftovers)]
    assert not [name for name in wheel_names if name.startswith(("tests/", "tools/"))]
