"""Artifacts travel between all kinds of stores with the same digests, and never half."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from faults.proxy import Fault, FaultProxy, times
from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    ConflictError,
    StoreCorruptError,
)
from packager_jupyter.oci import copy as copying
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX
from packager_jupyter.oci.copy import Place, copy_artifact, copy_repository
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.open import open_store
from packager_jupyter.oci.remote import RemoteStore


@pytest.fixture
def target(tmp_path):
    return LayoutStore(tmp_path / "target")


def signed_index(store, push):
    """Push an index of two artifacts with a signature on it and one on the signature."""
    children = [push("a", data=data) for data in (b"one", b"two")]
    body = m.image_index(children, artifact_type="application/x")
    index = store.push_manifest("a", body, media_type=MEDIA_TYPE_INDEX, tag="all")
    signature = push("a", data=b"sig", subject=index)
    push("a", data=b"countersig", subject=signature)
    return index


def test_an_index_with_its_signatures(store, push, target):
    index = signed_index(store, push)
    seen = []
    report = copy_artifact(
        Place(store, "a"),
        "all",
        Place(target, "b/c"),
        progress=lambda blobs, size: seen.append((blobs, size)),
    )
    assert (report.tags, report.manifests, report.blobs, report.blobs_present) == (1, 5, 5, 0)
    assert seen[-1] == (5, report.size_bytes)
    assert target.resolve("b/c", "all").digest == index.digest
    (signature,) = target.referrers("b/c", index.digest)
    assert len(target.referrers("b/c", signature.digest)) == 1
    assert check(target).problems == []
    again = copy_artifact(Place(store, "a"), "all", Place(target, "b/c"))
    assert (again.blobs, again.blobs_present) == (0, 5)


def test_back_into_every_store(store, push, target):
    index = signed_index(store, push)
    copy_artifact(Place(store, "a"), index.digest, Place(target, "a"), tag="other")
    assert target.tag_names("a") == ["other"]
    copy_artifact(Place(target, "a"), "other", Place(store, "copied"))
    assert store.resolve("copied", "other").digest == index.digest
    assert len(store.referrers("copied", index.digest)) == 1
    plain = copy_artifact(
        Place(store, "a"), index.digest, Place(store, "bare"), with_referrers=False
    )
    assert plain.manifests == 3
    assert store.referrers("bare", index.digest) == []


def test_a_whole_repository_with_its_notes(layout, layout_push, target):
    layout_push("a", "1", data=b"one", annotations={"created": "then"})
    layout_push("a", "2", data=b"two")
    layout_push("a", "also-1", data=b"one")
    report = copy_repository(Place(layout, "a"), Place(target, "a"))
    assert (report.tags, report.blobs) == (3, 3)
    assert target.tag_names("a") == ["1", "2", "also-1"]
    assert target.resolve("a", "1").annotations["created"] == "then"


def test_within_one_store_nothing_is_sent(layout, layout_push):
    layout_push("a", "1", data=b"x" * 1000)
    copy_artifact(Place(layout, "a"), "1", Place(layout, "b"))
    digest = m.describe(b"x" * 1000).digest
    assert layout.blobs("a").path(digest).samefile(layout.blobs("b").path(digest))


def test_other_content_under_the_tag_stays(layout, layout_push, target):
    layout_push("a", "1", data=b"one")
    copy_artifact(Place(layout, "a"), "1", Place(target, "a"))
    layout_push("a", "1", data=b"two", overwrite=True)
    with pytest.raises(ConflictError):
        copy_artifact(Place(layout, "a"), "1", Place(target, "a"))
    copy_artifact(Place(layout, "a"), "1", Place(target, "a"), overwrite=True)
    assert target.resolve("a", "1").digest == layout.resolve("a", "1").digest


def test_a_damaged_source_makes_nothing_visible(layout, layout_push, target):
    layout_push("a", "1", data=b"payload")
    layout.blobs("a").path(m.describe(b"payload").digest).write_bytes(b"pAyload")
    with pytest.raises(StoreCorruptError):
        copy_artifact(Place(layout, "a"), "1", Place(target, "a"))
    assert target.tag_names("a") == []
    with pytest.raises(BlobNotFoundError):
        copy_artifact(Place(layout, "a"), "2", Place(target, "a"))


def test_a_cancelled_copy_goes_on_where_it_stopped(layout, layout_push, target):
    layout_push("a", "1", data=b"payload")

    def cancel(_blobs, _size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_artifact(Place(layout, "a"), "1", Place(target, "a"), progress=cancel)
    assert target.tag_names("a") == []
    assert copy_artifact(Place(layout, "a"), "1", Place(target, "a")).blobs_present == 1


def test_a_blob_that_a_registry_lost_is_sent_again(
    plain_registry, plain, layout, layout_push, monkeypatch
):
    monkeypatch.setattr(copying, "_PAUSE_S", 0.01)
    layout_push("a", "1", data=os.urandom(9 * 1024 * 1024))
    with FaultProxy(plain_registry[1].url) as proxy:
        proxy.rule = times(1, Fault(cut_after=-1), lambda seen: seen.method == "PATCH")
        broken = RemoteStore(f"{proxy.url}/{plain._prefix}")
        copy_artifact(Place(layout, "a"), "1", Place(broken, "a"))
        broken.close()
    assert plain.resolve("a", "1").digest == layout.resolve("a", "1").digest


def test_opening(tmp_path, plain_registry):
    assert isinstance(open_store(tmp_path / "oci"), LayoutStore)
    assert not (tmp_path / "oci").exists()
    store = open_store(f"{plain_registry[1].url}/x")
    assert isinstance(store, RemoteStore)
    store.close()
    for address in ("ftp://x/y", "s3://bucket"):
        with pytest.raises(BadInputError, match="no kind"):
            open_store(address)


def test_opening_a_folder_loads_no_http_client(tmp_path):
    code = (
        "import sys; from packager_jupyter.oci.open import open_store; "
        f"open_store({str(tmp_path)!r}); print('httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
