"""From a fresh clone to a running demo or to passed tests, with one command each.

``python3 tools/bootstrap.py demo [options of packager demo]``
``python3 tools/bootstrap.py test [options of pytest]``

Needs Python 3.11 or newer and nothing else: brings a virtual environment, Node when there is none,
and, as root on Debian, the programs that the tests run against. The second run is quick.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import NoReturn

import debian
from console import BootstrapError, Console
from environment import ROOT, Environment

OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")
USAGE = """\
usage: python3 tools/bootstrap.py demo [options of packager demo]
       python3 tools/bootstrap.py test [options of pytest]

demo  installs into .venv and runs `packager demo`
test  installs into .venv and runs every check; with options, pytest with these alone
"""


def use_new_python() -> None:
    """Go on under a newer Python when this one is too old for us."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for name in NEWER_PYTHONS:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, *sys.argv])  # noqa: S606 - our own arguments, handed on
    sys.exit("error: Python 3.11 or newer is needed. Run: sudo apt-get install -y python3.11-venv")


def demo(arguments: list[str]) -> NoReturn:
    """Install and become `packager demo`."""
    console = Console(ROOT / "build" / "bootstrap.log")
    environment = Environment(console)
    environment.provide("demo")
    packager = str(environment.bin / "packager")
    os.execve(packager, [packager, "demo", *arguments], environment.variables())  # noqa: S606


def test(arguments: list[str]) -> int:
    """Install, run the checks and the tests; return 0 when all are well."""
    console = Console(ROOT / "build" / "bootstrap.log")
    debian.provide_for_tests(console)
    environment = Environment(console)
    environment.provide("test")
    failed = [] if arguments else run_checks(console, environment)
    command = [str(environment.bin / "python"), "-m", "pytest", *arguments]
    code = subprocess.run(command, cwd=ROOT, env=environment.variables(), check=False).returncode
    if code:
        failed.append("pytest")
    if failed:
        console.say(f"failed: {', '.join(failed)} (output: above, and in {console.log})")
    return 1 if failed else 0


def run_checks(console: Console, environment: Environment) -> list[str]:
    """Run what reads the code rather than running it, and jest; return the names of the failed."""
    labextension = environment.root / "labextension"
    checks = [
        ("ruff check", ["ruff", "check", "."], environment.root),
        ("ruff format", ["ruff", "format", "--check", "."], environment.root),
        ("mypy", ["mypy"], environment.root),
        ("jlpm install", ["jlpm", "install", "--immutable"], labextension),
        ("labextension lint", ["jlpm", "run", "lint:check"], labextension),
        ("labextension jest", ["jlpm", "run", "test"], labextension),
    ]
    failed = []
    for name, (program, *rest), folder in checks:
        command = [str(environment.bin / program), *rest]
        try:
            with console.step(name):
                console.run(command, cwd=folder, env=environment.variables(), remedy="")
        except BootstrapError as error:
            console.say(str(error))
            failed.append(name)
    return failed


COMMANDS = {"demo": demo, "test": test}


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    use_new_python()
    if not arguments or arguments[0] not in COMMANDS:
        is_help = arguments[:1] in (["-h"], ["--help"])
        print(USAGE, end="", file=sys.stdout if is_help else sys.stderr)
        return 0 if is_help else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}. Clone to a folder that is yours.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
