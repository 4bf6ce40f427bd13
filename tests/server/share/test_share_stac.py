"""The places of images over HTTP: some more are known with each request, and the ETag says so."""

from __future__ import annotations

import io
import json

import pytest
from pyarrow import parquet

from packager_jupyter.exports.footprint_reading import FootprintReader
from packager_jupyter.server.share.memory import Memory
from packager_jupyter.server.share.state import share_state
from packager_jupyter.server.share.turns import Turns
from previews.test_georeference import CORNER, KEYS, keys_of, tiff
from server.share.ocean import PASSWORD, Published, fill

COUNT = 12
ONE_BY_ONE = 8  # files are read so many together


@pytest.fixture
def maps(standalone_host, tmp_path):
    """Return a package of images in a folder."""
    image = tiff({KEYS: keys_of(4326), **CORNER})
    fill(tmp_path / "lake", {f"maps/{n:02}.tif": image for n in range(COUNT)})
    services = standalone_host.services
    services.sources.add("lake", f"file://{tmp_path / 'lake'}")
    draft = services.packages.create("maps")
    draft.add("lake", [""], rename=".")
    draft.publish("1", now_s=1)
    return Published(standalone_host, None)


@pytest.fixture
def state(standalone_server):
    """Return the memories of the server, which reads a few files at a request."""
    found = share_state(standalone_server.app.settings)
    found.footprint_reader = FootprintReader(files_a_request=ONE_BY_ONE)
    return found


def segment_of(published, **options):
    return published.shares.create("maps", owner="ann", **options).segment


def counts_of(answer):
    return json.loads(answer.body)["packager:footprints"]


async def test_what_is_known_grows_and_no_cache_keeps_the_part(maps, state):
    segment = segment_of(maps)
    etags = []
    for known in (ONE_BY_ONE, COUNT):
        answer = await maps.get(segment, "stac/items.json")
        assert counts_of(answer)["with_geometry"] == known
        assert counts_of(answer)["not_read_yet"] == COUNT - known
        for told in etags:
            asked = await maps.get(segment, "stac/items.json", If_None_Match=told)
            assert asked.code == 200
        etags.append(answer.headers["ETag"])
        state.footprints = Memory(8)  # as after the seconds for which an answer stands
    again = await maps.get(segment, "stac/items.json", If_None_Match=etags[-1])
    assert again.code == 304
    table = parquet.read_table(io.BytesIO((await maps.get(segment, "stac/items.parquet")).body))
    assert table["title"].to_pylist() == [f"maps/{n:02}.tif" for n in range(COUNT)]
    collection = json.loads((await maps.get(segment, "stac/collection.json")).body)
    assert collection["extent"]["spatial"]["bbox"] == [[10, 40, 20, 50]]


async def test_a_share_of_a_part_tells_of_its_images_alone(maps, state):
    whole, part = segment_of(maps), segment_of(maps, paths=["maps/03.tif"])
    assert counts_of(await maps.get(whole, "stac/items.json"))["items"] == COUNT
    answer = await maps.get(part, "stac/items.json")
    assert (counts_of(answer)["items"], counts_of(answer)["with_geometry"]) == (1, 1)
    assert b"04.tif" not in answer.body


async def test_nothing_is_read_for_strangers_or_for_other_lists(maps, state, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(state.footprint_reader, "read", fail)
    for name in ("collection.json", "items.json", "items.parquet"):
        answer = await maps.get(segment_of(maps, password=PASSWORD), f"stac/{name}")
        assert answer.code == 401
    assert (await maps.get(segment_of(maps), "urls.txt")).code == 200


async def test_few_requests_read_at_a_time(maps, state):
    state.footprinting = Turns(0, waiting=0, what="footprints of images")
    answer = await maps.get(segment_of(maps), "stac/items.json")
    assert (answer.code, json.loads(answer.body)["code"]) == (503, "busy")
