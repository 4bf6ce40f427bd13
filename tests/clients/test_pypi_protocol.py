"""The package index, row by row of what its specifications say, asked as plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

import httpx
import pytest

from registries.pypi.distributions import sdist, wheel

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
WHEEL = "Demo_Pkg-1.0-py3-none-any.whl"
ATTESTATION = {
    "version": 1,
    "verification_material": {"certificate": "MII=", "transparency_entries": []},
    "envelope": {"statement": "e30=", "signature": "c2ln"},
}


@pytest.fixture(scope="module")
def feed(registry):
    """A closed feed with a project of two versions, one of them attested."""
    registry.services.feeds.create("pypi/rows")
    with session(registry, registry.token("pypi/rows:publish", "pypi/rows:delete")) as client:
        upload(client, *wheel("Demo.Pkg", "1.0", requires_python=">=3.9"), version="1.0")
        upload(
            client, *sdist("Demo.Pkg", "2.0"), version="2.0", attestations=json.dumps([ATTESTATION])
        )
        yield client


def session(registry, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=f"{registry.url}pypi/rows/", headers=headers, timeout=30)


def upload(client, filename, data, *, status=200, **fields):
    form = {":action": "file_upload", "protocol_version": "1", "name": "Demo.Pkg"}
    answer = client.post("legacy/", data=form | fields, files={"content": (filename, data)})
    assert answer.status_code == status, answer.text
    return answer


class Links(HTMLParser):
    """The anchors and metas of a page."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.metas = [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a":
            self.anchors.append(found)
        elif tag == "meta" and "name" in found:
            self.metas[found["name"]] = found["content"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", JSON),  # pip
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", JSON),  # uv
        (f"{JSON}, */*", JSON),  # poetry
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", HTML),
        (HTML, HTML),
    ],
)
@pytest.mark.parametrize("path", ["simple/", "simple/demo-pkg/"])
def test_a_page_comes_in_the_type_that_is_accepted(feed, path, accept, content_type):
    answer = feed.get(path, headers={"Accept": accept} if accept else {"Accept": ""})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] == content_type
    assert {"Accept", "Accept-Encoding"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize("path", ["simple/", "simple/demo-pkg/"])
def test_what_is_not_offered_is_406_and_the_address_may_name_a_type(feed, path):
    for accept in ("image/png", "application/vnd.pypi.simple.v2+json"):
        assert feed.get(path, headers={"Accept": accept}).status_code == 406
    for written in (JSON, JSON.replace("+", "%2B")):
        answer = feed.get(f"{path}?format={written}", headers={"Accept": "text/html"})
        assert answer.headers["Content-Type"] == JSON
    assert feed.get(f"{path}?format=image/png").status_code == 406


def test_redirects_lead_to_the_one_address(feed):
    for path, target in (
        ("simple", "/pypi/rows/simple/"),
        ("simple/demo-pkg", "/pypi/rows/simple/demo-pkg/"),
        ("simple/demo-pkg?format=x", "/pypi/rows/simple/demo-pkg/?format=x"),
        ("simple/Demo_Pkg/", "/pypi/rows/simple/demo-pkg/"),
        ("simple/demo...PKG/", "/pypi/rows/simple/demo-pkg/"),
    ):
        answer = feed.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (308, target)
    assert feed.get("simple/unknown/").status_code == 404
    assert feed.get("simple/-/").status_code == 400


def test_json_says_everything(feed):
    """PEP 691, 700, 714, 740, 792."""
    assert feed.get("simple/", headers={"Accept": JSON}).json() == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "demo-pkg"}],
    }
    body = feed.get("simple/demo-pkg/", headers={"Accept": JSON}).json()
    assert body["meta"] == {"api-version": "1.4"}
    assert (body["name"], body["versions"]) == ("demo-pkg", ["1.0", "2.0"])
    assert body["project-status"] == {"status": "active"}
    first, second = body["files"]
    data = wheel("Demo.Pkg", "1.0", requires_python=">=3.9")[1]
    assert first["filename"] == WHEEL
    assert first["hashes"] == {"sha256": hashlib.sha256(data).hexdigest()}
    assert (first["size"], first["requires-python"], first["yanked"]) == (len(data), ">=3.9", False)
    assert first["upload-time"][10] == "T"
    assert first["upload-time"][-8:-7] == "."
    assert first["upload-time"].endswith("Z")
    assert "dist-info-metadata" not in first  # pip 22.3 to 23.0 fails on it (PEP 714)
    assert "provenance" not in first
    metadata = feed.get(
        str(httpx.URL(f"{feed.base_url}simple/demo-pkg/").join(first["url"])) + ".metadata"
    )
    assert hashlib.sha256(metadata.content).hexdigest() == first["core-metadata"]["sha256"]
    answer = feed.get(second["provenance"])
    assert answer.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    assert answer.json()["attestation_bundles"][0]["attestations"] == [ATTESTATION]
    path = "integrity/demo-pkg/2.0/Demo_Pkg-2.0.tar.gz/provenance"
    assert second["provenance"] == f"{feed.base_url}{path}"
    assert feed.get(f"integrity/demo-pkg/1.0/{WHEEL}/provenance").status_code == 404


