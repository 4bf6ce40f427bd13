"""Folders as a source: what is there is listed in pages, and nothing outside is ever reached."""

from __future__ import annotations

import os
import subprocess
import threading
import time

import pytest

from packager_jupyter.errors import (
    BadInputError,
    ForbiddenError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageNotUnderstoodError,
)
from packager_jupyter.sources.credentials import Credential
from packager_jupyter.sources.local import open_signed, open_source
from packager_jupyter.sources.spec import SourceSpec

KEY = b"k" * 32
SELF = "https://data.example.org/packager/"
HOSTILE_NAMES = [
    "new\nline",
    'quo"te',
    "sp ace",
    "+plus",
    "%41",
    "#hash",
    "\u00e9",
    "e\u0301",
    "\u65e5\u672c",
    "&",
    "-rf",
]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "obs" / "deep").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "obs" / "b.txt").write_bytes(b"b")
    (folder / "obs" / "deep" / "c.txt").write_bytes(b"c")
    (tmp_path / "outside.txt").write_bytes(b"secret")
    return folder


@pytest.fixture
def source(root):
    spec = SourceSpec("disk", "local", root.as_uri())
    return open_source(spec, Credential("none"), local_key=KEY)


def keys(page):
    return [entry.key for entry in page.entries]


def test_one_level_is_listed_and_nothing_below_it(source):
    assert keys(source.list_page()) == ["a.txt", "obs/"]
    assert keys(source.list_page("obs/")) == ["obs/b.txt", "obs/deep/"]
    assert keys(source.list_page("ob")) == ["obs/"]
    assert keys(source.list_page("obs/d")) == ["obs/deep/"]


def test_pages_cover_a_level_exactly_once_in_key_order(root, source):
    names = sorted([*HOSTILE_NAMES, *(f"f{n:03}" for n in range(25))])
    folder = root / "many"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"")
    seen, cursor, pages = [], None, 0
    while True:
        page = source.list_page("many/", cursor=cursor, limit=7)
        seen += keys(page)
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
    assert seen == [f"many/{name}" for name in names]
    assert pages == -(-len(names) // 7)


def test_walk_yields_every_file_below_a_prefix(source):
    assert [e.key for batch in source.walk() for e in batch] == [
        "a.txt",
        "obs/b.txt",
        "obs/deep/c.txt",
    ]
    assert [e.key for batch in source.walk("obs/d") for e in batch] == ["obs/deep/c.txt"]


def test_walk_goes_deeper_than_pythons_stack(root, source):
    fd = os.open(root, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("leaf", os.O_CREAT, dir_fd=fd))
    os.close(fd)
    try:
        assert [e.key for batch in source.walk("d/") for e in batch] == ["d/" * 1200 + "leaf"]
    finally:  # Python's own rmtree, which clears the temporary folder, recurses
        subprocess.run(["rm", "-rf", root / "d"], check=True)


def test_stat_and_ranges(source):
    entry = source.stat("a.txt")
    assert (entry.size_bytes, entry.is_folder) == (10, False)
    assert b"".join(source.read("a.txt")) == b"0123456789"
    assert b"".join(source.read("a.txt", start=3, stop=6)) == b"345"
    assert b"".join(source.read("a.txt", start=20)) == b""


def test_the_etag_changes_with_the_content(root, source):
    before = source.stat("a.txt").etag
    (root / "a.txt").write_bytes(b"other")
    assert source.stat("a.txt").etag != before


ESCAPES = [
    "../outside.txt",
    "obs/../../outside.txt",
    "/etc/passwd",
    "obs//b.txt",
    "./a.txt",
    "..",
    "",
    "a.txt/",
    "obs",
    "a\0b",
    "x" * 300,
    "link",
    "linked/passwd",
    "dangling",
    "loop",
    "fifo",
]


@pytest.fixture
def zoo(root):
    (root / "link").symlink_to("../outside.txt")
    (root / "linked").symlink_to("/etc")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("key", ESCAPES)
def test_nothing_outside_is_reached_by_any_name(source, key):
    with pytest.raises(ObjectNotFoundError):
        source.stat(key)
    with pytest.raises(ObjectNotFoundError):
        source.read(key)


@pytest.mark.usefixtures("zoo")
def test_links_and_special_files_are_listed_as_nothing(source):
    assert keys(source.list_page()) == ["a.txt", "obs/"]
    assert len([e for batch in source.walk() for e in batch]) == 3
    with pytest.raises(ObjectNotFoundError):
        source.list_page("linked/")


def test_a_link_swapped_in_never_wins(root, source):
    folder, aside = root / "obs", root / "aside"
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            folder.rename(aside)
            folder.symlink_to("/etc")
            folder.unlink()
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(300):
            try:
                assert set(keys(source.list_page("obs/"))) <= {"obs/b.txt", "obs/deep/"}
                source.stat("obs/passwd")
            except ObjectNotFoundError:
                continue
            pytest.fail("a name of /etc was reached")
    finally:
        stop.set()
        thread.join()


def test_signed_addresses_open_exactly_one_file_until_they_end(source):
    url = source.signer(ttl_s=60, self_url=SELF)("obs/é\n.txt", filename="é.txt")
    assert url.startswith(f"{SELF}local/")
    assert "obs" not in url
    token = url.removeprefix(f"{SELF}local/")
    now = time.time()
    grant = open_signed(token, key=KEY, now_s=now)
    assert (grant.source, grant.key, grant.filename) == ("disk", "obs/é\n.txt", "é.txt")
    bad = [
        (token, KEY, now + 61),
        (token, b"x" * 32, now),
        (token[:-2], KEY, now),
        ("A" + token[1:], KEY, now),
        ("", KEY, now),
        (".", KEY, now),
    ]
    for altered, key, at in bad:
        with pytest.raises(ForbiddenError):
            open_signed(altered, key=key, now_s=at)


def test_a_folder_needs_to_know_our_address(source):
    with pytest.raises(BadInputError, match="public_url"):
        source.signer(ttl_s=60)


def test_a_root_that_is_gone_is_an_error_and_no_empty_folder(root, source):
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(StorageBucketNotFoundError, match="mounted"):
        source.list_page()
    with pytest.raises(StorageBucketNotFoundError):
        list(source.walk())
    report = source.test()
    assert (report.is_ok, report.checks[0].is_ok) == (False, False)
    assert report.checks[0].remedy


def test_a_name_that_is_no_utf8_is_reported_and_not_left_out(root, source):
    os.close(os.open(os.fsencode(root) + b"/bad\xff", os.O_CREAT))
    with pytest.raises(StorageNotUnderstoodError, match="bad"):
        source.list_page()


@pytest.mark.parametrize("cursor", ["!", "é", "////", "_w=="])
def test_a_foreign_cursor_is_refused(source, cursor):
    with pytest.raises(BadInputError, match="cursor"):
        source.list_page(cursor=cursor)


def test_a_working_folder_reports_so(source):
    report = source.test()
    assert (report.is_ok, [check.what for check in report.checks]) == (True, ["list", "read"])
