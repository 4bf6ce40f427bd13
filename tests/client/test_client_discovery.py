"""What `connect` speaks to: arguments, environment, hub, parent server, library; in this order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import packager_jupyter
from packager_jupyter.client.answers import ServerMissingError, ServerUnreachableError
from packager_jupyter.client.discovery import addresses
from packager_jupyter.client.local import LocalClient
from packager_jupyter.client.rest import RestClient
from packager_jupyter.errors import NotAuthenticatedError

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = (
    "PACKAGER_URL",
    "PACKAGER_TOKEN",
    "JUPYTERHUB_SERVICE_URL",
    "JUPYTERHUB_API_TOKEN",
    "JPY_PARENT_PID",
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PACKAGER_DATA_DIR", str(tmp_path / "own-data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runtime").mkdir()
    return tmp_path


def write_runtime(folder, pid, url, token):
    file = folder / "runtime" / f"jpserver-{pid}.json"
    file.write_text(json.dumps({"pid": pid, "url": url, "token": token}))


def test_arguments_come_first(running, monkeypatch):
    monkeypatch.setenv("PACKAGER_URL", "http://127.0.0.1:9/")
    with packager_jupyter.connect(running.url, token=running.token) as client:
        assert isinstance(client, RestClient)
        assert client.status()["host"] == "standalone"


def test_then_the_environment(running, monkeypatch):
    monkeypatch.setenv("PACKAGER_URL", running.url.rstrip("/"))
    monkeypatch.setenv("PACKAGER_TOKEN", running.token)
    with packager_jupyter.connect() as client:
        assert client.sources.list() == []
        assert running.token not in repr(client)


def test_then_the_hub(bare_environment):
    environment = {
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8888/user/ann/",
        "JUPYTERHUB_API_TOKEN": "t0ken",
        "JPY_PARENT_PID": "77",
    }
    write_runtime(bare_environment, 77, "http://127.0.0.1:8888/user/ann/", "")
    found = list(addresses(None, None, environment))
    assert [(one.url, one.token, one.is_asked_for) for one in found] == [
        ("http://127.0.0.1:8888/user/ann/packager/", "t0ken", False),
        ("http://127.0.0.1:8888/user/ann/packager/", "t0ken", False),
    ]
    assert "t0ken" not in repr(found)


def test_then_the_server_that_started_the_kernel(bare_environment):
    write_runtime(bare_environment, 77, "http://localhost:8889/base/", "abc")
    write_runtime(bare_environment, 78, "http://localhost:8890/", "other")
    found = list(addresses(None, None, {"JPY_PARENT_PID": "77"}))
    assert [(one.url, one.token) for one in found] == [
        ("http://localhost:8889/base/packager/", "abc")
    ]
    assert list(addresses(None, None, {"JPY_PARENT_PID": "79"})) == []
    assert list(addresses(None, None, {"JPY_PARENT_PID": "../etc"})) == []


def test_a_server_without_us_leads_to_the_library(running, bare_environment, monkeypatch):
    write_runtime(bare_environment, 77, running.url + "nowhere/", "abc")
    monkeypatch.setenv("JPY_PARENT_PID", "77")
    with packager_jupyter.connect() as client:
        assert isinstance(client, LocalClient)


def test_last_the_library(settings):
    with packager_jupyter.connect() as client:
        assert isinstance(client, LocalClient)
        assert client.status()["host"] == "library"
    with packager_jupyter.connect(settings=settings) as client:
        assert settings.data_dir in repr(client)


def test_a_server_that_was_named_must_answer(running):
    with pytest.raises(ServerUnreachableError) as caught:
        packager_jupyter.connect("http://127.0.0.1:9/", token="secret-token")
    assert "secret-token" not in str(caught.value)
    with pytest.raises(NotAuthenticatedError):
        packager_jupyter.connect(running.url, token="wrong")
    with pytest.raises(ServerMissingError) as caught:
        packager_jupyter.connect(running.url + "nowhere/", token="wrong")
    assert "/packager/" in caught.value.remedy


def test_the_import_is_light_and_the_call_brings_no_server():
    program = (
        "import sys, packager_jupyter\n"
        "before = set(sys.modules)\n"
        "assert not {'tornado', 'jupyter_server', 'httpx', 'sqlalchemy'} & before\n"
        "from packager_jupyter import connect\n"
        "from packager_jupyter.client.rest import RestClient\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"tornado", "jupyter_server", "boto3", "sqlalchemy"} & set(done.stdout.split())
