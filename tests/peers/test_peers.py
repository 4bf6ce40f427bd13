"""The peers are what the tests take them for: they refuse what a real storage refuses."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from peers.process import FOLDER_PREFIX, PeerMissingError, make_folder, need, spawn


def test_rgw_checks_signature_and_expiry(rgw):
    client, bucket = rgw.client(), rgw.bucket()
    client.put_object(Bucket=bucket, Key="a b+c/ü", Body=b"hello")
    where = {"Bucket": bucket, "Key": "a b+c/ü"}
    url = client.generate_presigned_url("get_object", where, ExpiresIn=60)
    soon = client.generate_presigned_url("get_object", where, ExpiresIn=1)

    assert httpx.get(url).content == b"hello"
    assert httpx.get(url.replace("a%20b", "a%20c")).status_code == 403
    time.sleep(2)
    assert httpx.get(soon).status_code == 403


def test_rgw_serves_tls_of_its_own_authority_and_virtual_hosts(rgw):
    from botocore.config import Config
    from botocore.exceptions import SSLError

    bucket = rgw.bucket()
    rgw.client().put_object(Bucket=bucket, Key="k", Body=b"x")
    trusted = rgw.client(endpoint_url=rgw.tls_endpoint_url, verify=rgw.ca_bundle)
    assert trusted.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1
    doubting = rgw.client(
        endpoint_url=rgw.tls_endpoint_url, config=Config(retries={"total_max_attempts": 1})
    )
    with pytest.raises(SSLError):
        doubting.head_object(Bucket=bucket, Key="k")

    port = httpx.URL(rgw.endpoint_url).port
    url = rgw.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    virtual = rgw.client(
        endpoint_url=f"http://localhost:{port}",
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    ).generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert httpx.URL(url).host == "127.0.0.1"
    assert httpx.URL(virtual).host == f"{bucket}.localhost"
    by_address = str(httpx.URL(virtual).copy_with(host="127.0.0.1"))
    assert httpx.get(by_address, headers={"Host": f"{bucket}.localhost:{port}"}).content == b"x"


def test_azurite_checks_shared_access_signatures(azurite):
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    container = azurite.container()
    blob = azurite.client().get_blob_client(container, "a b/ü")
    blob.upload_blob(b"hello")
    now = dt.datetime.now(dt.UTC)

    def get(name: str, expiry: dt.datetime) -> httpx.Response:
        sas = generate_blob_sas(
            azurite.account,
            container,
            name,
            account_key=azurite.key,
            permission=BlobSasPermissions(read=True),
            expiry=expiry,
        )
        return httpx.get(f"{blob.url}?{sas}")

    assert get("a b/ü", now + dt.timedelta(minutes=5)).content == b"hello"
    assert get("other", now + dt.timedelta(minutes=5)).status_code == 403
    assert get("a b/ü", now - dt.timedelta(minutes=5)).status_code == 403


def test_a_page_loads_in_the_browser(browser):
    page = browser.new_page()
    page.goto("data:text/html,<title>here</title>")
    assert page.title() == "here"


def test_a_missing_command_names_its_package():
    with pytest.raises(PeerMissingError, match=r"no-such-command not found: install a-package"):
        need(["sh", "no-such-command"], package="a-package")


def test_folders_of_dead_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    stale = tmp_path / f"{FOLDER_PREFIX}{ended.pid}-rgw-x"
    alive = tmp_path / f"{FOLDER_PREFIX}{os.getpid()}-rgw-x"
    stale.mkdir()
    alive.mkdir()
    made = make_folder("rgw")
    assert sorted(tmp_path.iterdir()) == sorted([alive, made])


def test_a_daemon_ends_when_its_starter_is_killed(tmp_path):
    pid_file = tmp_path / "pid"
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(pid_file)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    daemon = psutil.Process(int(pid_file.read_text()))
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    psutil.wait_procs([daemon], timeout=30)
    assert not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE


_STARTER = f"""
import pathlib, sys, time
from {spawn.__module__} import spawn
target = pathlib.Path(sys.argv[1])
target.write_text(str(spawn(["sleep", "600"], log=target.with_suffix(".log")).pid))
time.sleep(600)
"""
