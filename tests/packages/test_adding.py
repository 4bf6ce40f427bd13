import re

import pytest

from packager_jupyter.errors import (
    BadInputError,
    CancelledError,
    ConflictError,
    ObjectNotFoundError,
    SourceNotFoundError,
    StorageUnreachableError,
)
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.sources.base import Entry

HOSTILE = [
    "a/../b",
    "//x",
    "../../etc/passwd",
    ".",
    "..",
    "nul\x00",
    "\x01",
    "new\nline.csv",
    "CON",
    "a:b",
    "\u202egnp.exe",
    "caf\u00e9",
    "cafe\u0301",
    "x" * 1024,
    "/lead",
    "sp ace+plus#hash?q=%20&amp",
    "back\\slash",
    "q'uo\"te",
    "deep/" * 200 + "end",
    "a//b",
    "./a",
    "~0123456789abcdef",
    "emoji\U0001f30a.nc",
]


def paths(draft):
    return [pointer.path for pointer in draft.iter_pointers()]


def test_a_folder_keeps_its_last_name_and_a_file_its_own(draft, source):
    source.put("obs/2024/a.csv", "obs/2024/deep/b.csv", "obs/2025/c.csv", "top.txt", size=5)
    report = draft.add("demo", ["obs/2024/", "top.txt"], to="data")
    assert (report.files_added, report.bytes_added) == (3, 15)
    assert paths(draft) == ["data/2024/a.csv", "data/2024/deep/b.csv", "data/top.txt"]
    assert draft.totals("data/2024") == (2, 10)


def test_a_pointer_records_what_the_storage_said(draft, source):
    source.put("obs/a.csv", size=7, version_id="v1", checksums={"sha256": "ab" * 32})
    source.put("obs/b.csv", size=8, etag="aa" * 16, checksums={"md5": "aa" * 16})
    source.put("obs/c.csv", size=9, modified_s=10**15, media_type="text/csv", etag=None)
    draft.add("demo", ["obs/"])
    draft.add("demo", ["obs/a.csv"], rename="again/a.csv")
    etag = source.entries["obs/a.csv"].etag
    expected = Pointer(
        "obs/a.csv",
        "demo",
        "obs/a.csv",
        "s3://bucket/raw/obs/a.csv",
        7,
        1_700_000_000,
        etag,
        "v1",
        {"sha256": "ab" * 32},
    )
    assert draft.get("obs/a.csv") == expected
    again = draft.get("again/a.csv")
    assert (again.key, again.version_id, again.etag) == ("obs/a.csv", "v1", etag)
    assert draft.get("obs/b.csv").checksums == {"md5": "aa" * 16}
    assert draft.get("obs/c.csv").modified_s is None
    assert draft.get("obs/c.csv").media_type == "text/csv"
    assert draft.status().unhashed_files == 1


@pytest.mark.parametrize(
    ("keys", "options", "expected"),
    [
        (["obs/"], {}, ["obs/a", "obs/sub/b"]),
        (["obs/"], {"to": "x/y/"}, ["x/y/obs/a", "x/y/obs/sub/b"]),
        (["obs/"], {"rename": "new"}, ["new/a", "new/sub/b"]),
        (["obs/"], {"rename": "."}, ["a", "sub/b"]),
        (["obs/"], {"rename": ".", "to": "in"}, ["in/a", "in/sub/b"]),
        (["obs/sub/"], {}, ["sub/b"]),
        (["obs/a"], {"rename": "n/m"}, ["n/m"]),
        (["obs/a", "obs/a"], {}, ["a"]),
        ([""], {}, ["obs/a", "obs/sub/b"]),
        ([""], {"to": "all"}, ["all/obs/a", "all/obs/sub/b"]),
        ([""], {"rename": "all"}, ["all/obs/a", "all/obs/sub/b"]),
        (["obs/"], {"exclude": ["sub/**"]}, ["obs/a"]),
        (["obs/"], {"include": ["b"]}, ["obs/sub/b"]),
    ],
)
def test_where_things_go(draft, source, keys, options, expected):
    source.put("obs/a", "obs/sub/b")
    report = draft.add("demo", keys, **options)
    assert paths(draft) == expected
    assert report.files_added == len(expected)


