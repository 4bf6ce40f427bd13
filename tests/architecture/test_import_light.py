"""Every kernel that says ``import packager_jupyter`` pays for it, so it costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def loaded_by(code: str) -> set[str]:
    """Return the modules that `code` loads in a fresh interpreter beyond what it starts with."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_but_itself():
    loaded = loaded_by("import packager_jupyter")
    ours = {name for name in loaded if name.startswith("packager_jupyter")}
    foreign = {name.partition(".")[0] for name in loaded - ours} - sys.stdlib_module_names
    assert ours == {"packager_jupyter", "packager_jupyter._version"}
    assert not foreign


def test_importing_the_package_loads_few_modules_of_the_standard_library():
    few = loaded_by("import packager_jupyter") - loaded_by("import typing, os")
    assert len(few) <= 5, sorted(few)


def test_the_probe_sees_what_is_loaded():
    assert "json" in loaded_by("import json")
