import sqlite3
import threading
from collections import Counter

import pytest

from packager_jupyter.errors import (
    BadInputError,
    BusyError,
    ConflictError,
    ForbiddenError,
    PackagerError,
    PathNotFoundError,
    StoreCorruptError,
)
from packager_jupyter.packages import index_db
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.index_db import open_writer
from packager_jupyter.packages.index_filter import WORK_PER_PAGE
from packager_jupyter.packages.index_query import FolderRow
from packager_jupyter.packages.index_rows import pack_etag, pack_etags, unpack_etag
from packager_jupyter.packages.pointer import Pointer


def pointer(path, size=1, **more):
    more.setdefault("key", f"raw/{path}")
    return Pointer(path, "demo", uri=f"s3://bucket/{more['key']}", size_bytes=size, **more)


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "ocean" / ".packager"
    folder.mkdir(parents=True)
    index = PointerIndex(folder / "pointers.sqlite")
    yield index
    index.close()


def paths(page):
    return [row.path for row in page.rows]


def every_page(index, folder="", **options):
    rows, cursor = [], None
    while True:
        page = index.page(folder, cursor=cursor, **options)
        rows += page.rows
        cursor = page.cursor
        if cursor is None:
            return rows


@pytest.mark.parametrize("most_values", [999, 32_766])
def test_rows_are_inserted_whatever_a_statement_may_bind(index, monkeypatch, most_values):
    def open_limited(path):
        connection = open_writer(path)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, most_values)
        return connection

    monkeypatch.setattr("packager_jupyter.packages.index.open_writer", open_limited)
    known = pointer("a/1216", 7)
    index.add([known])

    counts = index.add([*(pointer(f"a/{number}") for number in range(1217)), known])

    assert (counts.added, counts.replaced) == (1216, 2)
    assert index.get("a/1216") == known
    assert {one.path for one in index.iter_sorted()} == {f"a/{number}" for number in range(1217)}
    assert index.totals() == (1217, 1216 + 7)


def test_an_empty_index_has_an_empty_root(index):
    assert index.totals() == (0, 0)
    assert index.page().rows == []
    assert index.page().cursor is None
    assert list(index.iter_sorted()) == []
    with pytest.raises(PathNotFoundError, match="'x'"):
        index.totals("x")
    with pytest.raises(PathNotFoundError):
        index.get("")


def test_pointers_come_back_exactly(index):
    given = [
        pointer("a/one.csv", 5, etag="635b434187cea0bb4d320073e536fe6d", modified_s=10),
        pointer("a/two.csv", 6, etag="635b434187cea0bb4d320073e536fe6d-12", version_id="v"),
        pointer("a/3", 7, etag="635B434187CEA0BB4D320073E536FE6D", media_type="text/csv"),
        pointer("a/4", 7, etag="635b434187cea0bb4d320073e536fe6d-007"),
        pointer("b", 0, etag="0x8D", checksums={"md5": "aa", "sha256": "ab" * 32}),
        pointer("c", 0, checksums={"sha256": "abcd"}, modified_s=-5),
        pointer("renamed.csv", 1, key="other/../\n\x00name"),
        Pointer("from/elsewhere", "list", "x y", "https://example.org/x%20y", 3),
        pointer("d", 1, etag="aa" * 16, checksums={"md5": "aa" * 16}),
    ]
    counts = index.add(given)
    assert (counts.added, counts.replaced, counts.unchanged) == (9, 0, 0)
    assert [index.get(one.path) for one in given] == given
    expected = sorted(given, key=lambda one: one.path.encode())
    assert list(index.iter_sorted()) == expected
    assert index.totals("a") == (4, 25)
    assert index.unhashed_files() == 6


def test_most_rows_store_no_key(index):
    index.add([pointer(f"x/{number}.csv") for number in range(100)])
    connection = sqlite3.connect(index.path)
    assert connection.execute("SELECT count(*) FROM file WHERE key IS NULL").fetchone() == (100,)
    connection.close()


