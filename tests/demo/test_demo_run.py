"""`packager demo` as a person meets it: addresses that answer, Ctrl-C, a second run."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from hashlib import sha256

import nbformat
import psutil
import pytest

from cli.runner import Cli
from packager_jupyter.demo import curate
from packager_jupyter.errors import BadInputError


@contextmanager
def running(cli, folder, *options):
    """Yield what the demo printed once it was up, and its process."""
    command = [sys.executable, "-m", "packager_jupyter.cli", "demo", "--no-browser", "--json"]
    process = subprocess.Popen(
        [*command, "--dir", str(folder), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment(),
        text=True,
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        assert lines, process.stderr.read()
        yield json.loads("".join(lines)), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        process.stdout.close()
        process.stderr.close()


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A demo that has run once, so that each test stands by itself."""
    home = tmp_path_factory.mktemp("demo")
    cli, folder = Cli(home), home / "sample"
    with running(cli, folder):
        pass
    return cli, folder


def test_demo_shows_everything_and_stops_on_ctrl_c(world, require, tmp_path):
    cli, folder = world
    curl = require("curl", package="curl")
    with running(cli, folder) as (shown, process):
        assert shown["files"] >= 200
        assert b"Kelda Seamount" in get(shown["share_url"])
        command = shlex.split(shown["fetch"])
        assert command[:3] == ["curl", "-L", "-O"]
        done = subprocess.run([curl, "-sS", *command[1:]], cwd=tmp_path, check=False)
        assert done.returncode == 0
        [fetched] = tmp_path.iterdir()
        original = folder / "storage" / curate.SAMPLE_FILE
        assert sha256(fetched.read_bytes()).digest() == sha256(original.read_bytes()).digest()
        assert b"jupyter-config-data" in get(shown["lab_url"])
        own = ("--data-dir", str(folder / "state"))
        link = cli.ok("share", shown["package"], *own).out.strip()
        assert link.startswith(shown["share_url"].partition("s/")[0]), "it finds this JupyterLab"
        assert b"Kelda Seamount" in get(link)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        commands = " ".join(part for child in children for part in child.cmdline())
        assert shown["lab_url"].partition("token=")[2] not in commands
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
        _gone, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
        with pytest.raises(urllib.error.URLError):
            get(shown["share_url"])


def test_a_second_run_finds_everything_and_keeps_what_a_person_did(world):
    cli, folder = world
    readme = folder / "work" / "packages" / curate.PACKAGE / "README.md"
    readme.write_text("# Mine\n")
    lost = folder / "storage" / curate.SAMPLE_FILE
    lost.unlink()
    with running(cli, folder) as (first, _):
        assert lost.is_file()
        again = cli.run("demo", "--no-browser", "--dir", str(folder), "--json")
        assert again.code == 1
        assert again.error["code"] == "busy"
        assert "already running" in again.error["message"]
    with running(cli, folder) as (second, _):
        assert second["digest"] == first["digest"]
        segment = first["share_url"].rstrip("/").rpartition("/")[2]
        assert second["share_url"].rstrip("/").endswith(segment)
    assert readme.read_text() == "# Mine\n"


def test_the_notebook_is_executed_and_holds_no_secret(world):
    _, folder = world
    file = folder / "work" / "packages" / curate.PACKAGE / curate.NOTEBOOK
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    pictures = sum("image/png" in o.get("data", {}) for cell in code for o in cell.outputs)
    assert pictures >= 3
    assert str(folder) not in file.read_text()


def test_nothing_of_the_persons_own_state_was_touched(world):
    cli, _ = world
    assert not (cli.data_dir / "packager.sqlite").exists()


def test_a_folder_with_other_things_is_left_alone(world, tmp_path):
    cli, _ = world
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    done = cli.run("demo", "--no-browser", "--dir", str(other), "--json")
    assert done.code == 1
    assert done.error["code"] == "bad_input"
    assert [path.name for path in other.iterdir() if path.name != ".lock"] == ["thesis.txt"]


def test_a_port_that_is_taken_is_said_before_anything_is_made(world, tmp_path):
    cli, _ = world
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = cli.run("demo", "--no-browser", "--dir", str(tmp_path / "d"), "--port", port)
    assert done.code == 1
    assert f"Port {port} is taken" in done.err
    assert not (tmp_path / "d").exists()


def test_a_run_that_did_not_end_is_cleared_away(tmp_path):
    folder = tmp_path / "sample"
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "half.csv").write_text("x")
    (folder / "mine.txt").write_text("mine")
    (folder / "demo.json").write_text('{"packager_demo": 1, "is_complete": false}')
    demo = curate.build(folder, say=lambda _text: None, owner="me")
    assert not (folder / "storage" / "half.csv").exists()
    assert (folder / "mine.txt").read_text() == "mine"
    assert demo.files == demo.storage_files - 19  # all but the logs
    again = curate.build(folder, say=lambda _text: None, owner="me")
    assert again == demo


def test_a_sample_of_another_version_is_not_touched(tmp_path):
    (tmp_path / "storage").mkdir()
    (tmp_path / "demo.json").write_text('{"packager_demo": 99, "is_complete": false}')
    with pytest.raises(BadInputError, match="another version"):
        curate.build(tmp_path, say=lambda _text: None, owner="me")
    assert (tmp_path / "storage").is_dir()


def test_the_same_sample_has_the_same_digest(tmp_path):
    """Two builds differ in nothing but their folder, which stands in the files' addresses."""
    first = curate.build(tmp_path / "a", say=lambda _text: None, owner="me")
    time.sleep(1.1)  # another second, so that a clock in the bytes would show
    (tmp_path / "a").rename(tmp_path / "kept")
    second = curate.build(tmp_path / "a", say=lambda _text: None, owner="me")
    assert second.digest == first.digest