def test_html_says_what_html_says(feed):
    """PEP 503, 592, 629, 658, 714, 740, 792, and nothing newer (833)."""
    text = feed.get("simple/demo-pkg/", headers={"Accept": "text/html"}).text
    page = Links(text)
    assert page.metas["pypi:repository-version"] == "1.4"
    assert page.metas["pypi:project-status"] == "active"
    first, second = page.anchors
    assert first["data-requires-python"] == ">=3.9"
    assert "&gt;=3.9" in text
    assert first["href"].startswith(f"../../files/demo-pkg/{WHEEL}#sha256=")
    assert first["data-core-metadata"] == first["data-dist-info-metadata"]
    assert second["data-provenance"].endswith("/provenance")
    assert "upload-time" not in text
    [project] = Links(feed.get("simple/", headers={"Accept": "text/html"}).text).anchors
    assert project["href"] == "demo-pkg/"


@pytest.mark.parametrize(
    "path",
    [
        "simple/",
        "simple/demo-pkg/",
        f"files/demo-pkg/{WHEEL}",
        f"files/demo-pkg/{WHEEL}.metadata",
        "pypi/demo-pkg/json",
        "pypi/demo-pkg/2.0/json",
        "integrity/demo-pkg/2.0/Demo_Pkg-2.0.tar.gz/provenance",
    ],
)
def test_head_etag_and_304(feed, path):
    got = feed.get(path, headers={"Accept-Encoding": "identity"})
    head = feed.head(path, headers={"Accept-Encoding": "identity"})
    assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    etag = got.headers["ETag"]
    assert etag.startswith('"')
    assert head.headers["ETag"] == etag
    same = {"Accept-Encoding": "identity", "If-None-Match": etag}
    assert (feed.get(path, headers=same).status_code) == 304
    other = {"If-None-Match": '"other"'}
    assert feed.get(path, headers=other).status_code == 200


