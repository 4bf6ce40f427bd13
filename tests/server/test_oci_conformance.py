"""What every registry must do, from the text of distribution-spec 1.1, section by section."""

from __future__ import annotations

import hashlib
import json

import pytest

from packager_jupyter.oci.manifest import describe, image_index
from server.oci_client import INDEX, MANIFEST, OCTETS, OciClient, codes, manifest_of, sha256

DATA = bytes(range(256)) * 40
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def oci(standalone_host):
    tokens = standalone_host.services.tokens
    token = tokens.create("alice", scopes=("oci/lab/*:publish", "oci/lab/*:delete")).secret
    return OciClient(standalone_host, "lab/thing", token)


class TestPull:
    """Section "Pull"."""

    async def test_the_api_is_there(self, oci):
        response = await oci.call("GET", "/v2/")
        assert response.code == 200
        assert response.headers["Docker-Distribution-API-Version"] == "registry/2.0"

    async def test_a_manifest_by_tag_and_by_digest(self, oci):
        body, _ = await oci.manifest(tag="v1")
        for reference in ("v1", sha256(body)):
            for method in ("GET", "HEAD"):
                response = await oci.call(method, f"manifests/{reference}", Accept=MANIFEST)
                assert response.code == 200
                assert response.headers["Content-Type"] == MANIFEST
                assert response.headers["Content-Length"] == str(len(body))
                assert response.headers["Docker-Content-Digest"] == sha256(body)
                assert response.body == (body if method == "GET" else b"")

    async def test_a_manifest_that_the_client_has_is_not_sent_again(self, oci):
        body, _ = await oci.manifest(tag="v1")
        same = {"If_None_Match": f'"{sha256(body)}"'}
        assert (await oci.call("GET", "manifests/v1", **same)).code == 304
        assert (await oci.call("GET", "manifests/v1", If_None_Match='"x"')).code == 200

    async def test_a_blob(self, oci):
        digest = await oci.blob(DATA)
        for method in ("GET", "HEAD"):
            response = await oci.call(method, f"blobs/{digest}")
            assert response.code == 200
            assert response.headers["Content-Length"] == str(len(DATA))
            assert response.headers["Docker-Content-Digest"] == digest
            assert response.body == (DATA if method == "GET" else b"")

    async def test_a_part_of_a_blob(self, oci):
        digest = await oci.blob(DATA)
        response = await oci.call("GET", f"blobs/{digest}", Range="bytes=100-299")
        assert (response.code, response.body) == (206, DATA[100:300])
        assert response.headers["Content-Range"] == f"bytes 100-299/{len(DATA)}"
        last = await oci.call("GET", f"blobs/{digest}", Range="bytes=-7")
        assert (last.code, last.body) == (206, DATA[-7:])
        behind = await oci.call("GET", f"blobs/{digest}", Range=f"bytes={len(DATA)}-")
        assert behind.code == 416

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("path", ["manifests/nothing", "manifests/.INVALID", f"blobs/{OTHER}"])
    async def test_what_is_not_there_is_404(self, oci, method, path):
        response = await oci.call(method, path)
        assert response.code == 404
        unknown = "MANIFEST_UNKNOWN" if "manifests" in path else "BLOB_UNKNOWN"
        assert method == "HEAD" or codes(response) == [unknown]


