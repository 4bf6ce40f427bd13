"""Audiences at the door: asked at every request, in each host, as far as the host can know."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from jupyter_server.auth.identity import IdentityProvider, User
from traitlets.config import Config

from packager_jupyter.errors import BadInputError
from server.share.ocean import BROWSER, FILES, PASSWORD, make_published, secrets_of

TABLE = {
    "t-ann": ("ann", ["staff"]),
    "t-bob": ("bob", ["guests"]),
    "t-eve": ("eve", None),
}


class TeamUser(User):
    """A user with groups, as a hub's identity provider gives them."""

    groups: list | None = None


class TeamIdentity(IdentityProvider):
    """Knows three people by their tokens."""

    async def get_user(self, handler):
        token = handler.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in TABLE:
            return None
        handler._token_authenticated = True
        name, groups = TABLE[token]
        user = TeamUser(name)
        user.groups = groups
        return user


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def team(jp_server_config, tmp_path, request):
    """Run Jupyter with three people and two groups."""
    jp_server_config.merge(Config({"ServerApp": {"identity_provider_class": TeamIdentity}}))
    host = request.getfixturevalue("jupyter_host")
    return make_published(host, tmp_path / "lake")


async def create(published, token, **body):
    return await published.host.fetch(
        "POST", "api/v1/shares", {"package": "ocean-2024", **body}, headers=bearer(token)
    )


async def codes(published, segment, *, path="files/top.bin", **headers):
    found = {}
    for token in (None, "wrong", *TABLE):
        sent = bearer(token) if token else {}
        found[token] = (await published.get(segment, path, **sent, **headers)).code
    return found


async def test_signed_in_people_only(ocean):
    segment = ocean.share(audience=["signed-in"]).segment
    token = ocean.host.token
    for path in ("", "files/top.bin", "urls.txt", "package.zip", "view/README.md"):
        answer = await ocean.get(segment, path)
        assert answer.code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="share"'
        assert not any(secret in answer.body.decode() for secret in secrets_of())
        answer = await ocean.get(segment, path, **bearer(token), Origin="https://a.example.org")
        assert answer.code in {200, 307}
        assert "Access-Control-Allow-Origin" not in answer.headers
    page = await ocean.get(segment, **BROWSER)
    assert page.code == 401
    assert b"for people who have signed in" in page.body
    assert (b"login?next=" in page.body) == (ocean.host.kind == "jupyter")


async def test_a_login_cookie_of_jupyter_counts(jupyter_host, tmp_path):
    ocean = make_published(jupyter_host, tmp_path / "lake")
    segment = ocean.share(audience=["signed-in"]).segment
    # Jupyter makes a cookie for whoever comes with its token.
    login = await jupyter_host.fetch("GET", "../api/me")
    cookies = "; ".join(value.partition(";")[0] for value in login.headers.get_list("Set-Cookie"))
    assert "username-" in cookies
    forged = re.sub(
        r"(username-[^=]*=)[^;]*", r'\1"2|1:0|10:1790000000|8:username|4:e30=|00"', cookies
    )
    assert (await ocean.get(segment, "files/top.bin", Cookie=cookies)).code == 307
    assert (await ocean.get(segment, "files/top.bin", Cookie=forged)).code == 401


async def test_users_and_groups(team):
    gone = 404
    cases = {
        ("user:ann",): {None: 401, "wrong": 401, "t-ann": 307, "t-bob": gone, "t-eve": gone},
        ("group:staff",): {None: 401, "wrong": 401, "t-ann": 307, "t-bob": gone, "t-eve": gone},
        ("user:eve", "group:guests"): {
            None: 401,
            "wrong": 401,
            "t-ann": gone,
            "t-bob": 307,
            "t-eve": 307,
        },
    }
    for audience, expected in cases.items():
        made = await create(team, "t-ann", audience=list(audience))
        assert made.code == 201, made.body
        segment = re.search(r'/s/([^/"]+)/', made.body.decode())[1]
        assert await codes(team, segment) == expected