@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_parts_of_a_file(feed, suffix):
    path = f"files/demo-pkg/{WHEEL}{suffix}"
    whole = feed.get(path).content
    assert feed.get(path).headers["Accept-Ranges"] == "bytes"
    for asked, part in (
        ("bytes=0-9", whole[:10]),
        ("bytes=-10", whole[-10:]),  # poetry reads the end of a wheel
        (f"bytes={len(whole) - 1}-", whole[-1:]),
    ):
        answer = feed.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")
    assert feed.get(path, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_a_plus_sign_is_one_however_it_is_written(feed):
    """pip encodes it, uv does not."""
    name, data = wheel("Demo.Pkg", "1.0+cpu")
    upload(feed, name, data, version="1.0+cpu")
    for written in (name, name.replace("+", "%2B")):
        assert feed.get(f"files/demo-pkg/{written}").content == data
    assert feed.get(f"files/demo-pkg/{name.replace('+', '%20')}").status_code == 404
    feed.post("manage/demo-pkg", json={"action": "delete", "filename": name})


def test_duplicates_and_deleted_names(feed):
    name, data = wheel("Demo.Pkg", "5.0")
    upload(feed, name, data, version="5.0")
    upload(feed, name, data, version="5.0")
    other = upload(feed, name, wheel("Demo.Pkg", "5.0", summary="x")[1], version="5.0", status=400)
    assert "File already exists" in other.reason_phrase
    feed.post("manage/demo-pkg", json={"action": "delete", "filename": name}).raise_for_status()
    assert feed.get(f"files/demo-pkg/{name}").status_code == 404
    gone = upload(feed, name, data, version="5.0", status=400)
    assert "File already exists" in gone.reason_phrase


def test_yank_and_status_over_rest(feed):
    def act(**body):
        return feed.post("manage/demo-pkg", json=body).status_code

    def rows():
        return feed.get("simple/demo-pkg/", headers={"Accept": JSON}).json()

    assert act(action="yank", filename=WHEEL, reason="broken") == 204
    assert rows()["files"][0]["yanked"] == "broken"
    assert Links(feed.get("simple/demo-pkg/").text).anchors[0]["data-yanked"] == "broken"
    assert act(action="unyank", filename=WHEEL) == 204
    assert act(action="status", status="quarantined", reason="looked at") == 204
    assert (rows()["files"], rows()["project-status"]["reason"]) == ([], "looked at")
    assert Links(feed.get("simple/demo-pkg/").text).metas["pypi:project-status"] == "quarantined"
    upload(feed, *wheel("Demo.Pkg", "6.0"), version="6.0", status=403)
    assert act(action="status", status="archived") == 204
    assert len(rows()["files"]) == 2
    upload(feed, *wheel("Demo.Pkg", "6.0"), version="6.0", status=403)
    assert act(action="status", status="active") == 204
    assert act(action="status", status="gone") == 400
    assert act(action="explode") == 400
    assert act(action="yank", filename="other.whl") == 404


def test_every_way_to_carry_a_token(registry, feed):
    token = feed.headers["Authorization"].removeprefix("Bearer ")

    def basic(text):
        return "Basic " + base64.b64encode(text.encode()).decode()

    with session(registry) as bare:
        for value in (basic(f"__token__:{token}"), basic(f"alice:{token}"), f"Bearer {token}"):
            got = bare.get("simple/demo-pkg/", headers={"Authorization": value})
            assert got.status_code == 200
        for value in ("Basic !", basic("__token__:wrong"), "Bearer wrong", "Digest x"):
            got = bare.get("simple/demo-pkg/", headers={"Authorization": value})
            assert got.status_code == 401
        assert bare.get(f"simple/demo-pkg/?token={token}").status_code == 401
        assert bare.get("simple/demo-pkg/", headers={"Cookie": f"token={token}"}).status_code == 401


@pytest.mark.parametrize(
    "path", ["simple/", "simple/demo-pkg/", "simple/unknown/", f"files/demo-pkg/{WHEEL}"]
)
def test_a_stranger_is_asked_and_never_told_that_nothing_is_there(registry, feed, path):
    with session(registry) as bare:
        answer = bare.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_an_expired_token_is_401(registry, feed, monkeypatch):
    tokens = registry.services.tokens
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_clock", lambda: 1_600_000_000.0)
        expired = tokens.create("alice", scopes=("pypi/rows:read",), expires_in_s=60).secret
    with session(registry, expired) as client:
        assert client.get("simple/demo-pkg/").status_code == 401


def test_pages_of_other_sites_may_read_an_open_feed(registry, feed):
    registry.services.feeds.create("pypi/open", is_anonymous_read=True)
    url = f"{registry.url}pypi/open/"
    token = registry.token("pypi/open:publish")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        upload(client, *wheel("Demo.Pkg", "1.0"), version="1.0")
    for path in ("simple/", "simple/demo-pkg/", f"files/demo-pkg/{WHEEL}", "pypi/demo-pkg/json"):
        answer = httpx.get(url + path, headers={"Origin": "https://elsewhere.test"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"].startswith("public")
        assert "Access-Control-Allow-Origin" not in feed.get(path).headers


def test_old_ways_are_gone(feed):
    call = b"<?xml version='1.0'?><methodCall><methodName>search</methodName></methodCall>"
    answer = feed.post("", content=call, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 410
    upload(feed, *wheel("Demo.Pkg", "1.0"), status=410, **{":action": "submit"})


def test_the_json_api(feed):
    body = feed.get("pypi/demo-pkg/json").json()
    assert (body["info"]["name"], body["info"]["version"]) == ("Demo.Pkg", "2.0")
    assert set(body["releases"]) >= {"1.0", "2.0"}
    assert body["vulnerabilities"] == []
    [url] = feed.get("pypi/demo-pkg/1.0/json").json()["urls"]
    assert feed.get(url["url"]).content == wheel("Demo.Pkg", "1.0", requires_python=">=3.9")[1]
    assert feed.get("pypi/demo-pkg/9.9/json").status_code == 404
    assert feed.get("pypi/unknown/json").status_code == 404


def test_absurd_numbers_and_names_are_no_work(feed):
    assert feed.get("simple/?n=1000000000").status_code == 200
    assert feed.get(f"simple/{'a' * 5000}/").status_code == 400
    assert feed.get(f"pypi/demo-pkg/1.{'0' * 5000}/json").status_code == 400
