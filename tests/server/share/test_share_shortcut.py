"""The redirect from memory: what the handler answers, and only where nobody proves a thing."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from packager_jupyter.server.context import ServerContext
from packager_jupyter.server.logs import ACCESS_LOG
from packager_jupyter.server.routes import routes
from packager_jupyter.server.share.files import FilesHandler
from server.share.ocean import FILES, PASSWORD, encoded

CHANGING = {"Date", "X-Request-Id"}


@pytest.fixture
def handled(monkeypatch):
    """Return the list of paths for which the handler itself made the redirect."""
    paths = []
    redirect_to = FilesHandler.redirect_to

    async def noted(self, share, pointer):
        paths.append(pointer.path)
        await redirect_to(self, share, pointer)

    monkeypatch.setattr(FilesHandler, "redirect_to", noted)
    return paths


def told(response):
    headers = [pair for pair in response.headers.get_all() if pair[0] not in CHANGING]
    return response.code, response.reason, headers, response.body


async def test_both_give_the_same_answer(ocean, handled):
    segment = ocean.share(expires_in_s=120).segment
    for path in FILES:
        before = await ocean.get(segment, f"files/{encoded(path)}?x=1")
        count = len(handled)
        after = await ocean.get(segment, f"files/{encoded(path)}?x=1")
        assert len(handled) == count, "the second answer comes from memory"
        assert told(before) == told(after)
        assert set(after.headers) >= CHANGING
        assert (await ocean.follow(after)).body == FILES[path]
    assert handled, "the first answer does not"


async def test_counts_and_audit_miss_nothing(ocean, handled, caplog):
    caplog.set_level(logging.INFO, logger=ACCESS_LOG)
    created = ocean.share()
    ids = []
    for _ in range(5):
        response = await ocean.get(created.segment, "files/top.bin")
        ids.append(response.headers["X-Request-Id"])
    assert handled == ["top.bin"]
    assert len(set(ids)) == 5
    ocean.host.services.audit.flush()
    rows = [row for _, row in ocean.host.services.audit.rows(object=created.share.id)]
    noted = {row.request_id: row for row in rows if row.action == "share.file"}
    assert set(ids) == set(noted)
    assert {(row.principal, row.ip, row.result) for row in noted.values()} == {
        ("visitor", "127.0.0.1", "ok")
    }
    assert ocean.shares.list("ann")[0].uses == 5
    if ocean.host.kind == "standalone":
        lines = [line for line in caplog.messages if "/files/top.bin" in line]
        assert [line.split()[-1] for line in lines] == ids
        assert not any(created.segment in line for line in lines)


@pytest.mark.parametrize(
    "options",
    [{"password": PASSWORD}, {"max_downloads": 9}, {"audience": ["signed-in"]}],
    ids=str,
)
async def test_whatever_must_be_proved_or_counted_goes_to_the_handler(alone, handled, options):
    checkable = {"checkable": {"signed-in"}} if "audience" in options else {}
    segment = alone.share(**options, **checkable).segment
    headers = {"X_Share_Token": PASSWORD, "Authorization": f"Bearer {alone.host.token}"}
    for _ in range(3):
        assert (await alone.get(segment, "files/top.bin", **headers)).code == 307
    assert handled == ["top.bin"] * 3


async def test_what_ends_a_share_ends_it_at_once(ocean, handled):
    created = ocean.share()
    for _ in range(3):
        assert (await ocean.get(created.segment, "files/top.bin")).code == 307
    assert len(handled) == 1
    ocean.shares.revoke(created.share.id, "ann")
    assert (await ocean.get(created.segment, "files/top.bin")).code == 404


async def test_other_requests_go_to_the_handler(alone, handled):
    segment = alone.share().segment
    for _ in range(2):
        assert (await alone.get(segment, "files/top.bin")).code == 307
    assert (await alone.get(segment, "files/top.bin", method="HEAD")).code == 200
    assert (await alone.get(segment, "files/top.bin", method="POST", body=b"")).code == 405
    assert (await alone.get(segment, "files/top.bin", body=b"a body")).code == 307
    assert len(handled) == 2
    assert (await alone.get(segment, "files/%ff")).code == 400
    assert (await alone.get(segment, "files/nothing")).code == 404


async def test_a_changed_object_is_refused_as_soon_as_memory_is_old(alone, handled):
    segment = alone.share().segment
    for _ in range(2):
        await alone.get(segment, "files/top.bin")
    assert handled == ["top.bin"]
    (alone.folder / "top.bin").write_bytes(b"other")
    for _ in range(80):
        response = await alone.get(segment, "files/top.bin")
        if response.code != 307:
            break
        await asyncio.sleep(0.1)
    assert response.code == 409


async def test_a_server_that_drains_takes_no_shortcut(alone, handled, monkeypatch):
    segment = alone.share().segment
    for _ in range(2):
        assert (await alone.get(segment, "files/top.bin")).code == 307
    monkeypatch.setattr(ServerContext, "is_draining", property(lambda _context: True))
    assert (await alone.get(segment, "files/top.bin")).code == 503


def test_only_capabilities_of_shares_take_shortcuts():
    taken = [route for route in routes() if route.shortcut is not None]
    assert taken
    for route in taken:
        assert route.verbs["GET"].principal == "share"


async def test_visitors_who_ask_at_once_look_the_share_up_once(ocean, monkeypatch):
    segment = ocean.share().segment
    shares = type(ocean.shares)
    opened, open_share = [], shares.open

    def counted(self, *args, **options):
        opened.append(args)
        time.sleep(0.2)  # all ask meanwhile
        return open_share(self, *args, **options)

    monkeypatch.setattr(shares, "open", counted)
    at_once = [ocean.get(segment, "files/top.bin") for _ in range(8)]
    assert {answer.code for answer in await asyncio.gather(*at_once)} == {307}
    assert len(opened) < 4


async def test_nobody_joins_a_look_up_from_before_the_revocation(ocean, monkeypatch):
    created = ocean.share()
    shares = type(ocean.shares)
    found, goes_on, open_share = threading.Event(), threading.Event(), shares.open

    def slow(self, *args, **options):
        share = open_share(self, *args, **options)
        found.set()
        goes_on.wait(20)
        return share

    monkeypatch.setattr(shares, "open", slow)
    before = asyncio.ensure_future(ocean.get(created.segment, "files/top.bin"))
    assert await asyncio.to_thread(found.wait, 20)
    monkeypatch.setattr(shares, "open", open_share)
    ocean.shares.revoke(created.share.id, "ann")
    after = await asyncio.wait_for(ocean.get(created.segment, "files/top.bin"), 15)
    assert after.code == 404
    goes_on.set()
    assert (await before).code == 307
