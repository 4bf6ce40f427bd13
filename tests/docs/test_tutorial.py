"""The tutorial does what it says: its lines are run as they stand, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from peers.process import free_ports, is_listening, spawn

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-package.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FETCH = re.compile(r"^curl .*$", re.MULTILINE)
LINK = re.compile(r"http://127\.0\.0\.1:\d+/s/\S+")


@pytest.fixture
def environment(tmp_path):
    """Return variables under which `packager` is the one of this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir()
    packager = programs / "packager"
    packager.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m packager_jupyter.cli "$@"\n')
    packager.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def server(tmp_path, environment):
    """Run `packager serve` on the state of the tutorial, as its second terminal does."""
    (port,) = free_ports(1)
    log = tmp_path / "serve.log"
    state = tmp_path / "tutorial" / "state"
    process = spawn(
        ["packager", "serve", f"--port={port}", f"--data-dir={state}"], log=log, env=environment
    )
    try:
        while not is_listening(port):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def bash(script, *, folder, environment):
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_line_of_the_tutorial_works(tmp_path, environment, server, require):
    require("curl", package="curl")
    text = TUTORIAL.read_text()
    lines = [line for block in CONSOLE.findall(text) for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    script = "\n".join(line.removeprefix("$ ") for line in lines)
    printed = bash(script, folder=tmp_path, environment=environment)

    assert printed.count("sha256:") >= 1
    link = LINK.search(printed).group()
    assert "Ocean profiles" in httpx.get(link).text
    fetched = bash(
        "\n".join(FETCH.findall(text)), folder=tmp_path, environment=environment | {"LINK": link}
    )
    assert fetched.startswith("quote\n")
    assert f"{link}files/raw/2024/profile.csv" in fetched.splitlines()