class TestPush:
    """Section "Push"."""

    async def test_post_then_put(self, oci):
        where = await oci.begin()
        response = await oci.call("PUT", f"{where}?digest={sha256(DATA)}", DATA, **OCTETS)
        assert response.code == 201
        stored = await oci.call("GET", response.headers["Location"])
        assert stored.body == DATA

    async def test_a_single_post(self, oci):
        path = f"blobs/uploads/?digest={sha256(DATA)}"
        response = await oci.call("POST", path, DATA, **OCTETS)
        assert response.code == 201
        assert (await oci.call("GET", response.headers["Location"])).body == DATA

    async def test_an_empty_blob(self, oci):
        digest = await oci.blob(b"")
        assert (await oci.call("GET", f"blobs/{digest}")).body == b""

    async def test_a_digest_of_another_algorithm(self, oci):
        digest = f"sha512:{hashlib.sha512(DATA).hexdigest()}"
        where = await oci.begin()
        assert (await oci.call("PUT", f"{where}?digest={digest}", DATA)).code == 201
        assert (await oci.call("GET", f"blobs/{digest}")).body == DATA
        where = await oci.begin()
        assert (await oci.call("PUT", f"{where}?digest={digest}", DATA[1:])).code == 400

    async def test_chunks(self, oci):
        where = await oci.begin()
        for start in range(0, len(DATA), 4000):
            chunk = DATA[start : start + 4000]
            at = f"{start}-{start + len(chunk) - 1}"
            response = await oci.call("PATCH", where, chunk, Content_Range=at, **OCTETS)
            assert response.code == 202
            assert response.headers["Range"] == f"0-{start + len(chunk) - 1}"
            where = response.headers["Location"]
        response = await oci.call("PUT", f"{where}?digest={sha256(DATA)}", b"")
        assert response.code == 201
        assert (await oci.call("GET", f"blobs/{sha256(DATA)}")).body == DATA

    async def test_the_last_chunk_comes_with_the_end(self, oci):
        where = await oci.begin()
        await oci.call("PATCH", where, DATA[:500], Content_Range="0-499")
        at = f"500-{len(DATA) - 1}"
        end = f"{where}?digest={sha256(DATA)}"
        assert (await oci.call("PUT", end, DATA[500:], Content_Range=at)).code == 201
        assert (await oci.call("GET", f"blobs/{sha256(DATA)}")).body == DATA

    async def test_a_stream_without_a_range(self, oci):
        where = await oci.begin()
        for chunk in (DATA[:3000], DATA[3000:]):
            assert (await oci.call("PATCH", where, chunk)).code == 202
        assert (await oci.call("PUT", f"{where}?digest={sha256(DATA)}", b"")).code == 201

    async def test_chunks_out_of_order_are_416_and_the_upload_goes_on(self, oci):
        where = await oci.begin()
        for wrong in ("5-9", "1-5"):
            response = await oci.call("PATCH", where, b"12345", Content_Range=wrong)
            assert (response.code, codes(response)) == (416, ["BLOB_UPLOAD_INVALID"])
        await oci.call("PATCH", where, b"12345", Content_Range="0-4")
        response = await oci.call("PATCH", where, b"12345", Content_Range="0-4")
        assert response.code == 416
        assert (response.headers["Range"], response.headers["Location"]) == ("0-4", where)
        asked = await oci.call("GET", where)
        assert (asked.code, asked.headers["Range"]) == (204, "0-4")
        assert (await oci.call("PATCH", where, b"6", Content_Range="5-5")).code == 202
        assert (await oci.call("PUT", f"{where}?digest={sha256(b'123456')}", b"")).code == 201

    async def test_an_upload_can_be_cancelled(self, oci):
        where = await oci.begin()
        await oci.call("PATCH", where, b"12345")
        assert (await oci.call("DELETE", where)).code == 204
        for method, body in (("GET", None), ("PATCH", b"1"), ("DELETE", None)):
            response = await oci.call(method, where, body)
            assert (response.code, codes(response)) == (404, ["BLOB_UPLOAD_UNKNOWN"])
        folder = oci.host.services.oci.blobs(oci.repo).ingest_folder
        assert not list(folder.iterdir())

    async def test_mounting(self, oci):
        digest = await oci.blob(DATA)
        other = oci.as_(oci.token, "lab/other")
        path = f"blobs/uploads/?mount={digest}&from={oci.repo}"
        response = await other.call("POST", path, b"")
        assert response.code == 201
        assert response.headers["Location"] == f"/v2/lab/other/blobs/{digest}"
        assert (await other.call("GET", f"blobs/{digest}")).body == DATA

    async def test_mounting_what_is_not_there_begins_an_upload(self, oci):
        for more in (f"&from={oci.repo}", "", "&from=../x"):
            response = await oci.call("POST", f"blobs/uploads/?mount={OTHER}{more}", b"")
            assert response.code == 202
            assert "/blobs/uploads/" in response.headers["Location"]

    async def test_a_manifest(self, oci):
        body, response = await oci.manifest(tag="v1")
        assert response.code == 201
        assert response.headers["Docker-Content-Digest"] == sha256(body)
        assert response.headers["Location"] == f"/v2/{oci.repo}/manifests/{sha256(body)}"
        assert "OCI-Subject" not in response.headers

    async def test_tags_of_an_ordinary_repository_move(self, oci):
        await oci.manifest(b"one", tag="v1")
        body, response = await oci.manifest(b"two", tag="v1")
        assert response.code == 201
        assert (await oci.call("GET", "manifests/v1")).body == body

    async def test_an_index_of_manifests(self, oci):
        body, _ = await oci.manifest()
        index = image_index([describe(body, media_type=MANIFEST)])
        assert (await oci.put("all", index, INDEX)).code == 201
        response = await oci.call("GET", "manifests/all")
        assert response.headers["Content-Type"] == INDEX
        lost = image_index([describe(b"{}", media_type=MANIFEST)])
        response = await oci.put("lost", lost, INDEX)
        assert (response.code, codes(response)) == (400, ["MANIFEST_BLOB_UNKNOWN"])

    async def test_a_manifest_with_a_subject_that_is_not_there_yet(self, oci):
        subject = manifest_of(b"not pushed")
        _, response = await oci.manifest(b"signature", subject=subject)
        assert response.code == 201
        assert response.headers["OCI-Subject"] == sha256(subject)


