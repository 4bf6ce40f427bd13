"""Lists and the archive of a version: complete, addressed by the share, safe for any name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

from exports.contents import Contents, pointer
from packager_jupyter.exports.archive import PointerArchive
from packager_jupyter.exports.base import Place
from packager_jupyter.exports.lists import manifest, urls
from packager_jupyter.exports.zip import ZipPlan
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.outline import outline_of
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_file import parse_pointer_file
from packager_jupyter.packages.pointer_rows import iter_written

BASE = "https://data.example.org/s/abc/"
PLACE = Place(BASE)
PATHS = [
    "a/b c+d#e%f&g.csv",
    'it\'s "quoted" <b>.txt',
    "日本/データ.csv",
    "e\u0301 and \u00e9",
    "-rf",
    "[x]?*=;,:@$!()~^`{}|",
    "x.pointer",
]


@pytest.fixture
def contents():
    return Contents(
        [pointer(path) for path in PATHS], {"README.md": b"# Ocean\n", "n/b.ipynb": b"{}"}
    )


def test_urls_name_every_file_and_nothing_else(contents):
    lines = b"".join(urls(contents, PLACE)).decode("ascii").splitlines()
    assert all(line.startswith(BASE + "files/") for line in lines)
    assert not any(set(line) & set(" \"'<>\\^`{}|\t#?") for line in lines)
    found = [unquote(urlsplit(line).path.removeprefix("/s/abc/files/")) for line in lines]
    assert sorted(found) == sorted([*PATHS, "README.md", "n/b.ipynb"])


def test_manifest_lines_are_pointers_with_the_share_url(contents):
    lines = b"".join(manifest(contents, PLACE)).splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    assert len(records) == len(PATHS) + 2
    first = records[0]
    assert first == {
        "path": "README.md",
        "size": 8,
        "media_type": "text/plain",
        "attachment": True,
        "url": BASE + "files/README.md",
    }
    for line, record in zip(lines[2:], records[2:], strict=True):
        assert Pointer.from_line(line) == pointer(record["path"])
        assert unquote(record["url"]) == BASE + "files/" + record["path"]


def test_long_lists_come_in_batches_without_a_gap():
    many = Contents([pointer(f"f{n:06}") for n in range(5000)], {})
    batches = list(urls(many, PLACE))
    assert len(batches) > 2
    assert max(map(len, batches)) < 70_000
    assert b"".join(batches).count(b"\n") == 5000


def test_the_archive_holds_attachments_and_pointer_files(contents):
    archive = PointerArchive(contents, BASE)
    data = b"".join(archive.stream())
    assert len(data) == archive.plan.size_bytes
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    assert opened.read("README.md") == b"# Ocean\n"
    for path in PATHS:
        parsed = parse_pointer_file(opened.read(path + ".pointer"))
        assert (parsed.pointer, parsed.package, parsed.version) == (pointer(path), "ocean", "3")
        assert unquote(parsed.url) == BASE + "files/" + path
    assert len(opened.namelist()) == len(PATHS) + 2


def test_a_name_that_an_attachment_has_is_not_taken_twice():
    contents = Contents([pointer("a")], {"a.pointer": b"mine", "a~1.pointer": b"too"})
    opened = zipfile.ZipFile(io.BytesIO(b"".join(PointerArchive(contents, BASE).stream())))
    assert opened.namelist() == ["a.pointer", "a~1.pointer", "a~2.pointer"]
    assert parse_pointer_file(opened.read("a~2.pointer")).pointer.path == "a"


def test_names_are_never_given_twice():
    attached = {
        "a.pointer": b"",
        "b.pointer/x": b"",
        "c~1.pointer": b"",
        "d.pointer/y.pointer": b"",
    }
    paths = ["a", "a~1", "a~1~1", "b", "b~1", "c", "c~1", "d", "d.pointer/y", "a~3"]
    contents = Contents([pointer(path) for path in paths], attached)
    data = b"".join(PointerArchive(contents, BASE).stream())
    opened = zipfile.ZipFile(io.BytesIO(data))
    names = opened.namelist()
    assert len(set(names)) == len(names) == len(attached) + len(paths)
    folders = {str(above) for name in names for above in PurePosixPath(name).parents}
    assert folders.isdisjoint(names)
    files = {name: parse_pointer_file(opened.read(name)) for name in names if name not in attached}
    assert sorted(file.pointer.path for file in files.values()) == sorted(paths)
    assert files["a~2.pointer"].pointer.path == "a"
    assert files["a~1.pointer"].pointer.path == "a~1"
    assert files["b~2.pointer"].pointer.path == "b"
    assert files["c~1~1.pointer"].pointer.path == "c~1"


def test_ranges_of_the_archive_are_slices(contents):
    archive = PointerArchive(contents, BASE)
    data = b"".join(archive.stream())
    for start in range(0, len(data), 37):
        assert b"".join(archive.stream(start=start, stop=start + 100)) == data[start : start + 100]
    again = PointerArchive(contents, BASE, plan=archive.plan)
    assert b"".join(again.stream()) == data


def test_the_entity_tag_follows_the_bytes(contents):
    tag = PointerArchive.etag(contents, BASE)
    assert tag == PointerArchive.etag(contents, BASE)
    assert tag != PointerArchive.etag(contents, BASE.replace("abc", "abd"))
    contents.digest = "sha256:" + "2" * 64
    assert tag != PointerArchive.etag(contents, BASE)


def test_a_range_in_the_middle_reads_no_pointer_before_it():
    paths = [f"f{n:05}" for n in range(5000)] + ["f03000~1"]
    attached = {"README.md": b"# x", **{f"f{n:05}.pointer": b"" for n in range(0, 5000, 64)}}
    contents = Contents([pointer(path) for path in paths], attached)
    archive = PointerArchive(contents, BASE)
    data = b"".join(archive.stream())
    steps = range(0, len(data), len(data) // 23)
    contents.iter_pointers = lambda: pytest.fail("it reads from the beginning")
    for start in steps:
        if start > archive.plan.checkpoints[1].local_offset:
            assert (
                b"".join(archive.stream(start=start, stop=start + 50)) == data[start : start + 50]
            )
            break
    del contents.iter_pointers
    for start in steps:
        assert b"".join(archive.stream(start=start, stop=start + 999)) == data[start : start + 999]


class Indexed(Contents):
    """Contents with an index, as a version has one."""

    def __init__(self, folder, pointers, attached):
        super().__init__(pointers, attached)
        self.index = PointerIndex(folder / "pointers.sqlite")
        self.index.add(pointers)
        self.passes = 0

    def iter_written(self, files, start=""):
        self.passes += 1
        with self.index.read() as connection:
            yield from iter_written(connection, files, start)

    def outline(self):
        with self.index.read() as connection:
            return outline_of(connection)


@pytest.mark.parametrize("base", [BASE, "http://[::1]:8888/s/abc/"])
def test_the_length_is_foretold_without_a_pass_over_the_files(tmp_path, base):
    paths = [f"f{n:05}" for n in range(3000)] + ["f01500~1", "sp ace", *PATHS]
    attached = {"README.md": b"# x", **{f"f{n:05}.pointer": b"" for n in range(0, 3000, 64)}}
    pointers = [pointer(path) for path in paths]
    plain, indexed = Contents(pointers, attached), Indexed(tmp_path, pointers, attached)
    archive, foretold = PointerArchive(plain, base), PointerArchive(indexed, base)
    assert indexed.passes == (0 if base == BASE else 1)
    data = b"".join(archive.stream())
    assert foretold.plan.size_bytes == len(data)
    assert b"".join(foretold.stream()) == data
    assert len(foretold.plan.checkpoints) == 3
    for start in range(0, len(data), len(data) // 29):
        piece = b"".join(foretold.stream(start=start, stop=start + 999))
        assert piece == data[start : start + 999]
    indexed.index.close()


def test_offsets_beyond_four_gib_are_foretold_too(tmp_path, monkeypatch):
    # As if it were so: the first 64-bit offset comes in the middle of a stretch.
    pointers = [pointer(f"f{n:05}") for n in range(3000)]
    limit = 500_000
    monkeypatch.setattr("packager_jupyter.exports.zip.UINT32_MAX", limit)
    indexed = Indexed(tmp_path, pointers, {"README.md": b"# x"})
    foretold = PointerArchive(indexed, BASE)
    assert foretold.plan.directory_offset > 1.5 * limit
    data = b"".join(foretold.stream())
    assert len(data) == foretold.plan.size_bytes == ZipPlan.of(foretold).size_bytes
    indexed.index.close()
