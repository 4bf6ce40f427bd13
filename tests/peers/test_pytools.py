import subprocess

import pytest

from peers import pytools
from peers.process import PeerMissingError


def test_a_set_is_installed_once_and_runs_apart_from_our_own_environment(
    tmp_path, monkeypatch, require_tools
):
    monkeypatch.setenv("PACKAGER_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pytools, "SETS", {"small": ("iniconfig==2.1.0",)})
    folder = require_tools("small")
    environment = pytools.tool_environment(folder, home=tmp_path / "home")
    done = subprocess.run(
        [folder / "python", "-c", "import iniconfig, sys; print(iniconfig.__file__, sys.prefix)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "cache") in done.stdout
    marker = folder / "marker"
    marker.touch()
    assert require_tools("small") == folder
    assert marker.exists()


def test_a_set_that_cannot_be_had_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PACKAGER_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(pytools, "SETS", {"none": ("iniconfig==0.0.0.dev999",)})
    with pytest.raises(PeerMissingError, match=r"PyPI packages iniconfig==0\.0\.0\.dev999"):
        pytools.python_tools("none")
