"""Tokens and feeds over the REST API, in both hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest

from registries.terraform.archives import zipped_module


async def test_tokens_come_and_go(host):
    new = {"scopes": ["pypi/main:read"], "expires_in_s": 3600, "description": "reader"}
    made = await host.api("POST", "tokens", new, status=201)
    listed = await host.api("GET", "tokens")
    assert listed["items"] == [made["info"]]
    assert made["token"] not in str(listed)
    assert host.services.tokens.verify(made["token"]).scopes == ("pypi/main:read",)
    await host.api("DELETE", f"tokens/{made['info']['id']}", status=204)
    assert host.services.tokens.verify(made["token"]) is None
    assert (await host.api("GET", "tokens"))["items"][0]["state"] == "revoked"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "api"},
        {"scopes": ["api"], "expires_in_s": 0},
        {"scopes": ["api"], "expires_in_s": 10**9},
        {"scopes": ["api"], "owner": "bob"},
    ],
)
async def test_a_token_that_cannot_be_made(host, body):
    await host.api("POST", "tokens", body, status=400)
    assert (await host.api("GET", "tokens"))["items"] == []


async def test_nobody_ends_the_token_of_another(host):
    other = host.services.tokens.create("somebody else", scopes=("api",))
    await host.api("DELETE", f"tokens/{other.info.id}", status=404)
    assert host.services.tokens.verify(other.secret) is not None


async def test_a_token_makes_no_token(standalone_host):
    limited = standalone_host.services.tokens.create("alice", scopes=("api",)).secret
    response = await standalone_host.fetch(
        "POST",
        "api/v1/tokens",
        {"scopes": ["oci/*:delete"]},
        headers={"Authorization": f"Bearer {limited}"},
    )
    assert response.code == 403
    assert standalone_host.services.tokens.list("alice")[0].scopes == ("api",)


@pytest.mark.parametrize("packager_config", [{"feeds": {"pypi/lab": {"anonymous_read": True}}}])
async def test_feeds_come_and_go(host):
    new = {
        "ecosystem": "terraform",
        "name": "main",
        "immutability": "append-only",
        "max_file_bytes": 10**9,
    }
    made = await host.api("POST", "feeds", new, status=201)
    open_ended = {"max_project_bytes": None, "max_feed_bytes": None}
    assert made == {**new, **open_ended, "is_anonymous_read": False, "is_declared": False}
    items = (await host.api("GET", "feeds"))["items"]
    pypi, terraform = items
    assert pypi["url"].endswith("/pypi/lab/")
    assert pypi["install"] == f"pip install --index-url {pypi['url']}simple/ NAME"
    assert f'"modules.v1" = "{terraform["url"]}v1/modules/"' in terraform["install"]
    assert [pypi["projects"], terraform["projects"]] == [0, 0]
    modules = host.services.feeds.terraform("main").modules
    modules.publish("a", "b", "c", "1.0.0", BytesIO(zipped_module("#\n")), now=datetime.now(UTC))
    assert [one["projects"] for one in (await host.api("GET", "feeds"))["items"]] == [0, 1]
    assert [(one["ecosystem"], one["name"]) for one in items] == [
        ("pypi", "lab"),
        ("terraform", "main"),
    ]
    await host.api("POST", "feeds", new, status=409)
    await host.api("DELETE", "feeds/terraform/main", status=204)
    await host.api("DELETE", "feeds/terraform/main", status=404)
    await host.api("DELETE", "feeds/pypi/lab", status=404)  # it stands in the configuration


@pytest.mark.parametrize(("ecosystem", "name"), [("npm", "a"), ("pypi", "A"), ("pypi", "a/b")])
async def test_a_feed_that_cannot_be_made(host, ecosystem, name):
    await host.api("POST", "feeds", {"ecosystem": ecosystem, "name": name}, status=400)


@pytest.mark.parametrize("option", [{"max_feed_bytes": 0}, {"immutability": "never"}])
async def test_an_option_that_a_feed_cannot_have(host, option):
    await host.api("POST", "feeds", {"ecosystem": "pypi", "name": "a", **option}, status=400)