async def test_leaving_a_group_takes_effect_on_the_next_request(team, monkeypatch):
    segment = team.shares.create(
        "ocean-2024", owner="ann", audience=["group:staff"], checkable={"group"}
    ).segment
    ann = bearer("t-ann")
    assert (await team.get(segment, "files/top.bin", **ann)).code == 307
    monkeypatch.setitem(TABLE, "t-ann", ("ann", []))
    assert (await team.get(segment, "files/top.bin", **ann)).code == 404


async def test_who_is_not_meant_sees_what_a_stranger_sees_of_no_share(team):
    segment = team.share(audience=["user:ann"]).segment
    revoked = team.share()
    team.shares.revoke(revoked.share.id, "ann")
    bob = bearer("t-bob")
    for accept in ({}, BROWSER):
        seen = set()
        for name in (segment, revoked.segment):
            answer = await team.get(name, "files/top.bin", **bob, **accept)
            text = answer.body.decode().replace(answer.headers["X-Request-Id"], "")
            kept = {"Content-Type", "Content-Length", "WWW-Authenticate", "Cache-Control"}
            headers = tuple(sorted(h for h in answer.headers.get_all() if h[0] in kept))
            seen.add((answer.code, text, headers))
        assert len(seen) == 1


async def test_audience_and_password_are_both_asked(team):
    created = team.share(audience=["user:ann"], password=PASSWORD)
    ann, bob = bearer("t-ann"), bearer("t-bob")
    for segment, password, expected in (
        (created.segment, {}, (401, 404)),
        (created.segment, {"X_Share_Token": PASSWORD}, (307, 404)),
        (created.capability_segment, {}, (307, 404)),
    ):
        found = [
            (await team.get(segment, "files/top.bin", **who, **password)).code for who in (ann, bob)
        ]
        assert tuple(found) == expected
        stranger = await team.get(segment, "files/top.bin", **password)
        assert stranger.code == 401
    # A stranger cannot use the form to find out about the password.
    form = {"method": "POST", "body": f"password={PASSWORD}".encode()}
    assert (await team.get(created.segment, "unlock", **form)).code == 401


async def test_images_of_an_audience_have_a_short_ticket(team):
    segment = team.share(audience=["user:ann"]).segment
    page = await team.get(segment, **bearer("t-ann"), **BROWSER)
    source = re.search(r'src="(images/[^"]*map\.png)"', page.body.decode())[1]
    assert (await team.get(segment, source)).code == 200
    share = team.shares.open(segment, now_s=0)
    gate, ticket = team.shares.gate, source.split("/")[1]
    import time

    assert gate.is_image_ticket(share, ticket, now_s=time.time())
    assert not gate.is_image_ticket(share, ticket, now_s=time.time() + 61)


async def test_a_host_refuses_what_it_cannot_check(ocean):
    for audience, codes_by_host in (
        (["signed-in"], {"jupyter": 201, "standalone": 201}),
        (["user:ann"], {"jupyter": 400, "standalone": 201}),
        (["group:staff"], {"jupyter": 400, "standalone": 400}),
        (["nobody"], {"jupyter": 400, "standalone": 400}),
    ):
        body = {"package": "ocean-2024", "audience": audience}
        answer = await ocean.host.fetch("POST", "api/v1/shares", body)
        assert answer.code == codes_by_host[ocean.host.kind], (audience, answer.body)
    with pytest.raises(BadInputError):
        ocean.share(audience=["group:staff"])


async def test_api_tokens_open_audience_shares_of_the_standalone_server(alone):
    tokens = alone.host.services.tokens
    ann = tokens.create("ann", scopes=["api:read"]).secret
    bob = tokens.create("bob", scopes=["api"]).secret
    narrow = tokens.create("ann", scopes=["pypi/main:read"]).secret
    segment = alone.share(audience=["user:ann"]).segment
    found = [
        (await alone.get(segment, "files/top.bin", **bearer(token))).code
        for token in (ann, bob, narrow)
    ]
    assert found == [307, 404, 401]
    answer = await alone.get(segment, "files/top.bin", **bearer(ann))
    assert (await alone.follow(answer)).body == FILES["top.bin"]


