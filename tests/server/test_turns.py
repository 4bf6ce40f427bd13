"""How threads take turns in the standalone server's process, and only while it serves."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packager_jupyter.server.turns import SWITCH_S, short_turns

ROOT = Path(__file__).parents[2]
PROGRAM = """
import gc, os, signal, sys
from packager_jupyter.config import Settings
from packager_jupyter.serve import ServeOptions, run

def tell():
    print(sys.getswitchinterval(), gc.get_freeze_count(), flush=True)

def announce(server):
    tell()
    os.kill(os.getpid(), signal.SIGTERM)

tell()
run(Settings(data_dir=sys.argv[1], root_dir=sys.argv[2]), ServeOptions(port=0), announce=announce)
tell()
"""


def test_the_server_has_short_turns_and_what_it_loaded_is_never_collected(tmp_path):
    (tmp_path / "root").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), str(tmp_path / "root")],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, meanwhile, after = [
        (float(switch_s), int(frozen))
        for switch_s, frozen in (line.split() for line in done.stdout.splitlines())
    ]
    assert meanwhile[0] == pytest.approx(SWITCH_S)
    assert meanwhile[1] > 50_000, "the modules of the server are loaded before it listens"
    assert after == before


def test_a_failure_takes_it_back():
    before_s, frozen = sys.getswitchinterval(), gc.get_freeze_count()

    def fail() -> None:
        with short_turns():
            assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # its own
        fail()
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (before_s, frozen)