@pytest.mark.parametrize(
    ("keys", "options", "error"),
    [
        ([], {}, BadInputError),
        (["obs/", "x"], {"rename": "y"}, BadInputError),
        (["obs/"], {"to": "../up"}, BadInputError),
        (["obs/"], {"to": "/abs"}, BadInputError),
        (["obs/a"], {"rename": "../a"}, BadInputError),
        (["obs/a"], {"rename": ""}, BadInputError),
        (["obs/a"], {"rename": "."}, BadInputError),
        (["obs/"], {"include": ["[b-a]"]}, BadInputError),
        (["obs/a", "other/a"], {}, ConflictError),
        (["one/obs/", "obs/"], {}, ConflictError),
        (["nothing.csv"], {}, ObjectNotFoundError),
        (["obs/a", "nothing.csv"], {}, ObjectNotFoundError),
        (["nothing/"], {}, ObjectNotFoundError),
    ],
)
def test_what_is_refused_changes_nothing(draft, source, keys, options, error):
    source.put("obs/a", "other/a", "one/obs/b")
    draft.add("demo", ["obs/a"], rename="keep")
    with pytest.raises(error) as caught:
        draft.add("demo", keys, **options)
    assert caught.value.remedy
    assert paths(draft) == ["keep"]


def test_an_unknown_source(draft):
    with pytest.raises(SourceNotFoundError):
        draft.add("nothing", ["a"])


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_hostile_keys_get_paths_that_harm_nobody_and_keep_their_key(draft, source, batch):
    source.put(*HOSTILE)
    source.batch = batch
    report = draft.add("demo", [""], to="all")
    assert report.files_added == len(HOSTILE)
    assert report.skipped == []
    found = {pointer.key: pointer for pointer in draft.iter_pointers()}
    assert set(found) == set(HOSTILE)
    assert len({pointer.path for pointer in found.values()}) == len(HOSTILE)
    for key, pointer in found.items():
        assert pointer.path.startswith("all/")
        assert not re.search(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\\]", pointer.path)
        assert pointer.uri == f"s3://bucket/raw/{key}"
    assert found["CON"].path == "all/CON"
    assert found["/lead"].path != "all/lead"
    assert draft.add("demo", [""], to="all").files_unchanged == len(HOSTILE)


def test_every_hostile_key_can_be_added_alone(draft, source):
    source.put(*HOSTILE)
    for key in HOSTILE:
        if not key.endswith("/"):
            draft.add("demo", [key], to="one" if key != "a//b" else "two")
    assert {pointer.key for pointer in draft.iter_pointers()} == set(HOSTILE) - {"./a"} | {"./a"}


def test_a_key_that_cannot_be_named_is_reported(draft, source):
    source.put("ok", "bad\udc80name", "bad\udc80folder/x")
    report = draft.add("demo", [""])
    assert report.files_added == 1
    assert report.files_skipped == 2
    assert "Unicode" in str(report.skipped[0])
    with pytest.raises(BadInputError, match="Unicode"):
        draft.add("demo", ["bad\udc80name"])


def test_paths_that_get_too_long_below_the_chosen_folder_are_reported(draft, source):
    source.put("x" * 200 + "/" + "y" * 200, "short")
    report = draft.add("demo", [""], to="/".join(["t" * 200] * 4))
    assert report.files_added == 1
    assert "more than 1,024 bytes" in report.skipped[0].reason


def test_marks_of_folders_are_passed_over(draft, source):
    source.put("obs/", "obs/sub/", size=0)
    source.put("obs/a", "obs/odd/", size=5)
    report = draft.add("demo", ["obs/"])
    assert report.files_added == 2
    assert {pointer.key for pointer in draft.iter_pointers()} == {"obs/a", "obs/odd/"}


def test_a_size_that_a_listing_lacks_is_asked_for(draft, source):
    class Shy(type(source)):
        def walk(self, prefix=""):
            for entries in super().walk(prefix):
                yield [Entry(entry.key) for entry in entries]

    shy = Shy("demo")
    shy.put("obs/a", size=7)
    draft._open_source = lambda name: shy
    draft.add("demo", ["obs/"])
    assert draft.get("obs/a").size_bytes == 7


def test_addresses_that_are_not_root_plus_key_are_kept(draft, source):
    from urllib.parse import quote

    source.uri = lambda key: f"file:///data/{quote(key)}"
    source.put("a b", "c")
    draft.add("demo", [""])
    assert draft.get("a b").uri == "file:///data/a%20b"
    assert draft.get("a b").key == "a b"
    assert draft.get("c").uri == "file:///data/c"


def test_a_file_and_a_folder_of_one_name_are_refused_by_name(draft, source):
    source.put("keep", "data", "data/x")
    with pytest.raises(ConflictError, match="'data'"):
        draft.add("demo", [""])
    assert paths(draft) == []
    draft.add("demo", [""], exclude=["data"])
    assert paths(draft) == ["data/x", "keep"]


