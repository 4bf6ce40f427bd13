"""Imports point downwards only, also those for type checkers alone, and the core knows no Jupyter.

Read from the syntax tree, so an import inside a function or under ``TYPE_CHECKING`` counts too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "packager_jupyter"
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / PACKAGE

# Every room and its level. A room imports lower levels and itself; rooms of one level do not know
# each other. A new room is added here, where its place in the house is a decision.
LEVELS = {
    "_version": 0,
    "errors": 0,
    "io": 1,
    "config": 1,
    "signed": 1,
    "keys": 2,
    "store": 3,
    "sources": 4,
    "oci": 4,
    "packages": 5,
    "previews": 5,  # what one file looks like; knows no package
    "shares": 6,
    "exports": 6,
    "registries": 6,
    "services": 7,
    "api": 8,  # what the REST API says, without HTTP
    "server": 9,
    "client": 9,
    "fetch": 9,
    "scale": 9,  # the same work on a cluster
    "extension": 10,
    "serve": 10,
    "hub": 10,
    "fs": 10,
    "magics": 10,
    "widgets": 10,
    "demo": 10,
    "cli": 11,  # starts the hosts
}
SERVER_LEVEL = LEVELS["server"]
JUPYTER = {
    "tornado",
    "jupyter_server",
    "jupyterlab",
    "jupyterhub",
    "jupyter_client",
    "ipywidgets",
    "IPython",
    "ipykernel",
}
HEAVY = {"boto3", "botocore", "azure", "pyarrow", "pandas", "numpy", "nbconvert"}
FILES = sorted(FOLDER.rglob("*.py"))


def room_of(file: Path) -> str | None:
    """Return the room of a file of the package; None for the package's own ``__init__``."""
    first = file.relative_to(FOLDER).parts[0]
    return None if first == "__init__.py" else first.removesuffix(".py")


def imported(tree: ast.Module, *, package: str) -> list[tuple[int, str]]:
    """Return every imported dotted name with its line; `package` resolves relative imports."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *base.split(".")]).strip(
                    "."
                )
            found.extend((node.lineno, f"{base}.{alias.name}") for alias in node.names)
    return found


def broken_rules(source: str, *, room: str, package: str) -> list[str]:
    """Say which imports of a module in `room` point up, sideways or into Jupyter."""
    broken = []
    for line, name in imported(ast.parse(source), package=package):
        top, _, rest = name.partition(".")
        if top == PACKAGE:
            other = rest.split(".")[0]
            if other in LEVELS and other != room and LEVELS[other] >= LEVELS[room]:
                broken.append(f"{line}: {room} imports {other}, which does not stand below it")
        elif top in JUPYTER and LEVELS[room] < SERVER_LEVEL:
            broken.append(f"{line}: {room} imports {top}, but stands below the server")
    return broken


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_downwards(file):
    room = room_of(file)
    if room is None:
        return
    assert room in LEVELS, f"give the room {room!r} a level in {Path(__file__).name}"
    package = ".".join(file.relative_to(ROOT).parent.parts)
    broken = broken_rules(file.read_text(), room=room, package=package)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("sources", "from packager_jupyter.packages import names"),
        ("sources", "import packager_jupyter.oci.base"),
        ("sources", "from packager_jupyter import oci"),
        ("sources", "from ..oci import base"),
        ("sources", "def f():\n    from packager_jupyter.shares.shares import Shares"),
        ("packages", "if TYPE_CHECKING:\n    from packager_jupyter.services import Services"),
        ("shares", "import tornado.web"),
        ("io", "from packager_jupyter.config import Settings"),
    ],
)
def test_an_import_that_points_up_or_sideways_is_found(room, source):
    assert broken_rules(source, room=room, package=f"{PACKAGE}.{room}")


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("packages", "from packager_jupyter.sources.base import Entry"),
        ("packages", "from packager_jupyter.packages.names import check_path"),
        ("server", "from tornado import web"),
        ("cli", "from packager_jupyter import __version__"),
    ],
)
def test_an_import_that_points_down_is_fine(room, source):
    assert not broken_rules(source, room=room, package=f"{PACKAGE}.{room}")


def test_importing_the_core_loads_neither_jupyter_nor_a_vendor_library():
    core = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in FILES
        if (room := room_of(file)) and LEVELS[room] < SERVER_LEVEL
        if "migrations" not in file.parts  # scripts that Alembic runs
    ]
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *core], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (JUPYTER | HEAVY) & set(done.stdout.split())


_LOAD = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*{name.partition(".")[0] for name in sys.modules})
"""
