"""The contract of `OciStore`, on every store."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    ConflictError,
    DigestMismatchError,
    ManifestBlobUnknownError,
    ManifestInvalidError,
    NameInvalidError,
    TooLargeError,
)
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST, Descriptor

KIND = "application/vnd.example.thing.v1"
ABSENT = "sha256:" + "0" * 64
MIB = 1024 * 1024


def read(store, repo, digest, **options):
    return b"".join(store.read_blob(repo, digest, **options))


def test_blob_round_trip(store):
    blob = store.push_blob("a/b", b"hello", media_type="text/plain", annotations={"x": "y"})
    assert blob == Descriptor("text/plain", m.describe(b"hello").digest, 5, {"x": "y"})
    assert store.has_blob("a/b", blob.digest) == 5
    assert read(store, "a/b", blob.digest) == b"hello"
    assert store.push_blob("a/b", b"hello").digest == blob.digest


def test_the_empty_blob(store):
    blob = store.push_blob("a", b"")
    assert (blob.size_bytes, store.has_blob("a", blob.digest)) == (0, 0)
    assert read(store, "a", blob.digest) == b""


def test_ranges(store):
    data = bytes(range(256)) * 5000
    digest = store.push_blob("a", data).digest
    for start, stop in [(0, 1), (5, 10), (100, None), (0, len(data)), (len(data) - 1, None)]:
        assert read(store, "a", digest, start=start, stop=stop) == data[start:stop]
    for start, stop in [(-1, 5), (5, 4), (len(data) + 1, None), (0, len(data) + 1)]:
        with pytest.raises(BadInputError):
            store.read_blob("a", digest, start=start, stop=stop)


def test_streams_go_through_in_constant_memory(store):
    chunk = b"x" * MIB
    count = 60
    tracemalloc.start()
    blob = store.push_blob("a", (chunk for _ in range(count)))
    digest = hashlib.sha256()
    for piece in store.read_blob("a", blob.digest):
        assert len(piece) <= MIB
        digest.update(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert blob.size_bytes == count * MIB
    assert blob.digest == "sha256:" + digest.hexdigest()
    assert peak < 24 * MIB


@pytest.mark.parametrize("data", [b"other", [b"ot", b"her"], []])
def test_wrong_bytes_are_refused_and_not_kept(store, data):
    wanted = m.describe(b"hello").digest
    with pytest.raises(DigestMismatchError):
        store.push_blob("a", data, digest=wanted)
    assert store.has_blob("a", wanted) is None


def test_a_source_that_fails_leaves_nothing(store):
    def chunks():
        yield b"some"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.push_blob("a", chunks(), digest=m.describe(b"some").digest)
    assert store.has_blob("a", m.describe(b"some").digest) is None


def test_what_is_not_there(store, push):
    push("a", "1")
    assert store.has_blob("a", ABSENT) is None
    assert store.has_blob("nowhere", ABSENT) is None
    assert store.tag_names("nowhere") == []
    assert store.tags("nowhere") == []
    assert store.referrers("nowhere", ABSENT) == []
    for call in (
        lambda: store.read_blob("a", ABSENT),
        lambda: store.get_manifest("a", "2"),
        lambda: store.get_manifest("a", ABSENT),
        lambda: store.resolve("nowhere", "1"),
        lambda: store.delete_tag("a", "2"),
        lambda: store.delete_manifest("a", ABSENT),
    ):
        with pytest.raises(BlobNotFoundError) as caught:
            call()
        assert caught.value.remedy


def test_blobs_belong_to_their_repository(store):
    secret = store.push_blob("private", b"secret").digest
    store.push_blob("public", b"other")
    assert store.has_blob("public", secret) is None
    with pytest.raises(BlobNotFoundError):
        store.read_blob("public", secret)


def test_mount(store):
    digest = store.push_blob("one", b"shared").digest
    store.push_blob("two", b"x")
    if store.mount_blob("two", digest, from_repo="one"):
        assert read(store, "two", digest) == b"shared"
        assert store.mount_blob("two", digest, from_repo="one")
    assert not store.mount_blob("two", ABSENT, from_repo="one")
    assert store.has_blob("two", ABSENT) is None


def test_publish_and_read_back(store, push):
    published = push("p/data", "1", data=b"one")
    manifest = store.get_manifest("p/data", "1")
    assert manifest.descriptor.digest == published.digest == m.describe(manifest.body).digest
    assert manifest.descriptor.media_type == MEDIA_TYPE_MANIFEST
    assert store.get_manifest("p/data", published.digest).body == manifest.body
    resolved = store.resolve("p/data", "1")
    assert (resolved.digest, resolved.size_bytes) == (published.digest, len(manifest.body))
    assert m.parse_manifest(manifest.body).artifact_type == KIND


def test_the_same_again_changes_nothing_and_other_content_conflicts(store, push):
    first = push("a", "1", data=b"one")
    assert push("a", "1", data=b"one").digest == first.digest
    with pytest.raises(ConflictError):
        push("a", "1", data=b"two")
    assert store.resolve("a", "1").digest == first.digest
    second = push("a", "1", data=b"two", overwrite=True)
    assert store.resolve("a", "1").digest == second.digest
    assert store.get_manifest("a", first.digest).descriptor.digest == first.digest


def test_tags_are_sorted_and_many_may_name_one(store, push):
    for tag in ("b", "a", "c10", "_index"):
        push("a", tag, data=b"same")
    assert store.tag_names("a") == ["_index", "a", "b", "c10"]
    assert len({info.descriptor.digest for info in store.tags("a")}) == 1
    assert [info.tag for info in store.tags("a")] == store.tag_names("a")


def test_a_manifest_without_what_it_names_is_refused(store):
    store.push_blob("a", m.EMPTY_BYTES)
    missing = m.image_manifest(layers=[m.describe(b"never pushed")], artifact_type=KIND)
    with pytest.raises(ManifestBlobUnknownError, match=r"Push every blob|names"):
        store.push_manifest("a", missing, media_type=MEDIA_TYPE_MANIFEST, tag="1")
    sparse = m.image_index([m.describe(missing, media_type=MEDIA_TYPE_MANIFEST)])
    with pytest.raises(ManifestBlobUnknownError):
        store.push_manifest("a", sparse, media_type=MEDIA_TYPE_INDEX, tag="2")
    assert store.tag_names("a") == []


def test_a_manifest_of_another_kind_than_said_is_refused(store):
    layer = store.push_blob("a", b"x")
    store.push_blob("a", m.EMPTY_BYTES)
    body = m.image_manifest(layers=[layer], artifact_type=KIND)
    with pytest.raises(ManifestInvalidError):
        store.push_manifest("a", body, media_type=MEDIA_TYPE_INDEX, tag="1")
    with pytest.raises(TooLargeError):
        store.push_manifest("a", b" " * (4 * MIB + 1), media_type=MEDIA_TYPE_MANIFEST, tag="1")
    assert store.tag_names("a") == []


def test_index_of_manifests(store, push):
    children = [push("a", data=data) for data in (b"one", b"two")]
    body = m.image_index(children, artifact_type=KIND)
    index = store.push_manifest("a", body, media_type=MEDIA_TYPE_INDEX, tag="all")
    assert store.resolve("a", "all").media_type == MEDIA_TYPE_INDEX
    assert store.tag_names("a") == ["all"]
    assert store.get_manifest("a", children[1].digest).descriptor.digest == children[1].digest
    store.delete_manifest("a", index.digest)
    assert store.tag_names("a") == []
    with pytest.raises(BlobNotFoundError):
        store.get_manifest("a", index.digest)


def test_delete_tag_keeps_the_others(store, push):
    push("a", "1", data=b"one")
    push("a", "2", data=b"two")
    store.delete_tag("a", "1")
    assert store.tag_names("a") == ["2"]
    assert store.get_manifest("a", "2")
    push("a", "1", data=b"another")
    assert store.tag_names("a") == ["1", "2"]


def test_delete_manifest_takes_its_tags(store, push):
    digest = push("a", "1", data=b"one").digest
    push("a", "also", data=b"one")
    push("a", "2", data=b"two")
    store.delete_manifest("a", digest)
    assert store.tag_names("a") == ["2"]
    with pytest.raises(BlobNotFoundError):
        store.get_manifest("a", digest)


def test_referrers(store, push):
    subject = push("a", "1", data=b"subject")
    other = push("a", "2", data=b"other")
    ones = [push("a", data=data, subject=subject) for data in (b"sig", b"sbom")]
    push("a", data=b"foreign", subject=other)
    found = store.referrers("a", subject.digest)
    assert [r.digest for r in found] == sorted(r.digest for r in ones)
    assert {r.artifact_type for r in found} == {KIND}
    assert store.referrers("a", subject.digest, artifact_type="application/other") == []
    assert store.get_manifest("a", found[0].digest)
    store.delete_manifest("a", ones[0].digest)
    assert [r.digest for r in store.referrers("a", subject.digest)] == [ones[1].digest]


def test_a_referrer_may_come_before_its_subject(store, push):
    body = m.image_manifest(layers=[m.describe(b"later")], artifact_type=KIND)
    subject = m.describe(body, media_type=MEDIA_TYPE_MANIFEST)
    early = push("a", data=b"sig", subject=subject)
    assert [r.digest for r in store.referrers("a", subject.digest)] == [early.digest]


def test_repositories_nest_and_are_found_by_whole_components(store, push):
    names = ["p/a", "p/a/b", "p/blobs", "p/index.json/x", "p/a/oci-layout", "p2", "p/a2"]
    for name in names:
        push(name, "1", data=name.encode())
    store.push_blob("only/blobs", b"x")
    assert [n for n in store.repositories() if n.startswith("p")] == sorted(names)
    assert store.repositories("p/a") == ["p/a", "p/a/b", "p/a/oci-layout"]
    assert store.repositories("p/a/") == ["p/a", "p/a/b", "p/a/oci-layout"]
    assert store.repositories("p2") == ["p2"]
    assert store.repositories("nowhere") == []
    for name in names:
        assert store.tag_names(name) == ["1"]


@pytest.mark.parametrize("repo", ["..", "a/../b", "/etc", "A", "a\n", ""])
def test_bad_repositories_reach_nothing(store, repo):
    for call in (
        lambda: store.push_blob(repo, b"x"),
        lambda: store.has_blob(repo, ABSENT),
        lambda: store.read_blob(repo, ABSENT),
        lambda: store.mount_blob(repo, ABSENT, from_repo="a"),
        lambda: store.mount_blob("a", ABSENT, from_repo=repo),
        lambda: store.get_manifest(repo, "1"),
        lambda: store.tag_names(repo),
        lambda: store.tags(repo),
        lambda: store.referrers(repo, ABSENT),
        lambda: store.delete_tag(repo, "1"),
        lambda: store.delete_manifest(repo, ABSENT),
    ):
        with pytest.raises(NameInvalidError):
            call()


@pytest.mark.parametrize("reference", ["sha256:../../x", "a/b", "", "sha256:" + "A" * 64])
def test_bad_references_reach_nothing(store, push, reference):
    push("a", "1")
    for call in (
        lambda: store.get_manifest("a", reference),
        lambda: store.resolve("a", reference),
        lambda: store.delete_tag("a", reference),
        lambda: store.delete_manifest("a", reference),
        lambda: store.read_blob("a", reference),
        lambda: store.has_blob("a", reference),
        lambda: store.push_blob("a", b"x", digest=reference or "x"),
        lambda: push("a", reference or "/"),
    ):
        with pytest.raises(NameInvalidError):
            call()
