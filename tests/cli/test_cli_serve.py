"""`serve` and `doctor`: what they print, what they keep to themselves, how they end."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from cli.runner import Cli, wait_for


@pytest.fixture
def world(tmp_path):
    return Cli(tmp_path), tmp_path / "serve.log"


def status(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_serve_announces_itself_and_takes_it_back(world):
    cli, log = world
    file = cli.data_dir / "server.json"
    with cli.background("serve", "--port", "0", log=log) as process:
        text = wait_for(log, "Serving at ", process, at_most_s=60)
        url = text.partition("Serving at ")[2].split()[0]
        assert json.loads(file.read_text()) == {"url": url, "pid": process.pid}
        assert status(url + "healthz") == 200
        assert status(url + "api/v1/status") == 401
        found = {item["what"]: item for item in cli.run("doctor", "--json").json["checks"]}
        assert url in found["server"]["message"]
    assert process.returncode == 0
    assert not file.exists()


def test_the_token_comes_from_the_environment_and_reaches_no_log(world):
    cli, log = world
    cli.env["PACKAGER_TOKEN"] = "canary-start-token-0123456789"
    with cli.background("serve", "--port", "0", log=log) as process:
        text = wait_for(log, "Serving at ", process, at_most_s=60)
        url = text.partition("Serving at ")[2].split()[0]
        token = {"Authorization": f"Bearer {cli.env['PACKAGER_TOKEN']}"}
        assert status(url + "api/v1/status", **token) == 200
    assert "canary" not in log.read_text()


def test_a_token_of_its_own_is_shown_on_a_terminal_only(world):
    cli, log = world
    with cli.background("serve", "--port", "0", log=log) as process:
        wait_for(log, "Serving at ", process, at_most_s=60)
    assert "pkgr_start_" not in log.read_text()

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "packager_jupyter.cli", "serve", "--port", "0"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=cli.environment(),
        cwd=cli.root_dir,
    )
    os.close(follower)
    seen = b""
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        while b"pkgr_start_" not in seen:
            seen += os.read(leader, 4096)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        watchdog.cancel()
        os.close(leader)
    assert process.returncode == 0
    assert b"Traceback" not in seen


def test_a_port_that_is_taken(world):
    cli, _ = world
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli.run("serve", "--port", str(taken.getsockname()[1]), "--json")
    assert done.code == 1
    assert done.error["code"] == "bad_input"
    assert not (cli.data_dir / "server.json").exists()


def test_half_a_certificate(world):
    cli, log = world
    log.write_text("no certificate")
    done = cli.run("serve", "--tls-cert", str(log))
    assert done.code == 1
    assert "--tls-key" in done.err


def test_doctor_says_what_to_do(cli, tmp_path):
    (tmp_path / "folder").mkdir()
    cli.ok("source", "add", "good", (tmp_path / "folder").as_uri())
    cli.ok("source", "add", "bad", (tmp_path / "gone").as_uri())
    cli.data_dir.chmod(0o755)
    done = cli.run("doctor", "--json")
    assert done.code == 1
    found = {item["what"]: item for item in done.json["checks"]}
    assert found["source good"]["state"] == "ok"
    assert found["source bad"]["state"] == "fails"
    assert found["state"]["state"] == "fails"
    assert "chmod" in found["state"]["remedy"]
    assert found["server"]["state"] == "hint"
    assert all(item["remedy"] for item in found.values() if item["state"] != "ok")
    text = cli.run("doctor")
    assert text.err.startswith("error: ")
    assert "fails  source bad" in text.out


def test_doctor_survives_what_it_finds(cli):
    (cli.data_dir / "packager.sqlite").write_bytes(b"this is no database at all" * 100)
    done = cli.run("doctor", "--json")
    assert done.code == 1
    found = {item["what"]: item for item in done.json["checks"]}
    assert found["version"]["state"] == "ok"
    assert found["state"]["state"] == "fails"
