"""The index itself: what is accepted, what pages say, what never changes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import (
    BadInputError,
    DigestMismatchError,
    ForbiddenError,
    PathNotFoundError,
)
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.pypi.index import PypiIndex
from packager_jupyter.registries.pypi.names import normalize_project, parse_filename
from packager_jupyter.registries.pypi.project import FileExistsInFeedError
from packager_jupyter.registries.pypi.simple import HTML_TYPE, JSON_TYPE, negotiate
from packager_jupyter.registries.pypi.upload import (
    UploadGoneError,
    check_upload,
    upload_of_file,
)

from .distributions import metadata, sdist, wheel

NOW = datetime(2026, 5, 3, 12, 0, 0, 123456, tzinfo=UTC)
BASE = "https://registry.lab.test/pypi/main/"


@pytest.fixture
def index(tmp_path):
    return PypiIndex(LayoutStore(tmp_path), "main")


def put(index, distribution, **form):
    filename, data = distribution
    name = parse_filename(filename)
    fields = {":action": "file_upload", "name": name.project, "version": str(name.version), **form}
    upload = check_upload(fields, filename=filename, file=io.BytesIO(data))
    return index.publish(upload, by="alice", now=NOW)


def page(index, project="demo"):
    return json.loads(index.rendered(project, "json", base_url=BASE).body)


def test_an_uploaded_file_is_listed_with_everything_a_resolver_wants(index):
    filename, data = wheel("Demo", "1.0", requires_python=">=3.9")
    assert put(index, (filename, data)) is True
    body = page(index)
    assert (body["meta"], body["name"], body["versions"]) == (
        {"api-version": "1.4"},
        "demo",
        ["1.0"],
    )
    core = hashlib.sha256(metadata("Demo", "1.0", requires_python=">=3.9")).hexdigest()
    assert body["files"] == [
        {
            "filename": filename,
            "url": f"../../files/demo/{filename}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "requires-python": ">=3.9",
            "core-metadata": {"sha256": core},
            "yanked": False,
            "size": len(data),
            "upload-time": "2026-05-03T12:00:00.123456Z",
        }
    ]
    stored = index.file("demo", filename)
    assert b"".join(index.read("demo", stored)) == data
    assert hashlib.sha256(index.metadata("demo", filename)).hexdigest() == core


def test_html_escapes_and_carries_the_same(index):
    put(index, wheel(requires_python=">=3.9,<4"))
    index.yank("demo", "demo-1.0-py3-none-any.whl", reason='<b>"bad"', by="alice")
    text = index.rendered("demo", "html", base_url=BASE).body.decode()
    assert 'data-requires-python="&lt;4,&gt;=3.9"' in text
    assert 'data-yanked="&lt;b&gt;&quot;bad&quot;"' in text
    assert "<b>" not in text
    assert "#sha256=" in text


def test_versions_are_sorted_as_versions(index):
    for version in ("1.10", "1.9", "1.10rc1", "2.0.dev1"):
        put(index, wheel(version=version))
    put(index, sdist(version="1.9"))
    assert page(index)["versions"] == ["1.9", "1.10rc1", "1.10", "2.0.dev1"]


def test_the_same_bytes_again_are_accepted_and_change_nothing(index):
    put(index, wheel())
    etag = index.rendered("demo", "json", base_url=BASE).etag
    assert put(index, wheel()) is False
    assert index.rendered("demo", "json", base_url=BASE).etag == etag


def test_other_bytes_and_deleted_names_are_refused(index):
    filename, data = wheel()
    put(index, (filename, data))
    with pytest.raises(FileExistsInFeedError, match=r"^File already exists") as caught:
        put(index, wheel(summary="another"))
    assert caught.value.status == 400
    index.delete("demo", filename, by="alice")
    assert page(index)["files"] == []
    with pytest.raises(FileExistsInFeedError, match="never free"):
        put(index, (filename, data))
    with pytest.raises(PathNotFoundError):
        index.file("demo", filename)


def test_yank_and_unyank(index):
    filename, _ = wheel()
    put(index, wheel())
    index.yank("demo", filename, reason=None, by="alice")
    assert page(index)["files"][0]["yanked"] is True
    index.unyank("demo", filename, by="alice")
    assert page(index)["files"][0]["yanked"] is False


def test_quarantine_hides_files_and_archive_takes_none(index):
    put(index, wheel())
    index.set_status("demo", "quarantined", reason="under review", by="admin")
    body = page(index)
    assert (body["files"], body["project-status"]) == (
        [],
        {"status": "quarantined", "reason": "under review"},
    )
    with pytest.raises(ForbiddenError):
        put(index, wheel(version="2.0"))
    index.set_status("demo", "active", reason=None, by="admin")
    assert len(page(index)["files"]) == 1


def test_a_rendered_page_is_kept_until_something_changes(index):
    put(index, wheel())
    first = index.rendered("demo", "json", base_url=BASE)
    assert index.rendered("demo", "json", base_url=BASE) is first
    put(index, wheel(version="2.0"))
    second = index.rendered("demo", "json", base_url=BASE)
    assert second.etag != first.etag
    assert gzip.decompress(second.body_gzip) == second.body


def test_attestations_are_kept_and_announced(index):
    filename, _ = wheel()
    attestation = {"version": 1, "verification_material": {}, "envelope": {}}
    put(index, wheel(), attestations=json.dumps([attestation]))
    [row] = page(index)["files"]
    assert row["provenance"] == f"{BASE}integrity/demo/1.0/{filename}/provenance"
    bundle = json.loads(index.provenance("demo", filename))
    assert bundle["attestation_bundles"][0]["attestations"] == [attestation]


def test_parallel_uploads_of_one_project_are_all_listed(index):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(index, wheel(version=f"1.{n}")), range(40)))
    assert len(page(index)["files"]) == 40


def other_name():
    return "demo-1.0-py3-none-any.whl", wheel("other")[1]


def other_version():
    return "demo-1.0-py3-none-any.whl", wheel(version="2.0")[1]


def no_record():
    filename, data = wheel()
    return filename, data.replace(b"RECORD", b"RECXRD")


BAD_FILES = {
    "another project inside": other_name,
    "another version inside": other_version,
    "metadata of another project": lambda: wheel(core=metadata("other", "1.0")),
    "no version in metadata": lambda: wheel(core=b"Metadata-Version: 2.1\nName: demo\n\n"),
    "no metadata at all": lambda: wheel(core=b""),
    "bad requires-python": lambda: wheel(requires_python="yesterday"),
    "second dist-info": lambda: wheel(extra=[("evil-1.0.dist-info/METADATA", b"")]),
    "no RECORD": no_record,
    "html": lambda: ("demo-1.0-py3-none-any.whl", b"<html></html>"),
    "sdist that is a wheel": lambda: ("demo-1.0.tar.gz", wheel()[1]),
    "no wheel name": lambda: ("demo.whl", wheel()[1]),
    "path in the name": lambda: ("../demo-1.0-py3-none-any.whl", wheel()[1]),
    "egg": lambda: ("demo-1.0.egg", b""),
    "million character version": lambda: (f"demo-{'1' * 1_000_000}.tar.gz", b""),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_does_not_agree_with_itself_is_refused(index, name):
    filename, data = BAD_FILES[name]()
    with pytest.raises(BadInputError):
        index.publish(upload_of_file(io.BytesIO(data), filename), by="a", now=NOW)
    assert index.feed.projects() == []


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"name": "other"}, BadInputError),
        ({"name": ""}, BadInputError),
        ({"version": "2.0"}, BadInputError),
        ({"filetype": "sdist"}, BadInputError),
        ({"sha256_digest": "0" * 64}, DigestMismatchError),
        ({"md5_digest": "0" * 32}, DigestMismatchError),
        ({"blake2_256_digest": "0" * 64}, DigestMismatchError),
        ({"protocol_version": "2"}, BadInputError),
        ({":action": "submit"}, UploadGoneError),
        ({":action": ""}, BadInputError),
        ({"attestations": "[]"}, BadInputError),
        ({"attestations": '[{"version": 2}]'}, BadInputError),
    ],
)
def test_a_form_that_does_not_agree_with_the_file_is_refused(index, form, error):
    with pytest.raises(error):
        put(index, wheel(), **form)
    assert index.feed.projects() == []


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("application/vnd.pypi.simple.v1+json, */*", JSON_TYPE),
        (f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01", JSON_TYPE),
        (f"{JSON_TYPE};q=0, {HTML_TYPE}", HTML_TYPE),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("text/html, application/xhtml+xml, */*;q=0.8", "text/html"),
        ("image/png", None),
        ("application/vnd.pypi.simple.v2+json", None),
    ],
)
def test_negotiation_gives_each_client_what_it_asks_for(accept, expected):
    assert negotiate(accept) == expected


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,40}[A-Za-z0-9])?", fullmatch=True))
def test_normalising_twice_changes_nothing(name):
    once = normalize_project(name)
    assert normalize_project(once) == once


@pytest.mark.parametrize("names", [("Foo_Bar", "foo.bar", "foo--bar", "FOO-BAR")])
def test_spellings_of_one_name_are_one_project(names):
    assert {normalize_project(name) for name in names} == {"foo-bar"}
