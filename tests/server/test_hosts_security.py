"""Who gets in, by which credential, from which page, and how much they may send."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest
from jupyter_server.auth import Authorizer

from packager_jupyter.shares.api_tokens import ApiTokens

HOSTILE = "https://evil.example.org"


class OnlyStatus(Authorizer):
    """Denies everything but reading the status; remembers what it was asked."""

    asked: list[tuple[str, str]]

    def is_authorized(self, handler, user, action, resource):
        self.asked.append((action, resource))
        return resource in {"packager:status", "server"}


@pytest.fixture
def strict_authorizer(jupyter_host, jp_serverapp):
    authorizer = OnlyStatus()
    authorizer.asked = []
    jp_serverapp.web_app.settings["authorizer"] = authorizer
    return authorizer


async def login(host) -> dict[str, str]:
    """Return the headers with which a browser that has logged in comes back."""
    first = await host.fetch("GET", "api/v1/status")
    jupyter = replace(host, root=host.root.removesuffix("packager/"))
    page = await jupyter.fetch("GET", "login", is_anonymous=True)
    cookies = {}
    for response in (first, page):
        for line in response.headers.get_list("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            cookies[name] = value
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": sent, "X-XSRFToken": cookies["_xsrf"]}


@pytest.mark.parametrize("order", ["denied first", "allowed first"])
async def test_one_route_never_decides_for_another(order, jupyter_host, strict_authorizer):
    """The trap of a decorated method that remembers the resource of its first call."""
    paths = [("api/v1/jobs", 403), ("api/v1/status", 200)]
    if order == "allowed first":
        paths.reverse()
    for path, status in paths * 2:
        response = await jupyter_host.fetch("GET", path)
        assert response.code == status, path
    assert set(strict_authorizer.asked) >= {("read", "packager:jobs"), ("read", "packager:status")}
    denied = await jupyter_host.fetch("DELETE", "api/v1/jobs/0000")
    assert denied.code == 403
    assert json.loads(denied.body)["code"] == "forbidden"
    assert ("write", "packager:jobs") in strict_authorizer.asked


async def test_a_cookie_needs_the_xsrf_token_to_change_anything(jupyter_host):
    browser = await login(jupyter_host)
    cookie_only = {"Cookie": browser["Cookie"]}

    async def code(method, headers):
        response = await jupyter_host.fetch(
            method, "api/v1/jobs/0000", headers=headers, is_anonymous=True
        )
        return response.code

    assert await code("GET", cookie_only) == 404  # let in, finds no such job
    assert await code("DELETE", cookie_only) == 403
    assert await code("DELETE", cookie_only | {"X-XSRFToken": "guess"}) == 403
    assert await code("DELETE", browser) == 404
    assert await code("DELETE", browser | {"Origin": HOSTILE}) == 403
    assert await code("GET", browser | {"Origin": HOSTILE}) == 403


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None]
)
async def test_a_foreign_form_changes_nothing(jupyter_host, media_type):
    browser = await login(jupyter_host)
    headers = {"Cookie": browser["Cookie"], "Origin": HOSTILE}
    if media_type:
        headers["Content-Type"] = media_type
    for path in ("api/v1/nothing", "api/v1/jobs"):
        response = await jupyter_host.fetch(
            "POST", path, b'{"name": "x"}', headers=headers, is_anonymous=True
        )
        assert response.code in {403, 405}
        assert json.loads(response.body)["remedy"]


@pytest.mark.parametrize("scheme", ["token", "Token", "Bearer", "bearer"])
async def test_a_token_in_the_header_opens(host, scheme):
    response = await host.fetch(
        "GET", "api/v1/status", headers={"Authorization": f"{scheme} {host.token}"}
    )
    assert response.code == 200
    deleted = await host.fetch(
        "DELETE", "api/v1/jobs/0", headers={"Authorization": f"{scheme} {host.token}"}
    )
    assert deleted.code == 404


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer wrong", "Basic eDp5", "Bearer pkgr_api_0123456789ab_" + "x" * 43],
)
async def test_a_wrong_credential_is_nobody(host, value):
    for method in ("GET", "DELETE"):
        response = await host.fetch(method, "api/v1/jobs/0", headers={"Authorization": value})
        assert response.code == 401
        assert json.loads(response.body)["code"] == "not_authenticated"


async def test_the_standalone_server_ignores_cookies_and_tokens_in_the_address(standalone_host):
    token = standalone_host.token
    response = await standalone_host.fetch(
        "GET",
        f"api/v1/status?token={token}",
        headers={"Cookie": f"token={token}; username={token}"},
        is_anonymous=True,
    )
    assert response.code == 401


async def test_a_foreign_host_name_is_refused_for_users(jupyter_host):
    response = await jupyter_host.fetch(
        "GET", "api/v1/status", headers={"Host": "evil.example.org"}
    )
    assert response.code == 403
    assert "allow_remote_access" in json.loads(response.body)["remedy"]


async def test_tokens_are_scoped_expiring_and_revocable(standalone_host):
    now = [1_800_000_000.0]
    tokens = ApiTokens(standalone_host.services.db, clock=lambda: now[0])
    reader = tokens.create("ann", scopes=("api:read",), expires_in_s=100)
    assert reader.secret not in repr(reader)
    assert tokens.verify(reader.secret).owner == "ann"
    assert tokens.verify(reader.secret[:-1] + "!") is None
    swapped = tokens.create("bob").secret
    forged = "_".join([*reader.secret.split("_")[:3], swapped.split("_", 3)[3]])
    assert tokens.verify(forged) is None
    now[0] += 100
    assert tokens.verify(reader.secret) is None

    now[0] = time.time()
    reader = tokens.create("ann", scopes=("api:read",))
    headers = {"Authorization": f"Bearer {reader.secret}"}
    status = await standalone_host.fetch("GET", "api/v1/status", headers=headers)
    assert json.loads(status.body)["user"] == {"name": "ann"}
    assert (await standalone_host.fetch("DELETE", "api/v1/jobs/0", headers=headers)).code == 403
    assert tokens.list("ann")[0].last_used_s is not None
    tokens.revoke(reader.info.id, owner="ann")
    assert (await standalone_host.fetch("GET", "api/v1/status", headers=headers)).code == 401


async def test_a_large_body_is_refused_before_it_is_sent(host):
    """The answer comes while the client still holds the body back."""
    address = host.root.split("/")[2]
    name, port = address.rsplit(":", 1)
    path = "/" + host.root.split("/", 3)[3]
    for token, status in ((host.token, b"413"), ("wrong", b"413")):
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(
            f"POST {path}api/v1/nothing HTTP/1.1\r\nHost: {address}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 629145600\r\n\r\n".encode()
        )
        line = await asyncio.wait_for(reader.readline(), 5)
        assert status in line
        writer.close()


async def test_a_stranger_is_answered_before_sending_the_body(host):
    address = host.root.split("/")[2]
    name, port = address.rsplit(":", 1)
    path = "/" + host.root.split("/", 3)[3]
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(
        f"POST {path}api/v1/nothing HTTP/1.1\r\nHost: {address}\r\n"
        "Content-Length: 1000000\r\n\r\n".encode()
    )
    assert b"401" in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_a_chunked_body_without_end_is_cut_off(host):
    address = host.root.split("/")[2]
    name, port = address.rsplit(":", 1)
    path = "/" + host.root.split("/", 3)[3]
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(
        f"POST {path}api/v1/nothing HTTP/1.1\r\nHost: {address}\r\n"
        f"Authorization: Bearer {host.token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < 64 * 1024 * 1024:
            writer.write(chunk)
            await writer.drain()
            sent += 65536
            if reader.at_eof():
                break
    except ConnectionError:
        pass
    assert sent < 32 * 1024 * 1024
    writer.close()


async def test_forged_host_changes_no_link(standalone_host):
    response = await standalone_host.fetch(
        "GET",
        "healthz",
        headers={"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"},
    )
    assert response.code == 200
    assert standalone_host.services.settings.public_url == standalone_host.root
