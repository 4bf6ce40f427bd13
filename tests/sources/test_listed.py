"""Lists of addresses as a source: every common shape is read, and the files come from the web."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import (
    BadInputError,
    ObjectNotFoundError,
    StorageBucketNotFoundError,
)
from packager_jupyter.sources.credentials import Credential
from packager_jupyter.sources.list_formats import parse_list
from packager_jupyter.sources.listed import open_source
from packager_jupyter.sources.spec import SourceSpec

MD5 = "5d41402abc4b2a76b9719d911017c592"
URL = "https://data.example.org/a/b%20c.csv?download=1"

SHAPES = {
    "addresses": (f"# comment\n{URL}\n\n", ("b c.csv", None, {})),
    "names and addresses": (f"x/y.csv\t{URL}\n", ("x/y.csv", None, {})),
    "name, blank, address": (f"my file.csv {URL}\n", ("my file.csv", None, {})),
    "pointer of packageR, with an address": (URL, ("b c.csv", None, {})),
    "pointer of packageR, with a name": (f"my file.csv\n{URL}\n", ("my file.csv", None, {})),
    "figshare": (
        json.dumps(
            [{"name": "f.csv", "size": 5, "download_url": URL, "computed_md5": MD5, "id": 1}]
        ),
        ("f.csv", 5, {"md5": MD5}),
    ),
    "zenodo": (
        json.dumps(
            {
                "metadata": {},
                "files": [
                    {"key": "z.csv", "size": 5, "checksum": f"md5:{MD5}", "links": {"self": URL}}
                ],
            }
        ),
        ("z.csv", 5, {"md5": MD5}),
    ),
    "manifest of a share": (
        json.dumps({"path": "m/n.csv", "size": 5, "checksums": {"md5": MD5}, "url": URL}) + "\n",
        ("m/n.csv", 5, {"md5": MD5}),
    ),
    "strings": (json.dumps([URL]), ("b c.csv", None, {})),
    "href and hash": (
        json.dumps({"items": [{"filename": "h", "href": URL, "hash": "ab" * 32}]}),
        ("h", None, {"sha256": "ab" * 32}),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_common_shape_is_read(shape):
    text, (name, size, checksums) = SHAPES[shape]
    [row] = parse_list(text.encode())
    assert (row.name, row.url, row.size_bytes) == (name, URL, size)
    assert dict(row.checksums) == checksums


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>404</body></html>",
        "just words",
        f"one name\nanother name\n{URL}\n",
        f"{URL}\na name without an address\n",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "https://user:secret@example.org/a",
        "[]",
        "{}",
        "[1]",
        '[{"name": "x"}]',
        '[{"name": "x", "url": "javascript:alert(1)"}]',
        f"{URL}\n{URL}\n",
        "https://example.org/",
        "[" * 100_000,
    ],
)
def test_what_is_no_list_is_refused_without_showing_secrets(text):
    with pytest.raises(BadInputError, match="The list cannot be used") as caught:
        parse_list(text.encode())
    assert "secret" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_a_clear_error(data):
    try:
        assert parse_list(data)
    except BadInputError:
        return


def test_names_above_their_addresses_and_beside_them_may_be_mixed():
    text = f"a.csv\n{URL}\nb.csv\t{URL}\n# remark\n{URL}\nc.csv\r\n\n{URL}\r\n"
    rows = parse_list(text.encode())
    assert [row.name for row in rows] == ["a.csv", "b.csv", "b c.csv", "c.csv"]
    assert {row.url for row in rows} == {URL}


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def web(tmp_path):
    folder = tmp_path / "web"
    (folder / "obs").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "obs" / "b.txt").write_bytes(b"b")
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def source(web, tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(f"top/a.txt {web}a.txt\nobs/b.txt {web}obs/b.txt\ngone {web}gone\n")
    made = open_source(SourceSpec("web", "list", f"list:{file}"), Credential("none"), local_key=b"")
    yield made
    made.close()


def test_names_make_folders_and_pages(source):
    assert [e.key for e in source.list_page().entries] == ["gone", "obs/", "top/"]
    assert [e.key for e in source.list_page("obs/").entries] == ["obs/b.txt"]
    first = source.list_page(limit=2)
    assert [e.key for e in source.list_page(cursor=first.cursor).entries] == ["top/"]


def test_files_are_read_from_their_addresses(source, web):
    assert source.stat("top/a.txt").size_bytes == 10
    assert b"".join(source.read("top/a.txt")) == b"0123456789"
    assert b"".join(source.read("top/a.txt", start=3, stop=6)) == b"345"
    assert source.signer(ttl_s=60)("top/a.txt") == f"{web}a.txt"
    with pytest.raises(ObjectNotFoundError, match="Correct the address"):
        source.stat("gone")
    with pytest.raises(ObjectNotFoundError, match="does not name"):
        source.stat("elsewhere")


def test_the_list_is_read_anew_when_it_changes(source, web, tmp_path):
    (tmp_path / "list.txt").write_text(f"{web}a.txt\n")
    assert [e.key for e in source.list_page().entries] == ["a.txt"]
    (tmp_path / "list.txt").unlink()
    with pytest.raises(StorageBucketNotFoundError):
        source.list_page()


def test_a_package_of_addresses_is_curated_and_published(services, web, tmp_path):
    file = tmp_path / "portal.json"
    file.write_text(json.dumps([{"name": "a.txt", "size": 10, "url": f"{web}a.txt"}]))
    services.sources.add("portal", f"list:{file}")
    draft = services.packages.create("from-web")
    draft.add("portal", [""])
    [pointer] = draft.iter_pointers()
    assert (pointer.path, pointer.size_bytes, pointer.uri) == ("a.txt", 10, f"{web}a.txt")
    assert draft.publish(now_s=1).files == 1
