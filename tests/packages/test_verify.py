"""Verify, hash and diff against real storage: exactly what differs is named, and nothing else."""

from __future__ import annotations

import hashlib

import pytest

from packager_jupyter.errors import StorageError
from packager_jupyter.packages.ahead import read_ahead
from packager_jupyter.packages.diff import with_renames
from packager_jupyter.packages.expected import ExpectedTable, facts_of_pointers
from packager_jupyter.packages.hashing import hash_draft
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.merge import InOrder, Merge, order_of
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.verify import Verifier
from packager_jupyter.sources.catalog import CredentialRef, SourceOptions

KEYS = [
    "top.txt",
    *(f"obs/{n:03}.dat" for n in range(40)),
    "obs/deep/a b.txt",
    "obs/deep/+%41#&.txt",
    "other/é.txt",
    "z/last.txt",
]


class Bucket:
    """A fresh bucket with `KEYS`, connected as source ``lake``."""

    def __init__(self, rgw, services, *, versioned=False):
        self.client, self.name = rgw.client(), rgw.bucket()
        if versioned:
            self.client.put_bucket_versioning(
                Bucket=self.name, VersioningConfiguration={"Status": "Enabled"}
            )
        for key in KEYS:
            self.put(key, key.encode())
        services.sources.add(
            "lake",
            f"s3://{self.name}",
            options=SourceOptions(endpoint_url=rgw.endpoint_url, region=rgw.region),
            credential=CredentialRef("stored"),
            secret={
                "AWS_ACCESS_KEY_ID": rgw.access_key,
                "AWS_SECRET_ACCESS_KEY": rgw.secret_key,
            },
        )

    def put(self, key, data):
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def delete(self, key):
        self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture
def bucket(rgw, services):
    return Bucket(rgw, services)


@pytest.fixture
def draft(bucket, services):
    made = services.packages.create("ocean")
    made.add("lake", [""])
    return made


def verify(services, contents, **options):
    problems = []
    report = Verifier(contents, services.sources.open, on_problem=problems.append, **options).run()
    return report, {problem.path: problem.kind for problem in problems}


def test_an_untouched_package_verifies_by_listing(services, draft):
    report, problems = verify(services, draft)
    assert (report.is_ok, report.files, problems) == (True, len(KEYS), {})


@pytest.mark.parametrize("mode", ["listing", "singly"])
def test_exactly_what_differs_is_named(services, bucket, draft, mode, monkeypatch):
    if mode == "singly":
        monkeypatch.setattr("packager_jupyter.packages.verify.HEADS_BELOW", 1000)
    version = services.packages.version("ocean", draft.publish(now_s=1).version)
    bucket.put("obs/007.dat", b"another content")
    bucket.delete("obs/009.dat")
    bucket.delete("z/last.txt")
    bucket.put("obs/0075.dat", b"new, and of no interest")
    report, problems = verify(services, version)
    assert problems == {
        "obs/007.dat": "changed",
        "obs/009.dat": "missing",
        "z/last.txt": "missing",
    }
    assert (report.files, dict(report.problems)) == (len(KEYS), {"changed": 1, "missing": 2})


def test_the_same_content_again_is_the_same_object(services, bucket, draft):
    bucket.put("obs/007.dat", b"obs/007.dat")
    assert verify(services, draft)[1] == {}


def test_a_pinned_version_holds_whatever_is_current(rgw, services):
    bucket = Bucket(rgw, services, versioned=True)
    draft = services.packages.create("pinned")
    for key in KEYS[:3]:
        draft.add("lake", [key])
    assert all(pointer.version_id for pointer in draft.iter_pointers())
    bucket.put(KEYS[0], b"newer")
    bucket.delete(KEYS[1])
    assert verify(services, draft)[1] == {}


def test_a_listing_that_strays_is_given_up_without_losing_a_file(
    services, bucket, draft, monkeypatch
):
    monkeypatch.setattr("packager_jupyter.packages.verify.STRAY_FREE", 0)
    monkeypatch.setattr("packager_jupyter.packages.verify.STRAY_FACTOR", 0)
    draft.remove([f"obs/{n:03}.dat" for n in range(0, 40, 2)])
    bucket.delete("obs/039.dat")
    report, problems = verify(services, draft)
    assert problems == {"obs/039.dat": "missing"}
    assert report.files == len(KEYS) - 20


def test_a_source_that_is_gone_makes_every_file_unreadable(services, draft):
    services.sources.remove("lake")
    report, problems = verify(services, draft)
    assert set(problems.values()) == {"unreadable"}
    assert report.files == len(problems) == len(KEYS)


def test_a_denied_storage_is_not_called_missing(services, rgw, draft):
    services.sources.update(
        "lake",
        credential=CredentialRef("stored"),
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": "wrong"},
    )
    _, problems = verify(services, draft)
    assert set(problems.values()) == {"denied"}
    assert len(problems) == len(KEYS)


