"""poetry, hatch, pip, uv and twine, on a server that keeps its files in a folder or a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from clients.conftest import serve_registry
from clients.test_pypi_clients import Client, resolved
from peers.docker_registry import DockerRegistry
from peers.process import PeerMissingError
from peers.pytools import tool_environment
from registries.pypi.distributions import sdist, wheel

FEEDS = count()


@pytest.fixture(scope="module", params=["folder", "registry"])
def server(request, tmp_path_factory):
    """A server on a layout store, and one on Debian's docker-registry."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "folder":
        yield from serve_registry(folder)
        return
    try:
        peer = DockerRegistry()
    except PeerMissingError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with peer as connection:
        yield from serve_registry(folder, oci_store=f"{connection.url}/feeds")


@pytest.fixture
def client(server, tmp_path):
    name = f"tools-{next(FEEDS)}"
    server.services.feeds.create(f"pypi/{name}")
    return Client(server, name, server.token(f"pypi/{name}:publish"), tmp_path)


def run(command, folder, env, *, check=True):
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def project(folder, name, version, *, backend, dependencies=(), more=""):
    package = folder / name / "src" / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"VERSION = {version!r}\n")
    requires = {"hatchling.build": "hatchling", "poetry.core.masonry.api": "poetry-core"}
    (folder / name / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\nrequires-python = ">=3.9"\n'
        f"dependencies = {json.dumps(list(dependencies))}\n"
        f'[build-system]\nrequires = ["{requires[backend]}"]\nbuild-backend = "{backend}"\n{more}'
    )
    return folder / name


def test_poetry_publishes_locks_and_installs(client, require_tools):
    tools = require_tools("poetry")
    env = tool_environment(tools, home=client.folder / "home") | {
        "POETRY_REPOSITORIES_FEED_URL": f"{client.url}legacy/",
        "POETRY_HTTP_BASIC_FEED_USERNAME": "__token__",
        "POETRY_HTTP_BASIC_FEED_PASSWORD": client.token,
        "POETRY_KEYRING_ENABLED": "false",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "POETRY_VIRTUALENVS_CREATE": "true",
    }
    env.pop("VIRTUAL_ENV")
    poetry = str(tools / "poetry")
    lib = project(client.folder, "demo-lib", "1.2.0", backend="poetry.core.masonry.api")
    run([poetry, "publish", "--build", "--no-interaction", "--repository", "feed"], lib, env)
    again = [poetry, "publish", "--no-interaction", "--repository", "feed"]
    run(again, lib, env)  # the same bytes once more
    source = f'[[tool.poetry.source]]\nname = "feed"\nurl = "{client.url}simple/"\n'
    app = project(
        client.folder,
        "app",
        "0.1",
        backend="poetry.core.masonry.api",
        dependencies=["demo-lib>=1"],
        more=source + 'priority = "primary"\n[tool.poetry]\npackage-mode = false\n',
    )
    run([poetry, "install", "--no-interaction", "--no-root"], app, env)
    lock = (app / "poetry.lock").read_text()
    [row] = [
        row
        for row in page(client, "demo-lib")["files"]
        if row["filename"] == "demo_lib-1.2.0-py3-none-any.whl"
    ]
    assert row["hashes"]["sha256"] in lock
    python = app / ".venv" / "bin" / "python"
    done = run([str(python), "-c", "import demo_lib; print(demo_lib.VERSION)"], app, env)
    assert done.stdout.strip() == "1.2.0"


