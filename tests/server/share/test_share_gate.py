"""The gate: nothing comes out before it, everything that opens it does so for one share only."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from itertools import product
from urllib.parse import quote, urlencode, urlsplit

import html5lib
import pytest
from sqlalchemy import update

from packager_jupyter.server.share import SHARE_ROUTES
from packager_jupyter.shares.tokens import new_capability, new_token
from packager_jupyter.store.schema import share as table
from server.share.ocean import ATTACHMENTS, BROWSER, FILES, PASSWORD, below_share, secrets_of

GATED = [route for route in SHARE_ROUTES if "{share}" in route.path]
PATHS = ["", "top.bin", "README.md"]
TICKETS = ["x.y"]


def addresses(route):
    """Yield the addresses of a route below a share, with files that exist."""
    below = below_share(route)
    for path in PATHS if "{path}" in below else [""]:
        for ticket in TICKETS if "{ticket}" in below else [""]:
            yield below.replace("{path}", quote(path)).replace("{ticket}", ticket)


def basic(password, user=""):
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


def cookie_of(published, share, now_s=None):
    value, _ = published.shares.gate.cookie(share, now_s=now_s or time.time())
    return {"Cookie": f"packager_share={value}"}


def opened(published, created):
    return published.shares.open(created.token, now_s=time.time())


async def unlock(published, segment, password, *, form=None, nonce=None, **headers):
    """Do what a browser does with the form; return the answer and the cookie it sets."""
    page = await published.get(segment, **BROWSER)
    found = re.search(r'name="form" value="([^"]*)"', page.body.decode())
    sent = re.search(r"packager_form=([^;]*)", page.headers.get("Set-Cookie", ""))
    nonce = nonce if nonce is not None else sent[1] if sent else ""
    body = urlencode({"password": password, "form": form if form is not None else found[1]})
    answer = await published.get(
        segment,
        "unlock",
        method="POST",
        body=body.encode(),
        Cookie=f"packager_form={nonce}",
        Content_Type="application/x-www-form-urlencoded",
        **BROWSER,
        **headers,
    )
    match = re.search(r"packager_share=([^;]*)", answer.headers.get("Set-Cookie", ""))
    return answer, match[1] if match else None


def without_access(ocean):
    """Return every way to come without access, by name: segment of the address, and headers."""
    created, other = ocean.share(password=PASSWORD), ocean.share(password=PASSWORD)
    share, now_s = opened(ocean, created), time.time()
    stale = cookie_of(ocean, share)
    old_capability = created.capability_segment
    ocean.shares.update(created.share.id, "ann", password="another password")
    token, gate = created.token, ocean.shares.gate
    revoked, expired = ocean.share(), ocean.share(expires_in_s=60)
    used_up, later = ocean.share(max_downloads=1), ocean.share(starts_in_s=3600)
    members = ocean.share(audience=["user:somebody-else"], password=PASSWORD)
    ocean.shares.revoke(revoked.share.id, "ann")
    ocean.shares.count_exactly(opened(ocean, used_up), now_s=now_s)
    end(ocean, expired)
    form = gate.form_token(share, "n", now_s=now_s)
    ticket = gate.image_ticket(share, now_s=now_s)
    bearer = {"Authorization": f"Bearer {ocean.host.token}"}
    return {
        "nothing": (token, {}),
        "a wrong cookie": (token, {"Cookie": "packager_share=abc.def"}),
        "a cookie of another share": (token, cookie_of(ocean, opened(ocean, other))),
        "an expired cookie": (token, cookie_of(ocean, opened(ocean, created), now_s - 4000)),
        "a cookie from before the new password": (token, stale),
        "the old password": (token, basic(PASSWORD)),
        "a wrong header": (token, {"X_Share_Token": "wrong password"}),
        "a form token as cookie": (token, {"Cookie": f"packager_share={form}"}),
        "a ticket as cookie": (token, {"Cookie": f"packager_share={ticket}"}),
        "the server's own token": (token, bearer),
        "a wrong capability": (f"{token}~{new_capability()}", {}),
        "a capability from before the new password": (old_capability, {}),
        "a capability of another share": (f"{token}~{other.capability}", {}),
        "nobody in an audience": (members.capability_segment, basic(PASSWORD)),
        "somebody not in the audience": (
            members.capability_segment,
            bearer | {"X_Share_Token": PASSWORD},
        ),
        "revoked": (revoked.segment, {}),
        "expired": (expired.segment, {}),
        "used up": (used_up.segment, {}),
        "not started": (later.segment, bearer),
        "unknown": (new_token(), {}),
        "no token at all": ("ocean-2024", {}),
    }


def verbs_of(route, below):
    """Yield verbs and what is accepted: all of them once, GET for each address."""
    yield from product([verb for verb in ("GET",) if verb in route.verbs], ({}, BROWSER))
    if below == next(addresses(route)):
        yield from product([verb for verb in route.verbs if verb != "GET"], ({},))
        yield "OPTIONS", {}


def end(ocean, created):
    with ocean.host.services.db.begin() as connection:
        connection.execute(update(table).where(table.c.id == created.share.id).values(expires_s=1))


async def test_no_route_says_anything_before_the_gate(ocean):
    forbidden = secrets_of()
    for name, (segment, headers) in without_access(ocean).items():
        for route in GATED:
            for below in addresses(route):
                for verb, accept in verbs_of(route, below):
                    body = b"" if verb == "POST" else None
                    answer = await ocean.get(
                        segment, below, method=verb, body=body, **headers, **accept
                    )
                    text = answer.body.decode() + str(dict(answer.headers))
                    allowed = {301} if below == "" and route.path == "s/{share}" else set()
                    allowed |= {303} if below == "unlock" else set()
                    allowed |= {204} if verb == "OPTIONS" else set()
                    where = (name, verb, below, answer.code)
                    assert answer.code in {401, 403, 404, 429} | allowed, where
                    # The way to the login page leads back to what was asked for.
                    shown = [one for one in forbidden if one in text and one not in below]
                    assert not shown, (*where, shown)
                    for mark in ("X-Amz", "local/", "Access-Control-Allow-Origin", "ocean-2024"):
                        told = mark in text.replace(segment, "").replace(below, "")
                        assert not told or mark in below, (*where, mark)
        # The wrong passwords above shall not lock the next case out.
        ocean.shares.gate._by_address._events.clear()
        ocean.shares.gate._by_share._events.clear()


async def test_every_route_notes_every_access(ocean):
    """Whoever adds a route need not think of the audit: each access has a row, none a secret."""
    audit = ocean.host.services.audit
    for created, came in ((ocean.share(), True), (ocean.share(password=PASSWORD), False)):
        before = 0
        for route in GATED:
            for below in addresses(route):
                for verb in route.verbs:
                    await ocean.get(
                        created.token, below, method=verb, body=b"" if verb == "POST" else None
                    )
                    audit.flush()
                    rows = audit.rows(object=created.share.id, limit=1000)
                    assert len(rows) > before, (verb, below)
                    before = len(rows)
                    newest = rows[0][1]
                    assert newest.action.startswith("share.")
                    assert newest.ip == "127.0.0.1"
                    assert newest.request_id
        assert ("ok" in {row.result for _, row in rows}) or not came
        assert created.token not in repr(rows)


async def test_the_locked_page_is_a_form_and_nothing_else(ocean):
    created = ocean.share(password=PASSWORD, slug="ocean-slug")
    page = await ocean.get(created.segment, **BROWSER)
    assert page.code == 401
    assert page.headers["WWW-Authenticate"].startswith("Form ")
    tree = html5lib.parse(page.body, namespaceHTMLElements=False)
    text = " ".join(" ".join(tree.itertext()).split())
    assert text == "Password needed Password Open"
    assert [e.get("type", "text") for e in tree.iter("input")] == ["text", "password", "hidden"]
    tool = await ocean.get(created.segment)
    assert tool.headers["WWW-Authenticate"] == 'Basic realm="share", charset="UTF-8"'
    assert json.loads(tool.body)["code"] == "password_required"


@pytest.mark.parametrize(
    "headers",
    [
        basic(PASSWORD),
        basic(PASSWORD, "anybody"),
        {"X_Share_Token": PASSWORD},
        {"Authorization": "basic " + base64.b64encode(f"u:{PASSWORD}".encode()).decode()},
    ],
)
async def test_the_password_opens_by_header(ocean, headers):
    created = ocean.share(password=PASSWORD)
    answer = await ocean.get(created.token, "files/top.bin", **headers)
    assert answer.code == 307
    assert (await ocean.follow(answer, **headers)).body == FILES["top.bin"]


async def test_a_password_beyond_ascii_opens_in_every_spelling(alone):
    created = alone.share(password="caf\u00e9 \u65e5\u672c")
    for spelling in ("caf\u00e9 \u65e5\u672c", "cafe\u0301 \u65e5\u672c"):
        assert (await alone.get(created.token, **basic(spelling))).code == 200
    as_header = spelling.encode().decode("latin-1")
    assert (await alone.get(created.token, X_Share_Token=as_header)).code == 200


async def test_the_capability_opens_everything_and_stays_in_the_path(ocean):
    created = ocean.share(password=PASSWORD)
    segment = created.capability_segment
    page = await ocean.get(segment, **BROWSER)
    assert page.code == 200
    assert page.headers["Access-Control-Allow-Origin"] == "*"
    urls = (await ocean.get(segment, "urls.txt")).body.decode().splitlines()
    assert all(url.startswith(f"{ocean.host.root}s/{segment}/files/") for url in urls)
    assert (await ocean.get(segment, "files/top.bin")).code == 307
    wrong = await ocean.get(f"{created.token}~{new_capability()}", "files/top.bin")
    assert wrong.code == 404


async def test_the_form_sets_a_cookie_for_this_share_alone(ocean):
    created = ocean.share(password=PASSWORD)
    other = ocean.share(password=PASSWORD)
    answer, cookie = await unlock(ocean, created.token, PASSWORD)
    assert (answer.code, answer.headers["Location"]) == (303, "./")
    set_cookie = answer.headers["Set-Cookie"]
    assert f"Path={urlsplit(ocean.host.root).path}s/{created.token}/" in set_cookie
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert "Max-Age=3600" in set_cookie
    assert PASSWORD not in str(answer.headers)
    opened_by = {"Cookie": f"packager_share={cookie}"}
    page = await ocean.get(created.token, **BROWSER, **opened_by)
    assert page.code == 200
    assert "Access-Control-Allow-Origin" not in page.headers
    assert (await ocean.get(other.token, **opened_by)).code == 401


async def test_a_wrong_password_shows_the_form_again(ocean):
    created = ocean.share(password=PASSWORD)
    answer, cookie = await unlock(ocean, created.token, "wrong password")
    assert (answer.code, cookie) == (401, None)
    assert b"That is not the password" in answer.body
    assert b'name="form"' in answer.body


async def test_a_form_from_elsewhere_is_refused(ocean):
    created = ocean.share(password=PASSWORD)
    other = ocean.share(password=PASSWORD)
    share = opened(ocean, other)
    foreign = ocean.shares.gate.form_token(share, "mine", now_s=time.time())
    cases = [
        {"form": ""},
        {"nonce": ""},
        {"nonce": "guessed"},
        {"form": foreign, "nonce": "mine"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ]
    for case in cases:
        answer, cookie = await unlock(ocean, created.token, PASSWORD, **case)
        assert (answer.code, cookie) == (403, None), case
        assert not any(secret in answer.body.decode() for secret in secrets_of())


async def test_the_eleventh_wrong_password_waits(ocean):
    created = ocean.share(password=PASSWORD)
    for number in range(10):
        answer = await ocean.get(created.token, **basic(f"wrong {number}"))
        assert answer.code == 401
    for password in ("wrong again", PASSWORD):
        answer = await ocean.get(created.token, **basic(password))
        assert answer.code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 600
    page, _ = await unlock(ocean, created.token, PASSWORD)
    assert page.code == 429
    assert b"Too many wrong passwords" in page.body
    others = ocean.share(password=PASSWORD)
    assert (await ocean.get(others.token, **basic(PASSWORD))).code == 200


async def test_gone_looks_the_same_whatever_the_reason(ocean, monkeypatch):
    revoked = ocean.share()
    ocean.shares.revoke(revoked.share.id, "ann")
    expired = ocean.share(expires_in_s=60)
    used_up = ocean.share(max_downloads=1)
    assert (await ocean.get(used_up.token, "files/top.bin")).code == 307
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 61)
    seen = set()
    for segment in (revoked.token, expired.token, used_up.token, new_token(), "short", "a~b"):
        for below in ("", "files/top.bin", "package.zip", "view/README.md", "unlock"):
            for accept in ({}, BROWSER):
                answer = await ocean.get(segment, below, **accept)
                text = answer.body.decode().replace(answer.headers["X-Request-Id"], "")
                # The style sheet's address is relative, so it differs with the depth alone.
                text = re.sub(r"(\.\./)+static", "static", text)
                seen.add((answer.code, text, bool(accept)))
    assert len(seen) == 2
    assert {code for code, _, _ in seen} == {404}
    page = html5lib.parse(next(t for _, t, is_page in seen if is_page), namespaceHTMLElements=False)
    assert " ".join(page.find("body").itertext()).split() == [
        "This",
        "share",
        "is",
        "not",
        "available.",
    ]


async def test_revoking_and_passwords_take_effect_on_the_next_request(ocean):
    created = ocean.share()
    assert (await ocean.get(created.token, "files/top.bin")).code == 307
    ocean.shares.update(created.share.id, "ann", password=PASSWORD)
    assert (await ocean.get(created.token, "files/top.bin")).code == 401
    _, cookie = await unlock(ocean, created.token, PASSWORD)
    with_cookie = {"Cookie": f"packager_share={cookie}"}
    assert (await ocean.get(created.token, "files/top.bin", **with_cookie)).code == 307
    ocean.shares.update(created.share.id, "ann", password="another password")
    assert (await ocean.get(created.token, "files/top.bin", **with_cookie)).code == 401
    ocean.shares.revoke(created.share.id, "ann")
    assert (await ocean.get(created.token, "files/top.bin", **with_cookie)).code == 404


async def test_a_maximum_is_exact_under_fifty_at_once(ocean):
    created = ocean.share(max_downloads=10)
    answers = await asyncio.gather(*(ocean.get(created.token, "files/top.bin") for _ in range(50)))
    assert sorted(answer.code for answer in answers) == [307] * 10 + [404] * 40
    assert ocean.shares.get(created.share.id, "ann").state == "used up"


async def test_addresses_end_with_the_share(alone):
    created = alone.share(expires_in_s=100)
    for segment, longest in ((created.token, 100), (alone.share().token, 3600)):
        answer = await alone.get(segment, "files/top.bin")
        body = answer.headers["Location"].rpartition("/")[2].partition(".")[0]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        assert 0 < claims["exp"] - time.time() <= longest
        assert claims["exp"] - claims["iat"] <= longest


async def test_unknown_shares_cost_a_password_check_too(alone, monkeypatch):
    checked = []
    passwords = alone.shares._passwords
    check = passwords.check
    monkeypatch.setattr(passwords, "check", lambda *a: checked.append(a[0]) or check(*a))
    locked = alone.share(password=PASSWORD)
    assert (await alone.get(locked.token, **basic("wrong one"))).code == 401
    assert (await alone.get(new_token(), **basic("wrong two"))).code == 404
    form = {"method": "POST", "body": b"password=wrong+three"}
    assert (await alone.get(new_token(), "unlock", **form)).code == 404
    assert len(checked) == 3
    assert checked[1:] == [None, None]


async def test_images_in_a_locked_page_have_their_own_ticket(ocean):
    created = ocean.share(password=PASSWORD)
    _, cookie = await unlock(ocean, created.token, PASSWORD)
    page = await ocean.get(created.token, **BROWSER, Cookie=f"packager_share={cookie}")
    source = re.search(r'src="(images/[^"]*map\.png)"', page.body.decode())[1]
    image = await ocean.get(created.token, source)
    assert (image.code, image.body) == (200, ATTACHMENTS["img/map.png"])
    ticket = source.split("/")[1]
    assert (await ocean.get(created.token, "files/top.bin", **basic(ticket))).code == 401
    as_cookie = {"Cookie": f"packager_share={ticket}"}
    assert (await ocean.get(created.token, "files/top.bin", **as_cookie)).code == 401
    other = ocean.share(password=PASSWORD)
    assert (await ocean.get(other.token, source)).code == 401
    ocean.shares.update(created.share.id, "ann", password="another password")
    assert (await ocean.get(created.token, source)).code == 401


async def test_every_access_is_in_the_audit_without_a_secret(ocean):
    created = ocean.share(password=PASSWORD)
    await ocean.get(created.token, **basic("wrong password"))
    await ocean.get(created.capability_segment)
    await ocean.get(created.capability_segment, "files/top.bin")
    await ocean.get(created.capability_segment, "package.zip")
    audit = ocean.host.services.audit
    audit.flush()
    rows = [row for _, row in reversed(audit.rows(object=created.share.id))]
    assert [(row.action, row.result) for row in rows] == [
        ("share.password", "wrong"),
        ("share.page", "ok"),
        ("share.file", "ok"),
        ("share.zip", "ok"),
    ]
    assert all(row.principal == "visitor" and row.ip == "127.0.0.1" for row in rows)
    text = repr(rows)
    for secret in (created.token, created.capability, PASSWORD, "wrong password"):
        assert secret not in text