def test_adding_twice_replaces_and_says_so(index):
    index.add([pointer("a/x", 5, etag="1"), pointer("a/y", 5, etag="1"), pointer("z", 1)])
    counts = index.add(
        [pointer("a/new", 2), pointer("a/x", 5, etag="1"), pointer("a/y", 9, etag="2")]
    )
    assert (counts.added, counts.replaced, counts.unchanged, counts.bytes_added) == (1, 1, 1, 6)
    assert index.totals() == (4, 17)
    assert index.totals("a") == (3, 16)
    assert index.get("a/y").etag == "2"


@pytest.mark.parametrize("at", [0, 150, 197, 198, 599])
def test_one_of_many_paths_is_there_already(index, at):
    """Many rows go into the file by one statement, which fails as a whole."""
    files = [pointer(f"f/{number:04}", 2, etag=f"{number:032x}") for number in range(600)]
    index.add([pointer(f"f/{at:04}", 5, etag="old")])
    counts = index.add([*files[:at], files[at], *files[at + 1 :], pointer("f/0300", 9)])
    assert (counts.added, counts.replaced, counts.unchanged) == (599, 2, 0)
    assert index.totals("f") == (600, 1207)
    assert {one.path: one for one in index.iter_sorted()} == {
        one.path: one for one in [*files, pointer("f/0300", 9)]
    }
    counts = index.add(files)
    assert (counts.added, counts.replaced, counts.unchanged) == (0, 1, 599)


def test_what_changes_nothing_keeps_the_revision(index):
    index.add([pointer("a", 1)])
    revision = index.meta()["revision"]
    index.add([pointer("a", 1)])
    assert index.meta()["revision"] == revision
    index.add([pointer("a", 2)])
    assert index.meta()["revision"] != revision


def test_checksums_that_were_computed_survive_adding_the_same_object_again(index):
    known = {"sha256": "ab" * 32, "crc32": "01020304"}
    index.add([pointer("a", 5, etag="e", checksums=known), pointer("b", 5, checksums=known)])
    counts = index.add([pointer("a", 5, etag="e", checksums={"md5": "cd"}), pointer("b", 5)])
    assert counts.replaced == 2
    assert index.get("a").checksums == known | {"md5": "cd"}
    assert index.get("b").checksums == {}  # without an etag nobody knows that it is the same
    assert index.unhashed_files() == 1
    index.add([pointer("a", 5, etag="other")])
    assert index.get("a").checksums == {}
    assert index.unhashed_files() == 2


@pytest.mark.parametrize(
    "given", [["a", "a/b"], ["a/b", "a"], ["x/a/b/c", "x/a"], ["x/a", "x/a/b/c"]]
)
@pytest.mark.parametrize("is_apart", [True, False])
def test_a_path_is_not_both_file_and_folder(index, given, is_apart):
    index.add([pointer("keep")])
    if is_apart:
        index.add([pointer(given[0])])
    before = list(index.iter_sorted())
    rest = given[1:] if is_apart else given
    with pytest.raises(ConflictError, match="both a file and a folder"):
        index.add([pointer("other"), *map(pointer, rest)])
    assert list(index.iter_sorted()) == before
    assert index.totals().files == len(before)


@pytest.mark.parametrize("folders", [3, 300, 30_000])
def test_a_file_named_like_one_of_many_folders_is_refused(index, folders):
    index.add(pointer(f"d{number}/x") for number in range(folders))
    with pytest.raises(ConflictError, match="'d2'"):
        index.add([pointer("e"), pointer("d2")])
    with pytest.raises(ConflictError, match="'d2'"):
        index.add([pointer("e") for _ in range(50)] + [pointer("d2")])
    index.add([pointer("e")])
    assert index.totals().files == folders + 1


def test_a_bad_path_changes_nothing(index):
    with pytest.raises(BadInputError, match=r"'\.\.'"):
        index.add([pointer("ok"), Pointer("a/../b", "demo", "k", "u", 1)])
    assert index.totals() == (0, 0)


