"""Descriptions of a share, each given to the validator or client of its own standard."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.request

import pytest

from clients.sharing import (
    METADATA,
    STORED,
    SharedPackage,
    found_in,
    make_shared,
    make_small,
    run,
    storage_for,
)
from peers.pytools import tool_environment
from previews.test_georeference import CORNER, KEYS, SCALE, TIE, keys_of, tiff

FILES = {
    "data/one.csv": b"a,b\n1,2\n",
    "data/two & three.csv": b"a,b\n3,4\n",
    "data/\u65e5\u672c.txt": b"text\n",
}
README = {"README.md": b"# Small\n"}


@pytest.fixture(scope="module")
def hostile(request, registry):
    """Return a package of hostile names, most of them without a checksum."""
    return make_shared(registry, storage_for("rgw", request), "hostile")


@pytest.fixture(scope="module")
def hostile_azure(request, registry):
    """Return the same in Azurite, which tells other checksums."""
    return make_shared(registry, storage_for("azurite", request), "hostile-azure")


@pytest.fixture(scope="module")
def small(registry, tmp_path_factory):
    """Return a package of which every checksum is known."""
    folder = tmp_path_factory.mktemp("small") / "files"
    return make_small(registry, folder, "small", FILES, attachments=README, **METADATA)


@pytest.fixture(scope="module")
def bare(registry, tmp_path_factory):
    """Return a package that says nothing about itself and has no data."""
    folder = tmp_path_factory.mktemp("bare") / "files"
    return make_small(registry, folder, "bare", {}, attachments=README)


def fetch(link, name):
    with urllib.request.urlopen(link + name, timeout=30) as answer:
        return answer.read()


def python(bin_folder, script, folder, *arguments, **more):
    """Run a script with a set's own Python."""
    env = tool_environment(bin_folder, home=folder / "home")
    return run([bin_folder / "python", "-c", script, *arguments], folder, env=env, **more)


# -- Frictionless ---------------------------------------------------------------------------------


def frictionless(require_tools, folder, address):
    bin_folder = require_tools("frictionless")
    env = tool_environment(bin_folder, home=folder / "home")
    command = [bin_folder / "frictionless", "validate", "--json", address]
    return run(command, folder, env=env)


