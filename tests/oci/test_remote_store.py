"""What only the remote store must cope with: logins, redirects, quirks and broken registries."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from faults.proxy import Fault, FaultProxy, times
from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    ConflictError,
    ForbiddenError,
    ManifestBlobUnknownError,
    NameInvalidError,
    StorageDeniedError,
    StorageError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
    StoreCorruptError,
)
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci import remote_listing, remote_read, remote_upload, transport
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.registry_auth import RegistryLogin, parse_challenges
from packager_jupyter.oci.remote import RemoteStore
from peers.certificates import write_certificate

MIB = 1024 * 1024
KIND = "application/vnd.example.thing.v1"
PASSWORD = "secret-of-tests"  # of the registry fixtures


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for module in (transport, remote_upload, remote_read):
        monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.01)


@pytest.fixture
def store(plain):
    """The `push` fixture goes straight to the registry."""
    return plain


@pytest.fixture
def proxy(plain_registry):
    with FaultProxy(plain_registry[1].url) as running:
        yield running


@pytest.fixture
def broken(proxy, plain):
    """The same repositories as `plain`, through the proxy."""
    store = RemoteStore(f"{proxy.url}/{plain._prefix}")
    yield store
    store.close()


def read(store, repo, digest, **options):
    return b"".join(store.read_blob(repo, digest, **options))


def is_blob_get(seen):
    return seen.method == "GET" and "/blobs/sha256:" in seen.path


# Logins


def test_a_wrong_or_missing_password_is_denied(basic_registry):
    _server, connection = basic_registry
    for login in (None, RegistryLogin("tester", "wrong"), RegistryLogin(token="nonsense")):
        store = RemoteStore(connection.url, login=login, ca_bundle=Path(connection.ca_bundle))
        with pytest.raises(StorageDeniedError, match=r"127\.0\.0\.1") as caught:
            store.check()
        assert "wrong" not in str(caught.value)
        with pytest.raises(StorageDeniedError):
            store.push_blob("a", b"x")
        store.close()


def test_a_login_that_works(basic, bearer, plain):
    for store in (basic, bearer, plain):
        store.check()


def test_an_untrusted_certificate_is_named(basic_registry, tmp_path):
    _server, connection = basic_registry
    store = RemoteStore(connection.url)
    with pytest.raises(StorageUnreachableError, match="CA bundle"):
        store.check()
    store.close()
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BadInputError, match=r"ca\.pem"):
        RemoteStore(connection.url, ca_bundle=tmp_path / "ca.pem")


def test_tokens_are_asked_for_what_is_done_and_used_again(bearer_registry, bearer):
    server, _connection = bearer_registry
    server.tokens.seen.clear()
    bearer.push_blob("a", b"one")
    bearer.push_blob("a", b"two")
    name = f"{bearer._prefix}/a"
    scopes = [scopes for scopes, _is_known in server.tokens.seen]
    assert scopes == [[f"repository:{name}:pull"], [f"repository:{name}:pull,push"]]
    assert all(is_known for _scopes, is_known in server.tokens.seen)


def test_an_expired_token_is_replaced(bearer_registry, bearer, monkeypatch):
    server, _connection = bearer_registry
    bearer.push_blob("a", b"one")
    monkeypatch.setattr("packager_jupyter.oci.registry_auth.time.monotonic", lambda: 10**9)
    server.tokens.seen.clear()
    bearer.push_blob("a", b"two")
    assert server.tokens.seen


def test_a_mount_asks_for_both_repositories(bearer_registry, bearer):
    server, _connection = bearer_registry
    digest = bearer.push_blob("one", b"shared").digest
    server.tokens.seen.clear()
    assert bearer.mount_blob("two", digest, from_repo="one")
    asked = {scope for scopes, _is_known in server.tokens.seen for scope in scopes}
    assert asked == {
        f"repository:{bearer._prefix}/two:pull,push",
        f"repository:{bearer._prefix}/one:pull",
    }


def challenge(realm):
    value = f'Bearer realm="{realm}",service="s",scope="repository:a:pull"'
    return Fault(401, {"WWW-Authenticate": value})


def test_the_login_does_not_go_to_a_foreign_token_server():
    with FaultProxy() as registry, FaultProxy() as tokens:
        tokens.rule = lambda _seen: Fault(200, body=b'{"token":"t0"}')
        # localhost and 127.0.0.1 are two hosts to a client.
        registry.rule = lambda _seen: challenge(tokens.url)
        store = RemoteStore(
            registry.url.replace("127.0.0.1", "localhost"), login=RegistryLogin("u", "p4ss")
        )
        with pytest.raises(StorageDeniedError, match="https"):
            store.check()
        assert tokens.seen == []
        store.close()


@pytest.mark.parametrize("is_listed", [False, True])
def test_an_encrypted_token_server_sees_the_login_only_when_it_is_listed(tmp_path, is_listed):
    pem, ca_bundle = write_certificate(tmp_path, hosts=["127.0.0.1"])
    with FaultProxy() as registry, FaultProxy(pem=pem) as tokens:
        tokens.rule = lambda _seen: Fault(401)
        registry.rule = lambda _seen: challenge(f"{tokens.url}/token")
        store = RemoteStore(
            registry.url.replace("127.0.0.1", "localhost"),
            login=RegistryLogin("u", "p4ss"),
            ca_bundle=ca_bundle,
            token_hosts=["127.0.0.1"] if is_listed else [],
        )
        with pytest.raises(StorageDeniedError, match="token server") as caught:
            store.check()
        assert ("was not sent" in caught.value.remedy) is not is_listed
        (asked,) = tokens.seen
        assert ("Authorization" in asked.headers) is is_listed
        store.close()


def test_an_encrypted_registry_cannot_send_us_to_a_plain_token_server(basic_registry):
    _server, connection = basic_registry
    store = RemoteStore(connection.url, ca_bundle=Path(connection.ca_bundle))
    authorizer = store._transport._authorizer
    for realm in ("http://127.0.0.1:1/token", "file:///etc/passwd", "", "ftp://x", "http://x/"):
        (offer,) = parse_challenges(f'Bearer realm="{realm}"')
        with pytest.raises(StorageDeniedError, match="https"):
            authorizer._realm(offer)
    (offer,) = parse_challenges('Bearer realm="https://tokens.example.org/x"')
    realm = authorizer._realm(offer)
    assert not authorizer._may_see_login(realm)
    listed = RemoteStore(connection.url, token_hosts=["Tokens.example.org"])
    assert listed._transport._authorizer._may_see_login(realm)
    store.close()
    listed.close()


def test_a_registry_that_is_never_content_ends_in_an_error():
    with FaultProxy() as registry:

        def rule(seen):
            if seen.path.startswith("/token"):
                return Fault(200, body=b'{"access_token":"t0","expires_in":5}')
            return challenge(f"{registry.url}/token")

        registry.rule = rule
        store = RemoteStore(registry.url, login=RegistryLogin("u", "p4ss"))
        with pytest.raises(StorageDeniedError):
            store.check()
        assert len(registry.seen) == 3
        store.close()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"token":5}', b'{"token":"a\\r\\nX: y"}', b"x" * 2_000_000]
)
def test_a_token_server_that_talks_nonsense(body):
    with FaultProxy() as registry:
        registry.rule = lambda seen: (
            Fault(200, body=body) if "token" in seen.path else challenge(f"{registry.url}/token")
        )
        store = RemoteStore(registry.url)
        with pytest.raises(StorageNotUnderstoodError):
            store.check()
        store.close()


def test_challenges():
    (one,) = parse_challenges(
        'Bearer realm="https://a/b?c=d,e",service="x \\"y\\"",scope="p:q:r,s"'
    )
    assert one.scheme == "bearer"
    assert one.parameters == {
        "realm": "https://a/b?c=d,e",
        "service": 'x "y"',
        "scope": "p:q:r,s",
    }
    both = parse_challenges('Basic realm="a", Bearer realm=b')
    assert [(c.scheme, c.parameters["realm"]) for c in both] == [("basic", "a"), ("bearer", "b")]
    assert parse_challenges("") == parse_challenges("Negotiate") == []
    assert parse_challenges("Bearer " + 'a="' * 100_000)


def test_the_login_is_never_shown(basic_registry, basic, caplog):
    caplog.set_level(logging.DEBUG)
    basic.push_blob("a", b"x")
    basic.tag_names("a")
    login = RegistryLogin("tester", PASSWORD, token="t0ken")
    shown = caplog.text + repr(basic) + repr(login) + str(basic)
    assert PASSWORD not in shown
    assert "t0ken" not in shown
    assert "dGVzdGVyOnNlY3JldC1vZi10ZXN0cw" not in shown
    assert "_state" not in caplog.text


def test_login_from_the_environment():
    assert RegistryLogin.from_env({}) is None
    login = RegistryLogin.from_env({"PACKAGER_OCI_USERNAME": "u", "PACKAGER_OCI_PASSWORD": "p"})
    assert login == RegistryLogin("u", "p")
    assert RegistryLogin.from_env({"PACKAGER_OCI_TOKEN": "t"}) == RegistryLogin(token="t")


# Addresses


@pytest.mark.parametrize(
    "url",
    ["", "registry.example.org", "ftp://a/b", "https://u:p@a/", "https://a/?x=1", "https://a/#x"],
)
def test_addresses_that_are_none(url):
    with pytest.raises(BadInputError, match="address") as caught:
        RemoteStore(url)
    assert "u:p" not in str(caught.value)


def test_plain_http_only_on_loopback_unless_allowed():
    with pytest.raises(BadInputError, match="encryption"):
        RemoteStore("http://registry.example.org")
    RemoteStore("http://registry.example.org", plain_http=True).close()
    with pytest.raises(NameInvalidError):
        RemoteStore("https://registry.example.org/Upper")


def test_nobody_there():
    store = RemoteStore("http://127.0.0.1:1")
    with pytest.raises(StorageUnreachableError, match="does not answer"):
        store.check()
    store.close()


# Redirects


def test_a_redirect_to_another_host_goes_without_the_login(plain, plain_registry, proxy):
    digest = plain.push_blob("a", b"payload").digest
    with FaultProxy(plain_registry[1].url) as elsewhere:
        path = f"/v2/{plain._prefix}/a/blobs/{digest}"
        target = f"{elsewhere.url}{path}?X-Amz-Signature=s3cret"
        proxy.rule = lambda seen: Fault(307, {"Location": target}) if is_blob_get(seen) else None
        store = RemoteStore(f"{proxy.url}/{plain._prefix}", login=RegistryLogin(token="t0ken"))
        assert read(store, "a", digest) == b"payload"
        assert read(store, "a", digest, start=3) == b"load"
        second = elsewhere.seen[1]
        assert all("Authorization" not in seen.headers for seen in elsewhere.seen)
        assert all(seen.headers["Authorization"] == "Bearer t0ken" for seen in proxy.seen)
        assert second.headers["Range"] == "bytes=3-"
        elsewhere.rule = lambda _seen: Fault(403, body=b"<Error>SignatureDoesNotMatch</Error>")
        with pytest.raises(StorageDeniedError) as caught:
            read(store, "a", digest)
        assert "s3cret" not in str(caught.value) + str(caught.value.details)
        elsewhere.rule = lambda _seen: challenge(f"{elsewhere.url}/token")
        with pytest.raises(StorageDeniedError):
            read(store, "a", digest)
        assert not any("token" in seen.path for seen in elsewhere.seen)
        store.close()


def test_presigned_addresses_stay_out_of_the_log(plain, plain_registry, proxy, caplog):
    digest = plain.push_blob("a", b"payload").digest
    target = f"{plain_registry[1].url}/v2/{plain._prefix}/a/blobs/{digest}?X-Amz-Signature=s3cret"
    proxy.rule = lambda seen: Fault(307, {"Location": target}) if is_blob_get(seen) else None
    store = RemoteStore(f"{proxy.url}/{plain._prefix}")
    caplog.set_level(logging.DEBUG)
    assert read(store, "a", digest) == b"payload"
    assert "s3cret" not in caplog.text
    store.close()


def test_redirects_that_go_round_or_nowhere(broken, proxy):
    for location in ({"Location": "/v2/"}, {}):
        proxy.rule = lambda _seen, location=location: Fault(307, location)
        with pytest.raises(StorageNotUnderstoodError):
            broken.check()


def test_an_upload_sent_elsewhere_gets_no_login(proxy, plain):
    with FaultProxy() as elsewhere:
        elsewhere.rule = lambda _seen: Fault(403)
        proxy.rule = lambda seen: (
            Fault(202, {"Location": f"{elsewhere.url}/upload"}) if seen.method == "POST" else None
        )
        store = RemoteStore(f"{proxy.url}/{plain._prefix}", login=RegistryLogin(token="t0ken"))
        with pytest.raises(StorageDeniedError):
            store.push_blob("a", b"x")
        assert elsewhere.seen
        assert all("Authorization" not in seen.headers for seen in elsewhere.seen)
        store.close()


# Uploads that break


def is_put_blob(seen):
    return seen.method == "PUT" and "/blobs/uploads/" in seen.path


def is_patch(seen):
    return seen.method == "PATCH"


BREAKS = {
    "answer lost": Fault(cut_after=-1),
    "server error": Fault(503, {"Retry-After": "0"}),
}


@pytest.mark.parametrize(
    ("name", "which", "size"),
    [
        ("answer lost", is_put_blob, 3),
        ("server error", is_put_blob, 3),
        ("answer lost", is_put_blob, 9 * MIB + 5),
        ("server error", is_put_blob, 9 * MIB + 5),
        ("server error", is_patch, 9 * MIB + 5),
    ],
)
def test_an_upload_goes_on_after_a_fault(broken, proxy, name, which, size):
    data = os.urandom(size)
    proxy.rule = times(2, BREAKS[name], which)
    blob = broken.push_blob("a", (data[i : i + MIB] for i in range(0, len(data), MIB)))
    assert blob.size_bytes == size
    assert read(broken, "a", blob.digest) == data


def test_an_upload_whose_place_the_registry_does_not_say_asks_for_another_try(broken, proxy, plain):
    """Distribution 2.8 answers 404 about an upload after a piece whose answer got lost."""
    data = os.urandom(9 * MIB)
    proxy.rule = times(1, BREAKS["answer lost"], is_patch)
    with pytest.raises(StorageError, match="lost a part") as caught:
        broken.push_blob("a", iter([data]))
    assert caught.value.retry_after_s
    assert plain.has_blob("a", m.describe(data).digest) is None
    assert broken.push_blob("a", iter([data])).size_bytes == len(data)


def test_an_upload_goes_on_where_the_registry_says(broken, proxy):
    """A registry that knows, after half a piece and after a piece whose answer got lost."""
    kept = bytearray()
    data = os.urandom(9 * MIB)
    parts = [1, 2]

    def rule(seen):
        path = seen.path.partition("?")[0]
        here = {"Location": path, "Range": f"0-{len(kept) - 1}"}
        if seen.method == "PATCH":
            assert seen.headers["Content-Range"].startswith(f"{len(kept)}-")
            is_lost = bool(parts)
            kept.extend(seen.body[: len(seen.body) // parts.pop(0)] if is_lost else seen.body)
            return Fault(202, here, cut_after=-1 if is_lost else None)
        if seen.method == "GET":
            return Fault(204, here)
        if is_put_blob(seen):
            kept.extend(seen.body)
            return Fault(201)
        return None

    proxy.rule = rule
    blob = broken.push_blob("a", iter([data]))
    assert bytes(kept) == data
    assert blob.digest == m.describe(data).digest


def test_an_upload_that_keeps_failing_is_given_up(broken, proxy, plain):
    proxy.rule = lambda seen: Fault(503) if is_patch(seen) else None
    data = os.urandom(9 * MIB)
    with pytest.raises(StorageError) as caught:
        broken.push_blob("a", iter([data]))
    assert caught.value.retry_after_s
    assert proxy.paths("DELETE")
    assert plain.has_blob("a", m.describe(data).digest) is None


def test_a_registry_may_ask_for_larger_pieces(broken, proxy, plain):
    def edit(status, headers, body):
        return status, headers | {"OCI-Chunk-Min-Length": str(6 * MIB)}, body

    proxy.rule = lambda seen: Fault(edit=edit) if seen.method == "POST" else None
    blob = broken.push_blob("a", iter([os.urandom(MIB)] * 13))
    lengths = [len(seen.body) for seen in proxy.seen if seen.method == "PATCH"]
    assert lengths == [6 * MIB, 6 * MIB]
    assert plain.has_blob("a", blob.digest) == 13 * MIB


def test_another_digest_in_the_answer_is_refused(broken, proxy):
    def edit(status, headers, body):
        return status, headers | {"Docker-Content-Digest": "sha256:" + "0" * 64}, body

    proxy.rule = lambda seen: Fault(edit=edit) if seen.method == "PUT" else None
    with pytest.raises(BadInputError, match="do not hash"):
        broken.push_blob("a", b"x")


# Downloads that break


def test_a_download_goes_on_where_it_broke(broken, proxy, plain):
    data = os.urandom(3 * MIB)
    digest = plain.push_blob("a", data).digest
    proxy.rule = times(3, Fault(cut_after=MIB // 2 + 7), is_blob_get)
    assert read(broken, "a", digest) == data
    asked = [seen.headers.get("Range") for seen in proxy.seen if is_blob_get(seen)]
    assert asked[0] is None
    assert len(asked) == 4
    assert all(value and value.startswith("bytes=") for value in asked[1:])


def test_a_registry_that_ignores_range(broken, proxy, plain):
    data = os.urandom(2 * MIB)
    digest = plain.push_blob("a", data).digest

    def rule(seen):
        if not is_blob_get(seen):
            return None
        return Fault(200, {"Content-Length": str(len(data))}, body=data)

    proxy.rule = rule
    assert read(broken, "a", digest, start=1_500_000, stop=1_600_000) == data[1_500_000:1_600_000]
    with pytest.raises(BadInputError):
        broken.read_blob("a", digest, start=0, stop=len(data) + 1)


def test_a_download_that_never_ends_well(broken, proxy, plain):
    digest = plain.push_blob("a", os.urandom(MIB)).digest
    proxy.rule = lambda seen: Fault(cut_after=0) if is_blob_get(seen) else None
    with pytest.raises(StorageUnreachableError):
        read(broken, "a", digest)


@pytest.mark.parametrize("size", [5, 2 * MIB + 3])
def test_changed_bytes_are_never_handed_out_whole(broken, proxy, plain, size):
    data = os.urandom(size)
    digest = plain.push_blob("a", data).digest

    def edit(status, headers, body):
        return status, headers, bytes([body[0] ^ 1]) + body[1:]

    proxy.rule = lambda seen: Fault(edit=edit) if is_blob_get(seen) else None
    got = []
    with pytest.raises(StoreCorruptError):
        got.extend(broken.read_blob("a", digest))
    assert sum(map(len, got)) < size


def test_a_lie_about_the_range_is_seen(broken, proxy, plain):
    digest = plain.push_blob("a", b"0123456789").digest

    def edit(status, headers, body):
        return status, headers | {"Content-Range": "bytes 0-9/10"}, body

    proxy.rule = lambda seen: Fault(edit=edit) if is_blob_get(seen) else None
    with pytest.raises(StorageNotUnderstoodError):
        broken.read_blob("a", digest, start=5)


# Manifests and tags


def is_manifest(seen):
    return "/manifests/" in seen.path


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_transient_errors_are_repeated(broken, proxy, push, status):
    digest = push("a", "1").digest
    proxy.rule = times(2, Fault(status), is_manifest)
    assert broken.get_manifest("a", "1").descriptor.digest == digest
    proxy.rule = times(2, Fault(status), is_manifest)
    assert broken.resolve("a", "1").digest == digest


def test_lasting_errors_are_reported_after_some_tries(broken, proxy, push):
    push("a", "1")
    proxy.rule = lambda _seen: Fault(500, body=b'{"errors":[{"code":"UNKNOWN","message":"boom"}]}')
    with pytest.raises(StorageError, match="boom") as caught:
        broken.get_manifest("a", "1")
    assert caught.value.retry_after_s
    assert len(proxy.seen) == transport.MAX_ATTEMPTS
    proxy.seen.clear()
    proxy.rule = lambda _seen: Fault(400, body=b"{}")
    with pytest.raises(BadInputError):
        broken.get_manifest("a", "1")
    assert len(proxy.seen) == 1


def test_a_changed_manifest_is_refused(broken, proxy, push):
    digest = push("a", "1").digest

    def edit(status, headers, body):
        return status, headers, body.replace(b"thing", b"think")

    proxy.rule = lambda _seen: Fault(edit=edit)
    for reference in ("1", digest):
        with pytest.raises(StoreCorruptError):
            broken.get_manifest("a", reference)


def test_a_manifest_of_another_kind_is_refused(broken, proxy, push):
    push("a", "1")

    def edit(status, headers, body):
        return status, headers | {"Content-Type": MEDIA_TYPE_INDEX}, body

    proxy.rule = lambda _seen: Fault(edit=edit)
    with pytest.raises(StorageNotUnderstoodError):
        broken.get_manifest("a", "1")


def test_a_registry_that_says_little_is_read_all_the_same(broken, proxy, push):
    digest = push("a", "1").digest

    def edit(status, headers, body):
        kept = {k: v for k, v in headers.items() if k.lower() == "content-length"}
        return status, kept | {"Content-Type": "text/plain"}, body

    proxy.rule = lambda _seen: Fault(edit=edit)
    resolved = broken.resolve("a", "1")
    assert (resolved.digest, resolved.media_type) == (digest, MEDIA_TYPE_MANIFEST)


HTML = Fault(200, {"Content-Type": "text/html"}, body=b"<html>Please log in</html>")


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.tag_names("a"),
        lambda s: s.get_manifest("a", "1"),
        lambda s: s.repositories(),
        lambda s: s.referrers("a", "sha256:" + "0" * 64),
        lambda s: s.tags("a"),
    ],
)
@pytest.mark.parametrize("body", [HTML.body, b"", b"[]", b'{"tags":5,"repositories":[1]}'])
def test_a_page_of_somebody_else_is_not_an_empty_list(broken, proxy, call, body):
    proxy.rule = lambda _seen: Fault(200, {"Content-Type": "text/html"}, body=body)
    with pytest.raises(StorageNotUnderstoodError):
        call(broken)


def paged(tags, *, link, n_matters=True, cap=None):
    """Return a rule that lists `tags` as some registries do."""

    def rule(seen):
        if "/tags/list" not in seen.path:
            return None
        query = dict(p.split("=") for p in seen.path.partition("?")[2].split("&"))
        names = sorted(tags)
        if not n_matters:
            names = list(tags)
        else:
            names = [name for name in names if name > query.get("last", "")]
            names = names[: min(int(query["n"]), cap or 10**6)]
        headers = {}
        if link and names and names[-1] != max(tags):
            path = seen.path.partition("?")[0]
            headers["Link"] = f'<{path}?last={names[-1]}&n={query["n"]}>; rel="next"'
        return Fault(200, headers, body=json.dumps({"name": "a", "tags": names}).encode())

    return rule


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 250])
@pytest.mark.parametrize(
    "options",
    [{"link": True}, {"link": False}, {"link": False, "n_matters": False}, {"link": True, "cap": 7},
     {"link": False, "cap": 100}],
    ids=["paged with Link", "paged without Link", "never paged", "short pages", "capped silently"],
)  # fmt: skip
def test_lists_are_complete_however_they_are_paged(broken, proxy, monkeypatch, count, options):
    monkeypatch.setattr(remote_listing, "PAGE_NAMES", 50 if "cap" not in options else 1000)
    tags = [f"t{number * 7919 % 1000:03}" for number in range(count)]
    proxy.rule = paged(tags, **options)
    assert broken.tag_names("a") == sorted(tags)


def test_a_list_without_end_ends(broken, proxy):
    proxy.rule = lambda seen: Fault(
        200, {"Link": f'<{seen.path}>; rel="next"'}, body=b'{"tags":["a","b"]}'
    )
    assert broken.tag_names("a") == ["a", "b"]
    proxy.rule = lambda _seen: Fault(
        200, {"Link": '<https://elsewhere.example.org/x>; rel="next"'}, body=b'{"tags":["a"]}'
    )
    with pytest.raises(StorageNotUnderstoodError):
        broken.tag_names("a")
    proxy.rule = lambda _seen: Fault(200, body=b'{"tags":null}')
    assert broken.tag_names("a") == []


def test_a_registry_without_a_catalog_says_so(broken, proxy):
    proxy.rule = lambda _seen: Fault(404)
    with pytest.raises(StorageError, match="does not list"):
        broken.repositories()


def test_a_tag_is_deleted_without_what_it_names(store, push):
    digest = push("a", "1", data=b"one").digest
    push("a", "also", data=b"one")
    store.delete_tag("a", "1")
    assert store.tag_names("a") == ["also"]
    assert store.get_manifest("a", digest).descriptor.digest == digest


def test_a_registry_that_deletes_tags_is_asked_to(broken, proxy, push):
    push("a", "1")
    proxy.rule = lambda seen: Fault(202) if seen.method == "DELETE" else None
    broken.delete_tag("a", "1")
    assert len(proxy.paths("DELETE")) == 1
    assert proxy.paths("PUT") == []


def test_a_registry_that_does_not_delete_says_so(broken, proxy, push):
    digest = push("a", "1").digest
    proxy.rule = lambda seen: Fault(405) if seen.method == "DELETE" else None
    for call in (lambda: broken.delete_manifest("a", digest), lambda: broken.delete_tag("a", "1")):
        with pytest.raises(ForbiddenError, match="does not delete"):
            call()


def test_who_loses_a_race_is_told(broken, proxy, push, plain):
    def rule(seen):
        if seen.method == "PUT" and is_manifest(seen):
            return Fault(edit=overtaken)
        return None

    def overtaken(status, headers, body):
        push("a", "1", data=b"winner", overwrite=True)
        return status, headers, body

    layer = plain.push_blob("a", b"loser")
    plain.push_blob("a", m.EMPTY_BYTES)
    proxy.rule = rule
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    with pytest.raises(ConflictError):
        broken.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST, tag="1")


def test_a_registry_that_settles_races_is_believed(broken, proxy, plain):
    layer = plain.push_blob("a", b"loser")
    plain.push_blob("a", m.EMPTY_BYTES)
    proxy.rule = lambda seen: Fault(412) if "If-None-Match" in seen.headers else None
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    with pytest.raises(ConflictError):
        broken.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST, tag="1")


def test_a_registry_that_checks_nothing_is_not_given_a_manifest_without_its_parts(
    broken, proxy, plain
):
    proxy.rule = lambda seen: Fault(201) if seen.method == "PUT" else None
    plain.push_blob("a", m.EMPTY_BYTES)
    missing = m.image_manifest(layers=[m.describe(b"never pushed")], artifact_type=KIND)
    sparse = m.image_index([m.describe(missing, media_type=MEDIA_TYPE_MANIFEST)])
    for body, kind in ((missing, MEDIA_TYPE_MANIFEST), (sparse, MEDIA_TYPE_INDEX)):
        with pytest.raises(ManifestBlobUnknownError):
            broken.push_manifest("a", body, media_type=kind, tag="1")
    assert proxy.paths("PUT") == []


def test_pushing_costs_few_calls(broken, proxy):
    layer = broken.push_blob("a", b"layer")
    broken.push_blob("a", m.EMPTY_BYTES)
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    proxy.seen.clear()
    broken.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST, tag="1")
    assert [seen.method for seen in proxy.seen] == ["HEAD", "PUT", "HEAD"]
    proxy.seen.clear()
    broken.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST, tag="1")
    assert [seen.method for seen in proxy.seen] == ["HEAD"]
    proxy.seen.clear()
    read(broken, "a", layer.digest)
    broken.get_manifest("a", "1")
    broken.tag_names("a")
    assert len(proxy.seen) == 3


def test_a_registry_with_the_referrers_api(broken, proxy, plain, push):
    subject = push("a", "1", data=b"subject")
    plain.push_blob("a", m.EMPTY_BYTES)
    layer = plain.push_blob("a", b"sig")
    body = m.image_manifest(layers=[layer], artifact_type=KIND, subject=subject)
    listed = m.image_index([m.describe(body, media_type=MEDIA_TYPE_MANIFEST, artifact_type=KIND)])
    other = m.image_index([m.describe(b"x", media_type=MEDIA_TYPE_MANIFEST, artifact_type="a/b")])

    def edit(status, headers, body):
        return status, headers | {"OCI-Subject": subject.digest}, body

    def rule(seen):
        if "/referrers/" in seen.path and "page=2" in seen.path:
            return Fault(200, {"Content-Type": MEDIA_TYPE_INDEX}, body=other)
        if "/referrers/" in seen.path:
            link = f'<{seen.path}?page=2>; rel="next"'
            return Fault(200, {"Content-Type": MEDIA_TYPE_INDEX, "Link": link}, body=listed)
        return Fault(edit=edit) if seen.method == "PUT" else None

    proxy.rule = rule
    digest = broken.push_manifest("a", body, media_type=MEDIA_TYPE_MANIFEST).digest
    assert not any("sha256-" in path for path in proxy.paths("PUT"))
    assert len(broken.referrers("a", subject.digest)) == 2
    found = broken.referrers("a", subject.digest, artifact_type=KIND)
    assert [d.digest for d in found] == [digest]


def test_the_fallback_list_is_not_a_tag_of_anybody(store, push):
    subject = push("a", "1", data=b"subject")
    push("a", "sig", data=b"sig", subject=subject)
    assert store.tag_names("a") == ["1", "sig"]
    fallback = store.get_manifest("a", subject.digest.replace(":", "-"))
    assert m.parse_manifest(fallback.body).manifests[0].artifact_type == KIND


def test_a_vanished_tag_is_left_out(broken, proxy, push):
    push("a", "1")
    push("a", "2", data=b"two")
    proxy.rule = lambda seen: Fault(404) if seen.path.endswith("/manifests/1") else None
    assert [info.tag for info in broken.tags("a")] == ["2"]
    with pytest.raises(BlobNotFoundError):
        broken.resolve("a", "1")


def test_errors_hold_only_what_can_be_printed(broken, proxy):
    evil = json.dumps({"errors": [{"code": "DENIED", "message": "no\r\n\x1b[31mX" + "y" * 999}]})
    proxy.rule = lambda _seen: Fault(403, body=evil.encode())
    with pytest.raises(StorageDeniedError) as caught:
        broken.check()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300
