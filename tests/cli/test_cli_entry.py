"""The way in and out: exit codes, one-line errors, settings from files and flags."""

import json
import os
import subprocess
import sys

import pytest

from packager_jupyter.cli import main
from packager_jupyter.cli.failure import report_failure
from packager_jupyter.errors import BusyError, SourceNotFoundError


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "")
    monkeypatch.delenv("PACKAGER_DATA_DIR", raising=False)
    (tmp_path / "config").mkdir()


def test_help_and_version(capsys):
    assert main(["--help"]) == 0
    assert "source" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("packager 0.")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["source", "add"], "Missing argument 'NAME'"),
        (["ls", "lake", "--limit", "0"], "--limit"),
        (["presign"], "Give SOURCE:KEY..., or --package, or --from-file"),
        (["presign", "lake"], "write SOURCE:KEY"),
        (["presign", "lake:a", "--expires", "soon"], "90s, 15m, 12h or 7d"),
        (["ls", "lake", "-r", "--cursor", "x"], "--cursor goes with a listing of one level"),
        (
            ["source", "add", "lake", "s3://lake", "--anonymous", "--profile", "p"],
            "--profile and --anonymous exclude each other",
        ),
        (["source", "add", "lake", "s3://lake", "--secrets-env", "a b"], "no name of a variable"),
        (["config"], "give --show"),
    ],
)
def test_wrong_usage_is_two_and_one_line(args, words, capsys, tmp_path):
    if "--data-dir" not in args and args[0] != "nosuch":
        args = [*args, "--data-dir", str(tmp_path / "state")]
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert words in captured.err
    assert captured.err.rstrip().endswith("--help")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_wrong_usage_as_json(capsys):
    assert main(["source", "add", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.err)["code"] == "wrong_usage"
    assert captured.out == ""


def test_an_error_is_one_line_with_its_remedy(capsys):
    error = SourceNotFoundError('No source "la\nke".', remedy="Run: packager source ls")
    assert report_failure(error, is_json=False) == 1
    assert capsys.readouterr().err == 'error: No source "la\\nke". Run: packager source ls\n'


def test_an_error_as_json_has_the_shape_of_the_rest_api(capsys):
    error = BusyError("Busy.", remedy="Wait.", details="flock")
    assert report_failure(error, is_json=True) == 1
    assert json.loads(capsys.readouterr().err) == error.to_json()


def test_a_defect_shows_its_traceback_only_on_request(capsys, monkeypatch):
    defect = KeyError("AKSECRET")
    assert report_failure(defect, is_json=False) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "AKSECRET" not in text
    monkeypatch.setenv("PACKAGER_DEBUG", "1")
    report_failure(defect, is_json=False)
    assert "AKSECRET" in capsys.readouterr().err


def test_a_missing_file_is_named(capsys):
    report_failure(FileNotFoundError(2, "No such file or directory", "a.md"), is_json=False)
    assert capsys.readouterr().err.startswith("error: a.md: No such file or directory.")


def test_config_shows_value_and_origin(tmp_path, capsys, monkeypatch):
    (tmp_path / "config" / "jupyter_packager_config.py").write_text(
        "c.Settings.presign_ttl_s = 120\n"
        "c.Settings.db_url = 'postgresql://me:canary-pw@db.example.org/x'\n"
    )
    (tmp_path / "config" / "jupyter_packager_config.json").write_text(
        json.dumps({"Settings": {"metrics": False}})
    )
    monkeypatch.setenv("PACKAGER_SECRETS_DIR", "/run/secrets")
    assert main(["config", "--show", "--json", "--data-dir", str(tmp_path / "d")]) == 0
    captured = capsys.readouterr()
    body = json.loads(captured.out)
    items = {item["name"]: (item["value"], item["origin"]) for item in body["items"]}
    assert items["Settings.presign_ttl_s"] == (120, "configuration file")
    assert items["Settings.metrics"] == (False, "configuration file")
    assert items["Settings.data_dir"] == (str(tmp_path / "d"), "flag")
    assert items["Settings.secrets_dir"] == ("/run/secrets", "environment")
    assert items["Settings.password_attempts"] == (10, "default")
    assert items["Settings.db_url"][0] == "postgresql://me:***@db.example.org/x"
    assert len(body["files"]) == 2
    assert "canary-pw" not in captured.out + captured.err
    assert main(["config", "--show"]) == 0
    table = capsys.readouterr().out
    assert "canary-pw" not in table
    assert "Settings.presign_ttl_s" in table


@pytest.mark.parametrize(
    "text", ["c.Settings.presign_ttl_s = 5\n", "c.Settings.metrics = 'x'\n", "((\n"]
)
def test_a_wrong_configuration_file_is_named(tmp_path, capsys, text):
    file = tmp_path / "config" / "jupyter_packager_config.py"
    file.write_text(text)
    assert main(["config", "--show"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "Settings.presign_ttl_s" in captured.err or str(file) in captured.err


def test_the_current_folder_is_not_searched_for_configuration(tmp_path, monkeypatch, capsys):
    here = tmp_path / "somebody"
    here.mkdir()
    (here / "jupyter_packager_config.py").write_text("raise SystemExit('ran')\n")
    monkeypatch.chdir(here)
    assert main(["config", "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == []


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    command = [sys.executable, "-m", "packager_jupyter.cli", "config", "--show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert b"Traceback" not in error
    assert b"BrokenPipe" not in error


def test_the_command_line_starts_without_the_heavy_parts():
    code = (
        "import sys; import packager_jupyter.cli.app\n"
        "heavy = {'boto3', 'azure', 'tornado', 'jupyter_server', 'sqlalchemy', 'rich', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert done.stdout.strip() == "[]"