class TestDiscovery:
    """Section "Content Discovery"."""

    async def tag(self, oci):
        body, _ = await oci.manifest(tag="v0")
        for tag in ("b", "a", "C", "_x", "v10", "v9"):
            await oci.put(tag, body)

    async def test_tags_are_in_order(self, oci):
        await self.tag(oci)
        answer = json.loads((await oci.call("GET", "tags/list")).body)
        assert answer == {"name": "lab/thing", "tags": ["C", "_x", "a", "b", "v0", "v10", "v9"]}

    async def test_tags_come_in_pages(self, oci):
        await self.tag(oci)
        path, seen, turns = "tags/list?n=3", [], 0
        while path:
            response = await oci.call("GET", path)
            seen += json.loads(response.body)["tags"]
            link = response.headers.get("Link", "")
            assert not link or link.endswith('; rel="next"')
            path = link[1 : link.index(">")] if link else ""
            turns += 1
        assert seen == ["C", "_x", "a", "b", "v0", "v10", "v9"]
        assert turns == 3

    @pytest.mark.parametrize(
        ("query", "tags"),
        [
            ("n=0", []),
            ("n=1000000000", ["C", "_x", "a", "b", "v0", "v10", "v9"]),
            ("last=b", ["v0", "v10", "v9"]),
            ("last=aa&n=2", ["b", "v0"]),
            ("last=zz", []),
        ],
    )
    async def test_a_page_of_tags(self, oci, query, tags):
        await self.tag(oci)
        response = await oci.call("GET", f"tags/list?{query}")
        assert json.loads(response.body)["tags"] == tags

    async def test_referrers(self, oci):
        subject, _ = await oci.manifest(tag="v1")
        first, _ = await oci.manifest(b"sbom", subject=subject, kind="text/sbom", made_by="me")
        second, _ = await oci.manifest(b"sig", subject=subject, kind="text/signature")
        await oci.manifest(b"other", subject=first)
        response = await oci.call("GET", f"referrers/{sha256(subject)}")
        assert response.headers["Content-Type"] == INDEX
        answer = json.loads(response.body)
        assert (answer["schemaVersion"], answer["mediaType"]) == (2, INDEX)
        found = {row["digest"]: row for row in answer["manifests"]}
        assert set(found) == {sha256(first), sha256(second)}
        assert found[sha256(first)]["artifactType"] == "text/sbom"
        assert found[sha256(first)]["annotations"] == {"made_by": "me"}
        assert "OCI-Filters-Applied" not in response.headers

    async def test_referrers_of_one_type(self, oci):
        subject, _ = await oci.manifest(tag="v1")
        await oci.manifest(b"sbom", subject=subject, kind="text/sbom")
        second, _ = await oci.manifest(b"sig", subject=subject, kind="text/signature")
        response = await oci.call(
            "GET", f"referrers/{sha256(subject)}?artifactType=text%2Fsignature"
        )
        rows = json.loads(response.body)["manifests"]
        assert [row["digest"] for row in rows] == [sha256(second)]
        assert response.headers["OCI-Filters-Applied"] == "artifactType"

    async def test_nothing_refers_to_what_is_not_there(self, oci):
        response = await oci.call("GET", f"referrers/{OTHER}")
        assert (response.code, json.loads(response.body)["manifests"]) == (200, [])
        malformed = await oci.call("GET", "referrers/sha256:1")
        assert (malformed.code, codes(malformed)) == (400, ["DIGEST_INVALID"])


class TestManagement:
    """Section "Content Management"."""

    async def test_a_tag_goes_alone(self, oci):
        body, _ = await oci.manifest(tag="v1")
        await oci.put("v2", body)
        assert (await oci.call("DELETE", "manifests/v1")).code == 202
        assert (await oci.call("GET", "manifests/v1")).code == 404
        assert (await oci.call("GET", "manifests/v2")).code == 200
        again = await oci.call("DELETE", "manifests/v1")
        assert (again.code, codes(again)) == (404, ["MANIFEST_UNKNOWN"])

    async def test_a_manifest_goes_with_its_tags(self, oci):
        body, _ = await oci.manifest(tag="v1")
        assert (await oci.call("DELETE", f"manifests/{sha256(body)}")).code == 202
        for reference in ("v1", sha256(body)):
            assert (await oci.call("GET", f"manifests/{reference}")).code == 404
        assert (await oci.call("GET", "tags/list")).code == 404

    async def test_a_blob_goes_when_no_manifest_needs_it(self, oci):
        loose = await oci.blob(b"loose")
        body, _ = await oci.manifest(b"needed", tag="v1")
        assert (await oci.call("DELETE", f"blobs/{loose}")).code == 202
        assert (await oci.call("GET", f"blobs/{loose}")).code == 404
        assert (await oci.call("DELETE", f"blobs/{loose}")).code == 404
        for digest in (sha256(b"needed"), sha256(body)):
            response = await oci.call("DELETE", f"blobs/{digest}")
            assert (response.code, codes(response)) == (409, ["DENIED"])
        assert (await oci.call("GET", f"blobs/{sha256(b'needed')}")).body == b"needed"
