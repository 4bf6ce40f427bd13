import contextlib
import hashlib
import sqlite3
import threading
from dataclasses import replace

import orjson
import pytest

from packager_jupyter.errors import (
    BadInputError,
    DiskFullError,
    PackageNotFoundError,
    PathNotFoundError,
    StoreCorruptError,
)
from packager_jupyter.oci.base import ANNOTATION_TITLE, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.manifest import describe, image_manifest, parse_manifest
from packager_jupyter.packages import rebuild
from packager_jupyter.packages.artifact import (
    ARTIFACT_TYPE,
    CONFIG_TYPE,
    POINTERS_TYPE,
    gzip_blocks,
)
from packager_jupyter.packages.base import Contents
from packager_jupyter.packages.diff import count_changes, diff
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.outline import Outline
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_files import PointerFiles
from packager_jupyter.packages.pointer_rows import iter_written

REPO = "packages/ocean"


@pytest.fixture
def published(draft, source):
    source.put(*(f"data/{number:03}.csv" for number in range(50)), size=2)
    source.put("data/sub/odd\nname", "data/v", version_id="v1", checksums={"sha256": "ab" * 32})
    draft.add("demo", ["data/"])
    draft.attach(b"# Hello", "README.md")
    draft.set_metadata(title="Ocean")
    draft.publish(now_s=1)
    return draft


def test_a_version_reads_like_the_draft_it_was(published, packages):
    version = packages.version("ocean", "1")
    assert isinstance(version, Contents)
    assert list(version.iter_pointers()) == list(published.iter_pointers())
    assert version.totals() == published.totals()
    assert version.totals("data/sub") == (1, 1)
    for options in ({}, {"sort": "size", "descending": True}, {"match": "sub"}):
        assert version.page("data", **options) == published.page("data", **options)
    assert version.get("data/v") == published.get("data/v")
    assert version.readme() == "# Hello"
    assert version.metadata() == published.metadata()
    found = version.attachments()
    assert [(one.path, one.size_bytes, one.modified_s) for one in found] == [("README.md", 7, None)]
    assert version.read_attachment("README.md") == b"# Hello"
    for ask in (
        lambda: version.get("nothing"),
        lambda: version.page("nothing"),
        lambda: version.read_attachment("nothing"),
    ):
        with pytest.raises(PathNotFoundError):
            ask()


def test_a_version_is_found_by_name_tag_and_digest(published, packages):
    version = packages.version("ocean")
    assert packages.version("ocean", version.digest).version == "1"
    assert packages.version("ocean", "1").digest == version.digest
    for name, ref in (("ocean", "2"), ("nothing", "1"), ("ocean", "sha256:" + "0" * 64)):
        with pytest.raises(PackageNotFoundError):
            packages.version(name, ref)
    for name, ref in (("../x", "1"), ("ocean", "../1"), ("ocean", "sha256:12")):
        with pytest.raises(BadInputError):
            packages.version(name, ref)


def test_a_published_version_does_not_follow_the_draft(published, packages, source):
    before = packages.version("ocean", "1").page("data")
    published.remove(["data/001.csv"])
    published.attach(b"changed", "README.md")
    packages.delete_draft("ocean")
    version = packages.version("ocean", "1")
    assert version.page("data") == before
    assert version.readme() == "# Hello"


def cache_files(packages):
    return sorted(packages._index_folder.glob("*.sqlite"))


def test_publishing_leaves_the_index_of_the_version(published, packages, source, monkeypatch):
    built = "packager_jupyter.packages.version.build_index"
    with monkeypatch.context() as patch:
        patch.setattr(built, lambda *_, **__: pytest.fail("it is built from the list"))
        version = packages.version("ocean", "1")
        left = version.page("data"), version.totals("data"), list(version.iter_facts())
        # The draft goes on, the version does not.
        published.remove(["data/000.csv"])
        source.put("data/new.csv")
        published.add("demo", ["data/new.csv"])
        published.publish(now_s=2)
        assert version.page("data") == left[0]
        newer = packages.version("ocean", "2")
        assert newer.page("data") == published.page("data")
        assert newer.get("new.csv") == published.get("new.csv")
    folder = packages._index_folder
    first, second = cache_files(packages)
    assert [one.name for one in folder.iterdir() if one.suffix not in {".sqlite", ".lock"}] == []
    for file in (first, second):
        assert file.read_bytes()[18:20] == b"\x01\x01"  # it needs no journal beside it
        assert PointerIndex(file, is_draft=False).meta() == {}
        file.unlink()
    assert (version.page("data"), version.totals("data"), list(version.iter_facts())) == left


