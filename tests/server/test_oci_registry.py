"""The distribution API with bad input, wrong tokens, protected repositories and broken uploads."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re

import pytest
from tornado import web

from packager_jupyter.oci.feed import Feed
from packager_jupyter.oci.feed_names import file_tag
from packager_jupyter.server.registry.oci import OCI_ROUTES
from packager_jupyter.server.registry.oci.sessions import UploadTable
from packager_jupyter.server.routes import routes
from server.oci_client import INDEX, MANIFEST, OciClient, basic, codes, manifest_of, sha256

DATA = os.urandom(3 * 1024 * 1024 + 7)


@pytest.fixture
def token(standalone_host):
    def make(*scopes, **more):
        return standalone_host.services.tokens.create("alice", scopes=scopes, **more).secret

    return make


@pytest.fixture
def oci(standalone_host, token):
    return OciClient(standalone_host, "lab/thing", token("oci/lab/*:publish", "oci/lab/*:delete"))


@pytest.fixture
def root(standalone_host, token):
    """Whoever may do everything."""
    return OciClient(standalone_host, "lab/thing", token("oci/*:publish", "oci/*:delete"))


BAD = [
    ("GET", "/v2/Lab/thing/manifests/v1", None, {}, 400, "NAME_INVALID"),
    ("GET", "/v2/lab//thing/tags/list", None, {}, 400, "NAME_INVALID"),
    ("GET", "/v2/..%2Flab/tags/list", None, {}, 400, "NAME_INVALID"),
    ("GET", f"/v2/{'a' * 300}/tags/list", None, {}, 400, "NAME_INVALID"),
    ("GET", "tags/list", None, {}, 404, "NAME_UNKNOWN"),
    ("GET", "tags/list?n=-1", None, {}, 400, "BAD_REQUEST"),
    ("GET", "tags/list?n=x", None, {}, 400, "BAD_REQUEST"),
    ("GET", "tags/list?n=1&n=2", None, {}, 400, "BAD_REQUEST"),
    ("GET", "blobs/sha256:123", None, {}, 400, "DIGEST_INVALID"),
    ("GET", "blobs/md5:d41d8cd98f00b204e9800998ecf8427e", None, {}, 400, "DIGEST_INVALID"),
    ("GET", "blobs/uploads", None, {}, 400, "DIGEST_INVALID"),
    ("POST", "blobs/uploads/?digest=sha256:1", b"x", {}, 400, "DIGEST_INVALID"),
    ("POST", f"blobs/uploads/?digest={sha256(b'x')}", b"y", {}, 400, "DIGEST_INVALID"),
    ("POST", "blobs/uploads/?mount=x&from=lab/other", b"", {}, 400, "DIGEST_INVALID"),
    ("PATCH", "blobs/uploads/unknown", b"x", {}, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", f"blobs/uploads/unknown?digest={sha256(b'x')}", b"x", {}, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", "manifests/v1", b"", {}, 400, "MANIFEST_INVALID"),
    ("PUT", "manifests/v1", b"{}", {"Content_Type": MANIFEST}, 400, "MANIFEST_INVALID"),
    ("PUT", "manifests/v1", b"[" * 9000, {"Content_Type": MANIFEST}, 400, "MANIFEST_INVALID"),
    ("PUT", "manifests/v1", manifest_of(b"x"), {"Content_Type": INDEX}, 400, "MANIFEST_INVALID"),
    ("PUT", "manifests/v1", manifest_of(b"x"), {"Content_Type": "a/b"}, 400, "MANIFEST_INVALID"),
    ("PUT", "manifests/v1", manifest_of(b"x"), {}, 400, "MANIFEST_BLOB_UNKNOWN"),
    ("PUT", "manifests/.v", manifest_of(b"x"), {}, 400, "MANIFEST_INVALID"),
    ("PUT", f"manifests/{sha256(b'')}", manifest_of(b"x"), {}, 400, "DIGEST_INVALID"),
    ("PUT", "manifests/v1", b" " * (4 * 1024 * 1024 + 1), {}, 413, "SIZE_INVALID"),
    ("POST", "manifests/v1", b"", {}, 405, "UNSUPPORTED"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "code"), BAD)
async def test_bad_input(root, method, path, body, headers, status, code):  # noqa: PLR0917
    response = await root.call(method, path, body, **headers)
    assert (response.code, codes(response)) == (status, [code])
    assert b"Traceback" not in response.body
    assert root.host.services.oci.repositories() == []


@pytest.mark.parametrize("text", ["x", "1", "5-1", "0-1", "-", "0-99999999999999999999"])
async def test_a_range_that_is_none(oci, text):
    where = await oci.begin()
    response = await oci.call("PATCH", where, b"12345", Content_Range=text)
    assert (response.code, codes(response)) == (400, ["BLOB_UPLOAD_INVALID"])
    assert (await oci.call("GET", where)).headers["Range"] == "0-0"


async def test_a_wrong_digest_at_the_end_leaves_nothing(oci):
    where = await oci.begin()
    response = await oci.call("PUT", f"{where}?digest={sha256(b'other')}", DATA)
    assert (response.code, codes(response)) == (400, ["DIGEST_INVALID"])
    assert (await oci.call("GET", f"blobs/{sha256(DATA)}")).code == 404
    assert (await oci.call("GET", where)).code == 404
    blobs = oci.host.services.oci.blobs(oci.repo)
    assert not list(blobs.ingest_folder.iterdir())
    assert not list(blobs.digests())


async def test_an_end_without_a_digest_changes_nothing(oci):
    where = await oci.begin()
    assert codes(await oci.call("PUT", where, b"12345")) == ["DIGEST_INVALID"]
    assert (await oci.call("PUT", f"{where}?digest={sha256(b'')}", b"")).code in {201, 400}


class TestTokens:
    """Who gets in."""

    STRANGERS = ("", "pkgr_api_000000000000_" + "A" * 43, "nonsense")

    @pytest.mark.parametrize("stranger", STRANGERS)
    @pytest.mark.parametrize("route", OCI_ROUTES, ids=lambda route: route.path)
    async def test_strangers_get_a_challenge(self, oci, route, stranger):
        path = re.sub(r"\{[a-z]+\}", "x", route.path)
        for method in route.verbs:
            body = b"" if method in {"PUT", "POST", "PATCH"} else None
            response = await oci.as_(stranger).call(method, f"/{path}", body)
            assert response.code == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert method == "HEAD" or codes(response) == ["UNAUTHORIZED"]

    async def test_an_empty_login_counts_as_none(self, oci):
        response = await oci.as_("").call("GET", "/v2/", Authorization="Basic Og==")
        assert response.code == 401

    async def test_a_token_as_bearer(self, oci):
        bearer = f"Bearer {oci.token}"
        assert (await oci.as_("").call("GET", "/v2/", Authorization=bearer)).code == 200

    async def test_tokens_that_have_ended(self, oci, token, standalone_host):
        tokens = standalone_host.services.tokens
        made = tokens.create("alice", scopes=("oci/*:read",))
        assert (await oci.as_(made.secret).call("GET", "/v2/")).code == 200
        tokens.revoke(made.info.id, owner="alice")
        assert (await oci.as_(made.secret).call("GET", "/v2/")).code == 401

    @pytest.mark.parametrize(
        ("scope", "pull", "push", "delete"),
        [
            ("oci/lab/thing:read", 200, 403, 403),
            ("oci/lab/thing:publish", 200, 201, 403),
            ("oci/lab/thing:delete", 403, 403, 202),
            ("oci/lab/other:publish", 403, 403, 403),
            ("oci/lab:publish", 403, 403, 403),
            ("*/*:publish", 403, 403, 403),
            ("api", 403, 403, 403),
        ],
    )
    async def test_a_scope_allows_what_it_says(self, oci, token, scope, pull, push, delete):  # noqa: PLR0917
        body, _ = await oci.manifest(tag="v1")
        client = oci.as_(token(scope))
        for path in ("manifests/v1", f"blobs/{sha256(b'content')}", "tags/list"):
            assert (await client.call("GET", path)).code == pull
        assert (await client.call("GET", f"referrers/{sha256(body)}")).code == pull
        assert (await client.put("v2", body)).code == push
        begun = await client.call("POST", f"blobs/uploads/?digest={sha256(b'z')}", b"z")
        assert begun.code == push
        assert (await client.call("DELETE", "manifests/v1")).code == delete

    async def test_no_blob_is_read_through_another_repository(self, oci, token):
        await oci.manifest(b"secret", tag="v1")
        digest = sha256(b"secret")
        stranger = oci.as_(token("oci/mine/*:publish"), "mine/x")
        assert (await stranger.call("GET", f"blobs/{digest}")).code == 404
        for path in (f"?mount={digest}&from={oci.repo}", f"?mount={digest}"):
            response = await stranger.call("POST", f"blobs/uploads/{path}", b"")
            assert response.code == 202  # as if it were nowhere
        assert (await stranger.call("GET", f"blobs/{digest}")).code == 404
        body = manifest_of(b"secret")
        await stranger.blob(b"{}")
        assert codes(await stranger.put("v1", body)) == ["MANIFEST_BLOB_UNKNOWN"]

    async def test_an_upload_belongs_to_its_token_and_repository(self, oci, token):
        where = await oci.begin()
        other = oci.as_(token("oci/lab/*:publish"))
        assert (await other.call("PATCH", where, b"x")).code == 404
        moved = where.replace("lab/thing", "lab/other")
        assert (await oci.call("PATCH", moved, b"x")).code == 404
        assert (await oci.call("PATCH", where, b"x")).code == 202

    async def test_the_catalog_lists_what_the_token_may_read(self, root, token):
        for repo in ("lab/a", "lab/b", "secret/c"):
            await root.as_(root.token, repo).manifest(tag="v1")
        names = {}
        for scope in ("oci/*:read", "oci/lab/*:read", "pypi/main:read"):
            response = await root.as_(token(scope)).call("GET", "/v2/_catalog?n=1000000000")
            names[scope] = json.loads(response.body)["repositories"]
        assert names == {
            "oci/*:read": ["lab/a", "lab/b", "secret/c"],
            "oci/lab/*:read": ["lab/a", "lab/b"],
            "pypi/main:read": [],
        }
        page = await root.call("GET", "/v2/_catalog?n=2")
        assert page.headers["Link"] == '</v2/_catalog?n=2&last=lab%2Fb>; rel="next"'


class TestProtected:
    """Feeds and data packages stay what they are, also through this API."""

    async def test_versions_of_packages_stay(self, root):
        packages = root.as_(root.token, "packages/climate")
        first, response = await packages.manifest(b"one", tag="1")
        assert response.code == 201
        assert (await packages.put("1", first)).code == 201  # the same again
        second, response = await packages.manifest(b"two", tag="1")
        assert (response.code, codes(response)) == (409, ["DENIED"])
        assert (await packages.call("GET", "manifests/1")).body == first
        for body in (first, second):
            await packages.put("latest", body)
        assert (await packages.call("GET", "manifests/latest")).body == second
        response = await packages.put("_index", second)
        assert (response.code, codes(response)) == (403, ["DENIED"])

    async def test_a_version_has_the_date_of_its_push(self, root):
        await root.as_(root.token, "packages/climate").manifest(b"one", tag="1")
        [one] = root.host.services.oci.tags("packages/climate")
        assert one.descriptor.annotations["org.opencontainers.image.created"].startswith("20")

    @pytest.mark.parametrize("repo", ["pypi/main/demo", "meta/pypi/main", "meta/tf-module/main"])
    async def test_a_package_index_is_not_published_past_its_checks(self, root, repo):
        feed = root.as_(root.token, repo)
        for tag in ("f.0123", "e.0123", "_index", "latest", "1.0"):
            _, response = await feed.manifest(tag=tag)
            assert (response.code, codes(response)) == (403, ["DENIED"])

    async def test_a_file_of_a_package_index_may_be_signed(self, root, services_feed):
        feed = root.as_(root.token, services_feed)
        store = root.host.services.oci
        [file] = store.tags(services_feed)
        for path in (f"manifests/{file.tag}", f"manifests/{file.descriptor.digest}"):
            assert (await feed.call("DELETE", path)).code == 403
        tag = file.descriptor.digest.replace(":", "-") + ".sig"
        for text in (b"one", b"two"):
            body, response = await feed.manifest(text, tag=tag)
            assert response.code == 201
        assert (await feed.call("DELETE", f"manifests/{sha256(body)}")).code == 202

    async def test_a_deleted_file_is_read_no_more_and_its_uploader_sees_what_came(
        self, root, token, services_feed
    ):
        store = root.host.services.oci
        [file] = store.tags(services_feed)
        reader = root.as_(token("pypi/main:read"), services_feed)
        blob = f"blobs/{sha256(b'wheel')}"
        for verb in ("GET", "HEAD"):
            assert (await reader.call(verb, blob)).code == 200
        Feed(store, "pypi", "main").remove("demo", file.descriptor.digest)
        for verb in ("GET", "HEAD"):
            assert (await reader.call(verb, blob)).code == 404
            assert (await root.as_(root.token, services_feed).call(verb, blob)).code == 200
        assert (await reader.call("GET", f"manifests/{file.descriptor.digest}")).code == 404

    @pytest.fixture
    def services_feed(self, root):
        """A file of a feed, published by the feed itself."""
        services = root.host.services
        services.feeds.create("pypi/main")
        feed = Feed(services.oci, "pypi", "main")
        layer = feed.push_layer("demo", b"wheel", media_type="application/zip")
        feed.publish(
            "demo",
            file_tag("demo-1-py3-none-any.whl"),
            config={},
            config_type="application/vnd.example.config.v1+json",
            artifact_type="application/vnd.example.file.v1",
            layers=[layer],
        )
        return "pypi/main/demo"

    async def test_reading_a_feed_needs_the_right_to_read_that_feed(
        self, root, token, services_feed
    ):
        for scope, status in {
            "pypi/main:read": 200,
            "pypi/main/demo:read": 200,
            "pypi/main/other:read": 403,
            "pypi/other:read": 403,
            "oci/pypi/main/*:read": 200,
            "terraform/main:read": 403,
        }.items():
            client = root.as_(token(scope), services_feed)
            assert (await client.call("GET", "tags/list")).code == status, scope
        assert (await root.as_("", services_feed).call("GET", "tags/list")).code == 401

    @pytest.mark.parametrize(
        "packager_config", [{"feeds": {"pypi/main": {"anonymous_read": True}}}]
    )
    async def test_an_open_feed_is_open_here_too(self, root):
        for repo, status in {
            "pypi/main/demo": 404,
            "meta/pypi/main": 404,
            "pypi/other/x": 401,
        }.items():
            stranger = root.as_("", repo)
            assert (await stranger.call("GET", "tags/list")).code == status
            assert (await stranger.call("POST", "blobs/uploads/", b"")).code == 401
            assert (await stranger.call("DELETE", "manifests/v1")).code == 401

    async def test_versions_of_providers_stay(self, root):
        for repo in ("tf-provider/main/lab/demo", "tf-module/main/lab/demo/aws"):
            feed = root.as_(root.token, repo)
            assert (await feed.manifest(b"one", tag="1.0.0"))[1].code == 201
            assert (await feed.manifest(b"two", tag="1.0.0"))[1].code == 409
            assert (await feed.manifest(b"two", tag="e.1"))[1].code == 403
            assert (await feed.call("DELETE", "manifests/1.0.0")).code == 202


class TestUploads:
    """Uploads that break off, wait too long, or are too many."""

    async def test_a_broken_chunk_goes_on_where_it_stopped(self, oci, standalone_host):
        where = await oci.begin()
        port = int(standalone_host.root.rsplit(":", 1)[1].strip("/"))
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"PATCH {where} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(oci.token)}\r\n"
            f"Content-Length: {len(DATA)}\r\n\r\n"
        )
        writer.write(head.encode() + DATA[: 2 * 1024 * 1024 + 5000])
        await writer.drain()
        for _ in range(500):
            start = int((await oci.call("GET", where)).headers["Range"][2:]) + 1
            if start > 1024 * 1024:
                break
            await asyncio.sleep(0.01)
        busy = await oci.call("PATCH", where, b"x")
        assert (busy.code, codes(busy)) == (409, ["BLOB_UPLOAD_INVALID"])
        writer.close()
        for _ in range(500):
            start = int((await oci.call("GET", where)).headers["Range"][2:]) + 1
            at = f"{start}-{len(DATA) - 1}"
            response = await oci.call("PATCH", where, DATA[start:], Content_Range=at)
            if response.code == 202:
                break
            await asyncio.sleep(0.01)
        assert (await oci.call("PUT", f"{where}?digest={sha256(DATA)}", b"")).code == 201
        assert (await oci.call("GET", f"blobs/{sha256(DATA)}")).body == DATA

    @pytest.mark.parametrize("packager_config", [{"max_upload_bytes": 100_000}])
    async def test_a_blob_beyond_the_limit(self, oci):
        where = await oci.begin()
        chunk = b"x" * 60_000
        assert (await oci.call("PATCH", where, chunk)).code == 202
        response = await oci.call("PATCH", where, chunk)
        assert (response.code, codes(response)) == (413, ["SIZE_INVALID"])
        assert (await oci.call("GET", where)).headers["Range"] == "0-59999"

    def test_uploads_that_nobody_goes_on_with_are_dropped(self, standalone_services, tmp_path):
        store = standalone_services.oci
        table = UploadTable(store, tmp_path, max_bytes=100, idle_s=-1.0, clock=lambda: 1e12)
        session = table.begin("lab/thing", "alice")
        table.sweep()
        assert table.find(session.id, "lab/thing", "alice") is session  # it is in use
        session.release()
        table.sweep()
        assert not list(store.blobs("lab/thing").ingest_folder.iterdir())

    async def test_only_so_many_at_once(self, oci, token, monkeypatch):
        monkeypatch.setattr("packager_jupyter.server.registry.oci.sessions.MAX_PER_OWNER", 2)
        await oci.begin()
        where = await oci.begin()
        response = await oci.call("POST", "blobs/uploads/", b"")
        assert (response.code, codes(response)) == (429, ["TOOMANYREQUESTS"])
        assert response.headers["Retry-After"]
        other = oci.as_(token("oci/lab/*:publish"))
        assert (await other.call("POST", "blobs/uploads/", b"")).code == 202
        await oci.call("DELETE", where)
        assert (await oci.call("POST", "blobs/uploads/", b"")).code == 202

    async def test_after_a_restart_an_upload_is_unknown(self, oci, standalone_server):
        where = await oci.begin()
        await oci.call("PATCH", where, b"12345")
        standalone_server._uploads.close()
        response = await oci.call("PATCH", where, b"6")
        assert (response.code, codes(response)) == (404, ["BLOB_UPLOAD_UNKNOWN"])
        assert not list(oci.host.services.oci.blobs(oci.repo).ingest_folder.iterdir())


@pytest.mark.parametrize("route", OCI_ROUTES, ids=lambda route: route.path)
def test_every_verb_has_a_rule(route):
    verbs = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    unimplemented = web.RequestHandler.get
    found = {verb for verb in verbs if getattr(route.handler, verb.lower()) != unimplemented}
    assert found == set(route.verbs)
    assert {rule.principal for rule in route.verbs.values()} == {"registry"}


def test_only_the_standalone_server_has_it():
    assert not [route for route in routes() if route.path.startswith("v2")]


async def test_inside_jupyter_it_is_not_there(jupyter_host):
    response = await jupyter_host.fetch("GET", "v2/lab/thing/tags/list")
    assert response.code == 404


async def test_no_token_reaches_the_log(oci, caplog):
    caplog.set_level(logging.DEBUG)
    await oci.manifest(tag="v1")
    await oci.as_(oci.token + "x").call("GET", "/v2/")
    assert oci.token not in caplog.text
