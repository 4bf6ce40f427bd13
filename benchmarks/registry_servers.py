"""Package indexes with the same 1,000 wheels: ours, its peers, and a static nginx; for `pypi.py`.

Every server is a process tree of its own on 127.0.0.1, set up from nothing in a folder that goes
away. The peers' programs come from PyPI (`tests/peers/pytools.py`), nginx and wrk from Debian.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from harness import machine as _machine  # noqa: F401  # puts the tests' servers on the path

from packager_jupyter.config import Settings
from packager_jupyter.registries.imports import import_folder
from packager_jupyter.services import Services
from peers.process import free_ports, is_listening
from peers.pytools import python_tools, tool_environment
from registries.pypi.distributions import wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = "madeup"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
START_S = 90


def need(program: str, package: str) -> str:
    """Return the path of a program, or end with the name of its Debian package."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    if found is None:
        raise SystemExit(f"{program} not found: install the Debian package {package}")
    return found


@dataclass
class Index:
    """A running package index.

    Attributes
    ----------
    simple : str
        Address of its simple page, with a login where it wants one, ending in ``/``.
    headers : dict of str to str
        What a reader sends, the login included.
    has_json : bool
        Whether it speaks PEP 691.
    """

    name: str
    simple: str
    process: subprocess.Popen[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    has_json: bool = True

    @property
    def page(self) -> str:
        """Address of the project's page, without a login in it."""
        scheme, _, rest = self.simple.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}{PROJECT}/"

    def pids(self) -> list[int]:
        """Return the server's process and everything that it started."""
        return list(_tree(self.process.pid))

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads so far (proc(5), ``schedstat``)."""
        total_ns = 0
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                total_ns += int((task / "schedstat").read_text().split()[0])
        return total_ns / 1e9

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def make_wheels(folder: Path, count: int) -> Path:
    """Write `count` real wheels of one project."""
    folder.mkdir(parents=True)
    for number in range(count):
        name, data = wheel(PROJECT, f"1.{number}", requires_python=">=3.9")
        (folder / name).write_bytes(data)
    return folder


def start(
    name: str, command: Sequence[str], port: int, *, folder: Path, env: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it listens."""
    log = folder / f"{name.split(maxsplit=1)[0]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=folder
        )
    deadline = time.monotonic() + START_S
    while not is_listening(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return process


def ours(folder: Path, wheels: Path | None, *, name: str = "packager") -> Index:
    """Start our server with a closed feed that holds `wheels`."""
    data = folder / "packager-data"
    settings = Settings(data_dir=str(data), root_dir=str(folder))
    with Services.open(settings) as services:
        spec = services.feeds.create("pypi/main")
        token = services.tokens.create("bench", scopes=("pypi/main:publish",)).secret
        if wheels is not None:
            report = import_folder(services.feeds, spec, wheels, by="bench")
            assert not report.failures, report.failures[:1]
    return serve(folder, token, name=name)


def serve(folder: Path, token: str, *, name: str = "packager") -> Index:
    """Start our server on a folder that `ours` made."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "packager_jupyter.cli", "serve", "--port", str(port)]
    command += ["--data-dir", str(folder / "packager-data"), "--root-dir", str(folder)]
    process = start(name, command, port, folder=folder, env=dict(os.environ))
    return Index(
        name,
        f"http://__token__:{token}@127.0.0.1:{port}/pypi/main/simple/",
        process,
        {"Authorization": f"Bearer {token}"},
    )


def nginx(folder: Path, wheels: Path, ours: Index) -> Index:
    """Start nginx with the page that `ours` shows, written once."""
    program = need("nginx", "nginx-light")
    root = folder / "www"
    page = root / "simple" / PROJECT
    page.mkdir(parents=True)
    (root / "files").mkdir()
    (root / "files" / PROJECT).symlink_to(wheels)
    shown = httpx.get(ours.page, headers={**ours.headers, "Accept": "text/html"}, timeout=60)
    (page / "index.html").write_bytes(shown.raise_for_status().content)
    (root / "simple" / "index.html").write_text(f'<a href="{PROJECT}/">{PROJECT}</a>')
    names = [each.name for each in wheels.iterdir()]
    for name in names:
        # What the page promises: the core metadata beside each file (PEP 658).
        url = ours.page.replace(f"simple/{PROJECT}/", f"files/{PROJECT}/{name}.metadata")
        if name == max(names, key=lambda each: int(each.split("-")[1].split(".")[1])):
            data = httpx.get(url, headers=ours.headers).raise_for_status().content
            (wheels / f"{name}.metadata").write_bytes(data)
    [port] = free_ports(1)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; user root;\n"
        f"error_log {folder}/nginx-error.log;\nevents {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; sendfile on; default_type application/octet-stream;\n"
        f"  types {{ text/html html; }} client_max_body_size 0;\n"
        f"  server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    process = start(
        "nginx", [program, "-c", str(config)], port, folder=folder, env=dict(os.environ)
    )
    return Index("nginx", f"http://127.0.0.1:{port}/simple/", process, has_json=False)


def pypiserver(folder: Path, wheels: Path) -> Index:
    """Start pypiserver with its cache of the folder."""
    tools = python_tools("pypiserver")
    [port] = free_ports(1)
    command = [str(tools / "pypi-server"), "run", "-i", "127.0.0.1", "-p", str(port)]
    command += ["--disable-fallback", "--backend", "cached-dir", str(wheels)]
    env = tool_environment(tools, home=folder / "pypiserver-home")
    process = start("pypiserver", command, port, folder=folder, env=env)
    return Index("pypiserver", f"http://127.0.0.1:{port}/simple/", process, has_json=False)


def simple_repository_server(folder: Path, wheels: Path) -> Index:
    """Start simple-repository-server on a folder of folders."""
    tools = python_tools("simple-repository-server")
    root = folder / "simple-repository"
    root.mkdir()
    (root / PROJECT).symlink_to(wheels)
    [port] = free_ports(1)
    command = [str(tools / "simple-repository-server"), str(root)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    env = tool_environment(tools, home=folder / "simple-home")
    process = start("simple-repository-server", command, port, folder=folder, env=env)
    return Index("simple-repository-server", f"http://127.0.0.1:{port}/simple/", process)


def proxpi(folder: Path, upstream: Index) -> Index:
    """Start proxpi, which keeps pages of `upstream` in its memory."""
    tools = python_tools("proxpi")
    [port] = free_ports(1)
    command = [str(tools / "gunicorn"), "--bind", f"127.0.0.1:{port}", "--threads", "2"]
    command += ["proxpi.server:app"]
    env = tool_environment(tools, home=folder / "proxpi-home")
    env |= {"PROXPI_INDEX_URL": upstream.simple, "PROXPI_INDEX_TTL": "100000"}
    process = start("proxpi", command, port, folder=folder, env=env)
    return Index("proxpi", f"http://127.0.0.1:{port}/index/", process)


def devpi(folder: Path, upstream: Index) -> Index:
    """Start devpi with a mirror of `upstream`; uploading 1,000 files to it takes ten minutes."""
    tools = python_tools("devpi")
    env = tool_environment(tools, home=folder / "devpi-home")
    base = folder / "devpi"
    made = subprocess.run(
        [str(tools / "devpi-init"), "--serverdir", str(base), "--no-root-pypi"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SystemExit(f"devpi-init failed:\n{made.stderr[-2000:]}")
    [port] = free_ports(1)
    command = [str(tools / "devpi-server"), "--serverdir", str(base), "--host", "127.0.0.1"]
    process = start("devpi", [*command, "--port", str(port)], port, folder=folder, env=env)
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=60) as client:
        login = client.post("/+login", json={"user": "root", "password": ""}).json()["result"]
        auth = base64.b64encode(f"root:{login['password']}".encode()).decode()
        options = {"type": "mirror", "mirror_url": upstream.simple, "mirror_cache_expiry": 100000}
        made = client.put("root/mirror", json=options, headers={"X-Devpi-Auth": auth})
        made.raise_for_status()
    return Index("devpi", f"{url}/root/mirror/+simple/", process)