def test_an_interrupted_add_changes_nothing(index):
    index.add([pointer("a")])

    def stream():
        for number in range(20_000):
            yield pointer(f"more/{number}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.add(stream())
    assert index.totals() == (1, 1)
    assert not index.has_folder("more")


def test_names_that_differ_only_in_case_or_form_are_different(index):
    names = ["Data.csv", "data.csv", "caf\u00e9", "cafe\u0301"]
    index.add([pointer(name) for name in names])
    assert {row.path for row in index.page().rows} == set(names)


def test_removing_files_and_folders(index):
    index.add(pointer(f"a/{part}/{name}", 2) for part in ("b", "c/d") for name in ("x", "y"))
    index.add([pointer("top", 1)])
    assert index.remove(["a/b/x"]) == index_removed(1, 2)
    assert index.totals("a") == (3, 6)
    assert index.remove(["a/c"]) == index_removed(2, 4)
    assert not index.has_folder("a/c")
    assert index.remove(["a/b/y"]) == index_removed(1, 2)
    assert not index.has_folder("a")
    assert index.totals() == (1, 1)
    assert index.remove([""]) == index_removed(1, 1)
    assert index.page().rows == []


def test_a_folder_that_lost_its_only_folder_goes_too(index):
    index.add([pointer("a/b/c/x"), pointer("z")])
    index.remove(["a/b/c"])
    assert paths(index.page()) == ["z"]
    assert not index.has_folder("a")


def index_removed(files, size_bytes):
    from packager_jupyter.packages.index_edit import Removed

    return Removed(files, size_bytes)


def test_removing_is_all_or_nothing(index):
    index.add([pointer("a"), pointer("b")])
    with pytest.raises(PathNotFoundError, match="'nothing/here'"):
        index.remove(["a", "nothing/here"])
    assert index.totals().files == 2


def test_moving(index):
    index.add([pointer("a/b/x", 2, etag="1"), pointer("a/y", 3), pointer("z", 5)])
    index.move("a/b", "new/place")
    moved = index.get("new/place/x")
    assert (moved.key, moved.uri, moved.etag) == ("raw/a/b/x", "s3://bucket/raw/a/b/x", "1")
    index.move("a/y", "y2")
    assert index.get("y2").key == "raw/a/y"
    assert not index.has_folder("a")
    index.move("z", "new/z")
    assert index.totals() == (3, 10)
    assert index.totals("new") == (2, 7)
    index.add([pointer("new/place/late", 1, key="raw/a/b/late")])
    assert index.get("new/place/late").key == "raw/a/b/late"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("a", "a/b/c", BadInputError),
        ("a", "../x", BadInputError),
        ("a", "z", ConflictError),
        ("z", "a", ConflictError),
        ("z", "a/b", ConflictError),
        ("z", "a/x/below", ConflictError),
        ("nothing", "q", PathNotFoundError),
        ("nothing/at/all", "q", PathNotFoundError),
        ("", "q", PathNotFoundError),
    ],
)
def test_moves_that_are_refused_change_nothing(index, old, new, error):
    index.add([pointer("a/x"), pointer("a/b/y"), pointer("z")])
    before = list(index.iter_sorted())
    with pytest.raises(error):
        index.move(old, new)
    assert list(index.iter_sorted()) == before
    assert paths(index.page()) == ["a", "z"]


def test_pages_show_folders_first_and_go_on_where_they_stopped(index):
    index.add(pointer(f"f{number}/x", number) for number in range(7))
    index.add(pointer(f"file{number}", number) for number in range(8))
    page = index.page(limit=5)
    assert paths(page) == ["f0", "f1", "f2", "f3", "f4"]
    assert page.total_rows == 15
    assert isinstance(page.rows[0], FolderRow)
    page = index.page(limit=5, cursor=page.cursor)
    assert paths(page) == ["f5", "f6", "file0", "file1", "file2"]
    page = index.page(limit=5, cursor=page.cursor)
    assert paths(page) == ["file3", "file4", "file5", "file6", "file7"]
    assert page.cursor is None
    assert index.page(limit=15).cursor is None
    assert index.page(limit=7).cursor is not None


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["name", "size", "modified"])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_sorting(index, sort, descending, limit):
    index.add(
        pointer(f"n{number}", number * 7 % 5, modified_s=None if number == 4 else number * 3 % 7)
        for number in range(12)
    )
    index.add(pointer(f"d{number}/x", number * 5 % 4) for number in range(6))
    rows = every_page(index, sort=sort, descending=descending, limit=limit)
    folders = [row for row in rows if row.is_folder]
    files = [row for row in rows if not row.is_folder]
    assert rows == folders + files
    never = -(10**20)
    file_keys = {
        "name": lambda row: row.name,
        "size": lambda row: (row.size_bytes, row.name),
        "modified": lambda row: (never if row.modified_s is None else row.modified_s, row.name),
    }
    folder_keys = file_keys | {"modified": lambda row: row.name}
    assert files == sorted(files, key=file_keys[sort], reverse=descending)
    assert folders == sorted(folders, key=folder_keys[sort], reverse=descending)
    assert len(rows) == 18


