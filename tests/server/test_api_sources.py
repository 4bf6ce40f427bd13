"""Which sources the API connects, and that no secret ever comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packager_jupyter.shares.api_tokens import ApiTokens

SECRET = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE00003F3F", "AWS_SECRET_ACCESS_KEY": "CANARY-hunter2"}
S3 = {"name": "lake", "url": "s3://bucket/raw", "credential": {"kind": "stored"}, "secret": SECRET}


async def test_a_secret_goes_in_and_never_comes_out(host):
    made = await host.api("POST", "sources", S3, status=201)
    assert made["credential"] == {"kind": "stored", "hint": made["credential"]["hint"]}
    assert made["credential"]["hint"].endswith("3F3F")
    for path in ("sources", "sources/lake"):
        response = await host.fetch("GET", f"api/v1/{path}")
        assert "CANARY" not in response.body.decode()
    wrong = {**S3, "name": "other", "secret": {"AWS_SECRET_ACCESS_KEY": ["CANARY"]}}
    response = await host.fetch("POST", "api/v1/sources", wrong)
    assert response.code == 400
    assert "CANARY" not in response.body.decode()


async def test_another_place_forgets_the_secret(host):
    await host.api("POST", "sources", S3, status=201)
    moved = await host.api("PATCH", "sources/lake", {"url": "s3://another"})
    assert moved["credential"]["kind"] == "none"


NOWHERE = [
    "http://169.254.169.254",
    "http://2852039166",
    "http://0xa9.0xfe.0xa9.0xfe",
    "http://[::ffff:169.254.169.254]",
    "http://[fd00:ec2::254]",
    "http://100.100.100.200",
    "http://s3.amazonaws.com@127.0.0.1",
    "gopher://127.0.0.1",
    "file:///etc/passwd",
]
INSIDE = ["http://127.0.0.1:9000", "http://localhost:9000", "http://registry.lab.test"]


async def refused(host, option, endpoint, headers):
    """Try to connect to and to move to an endpoint; both must be refused and change nothing."""
    options = {"options": {option: endpoint}}
    body = {"name": "evil", "url": "s3://bucket"} | options
    response = await host.fetch("POST", "api/v1/sources", body, headers=headers)
    assert response.code in {400, 403}, response.body
    assert json.loads(response.body)["remedy"]
    await host.api("POST", "sources", {"name": "mine", "url": "s3://bucket"}, status=201)
    changed = await host.fetch("PATCH", "api/v1/sources/mine", options, headers=headers)
    assert changed.code in {400, 403}
    assert [row["name"] for row in (await host.api("GET", "sources"))["items"]] == ["mine"]


@pytest.mark.parametrize("endpoint", NOWHERE)
@pytest.mark.parametrize("option", ["endpoint_url", "public_endpoint_url"])
async def test_nobody_sends_the_server_to_a_metadata_service(host, endpoint, option):
    await refused(host, option, endpoint, {})


@pytest.mark.parametrize("endpoint", [*NOWHERE, *INSIDE])
@pytest.mark.parametrize("option", ["endpoint_url", "public_endpoint_url"])
async def test_the_server_is_not_sent_to_places_of_the_callers_choice(host, endpoint, option):
    if host.kind == "jupyter":
        return  # whoever uses a Jupyter server runs it
    token = ApiTokens(host.services.db).create("ann").secret
    await refused(host, option, endpoint, {"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("endpoint", INSIDE)
async def test_who_runs_the_server_connects_storage_of_its_own_network(host, endpoint):
    body = {"name": "lab", "url": "s3://bucket", "options": {"endpoint_url": endpoint}}
    assert (await host.api("POST", "sources", body, status=201))["name"] == "lab"


@pytest.mark.parametrize("packager_config", [{"endpoint_hosts": ["127.0.0.1"]}])
async def test_an_administrator_may_allow_a_host(host):
    token = ApiTokens(host.services.db).create("ann").secret
    headers = {} if host.kind == "jupyter" else {"Authorization": f"Bearer {token}"}
    body = {
        "name": "lab",
        "url": "s3://bucket",
        "options": {"endpoint_url": "http://127.0.0.1:9000"},
        "credential": {"kind": "anonymous"},
    }
    response = await host.fetch("POST", "api/v1/sources", body, headers=headers)
    assert response.code == 201, response.body


async def test_folders_outside_of_the_root_are_refused(host, tmp_path):
    root = Path(host.services.settings.root_dir)
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "inside").mkdir()
    (root / "link").symlink_to(outside)
    for url in (
        outside.as_uri(),
        "file:///etc",
        "file:///",
        (root / "link").as_uri(),
        (root / "inside").as_uri() + "/../../outside",
    ):
        failed = await host.api("POST", "sources", {"name": "x", "url": url}, status=403)
        assert "local_roots" in failed["remedy"]
    bundle = {"name": "x", "url": "s3://bucket", "options": {"ca_bundle": "/etc/passwd"}}
    await host.api("POST", "sources", bundle, status=403)
    inside = {"name": "ok", "url": (root / "inside").as_uri()}
    await host.api("POST", "sources", inside, status=201)


async def test_only_who_runs_the_server_may_use_its_own_credentials(host):
    profile = {"name": "x", "url": "s3://bucket", "credential": {"kind": "profile", "ref": "prod"}}
    await host.api("POST", "sources", profile, status=201)
    if host.kind == "jupyter":
        return
    token = ApiTokens(host.services.db).create("ann").secret
    for kind, ref in (
        ("profile", "prod"),
        ("env", "PROD"),
        ("dir", "/etc"),
        ("azure-default", None),
    ):
        body = {"name": "y", "url": "s3://bucket", "credential": {"kind": kind, "ref": ref}}
        response = await host.fetch(
            "POST", "api/v1/sources", body, headers={"Authorization": f"Bearer {token}"}
        )
        assert response.code == 403, response.body
        assert "packager source add" in json.loads(response.body)["remedy"]


async def test_a_presigned_address_lives_no_longer_than_allowed(host):
    await host.api("POST", "sources", S3, status=201)
    signed = await host.api("POST", "sources/lake/presign", {"key": "a/b", "ttl_s": 60})
    assert "X-Amz-Expires=60" in signed["url"]
    host.services.settings.presign_ttl_s = 600
    signed = await host.api("POST", "sources/lake/presign", {"key": "a/b"})
    assert "X-Amz-Expires=600" in signed["url"]
    failed = await host.api("POST", "sources/lake/presign", {"key": "a", "ttl_s": 601}, status=400)
    assert "600" in failed["message"]
    for ttl_s in (59, 604801, 0, -1):
        await host.api("POST", "sources/lake/presign", {"key": "a", "ttl_s": ttl_s}, status=400)


async def test_the_report_of_a_test_says_what_to_do(host):
    await host.api("POST", "sources", {"name": "lake", "url": "s3://bucket"}, status=201)
    report = await host.api("POST", "sources/lake/test")
    assert report["is_ok"] is False
    assert "credential" in report["checks"][0]["message"]
    assert report["checks"][0]["remedy"]
    root = Path(host.services.settings.root_dir)
    (root / "files").mkdir()
    body = {"name": "files", "url": (root / "files").as_uri()}
    await host.api("POST", "sources", body, status=201)
    assert (await host.api("POST", "sources/files/test"))["is_ok"] is True


async def test_what_is_done_is_in_the_audit(host):
    await host.api("POST", "sources", S3, status=201)
    await host.api("POST", "sources/lake/presign", {"key": "a"})
    await host.api("DELETE", "sources/lake", status=204)
    rows = [row for _, row in host.services.audit.rows(object="lake")]
    assert [row.action for row in rows] == ["source.remove", "source.presign", "source.add"]
    assert all(row.principal and row.ip == "127.0.0.1" and row.request_id for row in rows)
    assert len({row.request_id for row in rows}) == 3