def test_hashing_fills_what_is_lacking_and_deep_verify_reads_it(services, bucket, draft):
    report = hash_draft(draft, services.sources.open, algorithms=("sha256", "md5"))
    assert (report.files, report.failed) == (len(KEYS), [])
    for pointer in draft.iter_pointers():
        data = pointer.key.encode()
        assert pointer.checksums["sha256"] == hashlib.sha256(data).hexdigest()
        assert pointer.checksums["md5"] == hashlib.md5(data).hexdigest()
    again = hash_draft(draft, services.sources.open, algorithms=("sha256", "md5"))
    assert (again.files, again.skipped) == (0, len(KEYS))
    assert verify(services, draft, is_deep=True)[1] == {}


def test_hashing_refuses_an_object_that_is_another_now(services, bucket, draft):
    bucket.put("top.txt", b"TOP.TXT")
    report = hash_draft(draft, services.sources.open)
    assert [path for path, _ in report.failed] == ["top.txt"]
    assert "sha256" not in draft.get("top.txt").checksums


def test_a_stopped_run_keeps_its_finished_batches(services, draft, monkeypatch):
    monkeypatch.setattr("packager_jupyter.packages.hashing._BATCH", 8)

    def stop(files, _bytes):
        if files == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_draft(draft, services.sources.open, progress=stop)
    done = sum("sha256" in pointer.checksums for pointer in draft.iter_pointers())
    assert done == 16
    assert hash_draft(draft, services.sources.open).files == len(KEYS) - 16


def test_deep_verify_finds_bytes_that_do_not_have_their_checksum(services, draft):
    pointer = draft.get("top.txt")
    draft.set_checksums([(pointer, {"sha256": "0" * 64})])
    report, problems = verify(services, draft, is_deep=True)
    assert problems == {"top.txt": "corrupt"}
    assert report.unhashed == sum(not p.checksums for p in draft.iter_pointers())


def test_diff_names_added_removed_changed_and_renamed(services, bucket, draft):
    first = services.packages.version("ocean", draft.publish(now_s=1).version)
    bucket.put("obs/000.dat", b"changed")
    bucket.put("obs/100.dat", b"added")
    draft.add("lake", ["obs/000.dat", "obs/100.dat"], to="obs")
    draft.remove(["obs/001.dat"])
    draft.move("top.txt", "renamed.txt")
    found = {change.path: change.kind for change in with_renames(first, draft)}
    assert found == {
        "obs/000.dat": "changed",
        "obs/100.dat": "added",
        "obs/001.dat": "removed",
        "renamed.txt": "renamed",
    }


def pointers(*keys):
    return iter([Pointer(key.replace("/", "_"), "s", key, key, 1) for key in keys])


@pytest.mark.parametrize(
    ("keys", "prefixes"),
    [
        (["a"], ["a"]),
        (["a/b/1", "a/b/2"], ["a/b/1", "a/b/2"]),
        (["a/b/1", "a/c/1", "a/c/2"], ["a/b/", "a/c/"]),
        ([f"a/{n}" for n in range(30)], ["a/"]),
        ([f"{n}/x" for n in range(30)], [""]),
        (["a/x", "a0", "a!"], ["a!", "a/", "a0"]),
        (["a", "a/x", "ab"], ["a", "a/", "ab"]),
    ],
)
def test_prefixes_cover_everything_and_little_else(keys, prefixes):
    with ExpectedTable() as table:
        table.fill(facts_of_pointers(pointers(*keys)))
        assert table.prefixes("s") == prefixes
        covered = [row.key for prefix in prefixes for row in table.below("s", prefix)]
        assert sorted(covered) == sorted(keys)
        assert sum(table.count("s", prefix) for prefix in prefixes) == len(keys)


def test_a_version_gives_the_same_facts_with_without_and_with_half_an_index(services, draft):
    draft.add("lake", ["obs/"], to="again", rename="other")
    version = services.packages.version("ocean", draft.publish(now_s=1).version)
    wanted = [row for rows in draft.iter_facts() for row in rows]
    assert len(wanted) == 2 * len(KEYS) - 3
    assert [row for rows in version.iter_facts() for row in rows] == wanted
    version.page("")
    index = version._index
    assert index.exists
    assert [row for rows in version.iter_facts() for row in rows] == wanted
    half = version.iter_facts()
    first = next(half)
    assert 0 < len(first) < len(wanted)
    data = bytearray(index.path.read_bytes())
    data[8192:] = b"x" * (len(data) - 8192)
    index._index.close()
    index.path.write_bytes(data)
    assert [row for rows in version.iter_facts() for row in rows] == wanted
    assert not index.exists