async def test_the_audit_names_who_came(team):
    created = team.share(audience=["user:ann"])
    await team.get(created.segment, "files/top.bin", **bearer("t-ann"))
    await team.get(created.segment, "files/top.bin", **bearer("t-bob"))
    audit = team.host.services.audit
    audit.flush()
    rows = [row for _, row in reversed(audit.rows(object=created.share.id))]
    assert [(row.principal, row.action, row.result) for row in rows] == [
        ("ann", "share.file", "ok"),
        ("bob", "share.audience", "refused"),
    ]


async def test_the_owner_reads_who_came_and_nobody_else_does(team):
    made = json.loads((await create(team, "t-ann", audience=["user:bob"])).body)
    share, segment = made["share"]["id"], made["url"].rstrip("/").rpartition("/")[2]
    for token in ("t-bob", "t-eve"):
        await team.get(segment, "files/top.bin", **bearer(token))

    async def log(token, query=""):
        path = f"api/v1/shares/{share}/log{query}"
        return await team.host.fetch("GET", path, headers=bearer(token))

    newest = json.loads((await log("t-ann", "?limit=2")).body)
    assert [(row["principal"], row["action"], row["result"]) for row in newest["items"]] == [
        ("eve", "share.audience", "refused"),
        ("bob", "share.file", "ok"),
    ]
    assert all(row["ip"] and row["request_id"] for row in newest["items"])
    rest = json.loads((await log("t-ann", f"?limit=2&cursor={newest['cursor']}")).body)
    assert [(row["principal"], row["action"]) for row in rest["items"]] == [("ann", "share.create")]
    assert rest["cursor"] is None
    assert (await log("t-bob")).code == 404
    assert segment not in (await log("t-ann")).body.decode()


async def get(folder, *arguments, stdin="", **environment):
    """Run ``packager get`` as somebody elsewhere does; return exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "packager_jupyter.cli", "get", *arguments, str(folder / "out")],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "PACKAGER_DATA_DIR": str(folder / "data"),
            **environment,
        },
    )
    output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 120)
    return process.returncode, output.decode()


async def test_packager_get_says_who_asks(ocean, tmp_path):
    segment = ocean.share(audience=["signed-in"]).segment
    link, token = f"{ocean.host.root}s/{segment}/", ocean.host.token
    code, output = await get(tmp_path, link)
    assert (code, "--token-stdin" in output, "password" in output) == (1, True, False), output
    code, output = await get(tmp_path, link, "--token-stdin", stdin="pkgr_wrong\n")
    assert (code, "does not know the token" in output) == (1, True), output
    # A token of another server stays at home.
    elsewhere = {"PACKAGER_URL": "http://127.0.0.1:1/packager/", "PACKAGER_TOKEN": token}
    code, output = await get(tmp_path, link, **elsewhere)
    assert (code, "signed in" in output) == (1, True), output
    own = {"PACKAGER_URL": ocean.host.root, "PACKAGER_TOKEN": token}
    for options, stdin, environment in (
        (["--token-stdin"], f"{token}\n", {}),
        ([], "", own),
    ):
        folder = tmp_path / f"got {len(options)}"
        folder.mkdir()
        code, output = await get(folder, link, *options, stdin=stdin, **environment)
        assert code == 0, output
        assert token not in output
        assert (folder / "out/top.bin").read_bytes() == FILES["top.bin"]


async def test_packager_get_of_a_named_person(alone, tmp_path):
    tokens = alone.host.services.tokens
    ann = tokens.create("ann", scopes=["api:read"]).secret
    bob = tokens.create("bob", scopes=["api:read"]).secret
    made = alone.share(audience=["user:ann"], password=PASSWORD)
    link = f"{alone.host.root}s/{made.segment}/"
    code, output = await get(tmp_path, link, "--token-stdin", stdin=bob)
    assert (code, "not there" in output) == (1, True), output
    code, output = await get(tmp_path, link, "--token-stdin", stdin=ann)
    assert (code, "asks for a password" in output) == (1, True), output
    code, output = await get(
        tmp_path, link, "--token-stdin", stdin=ann, PACKAGER_SHARE_PASSWORD=PASSWORD
    )
    assert code == 0, output
    assert (tmp_path / "out/top.bin").read_bytes() == FILES["top.bin"]