def test_hatch_publishes_and_installs(client, require_tools):
    tools = require_tools("hatch")
    home = client.folder / "home"
    env = tool_environment(tools, home=home) | {
        "HATCH_INDEX_REPO": f"{client.url}legacy/",
        "HATCH_INDEX_USER": "__token__",
        "HATCH_INDEX_AUTH": client.token,
        "HATCH_DATA_DIR": str(home / "data"),
        "HATCH_CACHE_DIR": str(home / "cache"),
        "HATCH_CONFIG": str(home / "config.toml"),
        "PIP_INDEX_URL": client.index,
        "UV_DEFAULT_INDEX": client.index,
        "UV_INDEX_URL": client.index,
    }
    (home / "config.toml").touch()
    env.pop("VIRTUAL_ENV")
    lib = project(
        client.folder,
        "demo-lib",
        "2.0.0",
        backend="hatchling.build",
        more='[tool.hatch.build.targets.wheel]\npackages = ["src/demo_lib"]\n',
    )
    run([str(tools / "python"), "-m", "hatchling", "build"], lib, env)
    run([str(tools / "hatch"), "publish", "--no-prompt"], lib, env)
    app = project(
        client.folder,
        "app",
        "0.1",
        backend="hatchling.build",
        more='[tool.hatch.envs.default]\nskip-install = true\ndependencies = ["demo-lib==2.0.0"]\n',
    )
    shown = [str(tools / "hatch"), "run", "python", "-c", "import demo_lib as d; print(d.VERSION)"]
    assert "2.0.0" in run(shown, app, env).stdout


def page(client, name):
    answer = httpx.get(
        f"{client.url}simple/{name}/",
        headers={
            "Accept": "application/vnd.pypi.simple.v1+json",
            "Authorization": f"Bearer {client.token}",
        },
    )
    return answer.raise_for_status().json()


def test_pip_uv_and_twine_do_the_same_on_both_stores(client):
    """Publish, hashes, yank, times, metadata: what `test_pypi_clients` shows one by one."""
    client.twine(wheel("demo", "1.0"), sdist("demo", "1.0"))
    client.uv_publish(wheel("demo", "2.0"), wheel("demo", "3.0", requires_dist="leaf"))
    client.twine(wheel("demo", "1.0"))
    refused = client.twine(wheel("demo", "1.0", summary="other"), check=False)
    assert "already exists" in refused.stdout + refused.stderr
    rows = {row["filename"]: row for row in page(client, "demo")["files"]}
    assert len(rows) == 4
    digest = rows["demo-1.0-py3-none-any.whl"]["hashes"]["sha256"]
    (client.folder / "req.txt").write_text(f"demo==1.0 --hash=sha256:{digest}\n")
    only = ["--require-hashes", "--only-binary", ":all:", "-r", "req.txt"]
    assert resolved(client.pip_report(*only)) == {"demo": "1.0"}
    past = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.uv_install("--exclude-newer", past, "demo", check=False).returncode != 0
    client.uv_install("--require-hashes", "-r", "req.txt")
    answer = httpx.post(
        f"{client.url}manage/demo",
        json={"action": "yank", "filename": "demo-3.0-py3-none-any.whl", "reason": "broken"},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert answer.status_code == 204
    assert resolved(client.pip_report("demo")) == {"demo": "2.0"}
    (client.folder / "req.in").write_text("demo<3\n")
    done = client.run(
        "uv", "pip", "compile", "--no-cache", "--no-config", "--no-annotate", "--no-header",
        "--default-index", client.index, "req.in",
    )  # fmt: skip
    assert done.stdout.split() == ["demo==2.0"]
    log = (client.registry.folder / "server.log").read_text()
    assert f"/pypi/{client.feed}/files/demo/demo-2.0-py3-none-any.whl.metadata" in log


@pytest.mark.parametrize("pip", ["pip==23.2.1", "pip>=26"])
def test_an_older_and_a_newer_pip_install(client, pip, tmp_path):
    """pip of two generations, from the index that uv uses by default."""
    client.twine(wheel("demo", "1.0+local.1"))
    venv = tmp_path / "venv"
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    uv = [sys.executable, "-m", "uv"]
    run([*uv, "venv", "--python", sys.executable, str(venv)], tmp_path, env)
    python = str(venv / "bin" / "python")
    run([*uv, "pip", "install", "--python", python, pip], tmp_path, env)
    env = client.registry.environment()
    install = [python, "-m", "pip", "install", "--isolated", "--no-cache-dir", "--index-url"]
    run([*install, client.index, "demo"], tmp_path, env)
    done = run([python, "-c", "import demo; print(demo.VERSION)"], tmp_path, env)
    assert done.stdout.strip() == "1.0+local.1"
