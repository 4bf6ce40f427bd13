"""The main job through the command line alone, against a real gateway.

One person connects a bucket of 5,000 keys, curates, publishes and shares; another one fetches all
of it with curl through the capability link. Every process is a real one. What they said, logged
and stored is searched for the secrets at the end.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import nbformat
import pytest

from cli.runner import Cli, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.runner import Done
    from peers.rgw import RgwConnection

PASSWORD = "canary-password-5d1f"
PARTS = ("plain", "with space", "a+b", "c#d", "50%", "e&f", "été", "日本", "x=y;z", "q?r")
README = "# Flow\n\nTwo folders and one renamed file.\n"


@dataclass
class Flow:
    """What the first test left for the others."""

    cli: Cli
    bucket: str
    objects: dict[str, bytes]
    log: Path
    downloads: Path
    url: str = ""
    capability_url: str = ""
    digest: str = ""
    urls: tuple[str, ...] = ()


def keys() -> list[str]:
    """Return 5,000 keys: two folders with everything that names can hold, and a rest."""
    found = [
        f"obs/{n % 40:02d}/{PARTS[n % 10]}/{n:05d} {PARTS[n // 10 % 10]}.csv" for n in range(2200)
    ]
    found += [
        f"raw data/{PARTS[n % 10]}/deep/er/{n:05d}{PARTS[n // 10 % 10]}.bin" for n in range(1800)
    ]
    found += [f"left out/{n:04d}.txt" for n in range(999)]
    return [*found, "top #1.json"]


@pytest.fixture(scope="module")
def flow(rgw: RgwConnection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    bucket = rgw.bucket()
    objects = {key: f"{key}\n".encode() * (1 + len(key) % 7) for key in keys()}
    assert len(objects) == 5000
    client = rgw.client()
    with ThreadPoolExecutor(12) as pool:
        list(
            pool.map(
                lambda key: client.put_object(Bucket=bucket, Key=key, Body=objects[key]), objects
            )
        )
    home = tmp_path_factory.mktemp("flow")
    cli = Cli(home)
    flow = Flow(cli, bucket, objects, home / "serve.log", home / "downloads")
    log = flow.log
    with cli.background("serve", "--port", "0", log=log) as server:
        wait_for(log, "Serving at", server, at_most_s=60)
        yield flow
    assert server.returncode == 0


def credential(rgw: RgwConnection) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}


def add_source(cli: Cli, rgw: RgwConnection, bucket: str) -> Done:
    return cli.ok(
        *("source", "add", "lake", f"s3://{bucket}", "--endpoint-url", rgw.endpoint_url),
        *("--region", rgw.region, "--from-env", "--json"),
        env=credential(rgw),
    )


def write_notebook(file: Path) -> None:
    cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1, id="sum")
    cell.outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)


def test_connect_curate_publish_share(flow: Flow, rgw: RgwConnection) -> None:
    cli = flow.cli
    spec = add_source(cli, rgw, flow.bucket).json
    assert spec["credential"]["kind"] == "stored"
    assert rgw.secret_key not in str(spec)
    assert cli.ok("source", "test", "lake").out.count("ok") >= 2

    listed = cli.ok("ls", "lake", "--recursive", "--json").json
    assert listed["is_complete"] is True
    assert {item["key"] for item in listed["items"]} == set(flow.objects)
    top = cli.ok("ls", "lake:", "--json").json["items"]
    assert [item["key"] for item in top] == ["left out/", "obs/", "raw data/", "top #1.json"]

    cli.ok("new", "flow", "--title", "The main flow", "--license", "CC-BY-4.0")
    added = cli.ok("add", "flow", "lake:obs/", "lake:raw data/", "--json").json
    assert added["files_added"] == 4000
    cli.ok("add", "flow", "lake:top #1.json", "--to", "about/the summary.json")
    readme, notebook = cli.home / "README.md", cli.home / "look.ipynb"
    readme.write_text(README)
    write_notebook(notebook)
    cli.ok("attach", "flow", str(readme), str(notebook))

    status = cli.ok("status", "flow", "--json").json
    assert status["files"] == 4001
    published = cli.ok("publish", "flow", "--json").json
    assert published["version"] == "1"
    assert published["files"] == 4001
    assert published["bytes"] == sum(
        len(data) for key, data in flow.objects.items() if not key.startswith("left out/")
    )
    flow.digest = published["digest"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", flow.digest)

    shared = cli.ok(
        "share", "flow@1", "--password-stdin", "--expires", "7d", "--json", stdin=PASSWORD + "\n"
    )
    flow.url, flow.capability_url = shared.json["url"], shared.json["capability_url"]
    assert "Serving at " + flow.url.rpartition("s/")[0] in flow.log.read_text()
    assert shared.json["share"]["has_password"] is True


def test_a_stranger_fetches_every_byte_with_curl(flow: Flow, require: Callable[..., str]) -> None:
    curl = require("curl", package="curl")
    listing = subprocess.run(
        [curl, "-sS", "--fail", "-L", flow.capability_url + "urls.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    flow.urls = tuple(listing.stdout.split())
    prefix = flow.capability_url + "files/"
    paths = {unquote(url.removeprefix(prefix)): url for url in flow.urls if url.startswith(prefix)}
    expected = {
        "about/the summary.json" if key == "top #1.json" else key: data
        for key, data in flow.objects.items()
        if not key.startswith("left out/")
    }
    pointers = {path: url for path, url in paths.items() if path in expected}
    assert set(pointers) == set(expected)

    flow.downloads.mkdir()
    lines = ["location", "fail", "silent", "show-error"]
    for number, url in enumerate(pointers.values()):
        lines += [f'url = "{url}"', f'output = "{flow.downloads / str(number)}"']
    config = flow.cli.home / "curl.conf"
    config.write_text("\n".join(lines))
    done = subprocess.run(
        [curl, "--parallel", "--parallel-max", "16", "-K", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = {
        path: sha256((flow.downloads / str(number)).read_bytes()).hexdigest()
        for number, path in enumerate(pointers)
    }
    assert got == {path: sha256(data).hexdigest() for path, data in expected.items()}


def test_our_server_gave_redirects_and_no_bytes(flow: Flow) -> None:
    segment = urlsplit(flow.capability_url).path.split("/")[2]
    assert segment not in flow.log.read_text()
    answers = re.findall(r"(\d{3}) (\w+) /s/[^/ ]+/files/\S* ", flow.log.read_text())
    assert len(answers) >= 4001
    assert set(answers) == {("307", "GET")}


def test_the_password_opens_and_nothing_else_does(flow: Flow, require: Callable[..., str]) -> None:
    curl = require("curl", package="curl")
    file_url = flow.url + "files/" + quote("about/the summary.json")

    def status(config: str = "") -> str:
        options = ("-sS", "-o", "/dev/null", "-w", "%{http_code}", "-K", "-")
        done = subprocess.run(
            [curl, *options, file_url], input=config, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert status() == "401"
    assert status('user = "x:wrong"\n') == "401"
    assert status(f'user = "x:{PASSWORD}"\n') == "307"
    assert status(f'header = "X-Share-Token: {PASSWORD}"\n') == "307"


def test_publishing_again_changes_nothing(flow: Flow) -> None:
    before = drafts_and_artifacts(flow.cli)
    again = flow.cli.ok("publish", "flow", "--json").json
    assert again["digest"] == flow.digest
    assert again["version"] == "1"
    assert again["is_new"] is False
    assert drafts_and_artifacts(flow.cli) == before


def drafts_and_artifacts(cli: Cli) -> dict[str, str]:
    """Return the state but the database, in which the server counts the uses of shares."""
    return {path: mark for path, mark in cli.state().items() if path != "database"}


def test_another_machine_with_another_clock_publishes_the_same_digest(
    flow: Flow, rgw: RgwConnection, tmp_path: Path
) -> None:
    ahead = tmp_path / "clock"
    ahead.mkdir()
    (ahead / "sitecustomize.py").write_text(
        "import time\n"
        "_time, _time_ns = time.time, time.time_ns\n"
        "time.time = lambda: _time() + 400 * 86400\n"
        "time.time_ns = lambda: _time_ns() + 400 * 86400 * 10**9\n"
    )
    other = Cli(tmp_path / "other machine")
    add_source(other, rgw, flow.bucket)
    source = flow.cli.root_dir / "packages" / "flow"
    shutil.copytree(source, other.root_dir / "packages" / "flow")
    path = f"{ahead}:{other.environment()['PYTHONPATH']}"
    published = other.ok("publish", "flow", "--json", env={"PYTHONPATH": path}).json
    assert published["is_new"] is True
    assert published["digest"] == flow.digest
    versions = other.ok("versions", "flow", "--json", env={"PYTHONPATH": path}).json["items"]
    mine = flow.cli.ok("versions", "flow", "--json").json["items"]
    assert versions[0]["created_s"] - mine[0]["created_s"] > 300 * 86400  # the clocks did differ
    flow.cli.said.extend(other.said)


def test_a_draft_made_anew_in_another_order_has_the_same_digest(
    flow: Flow, rgw: RgwConnection, tmp_path: Path
) -> None:
    other = Cli(tmp_path / "made anew")
    add_source(other, rgw, flow.bucket)
    other.ok("new", "flow", "--title", "The main flow", "--license", "CC-BY-4.0")
    other.ok("attach", "flow", str(flow.cli.home / "look.ipynb"), str(flow.cli.home / "README.md"))
    other.ok("add", "flow", "lake:top #1.json")
    other.ok("mv", "flow", "top #1.json", "about/the summary.json")
    other.ok("add", "flow", "lake:raw data/")
    other.ok("add", "flow", "lake:obs/")
    other.ok("add", "flow", "lake:left out/")
    other.ok("rm", "flow", "left out")
    assert other.ok("publish", "flow", "--json").json["digest"] == flow.digest
    flow.cli.said.extend(other.said)


def test_an_object_that_changed_or_vanished_is_not_handed_out(
    flow: Flow, rgw: RgwConnection, require: Callable[..., str]
) -> None:
    curl = require("curl", package="curl")
    client = rgw.client()
    changed, gone = "obs/00/plain/00000 plain.csv", "obs/01/with space/00001 plain.csv"
    client.put_object(Bucket=flow.bucket, Key=changed, Body=b"something else")
    client.delete_object(Bucket=flow.bucket, Key=gone)

    def head(key: str) -> int:
        url = flow.capability_url + "files/" + quote(key)
        command = [curl, "-sS", "-I", "-o", "/dev/null", "-w", "%{http_code}", url]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert head(changed) == 409
    assert head(gone) == 404
    client.put_object(Bucket=flow.bucket, Key=changed, Body=flow.objects[changed])
    client.put_object(Bucket=flow.bucket, Key=gone, Body=flow.objects[gone])


def test_a_revoked_share_ends_at_once(flow: Flow, require: Callable[..., str]) -> None:
    curl = require("curl", package="curl")
    url = flow.cli.ok("share", "flow").out.splitlines()[0]

    def status(address: str) -> str:
        command = [curl, "-sS", "-o", "/dev/null", "-w", "%{http_code}", address]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert status(url) == "200"
    listed = flow.cli.ok("shares", "ls", "--json").json["items"]
    share_id = next(item["id"] for item in listed if not item["has_password"])
    flow.cli.ok("shares", "revoke", share_id)
    assert status(url) == "404"
    assert status(url.rpartition("s/")[0] + "s/never-was/") == "404"


def test_no_secret_was_said_logged_or_stored(flow: Flow, rgw: RgwConnection) -> None:
    capability = flow.capability_url.rstrip("/").rpartition("~")[2]
    assert len(capability) >= 16
    token = flow.url.rstrip("/").rpartition("/")[2]
    secrets = [rgw.secret_key, PASSWORD]
    secrets += [base64.b64encode(secret.encode()).decode() for secret in secrets]
    for done in flow.cli.said:
        for secret in secrets:
            assert secret not in done.out + done.err, done.args
        assert not any(secret in arg for arg in done.args for secret in secrets)
    log = flow.log.read_text()
    for secret in [*secrets, capability, token]:
        assert secret not in log
    files = [
        file
        for folder in (flow.cli.data_dir, flow.cli.root_dir)
        for file in folder.rglob("*")
        if file.is_file()
    ]
    assert len(files) > 10
    for file in files:
        content = file.read_bytes()
        for secret in [*secrets, capability, token]:
            assert secret.encode() not in content, file