@pytest.mark.parametrize("mode", ["error", "end", "close"])
def test_reading_ahead_gives_all_then_the_error_and_stops(mode):
    made = []

    def make():
        for number in range(10):
            made.append(number)
            yield number
        if mode == "error":
            raise OSError("broke off")

    with read_ahead(make, depth=2) as items:
        if mode == "close":
            assert next(items) == 0
        elif mode == "end":
            assert list(items) == list(range(10))
        else:
            assert [next(items) for _ in range(10)] == list(range(10))
            with pytest.raises(OSError, match="broke off"):
                next(items)
    assert (len(made) < 10) == (mode == "close")


@pytest.mark.parametrize("edit", ["nothing", "unsorted", "other source"])
def test_rows_that_changed_since_their_order_was_found_are_left(edit):
    pages = [[("s", f"a/{n}", f"p/{n}", 1, None, None, None)] for n in range(6)]
    order = order_of(iter(pages))
    assert order == ("s", "a/", 6)
    if edit == "unsorted":
        pages[3] = [("s", "a/0", "p/x", 1, None, None, None)]
    if edit == "other source":
        pages[3] = [("t", "a/3", "p/3", 1, None, None, None)]
    rows = InOrder(iter(pages), order)
    merge = Merge(rows.pages())
    taken = merge.rows_up_to("a/1")
    assert [row[0] for row in taken] == ["a/0", "a/1"]
    given_up = [("s", *row) for page in merge.pages_left() for row in page]
    left = [row for page in rows.left() for row in page]
    assert [("s", *row) for row in taken] + given_up + left == [
        row for page in pages for row in page
    ]
    assert merge.is_done
    assert len(left) == (0 if edit == "nothing" else 3)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("s", "a/b/1"), ("s", "a/b/2")], ("s", "a/b/", 2)),
        ([("s", "a/b/1"), ("s", "a/c"), ("s", "b")], ("s", "", 3)),
        ([("s", "a"), ("s", "a")], ("s", "", 2)),
        ([("s", "b"), ("s", "a")], None),
        ([("s", "a"), ("t", "b")], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("page", [1, 5])
def test_the_order_of_a_package(rows, expected, page):
    facts = [(*row, "p", 1, None, None, None) for row in rows]
    assert order_of(iter([facts[at : at + page] for at in range(0, len(facts), page)])) == expected


def at(path, key, source="s"):
    return Pointer(path, source, key, f"s3://b/{key}", 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([at("a/b/1", "a/b/1"), at("a/b/2", "a/b/2")], ("s", "a/b/", 2)),
        ([at("a/x/1", "r/a/x/1"), at("a/xy/2", "r/a/xy/2")], ("s", "r/a/", 2)),
        ([at("new/b/1", "old/b/1"), at("new/c", "old/c")], ("s", "old/", 2)),
        ([at("1", "x-1"), at("2/3", "x-2/3")], ("s", "", 2)),
        ([at("a", "a"), at("b/c/d/e", "b/c/d/e")], ("s", "", 2)),
        ([at("a/1", "z/1"), at("b/1", "b/1")], None),
        ([at("a/1", "a/1"), at("a/2", "a/0")], None),
        ([at("a/1", "a/1"), at("b/1", "b/1", "t")], None),
        ([], None),
    ],
)
def test_an_index_tells_the_order_of_its_keys(tmp_path, given, expected):
    index = PointerIndex(tmp_path / "x.sqlite")
    index.add(given)
    assert index.key_order() == expected
    if expected:
        assert order_of(index.iter_facts()) == expected
        top = given[0].path.partition("/")[0]
        index.move(top, "zz/moved")
        moved = index.key_order()
        assert moved is None or order_of(index.iter_facts()) == moved
    index.close()


@pytest.mark.parametrize("mode", ["in order", "out of order"])
def test_a_listing_that_breaks_off_leaves_no_file_unchecked(services, draft, mode, monkeypatch):
    if mode == "out of order":
        draft.move("top.txt", "a.txt")
        draft.move("other", "zz")
    source = services.sources.open("lake")
    walk = type(source).walk

    def broken(self, prefix=""):
        for batch in walk(self, prefix):
            yield batch[:20]
            raise StorageError("Gone.", remedy="Wait.")

    monkeypatch.setattr(type(source), "walk", broken)
    asked = []
    stat = type(source).stat
    monkeypatch.setattr(
        type(source), "stat", lambda self, key, **more: asked.append(key) or stat(self, key, **more)
    )
    report, problems = verify(services, draft)
    assert (report.files, problems) == (len(KEYS), {})
    assert 0 < len(asked) < len(KEYS)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE", "Archive"])
@pytest.mark.parametrize("count", [2, 20])
def test_archived_objects_are_told_by_listing_and_singly(packages, source, storage_class, count):
    source.put(*(f"a/{number:02}" for number in range(count)))
    draft = packages.create("ocean")
    draft.add("demo", ["a/"])
    source.put("a/01", storage_class=storage_class)
    source.put("a/00", storage_class="STANDARD_IA")
    problems = []
    report = Verifier(draft, lambda _name: source, on_problem=problems.append).run()
    assert [(one.path, one.kind) for one in problems] == [("a/01", "archived")]
    assert report.files == count