def test_paging_goes_on_when_rows_come_and_go(index):
    index.add(pointer(f"x{number:02}") for number in range(10))
    page = index.page(limit=4)
    index.remove(["x03", "x05"])
    index.add([pointer("x00b"), pointer("x04b")])
    assert paths(index.page(limit=4, cursor=page.cursor)) == ["x04", "x04b", "x06", "x07"]


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 5001},
        {"sort": "colour"},
        {"cursor": "nonsense"},
        {"cursor": "WzEsMl0="},
        {"cursor": ""},
        {"match": "x" * 1025},
    ],
)
def test_bad_questions(index, options):
    with pytest.raises(BadInputError):
        index.page(**options)


def test_a_cursor_belongs_to_its_listing(index):
    index.add(pointer(f"{part}/{number}") for part in "ab" for number in range(5))
    cursor = index.page("a", limit=2).cursor
    for folder, more in (("b", {}), ("a", {"descending": True}), ("a", {"match": "1"})):
        with pytest.raises(BadInputError, match="does not belong"):
            index.page(folder, cursor=cursor, limit=2, **more)


def test_a_file_has_no_page(index):
    index.add([pointer("a/b")])
    with pytest.raises(PathNotFoundError):
        index.page("a/b")


FILES = [
    "Readme.md",
    "obs/2024/one.csv",
    "obs/2024/two.TIF",
    "obs/2025/one.csv",
    "obs/x.csv",
    "caf\u00e9/100%_.csv",
    "obs/2024/deep/er/one.csv",
]


