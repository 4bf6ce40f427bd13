"""The lines for lists and standards that the page offers, run as they stand there."""

from __future__ import annotations

import json
import zipfile

import pytest

from server.share.ocean import ATTACHMENTS, FILES, Published, fill, publish
from server.share.ways import found_in, shared_in

EVERYTHING = {**FILES, **ATTACHMENTS}


@pytest.fixture(params=["open", "password", "open zsh", "password zsh"])
def shared(request, alone, require):
    """Return a share of the package in each way in which people open one, and in both shells."""
    if request.param.endswith("zsh"):
        require("zsh", package="zsh")
    return shared_in(alone, request.param)


@pytest.fixture(params=["open", "password"])
def opened(request, alone):
    """Return the same for what needs no shell."""
    return shared_in(alone, request.param)


@pytest.mark.parametrize("key", ["aria2", "curl-all"])
async def test_everything_arrives_and_is_verified(shared, tmp_path, key, require):
    require("aria2c", package="aria2")
    code, output = await shared.run(key, tmp_path)
    assert (code, found_in(tmp_path / "ocean-2024")) == (0, EVERYTHING), output
    code, output = await shared.run("checksums", tmp_path)
    assert (code, "README.md: OK" in output) == (0, True), output
    (tmp_path / "ocean-2024/README.md").write_bytes(b"other")
    code, output = await shared.run("checksums", tmp_path)
    assert (code != 0, "README.md: FAILED" in output) == (True, True), output


async def test_the_zip_with_all_its_data(shared, tmp_path):
    code, output = await shared.run("zip-all", tmp_path)
    assert code == 0, output
    opened = zipfile.ZipFile(tmp_path / "ocean-2024.zip")
    assert {name: opened.read(name) for name in opened.namelist()} == EVERYTHING


async def test_fsspec_lists_the_whole_package(opened, tmp_path, require_tools):
    python = require_tools("fsspec") / "python"
    code, output = await opened.run("fsspec-package", tmp_path, interpreter=(str(python),))
    assert (code, str(sorted(EVERYTHING)) in output) == (0, True), output


async def test_huggingface_downloads_a_snapshot(opened, tmp_path, require_tools):
    python = require_tools("huggingface") / "python"
    code, output = await opened.run("huggingface", tmp_path, interpreter=(str(python),))
    assert code == 0, output
    got = set(found_in(tmp_path / ".cache").values())
    assert set(EVERYTHING.values()) <= got


async def test_datasets_reads_a_table(opened, tmp_path, require_tools):
    python = require_tools("huggingface") / "python"
    code, output = await opened.run("datasets", tmp_path, interpreter=(str(python),))
    assert code == 0, output
    assert "depth" in output


TABLES = {
    "odd/[x]*1?.csv": b"time,height\n1,2\n3,4\n",
    "maps/a b%41.tif": b"II*\0not really",
    "zz.bin": b"x",
}


@pytest.fixture(params=["open", "password"])
def maps(request, standalone_host, tmp_path):
    """Return a share of a package with a map, and with a table whose name is a pattern."""
    fill(tmp_path / "lake", TABLES)
    standalone_host.services.sources.add("lake", f"file://{tmp_path / 'lake'}")
    publish(standalone_host.services, "lake")
    return shared_in(Published(standalone_host, None), request.param)


async def test_datasets_reads_a_table_whatever_it_is_called(maps, tmp_path, require_tools):
    python = require_tools("huggingface") / "python"
    code, output = await maps.run("datasets", tmp_path, interpreter=(str(python),))
    assert code == 0, output
    assert "['time', 'height']" in output
    assert "num_rows: 2" in output


async def test_stac_lists_the_maps(maps, tmp_path, require_tools):
    python = require_tools("stac") / "python"
    code, output = await maps.run("stac", tmp_path, interpreter=(str(python),))
    assert code == 0, output
    (line,) = (one for one in output.splitlines() if "http" in one)
    host = maps.published.host
    below = line.split()[-1].removeprefix(host.root)
    answer = await host.fetch("GET", below, is_anonymous=True, follow_redirects=True)
    assert answer.body == TABLES["maps/a b%41.tif"]


async def test_validators(shared, tmp_path, require_tools):
    for key, sign in (("frictionless", "VALID"), ("croissant", "Done")):
        code, output = await shared.run(key, tmp_path, path=require_tools(key))
        assert (code, sign in output) == (0, True), output


async def test_descriptions_are_saved(shared, tmp_path):
    names = {"ro-crate": "ocean-2024/ro-crate-metadata.json", "datacite": "datacite.json"}
    for key, name in names.items():
        code, output = await shared.run(key, tmp_path)
        assert code == 0, output
        assert "Ocean survey" in json.dumps(json.loads((tmp_path / name).read_text()))


async def test_a_bag_is_fetched_and_valid(shared, tmp_path, require_tools):
    code, output = await shared.run("bagit", tmp_path, path=require_tools("bagit"))
    assert code == 0, output
    found = found_in(tmp_path / "ocean-2024-2/data")
    assert {name: FILES.get(name, ATTACHMENTS.get(name)) for name in found} == found
    assert set(ATTACHMENTS) <= set(found)
