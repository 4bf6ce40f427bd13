"""Part of a version: holds what its filter names and knows nothing of the rest."""

from __future__ import annotations

import hashlib
import random

import pytest

from packager_jupyter.errors import BadInputError, PathNotFoundError
from packager_jupyter.packages.base import Contents
from packager_jupyter.packages.part import MAX_PATHS, PathFilter

KEYS = [
    *(f"images/{day}/{number:02}.tif" for day in ("mon", "tue") for number in range(5)),
    "images/notes.txt",
    "images2/other.tif",
    "imag",
    "deep/a/b/c/file.csv",
    "data[1]/x.csv",
    "data1/x.csv",
    "été/é.txt",
]


@pytest.fixture
def whole(draft, source, packages):
    source.put(*KEYS, size=7)
    source.put("odd/v", version_id="v1", checksums={"sha256": "ab" * 32}, size=3)
    draft.add("demo", [""], rename=".")
    draft.attach(b"# All", "README.md")
    draft.attach(b"# Images", "images/README.md")
    draft.publish(now_s=1)
    return packages.version("ocean")


def part_of(packages, *paths):
    return packages.version("ocean", paths=paths)


def paths_in(version, folder=""):
    """Walk the pages of a version, folders too."""
    found, cursor = [], None
    while True:
        page = version.page(folder, cursor=cursor, limit=2)
        for row in page.rows:
            found += paths_in(version, row.path) if row.is_folder else [row.path]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    "paths",
    [
        ["images"],
        ["images/"],
        ["images/mon", "imag"],
        ["*.tif"],
        ["images/**/*.tif"],
        ["deep/**"],
        ["README.md"],
        ["data[1]"],
        ["été"],
        ["odd/v", "*.csv"],
    ],
)
def test_every_way_to_ask_gives_the_same_part(whole, packages, paths):
    part = part_of(packages, *paths)
    passes = PathFilter(paths).passes
    expected = [pointer for pointer in whole.iter_pointers() if passes(pointer.path)]
    assert isinstance(part, Contents)
    assert list(part.iter_pointers()) == expected
    assert sorted(paths_in(part)) == sorted(pointer.path for pointer in expected)
    assert part.totals() == (len(expected), sum(pointer.size_bytes for pointer in expected))
    everything = part.page("", match="*", limit=1000).rows
    assert sorted(row.path for row in everything) == sorted(one.path for one in expected)
    assert {one.path for one in part.attachments()} == {
        path for path in ("README.md", "images/README.md") if passes(path)
    }
    assert part.is_part
    assert part.unmatched == ()
    listed = b"".join(pointer.to_line() for pointer in expected)
    assert part.fingerprint == f"sha256:{hashlib.sha256(listed).hexdigest()}"
    assert part.config["fingerprint"] == part.fingerprint
    assert part.config["totals"] == {"files": len(expected), "bytes": part.totals().bytes}


def test_what_is_outside_is_not_there(whole, packages):
    part = part_of(packages, "images/mon")
    assert part.totals("images") == (5, 35)
    for ask in (
        lambda: part.get("imag"),
        lambda: part.get("images/notes.txt"),
        lambda: part.totals("deep"),
        lambda: part.page("images/tue"),
        lambda: part.read_attachment("README.md"),
        lambda: part.read_attachment("images/README.md"),
        lambda: part.get("images/mon/../notes.txt"),
        lambda: part.get("images/mon//00.tif"),
    ):
        with pytest.raises(PathNotFoundError):
            ask()
    assert part.readme() is None
    assert not part.page("", match="notes").rows
    assert whole.get("images/notes.txt")


def test_a_part_has_its_own_digest_and_so_has_every_other(whole, packages):
    parts = [part_of(packages, *paths) for paths in (["images"], ["*.tif"], ["images", "*.tif"])]
    digests = {whole.digest, *(part.digest for part in parts)}
    assert len(digests) == 4
    assert part_of(packages, "*.tif", "images/", "images").digest == parts[2].digest
    assert not whole.is_part
    assert whole.totals().files == len(KEYS) + 1


def test_the_index_of_a_part_is_a_cache(whole, packages):
    part = part_of(packages, "images")
    before = part.page("images")
    for file in packages._index_folder.glob("*.sqlite"):
        file.unlink()
    assert part.page("images") == before
    assert sum(1 for _ in part.iter_pointers()) == 11


def test_a_part_of_sources_names_no_other_source(whole, draft, source, packages):
    assert [one["name"] for one in part_of(packages, "images").config["sources"]] == ["demo"]
    assert part_of(packages, "README.md").config["sources"] == []


def test_entries_that_match_nothing_are_known(whole, packages):
    part = part_of(packages, "images", "imges", "*.tiff", "README.md")
    assert set(part.unmatched) == {"imges", "*.tiff"}
    assert part.totals().files == 11


@pytest.mark.parametrize(
    "paths", [["/images"], ["../images"], ["a//b"], ["a\nb*"], ["[z-a]"], [""], ["x" * 2000 + "*"]]
)
def test_what_can_be_no_path_is_refused(paths):
    with pytest.raises(BadInputError):
        PathFilter(paths)


def test_none_and_too_many_are_refused():
    for paths in ([], [f"p{number}" for number in range(MAX_PATHS + 1)]):
        with pytest.raises(BadInputError):
            PathFilter(paths)


def test_no_random_path_reaches_out_of_a_part(whole, packages):
    part = part_of(packages, "images/mon", "*.csv")
    inside = {pointer.path for pointer in part.iter_pointers()}
    dice = random.Random(7)
    pieces = [*KEYS, "..", ".", "/", "//", "\\", "%2e%2e", "\0", "images", "mon", "~", "*"]
    for _ in range(3000):
        path = dice.choice(("/", "", "/../")).join(dice.choices(pieces, k=dice.randint(1, 4)))
        try:
            found = part.get(path)
        except (PathNotFoundError, BadInputError):
            continue
        assert found.path in inside
