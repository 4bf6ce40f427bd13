"""Pages of any origin may read what the link alone opens, without cookies, and nothing else."""

from __future__ import annotations

import pytest

from packager_jupyter.server.share import SHARE_ROUTES
from packager_jupyter.shares.tokens import new_token
from server.share.ocean import PASSWORD, below_share

ORIGIN = {"Origin": "https://lite.example.org"}
ASKING = ORIGIN | {
    "Access_Control_Request_Method": "GET",
    "Access_Control_Request_Headers": "range, x-share-token",
}
GATED = [route for route in SHARE_ROUTES if "{share}/" in route.path]


def below(route):
    return below_share(route).replace("{path}", "top.bin").replace("{ticket}", "-")


@pytest.mark.parametrize("kind", ["open", "capability"])
async def test_a_preflight_of_an_open_share_allows_ranges(ocean, kind):
    created = ocean.share(password=PASSWORD if kind == "capability" else None)
    segment = created.capability_segment or created.segment
    for route in GATED:
        answer = await ocean.get(segment, below(route), method="OPTIONS", **ASKING)
        assert answer.code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"range", "x-share-token", "if-range"} <= set(allowed)
        methods = set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert methods == {*route.verbs, "OPTIONS"}
        assert "Set-Cookie" not in answer.headers


async def test_locked_and_gone_shares_allow_nothing(ocean):
    locked = ocean.share(password=PASSWORD).segment
    members = ocean.share(audience=["signed-in"]).segment
    seen = set()
    for segment in (locked, members, new_token(), "short"):
        for route in GATED:
            answer = await ocean.get(segment, below(route), method="OPTIONS", **ASKING)
            names = {name for name, _ in answer.headers.get_all()}
            assert not any(name.startswith("Access-Control") for name in names)
            seen.add((answer.code, answer.body, tuple(sorted(names - {"X-Request-Id"}))))
    assert len(seen) == 1


async def test_what_may_be_read_says_so_and_so_do_its_errors(ocean):
    segment = ocean.share().segment
    for path, code in (
        ("", 200),
        ("files/top.bin", 307),
        ("urls.txt", 200),
        ("package.zip", 200),
        ("attachments/notes.txt", 200),
        ("files/nothing", 404),
    ):
        answer = await ocean.get(segment, path, **ORIGIN)
        assert (answer.code, answer.headers.get("Access-Control-Allow-Origin")) == (code, "*")
    part = await ocean.get(segment, "attachments/notes.txt", Range="bytes=0-3", **ORIGIN)
    assert part.code == 206
    assert "Content-Range" in part.headers["Access-Control-Expose-Headers"]


async def test_a_password_makes_no_share_readable_across_origins(ocean):
    segment = ocean.share(password=PASSWORD).segment
    answer = await ocean.get(segment, "urls.txt", X_Share_Token=PASSWORD, **ORIGIN)
    assert answer.code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
