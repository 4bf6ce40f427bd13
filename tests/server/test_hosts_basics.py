"""What both hosts have in common beside the table: log lines, jobs, health, numbers."""

from __future__ import annotations

import logging

from packager_jupyter.server import logs

TOKEN = "Qm9va0tva2VuLXdpdGgtMTkyLXJhbmRv"


async def test_the_access_line_has_neither_query_nor_token(standalone_host, caplog):
    with caplog.at_level(logging.INFO, logger=logs.ACCESS_LOG):
        await standalone_host.fetch("GET", f"s/{TOKEN}/files/x?prefix=CANARY20")
        await standalone_host.fetch("GET", "api/v1/status?x=CANARY21")
    text = caplog.text
    assert "CANARY" not in text
    assert TOKEN not in text
    assert "404 GET /s/Qm9va0…/files/x?… 127.0.0.1" in text
    assert "200 GET /api/v1/status?… 127.0.0.1" in text


async def test_jobs_over_http(host):
    """The routes show the table of the server that was asked."""
    assert await host.api("GET", "jobs") == {"items": [], "cursor": None}
    missing = await host.api("GET", "jobs/0000", status=404)
    assert missing["code"] == "not_found"


async def test_status_says_who_and_where(host):
    status = await host.api("GET", "status")
    assert status["api"] == 1
    assert status["host"] == host.kind
    assert status["user"]["name"]
    assert status["root_dir"] == ("" if host.kind == "jupyter" else None)


async def test_health_and_numbers(host, anonymous):
    assert (await anonymous("GET", "healthz")).body == b"ok\n"
    head = await anonymous("HEAD", "healthz")
    assert (head.code, head.body, head.headers["Content-Length"]) == (200, b"", "3")
    numbers = (await host.fetch("GET", "metrics")).body.decode()
    assert 'packager_requests_total{method="GET",route="healthz",status="200"} 1.0' in numbers
    assert (await anonymous("GET", "metrics")).code == 401
    host.services.settings.metrics = False
    assert (await host.fetch("GET", "metrics")).code == 404


async def test_every_answer_has_its_own_id(host, anonymous):
    ids = {(await anonymous("GET", "healthz")).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
