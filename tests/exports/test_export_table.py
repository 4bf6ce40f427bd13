"""Every row of the table of exports: complete, the same each time, in bounded memory."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from urllib.parse import quote, unquote

import pytest
from defusedxml import ElementTree

from exports.contents import PATHS, Contents, pointer
from gen_docs import PAGES
from packager_jupyter.exports.base import Place
from packager_jupyter.exports.table import EXPORTS
from packager_jupyter.packages.metadata import Metadata

BASE = "https://data.example.org/s/abc/"
PLACE = Place(BASE, 1_700_000_000)
MD5, SHA256 = "d" * 32, "e" * 64
HOSTILE_METADATA = Metadata(
    title='</script> "quoted" \\ & {{x}}',
    description="# lines\nand \u2028 more\n" * 3,
    license="LicenseRef-<none>",
    authors=("Ann <ann@example.org>", "</script>", "Bo (0000-0002-1825-0097)"),
    keywords=("a,b", "<i>"),
)
ROWS = pytest.mark.parametrize("row", EXPORTS, ids=lambda row: row.name)
WITHOUT_FILES = {"datacite.json", "stac/collection.json"}
SOME_FILES = {"stac/items.json", "stac/items.parquet"}
BY_NAME = {row.name: row for row in EXPORTS}


def made(name, contents, place=PLACE):
    return b"".join(BY_NAME[name].make(contents, place))


@pytest.fixture
def hostile():
    """Return every hostile name, a third each with MD5, SHA-256, and nothing."""
    sums = [{"md5": MD5}, {"sha256": SHA256}, {}]
    pointers = [pointer(path, **sums[n % 3]) for n, path in enumerate(PATHS)]
    return Contents(pointers, {"README.md": b"# {{Ocean}}\n", "empty": b""}, HOSTILE_METADATA)


@ROWS
def test_the_same_contents_give_the_same_bytes(row, hostile):
    assert made(row.name, hostile) == made(row.name, hostile) != b""


@pytest.mark.parametrize(
    "row",
    [row for row in EXPORTS if row.name not in WITHOUT_FILES | SOME_FILES],
    ids=lambda row: row.name,
)
def test_nothing_is_left_out_silently(row, hostile):
    """Each path stands in it, as it is, encoded, or named as what it cannot hold."""
    text = made(row.name, hostile).decode()
    spellings = [text, unquote(text), re.sub(r"&(amp|lt|gt|quot|#\d+);", _entity, text)]
    for path in [*PATHS, "README.md"]:
        wanted = {path, json.dumps(path)[1:-1], json.dumps(path, ensure_ascii=False)[1:-1]}
        wanted |= {quote(path), path.replace('"', '\\"')}
        assert any(one in spelling for spelling in spellings for one in wanted), path


def _entity(found):
    return {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}.get(found[1], "")


@ROWS
def test_an_empty_package_is_no_error(row):
    text = made(row.name, Contents())
    if row.media_type in {"application/json", "application/ld+json", "application/geo+json"}:
        assert isinstance(json.loads(text), dict)


@ROWS
def test_a_long_list_comes_in_batches(row):
    many = Contents([pointer(f"f{n:06}.tif", md5=MD5) for n in range(6000)])
    batches = list(row.make(many, PLACE))
    # None of these files was read, so no item has the geometry that Parquet needs.
    assert len(batches) > 2 or row.name in {*WITHOUT_FILES, "stac/items.parquet"}
    assert max(map(len, batches)) < 200_000


@ROWS
def test_the_reference_page_names_it(row):
    assert f"| `{row.name}` |" in PAGES["exports.md"]()


def lines_of(name, contents):
    return made(name, contents).decode().split("\n")


def test_no_name_can_be_an_option_of_aria2(hostile):
    lines = lines_of("aria2.txt", hostile)
    known = re.compile(
        re.escape(BASE) + r"files/[A-Za-z0-9_.~%/-]+|  out=\./.+|  checksum=[a-z0-9-]+=[0-9a-f]+"
        r"|# aria2 cannot write this name: [A-Za-z0-9_.~%/:-]+|"
    )
    assert [line for line in lines if not known.fullmatch(line)] == []
    outs = [line.removeprefix("  out=./") for line in lines if line.startswith("  out=")]
    assert {*outs, " lead and trail "} == {*PATHS, "README.md", "empty"}
    assert "# aria2 cannot write this name: %20lead%20and%20trail%20" in lines


def test_aria2_gets_the_strongest_checksum_that_is_known():
    contents = Contents([pointer("both", md5=MD5, sha256=SHA256), pointer("old", md5=MD5)])
    lines = [line for line in lines_of("aria2.txt", contents) if "checksum" in line]
    assert lines == [f"  checksum=sha-256={SHA256}", f"  checksum=md5={MD5}"]


def test_curl_gets_quoted_values_only(hostile):
    first, *pairs = made("curl.txt", hostile).decode().split("\n\n")
    assert first.split() == ["location", "fail", "fail-early", "create-dirs", "globoff"]
    value = re.compile(r'url = "[^"\\]+"\noutput = "\./((?:[^"\\]|\\["\\])+)"\n?')
    names = [re.sub(r"\\(.)", r"\1", value.fullmatch(pair)[1]) for pair in pairs]
    assert sorted(names) == sorted([*PATHS, "README.md", "empty"])


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_sums_say_what_is_unknown(hostile, algorithm):
    *lines, end, last = lines_of(f"{algorithm}sums.txt", hostile)
    assert last == ""
    known = [line for line in lines if not line.startswith("#")]
    unknown = [line for line in lines if line.startswith("# no ")]
    assert len(known) + len(unknown) == len(PATHS) + 2
    assert re.fullmatch(rf"# end: {len(known)} files with .*, {len(unknown)} without", end)
    assert all(re.fullmatch(r"[0-9a-f]{32,64}  .+", line) for line in known)


def test_the_file_that_would_be_standard_input_is_named_otherwise():
    text = made("md5sums.txt", Contents([pointer("-", md5=MD5)])).decode()
    assert f"{MD5}  ./-\n" in text


def test_references_lead_to_the_share_and_hold_small_attachments(hostile):
    refs = json.loads(made("refs.json", hostile))
    assert refs["version"] == 1
    assert set(refs["refs"]) == {*PATHS, "README.md", "empty"}
    readme = refs["refs"]["README.md"].removeprefix("base64:")
    assert base64.b64decode(readme) == b"# {{Ocean}}\n"
    assert refs["refs"]["empty"] == ""
    url, start, size = refs["refs"]["-rf"]
    assert (url, start, size) == (BASE + "files/-rf", 0, 5)


def test_a_large_attachment_stays_behind_its_address():
    refs = json.loads(made("refs.json", Contents([], {"big.md": b"x" * 70_000})))
    assert refs["refs"]["big.md"] == [BASE + "files/big.md", 0, 70_000]


def test_a_metalink_is_xml_whatever_the_names(hostile):
    text = made("package.meta4", hostile)
    tree = ElementTree.fromstring(text)
    names = [file.get("name") for file in tree]
    assert set(names) == {*PATHS, "README.md", "empty"} - {"no\ufffecharacter"}
    assert b"<!-- XML cannot hold this name: no%EF%BF%BEcharacter -->" in text


def test_items_of_a_catalog_are_the_geospatial_files_with_a_date():
    pointers = [pointer(path) for path in ("a.tif", "b/c d%.tiff", "x.csv", "y.nc")]
    pointers.append(pointer("undated.tif")._replace(modified_s=None))
    contents = Contents(pointers, {"map.geojson": b"{}"})
    found = json.loads(made("stac/items.json", contents))["features"]
    assert [one["properties"]["title"] for one in found] == ["a.tif", "b/c d%.tiff", "y.nc"]
    assert len({one["id"] for one in found}) == 3
    assert all("/" not in one["id"] for one in found)
    text = json.loads(made("stac/collection.json", contents))["description"]
    assert "Geospatial files: 3." in text
    assert "have no item: 1." in text


def test_a_bag_is_in_the_algorithm_that_most_files_have():
    contents = Contents(
        [pointer("a", md5=MD5), pointer("b", md5=MD5), pointer("c", sha256=SHA256), pointer("d ")],
        {"README.md": b"# x"},
    )
    with tarfile.open(fileobj=io.BytesIO(made("bag.tar", contents))) as tar:
        text = {
            member.name.removeprefix("ocean-3/"): tar.extractfile(member).read().decode()
            for member in tar
        }
    assert sorted(text) == sorted(
        ["bagit.txt", "bag-info.txt", "manifest-md5.txt", "fetch.txt", "excluded.txt",
         "tagmanifest-md5.txt", "data/README.md"]
    )  # fmt: skip
    assert "Payload-Oxum: 13.3\n" in text["bag-info.txt"]
    assert text["fetch.txt"].splitlines() == [f"{BASE}files/{name} 5 data/{name}" for name in "ab"]
    assert text["excluded.txt"].splitlines() == [
        f"{BASE}files/c 5 data/c: no md5 of it is known",
        f"{BASE}files/d%20 5 data/d : its name ends in a blank",
    ]