def test_an_attachment_is_not_covered(draft, source):
    draft.attach(b"# Mine", "README.md")
    draft.attach(b"x", "docs/a.md")
    source.put("README.md", "a.csv")
    with pytest.raises(ConflictError, match=r"README\.md"):
        draft.add("demo", [""])
    with pytest.raises(ConflictError, match=r"docs"):
        draft.add("demo", ["a.csv"], rename="docs")
    assert paths(draft) == []
    draft.add("demo", [""], to="data")
    assert len(paths(draft)) == 2


def test_adding_twice_is_told_apart(draft, source):
    source.put("obs/a", "obs/b", "obs/c")
    draft.add("demo", ["obs/"])
    source.put("obs/b", etag="bb" * 16, size=10)
    source.put("obs/d", size=2)
    report = draft.add("demo", ["obs/"])
    assert (report.files_added, report.files_replaced, report.files_unchanged) == (1, 1, 2)
    assert report.bytes_added == 11
    assert draft.totals() == (4, 14)


def test_names_that_look_alike_are_reported(draft, source):
    source.put("obs/Data.csv", "obs/data.csv", "obs/plain", "OBS/x", "caf\u00e9", "cafe\u0301")
    report = draft.add("demo", [""])
    found = {tuple(sorted(pair)) for pair in report.lookalikes}
    assert found == {
        ("obs/Data.csv", "obs/data.csv"),
        ("OBS/", "obs/") if ("OBS/", "obs/") in found else ("OBS", "obs"),
        ("cafe\u0301", "caf\u00e9"),
    }


def test_a_storage_that_changes_while_it_is_listed_gives_each_object_once(draft, source):
    source.put(*(f"a/{number}" for number in range(6)))
    walk = source.walk

    def shifting(prefix=""):
        """What was listed already comes again changed, what was to come goes, some is new."""
        batches = walk(prefix)
        yield next(batches)
        source.put("a/0", size=9, etag="other")
        yield [source.entries["a/0"]]
        source.put("a/45")
        del source.entries["a/5"]
        yield [source.entries[key] for key in ("a/3", "a/4", "a/45")]

    source.walk = shifting
    report = draft.add("demo", ["a/"])
    found = {pointer.path: pointer.size_bytes for pointer in draft.iter_pointers()}
    assert found == {"a/0": 9, "a/1": 1, "a/2": 1, "a/3": 1, "a/4": 1, "a/45": 1}
    assert draft.totals() == (6, 14)
    assert (report.files_added, report.files_replaced) == (6, 1)


def test_a_storage_that_fails_half_way_leaves_the_draft_as_it_was(draft, source, monkeypatch):
    source.put("keep/a")
    draft.add("demo", ["keep/"])
    source.put(*(f"obs/{number:03}" for number in range(100)))
    source.fail_after = 20
    source.error = StorageUnreachableError("The storage is gone.", remedy="Try again.")
    for already in (0, 50_000):
        monkeypatch.setattr("packager_jupyter.packages.adding.FETCHED_BEFORE_LOCK", already)
        with pytest.raises(StorageUnreachableError):
            draft.add("demo", ["obs/"])
        assert paths(draft) == ["keep/a"]
        assert draft.totals() == (1, 1)


def test_cancelling_undoes_all(draft, source, monkeypatch):
    source.put(*(f"obs/{number:03}" for number in range(100)))
    seen = []

    def progress(files, size_bytes):
        seen.append((files, size_bytes))
        if files > 50:
            raise CancelledError("Cancelled.", remedy="Start again.")

    with pytest.raises(CancelledError):
        draft.add("demo", ["obs/"], progress=progress)
    assert seen[0] == (3, 3)
    assert seen == sorted(seen)
    assert paths(draft) == []


def test_a_small_addition_does_not_hold_the_lock_while_the_storage_answers(draft, source):
    source.put("obs/a", "obs/b", "other/c")
    original = source.walk

    def slow(prefix=""):
        if prefix == "obs/":
            draft.add("demo", ["other/"])  # would wait for the lock for half a minute
        yield from original(prefix)

    source.walk = slow
    draft.add("demo", ["obs/"])
    assert len(paths(draft)) == 3


def test_many_chosen_files_are_asked_for_side_by_side(draft, source):
    keys = [f"obs/{number:03}" for number in range(50)]
    source.put(*keys)
    report = draft.add("demo", keys)
    assert report.files_added == 50
    assert sorted(source.stats) == keys