@pytest.mark.parametrize("which", ["small", "bare", "hostile", "hostile_azure"])
def test_frictionless(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    done = frictionless(require_tools, tmp_path, shared.link() + "datapackage.json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["valid"], report["errors"]) == (0, True, []), done.stdout
    assert report["stats"]["tasks"] == len(shared.expected)


def test_frictionless_notices_other_bytes(registry, require_tools, tmp_path):
    shared = make_small(registry, tmp_path / "files", "lying", {"a.txt": b"one"}, sha256=False)
    draft = registry.services.packages.draft("lying")
    draft.set_checksums([(draft.get("a.txt"), {"sha256": "0" * 64})])
    draft.publish(now_s=1_700_000_100)
    done = frictionless(require_tools, tmp_path, shared.link() + "datapackage.json")
    assert "hash-count" in done.stdout
    assert done.returncode == 1


# -- Croissant ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["small", "bare", "hostile", "hostile_azure"])
def test_croissant(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    bin_folder = require_tools("croissant")
    env = tool_environment(bin_folder, home=tmp_path / "home")
    address = shared.link() + "croissant.json"
    done = run([bin_folder / "mlcroissant", "validate", "--jsonld", address], tmp_path, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done." in done.stderr
    assert "@context` is not standard" not in done.stderr
    found = json.loads(fetch(shared.link(), "croissant.json"))
    assert {one["name"] for one in found["distribution"]} == set(shared.expected)
    assert found.get("isLiveDataset", False) == bool(shared.unhashed)


CROISSANT = """
import json, sys
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=json.load(open(sys.argv[1])))
print([row["lines/line"] for row in dataset.records("lines")])
"""


def test_croissant_reads_the_files_through_the_share(small, require_tools, tmp_path):
    """With a record set added, as who describes the data further would."""
    described = json.loads(fetch(small.link(), "croissant.json"))
    described["recordSet"] = [
        {
            "@type": "cr:RecordSet",
            "@id": "lines",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": "lines/line",
                    "dataType": "sc:Integer",
                    "source": {"fileObject": {"@id": "data/one.csv"}, "extract": {"column": "b"}},
                }
            ],
        }
    ]
    (tmp_path / "croissant.json").write_text(json.dumps(described))
    done = python(require_tools("croissant"), CROISSANT, tmp_path, "croissant.json")
    assert done.stdout == "[2]\n", done.stderr[-3000:]


# -- RO-Crate -------------------------------------------------------------------------------------

# The validator loads the context from w3id.org; ro-crate-py brings a copy.
ROCRATE = """
import json, sys
from pathlib import Path
import rocrate, requests
from rdflib.plugins.shared.jsonld import context as rdf
from rocrate_validator import models, services
from rocrate_validator.utils import http

DATA = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"

class Answer(requests.Response):
    def __init__(self):
        super().__init__()
        self.status_code, self._content = 200, DATA.read_bytes()
        self.headers["Content-Type"] = "application/ld+json"

get = http.HttpRequester.__getattr__

def patched(self, name):
    found = get(self, name)
    if name in {"get", "head"}:
        return lambda url, *a, **k: Answer() if url == CONTEXT else found(url, *a, **k)
    return found

http.HttpRequester.__getattr__ = patched
source = rdf.Context._fetch_context
rdf.Context._fetch_context = lambda self, url, *a, **k: (
    json.loads(DATA.read_text()) if url == CONTEXT else source(self, url, *a, **k))

settings = services.ValidationSettings(
    rocrate_uri=sys.argv[1], profile_identifier="ro-crate-1.2",
    requirement_severity=models.Severity.REQUIRED)
result = services.validate(settings)
print(len(result.executed_checks), "checks")
for issue in result.get_issues():
    print("ISSUE", issue.check.identifier, issue.message)
"""


@pytest.mark.parametrize("which", ["small", "bare", "hostile", "hostile_azure"])
def test_rocrate_validator(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    crate = tmp_path / "crate"
    crate.mkdir()
    text = fetch(shared.link(), "ro-crate-metadata.json")
    (crate / "ro-crate-metadata.json").write_bytes(text)
    done = python(require_tools("rocrate"), ROCRATE, tmp_path, crate)
    assert done.returncode == 0, done.stderr[-3000:]
    checks = re.search(r"(\d+) checks", done.stdout)
    assert int(checks[1]) > 20, done.stdout
    assert "ISSUE" not in done.stdout, done.stdout


def test_rocrate_validator_would_notice(small, require_tools, tmp_path):
    crate = tmp_path / "crate"
    crate.mkdir()
    text = json.loads(fetch(small.link(), "ro-crate-metadata.json"))
    [root] = [one for one in text["@graph"] if one["@id"] == "./"]
    del root["license"]
    (crate / "ro-crate-metadata.json").write_text(json.dumps(text))
    done = python(require_tools("rocrate"), ROCRATE, tmp_path, crate)
    assert "ISSUE" in done.stdout, done.stderr[-3000:]


CRATE = """
import json, sys
from rocrate.rocrate import ROCrate
crate = ROCrate(sys.argv[1])
print(json.dumps({
    "name": crate.name,
    "files": {one["name"]: one.id for one in crate.get_by_type("File")},
    "authors": [one["name"] for one in crate.get_by_type("Person")],
    "license": crate.root_dataset["license"].id,
}))
"""


@pytest.mark.parametrize("which", ["small", "hostile", "hostile_azure"])
def test_rocrate_loads_it(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    crate = tmp_path / "crate"
    crate.mkdir()
    text = fetch(shared.link(), "ro-crate-metadata.json")
    (crate / "ro-crate-metadata.json").write_bytes(text)
    done = python(require_tools("rocrate"), CRATE, tmp_path, crate)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert set(found["files"]) == set(shared.expected)
    assert all(one.startswith(shared.link() + "files/") for one in found["files"].values())
    assert found["authors"] == ["Ann Author", "Bo"]
    assert found["license"] == "https://spdx.org/licenses/CC-BY-4.0"


# -- DataCite -------------------------------------------------------------------------------------

DATACITE = """
import json, sys
from datacite import schema45
record = json.load(open(sys.argv[1]))
schema45.validator.validate(record)
print(schema45.tostring(record))
"""


@pytest.mark.parametrize("which", ["small", "bare", "hostile", "hostile_azure"])
def test_datacite(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    (tmp_path / "datacite.json").write_bytes(fetch(shared.link(), "datacite.json"))
    done = python(require_tools("datacite"), DATACITE, tmp_path, "datacite.json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "<publicationYear>2023</publicationYear>" in done.stdout
    assert f"<size>{len(shared.expected)} files</size>" in done.stdout


# -- BagIt ----------------------------------------------------------------------------------------


def bag_of(shared, folder, require_tools):
    """Unpack, fetch and validate the bag with bdbag; return its folder."""
    bin_folder = require_tools("bagit")
    env = tool_environment(bin_folder, home=folder / "home")
    (folder / "bag.tar").write_bytes(fetch(shared.link("capability"), "bag.tar"))
    done = run(["tar", "xf", "bag.tar"], folder)
    assert done.returncode == 0, done.stderr
    bag = folder / f"{shared.name}-1"
    for options in (["--resolve-fetch", "all"], ["--validate", "full"]):
        done = run([bin_folder / "bdbag", *options, bag], folder, env=env)
        assert done.returncode == 0, done.stderr[-3000:]
    return bag


# Not on Azurite, which knows an MD5 of every name: bdbag takes "%25" in a manifest for itself.
@pytest.mark.parametrize("which", ["small", "bare", "hostile"])
def test_bagit(which, request, require_tools, tmp_path):
    shared = request.getfixturevalue(which)
    bag = bag_of(shared, tmp_path, require_tools)
    found = found_in(bag / "data")
    assert found == {path: shared.expected[path] for path in found}
    left_out = set(shared.expected) - set(found)
    assert shared.unhashed | {path for path in shared.expected if path != path.rstrip()} >= left_out
    named = (bag / "excluded.txt").read_text() if left_out else ""
    assert named.count("\n") == len(left_out)
    assert (left_out != set()) == (which == "hostile")
    if which != "hostile":
        validator = python(require_tools("bagit"), BAGIT, tmp_path, bag)
        assert validator.stdout == "valid\n", validator.stderr[-3000:]


BAGIT = """
import sys
import bagit
bagit.Bag(sys.argv[1]).validate()
print("valid")
"""


def test_a_bag_with_other_bytes_is_not_valid(small, require_tools, tmp_path):
    bag = bag_of(small, tmp_path, require_tools)
    (bag / "data/data/one.csv").write_bytes(b"a,b\n9,9\n")
    bin_folder = require_tools("bagit")
    env = tool_environment(bin_folder, home=tmp_path / "home")
    done = run([bin_folder / "bdbag", "--validate", "full", bag], tmp_path, env=env)
    assert done.returncode != 0


# -- STAC -----------------------------------------------------------------------------------------

STAC = """
import json, sys, urllib.request
import pystac
from pystac.validation.local_validator import LocalValidator

def get(name):
    with urllib.request.urlopen(sys.argv[1] + name) as answer:
        return json.load(answer)

validator = LocalValidator()
collection = pystac.Collection.from_dict(get("stac/collection.json"))
faults = list(validator.collection_validator().iter_errors(get("stac/collection.json")))
faults += [f for i in get("stac/items.json")["features"]
           for f in validator.item_validator().iter_errors(i)]
found = pystac.ItemCollection.from_dict(get("stac/items.json"))
print(json.dumps({
    "faults": [str(fault) for fault in faults],
    "id": collection.id,
    "assets": {i.properties["title"]: i.assets["data"].href for i in found},
    "checksums": [i.assets["data"].extra_fields.get("file:checksum") for i in found],
}))
"""
GEO = {
    "maps/a b%1.tif": b"II*\0not really",
    "maps/b.TIFF": b"MM\0*",
    "roads.geojson": b"{}",
    "sea.nc": b"CDF",
    "points.gpkg": b"x",
    "notes.txt": b"no map",
}


def test_stac(registry, require_tools, tmp_path):
    shared = make_small(registry, tmp_path / "files", "earth", GEO, **METADATA)
    done = python(require_tools("stac"), STAC, tmp_path, shared.link())
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["faults"], found["id"]) == ([], "earth")
    assert set(found["assets"]) == set(GEO) - {"notes.txt"}
    for path, address in found["assets"].items():
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.read() == GEO[path]
    sums = {"1220" + hashlib.sha256(GEO[path]).hexdigest() for path in found["assets"]}
    assert set(found["checksums"]) == sums


def test_stac_without_maps(bare, require_tools, tmp_path):
    done = python(require_tools("stac"), STAC, tmp_path, bare.link())
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["faults"], found["assets"]) == ([], {})


# -- STAC-GeoParquet ------------------------------------------------------------------------------

PARQUET = """
import io, json, sys, urllib.request
import pyarrow.parquet as pq
import pystac
from pystac.extensions.projection import ProjectionExtension
from pystac.validation.local_validator import LocalValidator
from stac_geoparquet.arrow import stac_table_to_items

def get(name):
    with urllib.request.urlopen(sys.argv[1] + name) as answer:
        return answer.read()

def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, str):  # the reader writes the same second with its fraction
        return value.replace(".000000Z", "Z")
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

table = pq.read_table(io.BytesIO(get("stac/items.parquet")))
told = json.loads(get("stac/items.json"))
validator = LocalValidator()
collection = json.loads(get("stac/collection.json"))
faults = list(validator.collection_validator().iter_errors(collection))
faults += [f for i in told["features"] for f in validator.item_validator().iter_errors(i)]
proj = {}
for item in pystac.ItemCollection.from_dict(told):
    if ProjectionExtension.has_extension(item):
        found = ProjectionExtension.ext(item)
        proj[item.properties["title"]] = [found.code, found.bbox, found.shape, found.transform]
print(json.dumps({
    "proj": proj,
    "faults": [str(fault) for fault in faults],
    "told": told,
    "rows": [plain(item) for item in stac_table_to_items(table)],
    "extent": collection["extent"]["spatial"]["bbox"],
    "counts": json.loads(table.schema.metadata[b"packager:footprints"]),
}))
"""


@pytest.fixture(scope="module")
def maps(registry, request):
    """Return a package of GeoTIFFs on a real S3 server."""
    storage = storage_for("rgw", request)
    utm = {SCALE: (10.0, 10.0, 0.0), TIE: (0.0, 0.0, 0.0, 4e5, 5e6, 0.0)}
    across = {SCALE: (1.0, 1.0, 0.0), TIE: (0.0, 0.0, 0.0, 170.0, 10.0, 0.0)}
    files = {
        "a/plain.tif": tiff({KEYS: keys_of(4326), **CORNER}),
        "a/big 1%.tiff": tiff({KEYS: keys_of(4326), **CORNER}, bigtiff=True, byteorder=">"),
        "across.tif": tiff({KEYS: keys_of(4326), **across}),
        "utm.tif": tiff({KEYS: keys_of(32633, is_projected=True), **utm}),
        "west.tif": tiff({KEYS: keys_of(2053, is_projected=True), **utm}),
        "no place.tif": tiff({}),
        "changed.tif": tiff({KEYS: keys_of(4326), **CORNER}),
        "roads.geojson": b"{}",
    }
    for key, data in files.items():
        storage.put(key, data)
    registry.services.sources.add("maps", credential=STORED, **storage.connection)
    draft = registry.services.packages.create("maps", **METADATA)
    draft.add("maps", [""])
    draft.publish(now_s=1_700_000_000)
    storage.put("changed.tif", tiff({KEYS: keys_of(4326), **across}))
    return SharedPackage(registry, "maps", files)


def test_stac_geoparquet_gives_the_items_back(maps, require_tools, tmp_path):
    done = python(require_tools("stac"), PARQUET, tmp_path, maps.link())
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["faults"] == []
    told = {one["properties"]["title"]: one for one in found["told"]["features"]}
    rows = {one["properties"]["title"]: one for one in found["rows"]}
    assert set(told) == set(maps.expected)
    assert set(rows) == {"a/plain.tif", "a/big 1%.tiff", "across.tif", "utm.tif"}
    assert rows == {title: told[title] for title in rows}
    assert told["a/plain.tif"]["bbox"] == told["a/big 1%.tiff"]["bbox"] == [10, 40, 20, 50]
    assert told["across.tif"]["bbox"] == [170, -30, -170, 10]
    assert told["across.tif"]["geometry"]["type"] == "MultiPolygon"
    assert told["utm.tif"]["properties"]["proj:code"] == "EPSG:32633"
    assert told["utm.tif"]["properties"]["proj:bbox"] == [4e5, 4_999_600, 400_200, 5e6]
    # As cs2cs of PROJ says of the corners of the image.
    corners = [13.7279671, 45.1428001, 13.7305914, 45.146428]
    assert told["utm.tif"]["bbox"] == pytest.approx(corners, abs=2e-4)
    assert "EPSG:2053" in told["west.tif"]["properties"]["packager:no_geometry"]
    assert set(found["proj"]) == {
        "a/plain.tif",
        "a/big 1%.tiff",
        "across.tif",
        "utm.tif",
        "west.tif",
    }
    assert found["proj"]["utm.tif"] == [
        "EPSG:32633",
        [4e5, 4_999_600, 400_200, 5e6],
        [40, 20],
        [10, 0, 4e5, 0, -10, 5e6],
    ]
    for title in set(told) - set(rows):
        assert told[title]["geometry"] is None
        assert "bbox" not in told[title]
    assert "proj:code" not in told["changed.tif"]["properties"]
    assert found["extent"] == [[-180, -90, 180, 90]]
    assert found["counts"] == found["told"]["packager:footprints"] == {
        "items": 8,
        "with_geometry": 4,
        "other_reference_system": 1,
        "not_read_yet": 0,
        "place_unknown": 3,
        "without_date": 0,
    }  # fmt: skip


def test_stac_geoparquet_without_maps(bare, require_tools, tmp_path):
    done = python(require_tools("stac"), PARQUET, tmp_path, bare.link())
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["rows"], found["counts"]["items"]) == ([], 0)