@pytest.mark.parametrize(
    ("folder", "match", "expected"),
    [
        ("", "one", ["obs/2024/one.csv", "obs/2024/deep/er/one.csv", "obs/2025/one.csv"]),
        ("", "README", ["Readme.md"]),
        ("", ".tif", ["obs/2024/two.TIF"]),
        ("", "CAFE\u0301", ["caf\u00e9/100%_.csv"]),
        ("", "%_", ["caf\u00e9/100%_.csv"]),
        ("", "2025", ["obs/2025/one.csv"]),
        ("", "2024/o", ["obs/2024/one.csv"]),
        ("", "obs/2025/", ["obs/2025/one.csv"]),
        ("", "/x", ["obs/x.csv"]),
        ("", "*.tif", []),
        ("", "*.TIF", ["obs/2024/two.TIF"]),
        ("", "obs/*/one.csv", ["obs/2024/one.csv", "obs/2025/one.csv"]),
        ("", "obs/**/one.csv", [FILES[1], FILES[6], FILES[3]]),
        ("obs", "2024/*", ["obs/2024/one.csv", "obs/2024/two.TIF"]),
        ("obs/2024", "2024", []),
        ("obs/2024", "one", ["obs/2024/one.csv", "obs/2024/deep/er/one.csv"]),
        ("", "nothing", []),
        ("", "caf?/[0-9]*", ["caf\u00e9/100%_.csv"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_filtering(index, folder, match, expected, limit):
    index.add(map(pointer, FILES))
    assert [row.path for row in every_page(index, folder, match=match, limit=limit)] == expected
    backwards = every_page(index, folder, match=match, limit=limit, descending=True)
    assert Counter(row.path for row in backwards) == Counter(expected)
    by_size = every_page(index, folder, match=match, limit=limit, sort="size", descending=True)
    assert Counter(row.path for row in by_size) == Counter(expected)


@pytest.mark.parametrize("descending", [False, True])
def test_a_filtered_listing_sorts_over_all_folders(index, descending):
    index.add(
        pointer(f"d{number % 3}/x{number}", number * 7 % 5, modified_s=number % 4)
        for number in range(40)
    )
    for sort, key in (("size", "size_bytes"), ("modified", "modified_s")):
        rows = every_page(index, match="x", sort=sort, limit=3, descending=descending)
        values = [getattr(row, key) for row in rows]
        assert values == sorted(values, reverse=descending)
        assert len({row.path for row in rows}) == 40


def test_a_filter_hands_out_what_it_has_after_bounded_work(index):
    index.add(pointer(f"many/{number:07}") for number in range(WORK_PER_PAGE + 30_000))
    index.add([pointer("other/needle"), pointer("many/x-needle")])
    page = index.page(match="needle")
    assert page.rows == []
    assert page.cursor is not None
    assert [row.path for row in every_page(index, match="needle")] == [
        "many/x-needle",
        "other/needle",
    ]
    assert [row.path for row in every_page(index, match="*needle", descending=True)] == [
        "other/needle",
        "many/x-needle",
    ]


def test_looking_through_many_folders_is_work_too(index, monkeypatch):
    monkeypatch.setattr("packager_jupyter.packages.index_filter.WORK_PER_PAGE", 500)
    index.add(pointer(f"d{number:03}/e/f") for number in range(200))
    index.add([pointer("z/needle")])
    page = index.page(match="needle")
    assert page.rows == []
    assert page.cursor is not None
    assert [row.path for row in every_page(index, match="needle")] == ["z/needle"]


def test_filtering_goes_on_when_its_folder_is_gone(index):
    index.add(pointer(f"{part}/{number}-hit") for part in "abc" for number in range(3))
    page = index.page(match="hit", limit=5)
    assert paths(page)[-1] == "b/1-hit"
    index.remove(["b"])
    assert paths(index.page(match="hit", limit=5, cursor=page.cursor)) == [
        f"c/{number}-hit" for number in range(3)
    ]


def test_sorting_a_large_folder_is_served_by_an_index(index, monkeypatch):
    monkeypatch.setattr("packager_jupyter.packages.index.SORT_INDEX_FROM", 50)
    index.add(pointer(f"x{number:03}", number * 7 % 50) for number in range(100))
    for descending in (False, True):
        rows = every_page(index, sort="size", limit=7, descending=descending)
        keys = [(row.size_bytes, row.name) for row in rows]
        assert keys == sorted(keys, reverse=descending)
        assert len(keys) == 100
    with index.read() as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT name FROM file WHERE folder=1 AND (size, name) > (3, 'x') "
            "ORDER BY size, name LIMIT 10"
        ).fetchall()
    assert "file_by_size" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_a_reader_sees_one_state_and_a_writer_does_not_wait_for_it(index):
    index.add(pointer(f"a{number:05}") for number in range(5000))
    stream = index.iter_sorted()
    first = [next(stream) for _ in range(10)]
    index.add([pointer("b")])
    index.remove(["a00100"])
    assert len(first) + len(list(stream)) == 5000
    assert index.totals().files == 5000


def test_threads_read_while_another_writes(index):
    index.add([pointer("start")])
    failures = []

    def read():
        try:
            for _ in range(100):
                page = index.page(limit=5000)
                total = index.totals()
                assert total.files >= len(page.rows)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(30):
        index.add([pointer(f"n{number}")])
    for thread in threads:
        thread.join()
    assert not failures
    assert index.totals().files == 31


def test_a_second_writer_waits_and_then_says_so(index, monkeypatch):
    monkeypatch.setattr(index_db, "BUSY_TIMEOUT_S", 0.2)
    index.add([pointer("a")])
    with index.write(), pytest.raises(BusyError, match="'ocean'") as caught:
        index.add([pointer("b")])
    assert caught.value.retry_after_s
    index.add([pointer("b")])
    assert index.totals().files == 2


def damage_header(path):
    with path.open("r+b") as file:
        file.write(b"garbage!" * 10)


def cut_in_half(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def garble_pages(path):
    data = bytearray(path.read_bytes())
    for start in range(index_db.PAGE_BYTES, len(data), index_db.PAGE_BYTES):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE x(y)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [damage_header, cut_in_half, garble_pages, empty, foreign])
def test_a_damaged_file_is_named_with_a_remedy(index, damage):
    index.add(pointer(f"a/{number}") for number in range(5000))
    index.close()
    damage(index.path)
    for use in (
        lambda: index.page("a"),
        lambda: list(index.iter_sorted()),
        lambda: index.add([pointer("b")]),
    ):
        with pytest.raises(StoreCorruptError, match="'ocean' is damaged") as caught:
            use()
        assert "backup" in caught.value.remedy


def test_rows_that_make_no_sense_are_damage(index):
    index.add([pointer("a", 1, version_id="v")])
    connection = sqlite3.connect(index.path)
    connection.execute("UPDATE file SET extra='{'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorruptError):
        index.page()


def test_a_newer_format_is_refused(index):
    index.add([pointer("a")])
    index.close()
    connection = sqlite3.connect(index.path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(PackagerError, match="another release"):
        index.page()


def test_a_file_that_was_replaced_is_noticed(index, tmp_path):
    index.add([pointer("old")])
    index.page()
    other = PointerIndex(tmp_path / "other.sqlite")
    other.add([pointer("new")])
    other.close()
    index.close()
    (tmp_path / "other.sqlite").replace(index.path)
    assert paths(index.page()) == ["new"]


def test_leftovers_of_a_lost_file_do_not_come_back(index):
    index.add([pointer("old")])
    index.close()
    index.path.unlink()
    index.path.with_name("pointers.sqlite-wal").write_bytes(b"stale")
    assert index.page().rows == []
    index.add([pointer("new")])
    assert paths(index.page()) == ["new"]


def test_commits_are_durable(index):
    with index.write() as writer:
        assert writer.connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert writer.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    "etag",
    [
        None,
        "",
        "635B434187CEA0BB4D320073E536FE6D-12",
        "635b434187cea0bb4d320073e536fe6d-0",
        "635b434187cea0bb4d320073e536fe6d-1",
        "63 5b434187cea0bb4d320073e536fe6",
        "635b434187cea0bb4d320073e536fe6d-\u0662",
    ],
)
def test_etags_come_back_exactly(etag):
    assert unpack_etag(pack_etag(etag)) == etag
    for many in ([etag] * 3, ["aa" * 16, etag], [etag, "bb" * 15, "bb" * 17]):
        assert pack_etags(many) == [pack_etag(one) for one in many]


def test_network_file_systems_get_a_rollback_journal(index, monkeypatch):
    monkeypatch.setattr(index_db, "is_on_network", lambda path: True)
    index.add([pointer("a")])
    assert index.totals().files == 1
    index.close()
    connection = sqlite3.connect(index.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_this_folder_is_local(tmp_path):
    assert index_db.is_on_network(tmp_path / "x") is False


def test_a_folder_that_may_not_be_written(index, monkeypatch):
    def refuse(*_args, **_options):
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise error

    index.add([pointer("a")])
    monkeypatch.setattr("packager_jupyter.packages.index.open_writer", refuse)
    with pytest.raises(ForbiddenError, match="'ocean'"):
        index.add([pointer("b")])


def test_a_stream_begins_at_any_path(index):
    places = [
        *("a.txt", "a/x", "a/b/c", "a/b.txt", "a/b0", "a0", "b", "c/d/e/f", "c/d/e0", "c/d.e"),
        *("z/\u00e9", "z/e\u0301", "z/y/1", "z/y.1", "z/y0", "z/y/1\U0001f6f0"),
    ]
    index.add([pointer(path) for path in places])
    whole = [one.path for one in index.iter_sorted()]
    assert whole == sorted(places, key=str.encode)
    for number, path in enumerate(whole):
        assert [one.path for one in index.iter_sorted(start=path)] == whole[number:]
