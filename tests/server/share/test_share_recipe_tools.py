"""The lines for lists and standards that the page offers, run as they stand there."""

from __future__ import annotations

import json
import zipfile

import pytest

from server.share.ocean import ATTACHMENTS, FILES
from server.share.ways import found_in, shared_in

EVERYTHING = {**FILES, **ATTACHMENTS}


@pytest.fixture(params=["open", "password"])
def shared(request, alone):
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


async def test_fsspec_lists_the_whole_package(shared, tmp_path, require_tools):
    python = require_tools("fsspec") / "python"
    code, output = await shared.run("fsspec-package", tmp_path, interpreter=(str(python),))
    assert (code, str(sorted(EVERYTHING)) in output) == (0, True), output


async def test_huggingface_downloads_a_snapshot(shared, tmp_path, require_tools):
    python = require_tools("huggingface") / "python"
    code, output = await shared.run("huggingface", tmp_path, interpreter=(str(python),))
    assert code == 0, output
    got = set(found_in(tmp_path / ".cache").values())
    assert set(EVERYTHING.values()) <= got


async def test_validators(alone, tmp_path, require_tools):
    shared = shared_in(alone, "password")
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