def test_what_a_draft_removed_takes_no_room_in_its_version(published, packages, source):
    source.put(*(f"many/{number:05}" for number in range(8000)))
    source.batch = 8000
    published.add("demo", ["many/"])
    published.remove(["many"])
    for file in cache_files(packages):
        file.unlink()
    published.publish("clean", now_s=3)
    (left,) = cache_files(packages)
    draft = published.folder / ".packager" / "pointers.sqlite"
    free = []
    for file in (draft, left):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            free += connection.execute("PRAGMA freelist_count").fetchone()
    assert free[0] > 40
    assert free[1] == 0


def test_a_full_disk_for_the_index_stops_no_publishing(published, packages, source, monkeypatch):
    def full(*_arguments):
        raise DiskFullError("The disk is full.", remedy="Free some space.")

    source.put("data/new.csv")
    published.add("demo", ["data/new.csv"])
    monkeypatch.setattr("packager_jupyter.packages.catalog.copy_of_draft", full)
    assert published.publish(now_s=2).version == "2"
    assert len(cache_files(packages)) == 1
    assert packages.version("ocean", "2").page("data") == published.page("data")


def test_the_index_is_a_cache(published, packages, make_packages):
    version = packages.version("ocean", "1")
    before = version.page("data")
    (file,) = cache_files(packages)
    file.unlink()
    assert version.page("data") == before
    (file,) = cache_files(packages)
    file.write_bytes(b"garbage" * 1000)
    assert version.page("data") == before
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert make_packages().version("ocean", "1").page("data") == before
    assert version.page("data") == before


def test_pointer_files_and_their_outline_are_made_anew_from_a_damaged_index(published, packages):
    version = packages.version("ocean", "1")
    files = PointerFiles(package="ocean", version="1", url_of="https://a.example/s/x/".__add__)
    before = list(version.iter_written(files))
    outline = version.outline()
    folder = packages._index_folder
    (index,), (kept,) = folder.glob("*.sqlite"), folder.glob("*.outline")
    kept.write_bytes(b"garbage")
    index.write_bytes(b"garbage" * 1000)
    assert version.outline() == outline
    assert Outline.from_bytes(kept.read_bytes(), files=52) == outline
    index.write_bytes(b"garbage" * 1000)
    assert list(version.iter_written(files)) == before


def test_pointer_files_go_on_where_a_damaged_index_was_left(published, packages, monkeypatch):
    version = packages.version("ocean", "1")
    files = PointerFiles(package="ocean", version="1", url_of="https://a.example/s/x/".__add__)
    before = [name for names, _ in version.iter_written(files) for name in names]
    starts = []

    def damaged(connection, files, start=""):
        starts.append(start)
        batches = iter_written(connection, files, start)
        yield next(batches)
        if len(starts) == 1:
            raise StoreCorruptError("Damaged.", remedy="None.")
        yield from batches

    monkeypatch.setattr("packager_jupyter.packages.version.iter_written", damaged)
    found = [name for names, _ in version.iter_written(files) for name in names]
    assert found == before
    assert len(starts) == 2
    assert starts[0] < starts[1]


def test_a_first_page_of_an_old_version_builds_one_index_for_all_who_wait(published, make_packages):
    for file in cache_files(make_packages()):
        file.unlink()
    answers = []
    built = []
    original = rebuild.build_index

    def build(*arguments, **options):
        built.append(1)
        original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("packager_jupyter.packages.version.build_index", build)
        several = [make_packages() for _ in range(6)]
        threads = [
            threading.Thread(
                target=lambda one=one: answers.append(one.version("ocean").page("data"))
            )
            for one in several
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 6
    assert len(built) == 1
    assert len(cache_files(several[0])) == 1


def test_versions_with_the_same_pointers_share_an_index(published, packages):
    published.set_metadata(title="Second")
    published.publish(now_s=2)
    packages.version("ocean", "1").page()
    packages.version("ocean", "2").page()
    assert len(cache_files(packages)) == 1


def test_sorting_a_large_folder_of_a_version(published, packages, monkeypatch):
    monkeypatch.setattr("packager_jupyter.packages.index.SORT_INDEX_FROM", 10)
    version = packages.version("ocean")
    rows = version.page("data", sort="size", descending=True).rows
    sizes = [row.size_bytes for row in rows if not row.is_folder]
    assert sizes == sorted(sizes, reverse=True)
    with version._index._index.read() as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type='index'").fetchall()
    assert ("file_by_size",) in names
    assert version.page("data").rows == published.page("data").rows


def push(packages, lines, *, files=None, size=None, fingerprint=None, packed=None, change=None):
    """Publish a hand-made artifact as ``ocean@9``."""
    oci = packages._oci
    data = b"".join(lines)
    packed = b"".join(gzip_blocks([data])) if packed is None else packed
    layer = oci.push_blob(REPO, packed, media_type=POINTERS_TYPE)
    pointers = [orjson.loads(line) for line in lines if line.startswith(b'{"path"')]
    config = {
        "name": "ocean",
        "version": "9",
        "totals": {
            "files": len(pointers) if files is None else files,
            "bytes": sum(one["size"] for one in pointers) if size is None else size,
        },
        "fingerprint": fingerprint or f"sha256:{hashlib.sha256(data).hexdigest()}",
        "sources": [],
    }
    layers = [layer]
    if change:
        layers = change(config, layers) or layers
    body = orjson.dumps(config)
    descriptor = replace(describe(body, media_type=CONFIG_TYPE))
    oci.push_blob(REPO, body)
    manifest = image_manifest(config=descriptor, layers=layers, artifact_type=ARTIFACT_TYPE)
    oci.push_manifest(REPO, manifest, media_type=MEDIA_TYPE_MANIFEST, tag="9", overwrite=True)


def line(path, **more):
    record = {"path": path, "size": 1, "source": "s", "key": f"s3://b/{path}", "x-key": path}
    return orjson.dumps(record | more) + b"\n"


def test_a_list_made_by_others_is_read(packages):
    lines = [
        line("a~0123456789abcdef", modified="2025-08-01T10:00:00Z"),
        line("b/c", etag="aa" * 16, checksums={"md5": "aa" * 16}),
        line("b/d", etag="x", checksums={"md5": "aa" * 16, "sha256": "bb" * 32}, version_id="v"),
        line("b/e", key="https://example.org/1"),
        line("b/f", source="other"),
        b'{"path":"c","size":0}\n',
        line("d", unknown=[1, {"x": 2}], media_type="text/plain"),
    ]
    push(packages, lines)
    version = packages.version("ocean", "9")
    expected = [Pointer.from_line(one) for one in lines]
    assert list(version.iter_pointers()) == expected
    assert [version.get(one.path) for one in expected] == expected
    assert version.totals("b") == (4, 4)


KINDS = [
    {},
    {"etag": "ab" * 16, "modified": "2025-08-01T10:00:00Z"},
    {"etag": "cd" * 16, "checksums": {"md5": "cd" * 16}},
    {"etag": "ef" * 16, "checksums": {"md5": "cd" * 16}},
    {"checksums": {"sha256": "ab" * 32}, "version_id": "v"},
    {"x-key": "elsewhere", "key": "s3://b/elsewhere"},
    {"source": "other"},
    {"media_type": "text/plain", "etag": "x-1"},
]


@pytest.mark.parametrize("block", [1, 300])
def test_a_large_folder_of_lines_of_many_kinds_is_read(packages, block):
    """Lines of one kind are read together, as long as they follow one another."""
    numbers = range(1200)
    paths = [f"a/é{number:04}" if number % 50 == 7 else f"a/{number:04}" for number in numbers]
    lines = [
        line(path, **KINDS[number // block % len(KINDS)])
        for number, path in enumerate(sorted(paths))
    ]
    push(packages, lines)
    version = packages.version("ocean", "9")
    expected = [Pointer.from_line(one) for one in lines]
    assert list(version.iter_pointers()) == expected
    assert version.totals("a") == (1200, 1200)
    found, cursor = [], None
    while cursor is not None or not found:
        page = version.page("a", cursor=cursor)
        found += page.rows
        cursor = page.cursor
    assert sorted(found, key=lambda one: one.path) == expected


def test_lines_that_are_objects_only_when_joined_are_refused(packages):
    push(packages, [b'{"size":0\n"path":"a"}\n'], files=1, size=0)
    version = packages.version("ocean", "9")
    for read in (version.page, lambda: list(version.iter_pointers())):
        with pytest.raises(StoreCorruptError, match="pointer list"):
            read()


@pytest.mark.parametrize(
    "lines",
    [
        [line("b"), line("a")],
        [line("a"), line("a")],
        [line("a"), line("a/b")],
        [line("a/../b")],
        [line("../../etc/passwd")],
        [line("/a")],
        [line("a\nb")],
        [line("a"), line("b", size=-1)],
        [line("a", size=1.5)],
        [line("a", size=True)],
        [line("a", modified="yesterday")],
        [line("a", etag=5)],
        [line("a", checksums={"md5": "?"})],
        [line("a", **{"x-key": 5})],
        [line("a", key=None)],
        [b"[]\n"],
        [b'"text"\n'],
        [b"\n"],
        [b'{"path":"a"}\n'],
        [b"{\n"],
        [line("a")[:-1]],
        [b'{"path":"' + b"x" * 100_000 + b'","size":1}\n'],
    ],
)
def test_a_list_that_breaks_a_rule_is_refused(packages, lines):
    push(packages, lines, files=len(lines), size=len(lines))
    version = packages.version("ocean", "9")
    with pytest.raises(StoreCorruptError, match="pointer list") as caught:
        version.page()
    assert caught.value.remedy
    assert cache_files(packages) == []
    assert not [one for one in packages._index_folder.iterdir() if "tmp" in one.name]


GOOD = [line(f"{number:05}") for number in range(3000)]
PACKED = b"".join(gzip_blocks(GOOD))


@pytest.mark.parametrize(
    "options",
    [
        {"packed": PACKED[: len(PACKED) // 2]},
        {"packed": PACKED[:-4]},
        {"packed": PACKED[:-1]},
        {"packed": b""},
        {"packed": PACKED + b"more"},
        {"packed": PACKED + PACKED},
        {"packed": b"not gzip at all"},
        {"packed": PACKED[:5000] + b"\0\0" + PACKED[5002:]},
        {"files": 2999},
        {"files": 3001},
        {"size": 1},
        {"fingerprint": "sha256:" + "0" * 64},
    ],
)
def test_a_list_that_is_cut_or_contradicts_the_version_is_refused(packages, options):
    push(packages, GOOD, **options)
    version = packages.version("ocean", "9")
    with pytest.raises(StoreCorruptError):
        version.page()
    if {"packed", "fingerprint"} & set(options):
        with pytest.raises(StoreCorruptError):
            list(version.iter_pointers())
    assert cache_files(packages) == []


def test_a_list_that_unpacks_to_very_much_is_not_kept(packages):
    bomb = b"".join(gzip_blocks([b"x" * 50_000_000]))
    push(packages, [], packed=bomb, files=1)
    with pytest.raises(StoreCorruptError, match="pointer list"):
        packages.version("ocean", "9").page()


@pytest.mark.parametrize(
    "change",
    [
        lambda config, layers: config.pop("totals") and None,
        lambda config, layers: config.update(name="../x"),
        lambda config, layers: config.update(version="latest"),
        lambda config, layers: config.update(version=5),
        lambda config, layers: config.update(fingerprint="md5"),
        lambda config, layers: config.update(totals={"files": -1, "bytes": 0}),
        lambda config, layers: config.update(totals={"files": True, "bytes": 0}),
        lambda config, layers: config.update(sources=[{}]),
        lambda config, layers: config.update(title=["a"]),
        lambda config, layers: [replace(layers[0], media_type="text/plain")],
        lambda config, layers: [*layers, replace(layers[0], annotations={})],
        lambda config, layers: [
            *layers,
            replace(layers[0], annotations={ANNOTATION_TITLE: "../x"}),
        ],
        lambda config, layers: [
            *layers,
            *[replace(layers[0], annotations={ANNOTATION_TITLE: "x"})] * 2,
        ],
    ],
)
def test_an_artifact_that_is_no_version_is_refused(packages, change):
    push(packages, [line("a")], change=change)
    with pytest.raises(StoreCorruptError):
        packages.version("ocean", "9")


def test_damaged_blobs_are_never_served(published, packages, make_packages):
    oci = packages._oci
    content = parse_manifest(oci.get_manifest(REPO, "1").body)
    for layer in content.layers:
        path = oci.blobs(REPO).path(layer.digest)
        path.chmod(0o600)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    for file in cache_files(packages):
        file.unlink()
    version = make_packages().version("ocean")
    for ask in (
        version.page,
        lambda: list(version.iter_pointers()),
        lambda: version.read_attachment("README.md"),
    ):
        with pytest.raises(StoreCorruptError):
            ask()


def test_diff_names_exactly_what_differs(published, packages, source):
    source.put("data/000.csv", etag="changed")
    source.put("data/new", size=7)
    published.add("demo", ["data/"])
    published.remove(["data/001.csv", "data/sub"])
    before, after = packages.version("ocean").iter_pointers(), published.iter_pointers()
    changes = [(change.kind, change.path) for change in diff(before, after)]
    assert changes == [
        ("changed", "data/000.csv"),
        ("removed", "data/001.csv"),
        ("added", "data/new"),
        ("removed", "data/sub/odd_name~" + changes[3][1][-16:]),
    ]
    counts = count_changes(packages.version("ocean").iter_pointers(), published.iter_pointers())
    assert (counts.added, counts.removed, counts.changed) == (1, 2, 1)
    assert (counts.bytes_added, counts.bytes_removed, counts.bytes_changed) == (7, 3, 1)
