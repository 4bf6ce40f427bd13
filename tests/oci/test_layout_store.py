"""What only the layout store promises: the files on disk, and what tags remember."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import stat
import subprocess

import pytest

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    BusyError,
    ConflictError,
    StoreCorruptError,
)
from packager_jupyter.io import file_lock
from packager_jupyter.oci import manifest as m
from packager_jupyter.oci.base import (
    ANNOTATION_CREATED,
    ANNOTATION_REF_NAME,
    MEDIA_TYPE_INDEX,
    Descriptor,
)
from packager_jupyter.oci.layout import LayoutStore

MIB = 1024 * 1024


@pytest.fixture
def store(layout):
    return layout


def blob_path(layout, repo, digest):
    return layout.folder(repo) / "blobs" / "sha256" / digest.removeprefix("sha256:")


def flip(path, at=0):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def temporary_files(layout):
    return list(layout.root.rglob(".packager-tmp-*"))


def test_files_on_disk(layout, push):
    digest = push("a/b", "1.0", annotations={ANNOTATION_CREATED: "2026-01-02T03:04:05Z"}).digest
    folder = layout.root / "a" / "b"
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((folder / "index.json").read_bytes())
    (entry,) = index["manifests"]
    assert (index["schemaVersion"], index["mediaType"]) == (2, MEDIA_TYPE_INDEX)
    assert entry["digest"] == digest
    assert entry["annotations"] == {
        ANNOTATION_REF_NAME: "1.0",
        ANNOTATION_CREATED: "2026-01-02T03:04:05Z",
    }
    assert sorted(p.name for p in folder.iterdir()) == [
        ".packager", "blobs", "index.json", "oci-layout",
    ]  # fmt: skip
    for path in layout.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert temporary_files(layout) == []


def test_tags_remember_the_annotations_of_their_first_publish(layout, push):
    first = push("a", "1", annotations={"created": "then"})
    assert first.annotations["created"] == "then"
    again = push("a", "1", annotations={"created": "later"})
    assert again.annotations["created"] == "then"
    push("a", "2", annotations={"created": "2"})
    assert [info.descriptor.annotations["created"] for info in layout.tags("a")] == ["then", "2"]
    assert layout.get_manifest("a", "2").descriptor.annotations["created"] == "2"
    with pytest.raises(BadInputError, match="itself"):
        push("a", "3", annotations={ANNOTATION_REF_NAME: "x"})


def test_a_member_name_as_component_is_escaped(layout, push):
    push("a", "1")
    push("a/blobs", "1")
    push("a/index.json/oci-layout", "1")
    assert (layout.root / "a" / "_blobs" / "index.json").is_file()
    assert (layout.root / "a" / "_index.json" / "_oci-layout" / "index.json").is_file()
    (layout.root / "Foreign").mkdir()
    (layout.root / "_other").mkdir()
    for name in ("Foreign", "_other"):
        shutil.copy(layout.root / "a" / "index.json", layout.root / name)
    assert layout.repositories() == ["a", "a/blobs", "a/index.json/oci-layout"]


@pytest.mark.parametrize("size", [10, 3 * MIB + 7])
@pytest.mark.parametrize("harm", ["flip first", "flip last", "cut", "empty", "grow"])
def test_a_damaged_blob_is_never_read_whole(layout, size, harm):
    data = os.urandom(size)
    digest = layout.push_blob("a", data).digest
    path = blob_path(layout, "a", digest)
    harms = {
        "flip first": lambda: flip(path, 0),
        "flip last": lambda: flip(path, size - 1),
        "cut": lambda: os.truncate(path, size - 1),
        "empty": lambda: os.truncate(path, 0),
        "grow": lambda: path.write_bytes(data + b"x"),
    }
    harms[harm]()
    got = []
    with pytest.raises(StoreCorruptError, match="damaged"):
        got.extend(layout.read_blob("a", digest))
    assert sum(map(len, got)) < size
    layout.push_blob("a", data)
    assert b"".join(layout.read_blob("a", digest)) == data


def test_a_damaged_manifest_is_an_error_and_pushing_it_again_mends_it(layout, push):
    digest = push("a", "1").digest
    flip(blob_path(layout, "a", digest))
    for reference in ("1", digest):
        with pytest.raises(StoreCorruptError):
            layout.get_manifest("a", reference)
    assert push("a", "1").digest == digest
    assert layout.get_manifest("a", "1").descriptor.digest == digest
    blob_path(layout, "a", digest).unlink()
    with pytest.raises(StoreCorruptError):
        layout.get_manifest("a", "1")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"manifests":{}}', b'{"manifests":[1]}', b'{"manifests":[{}]}']
)
def test_a_damaged_index_is_an_error_not_an_empty_repository(layout, push, body):
    push("a", "1")
    (layout.root / "a" / "index.json").write_bytes(body)
    for call in (lambda: layout.tag_names("a"), lambda: push("a", "2")):
        with pytest.raises(StoreCorruptError, match=r"index\.json of a"):
            call()
    assert (layout.root / "a" / "index.json").read_bytes() == body


def test_other_processes_changes_are_seen_at_once(layout, push):
    other = LayoutStore(layout.root)
    for number in range(20):
        push("a", f"t{number}", data=b"%d" % number)
        assert len(other.tag_names("a")) == number + 1
        other.delete_tag("a", f"t{number}")
        assert len(layout.tag_names("a")) == number
        push("a", f"t{number}", data=b"%d" % number)


def test_a_settled_index_is_parsed_once(layout, push, monkeypatch):
    push("a", "1")
    path = layout.root / "a" / "index.json"
    os.utime(path, (1, 1))
    assert layout.tag_names("a") == ["1"]
    monkeypatch.setattr(type(path), "read_bytes", lambda _self: pytest.fail("read again"))
    assert layout.tag_names("a") == ["1"]


def test_foreign_entries_survive_and_nested_manifests_are_found(layout, push):
    child = push("a", data=b"child")
    body = m.image_index([child])
    layout.push_manifest("a", body, media_type=MEDIA_TYPE_INDEX, tag="all")
    path = layout.root / "a" / "index.json"
    index = json.loads(path.read_bytes())
    index["manifests"] = [e for e in index["manifests"] if e["digest"] != child.digest]
    index["manifests"][0]["x-foreign"] = {"kept": True}
    index["manifests"][0]["annotations"]["org.example"] = "kept"
    index["annotations"] = {"also": "kept"}
    path.write_bytes(json.dumps(index).encode())
    assert layout.get_manifest("a", child.digest).descriptor.digest == child.digest
    with pytest.raises(ConflictError, match="part of an index"):
        layout.delete_manifest("a", child.digest)
    push("a", "2")
    after = json.loads(path.read_bytes())
    assert after["annotations"] == {"also": "kept"}
    assert after["manifests"][0]["x-foreign"] == {"kept": True}
    assert after["manifests"][0]["annotations"]["org.example"] == "kept"


def test_a_listed_child_of_an_index_cannot_be_deleted(layout, push):
    child = push("a", "child", data=b"child")
    layout.push_manifest("a", m.image_index([child]), media_type=MEDIA_TYPE_INDEX, tag="all")
    with pytest.raises(ConflictError, match="Delete the index"):
        layout.delete_manifest("a", child.digest)
    assert layout.tag_names("a") == ["all", "child"]


def test_names_that_are_no_tags_are_kept_but_not_listed(layout, push):
    digest = push("a", "1").digest
    path = layout.root / "a" / "index.json"
    index = json.loads(path.read_bytes())
    index["manifests"][0]["annotations"][ANNOTATION_REF_NAME] = "example.org/library/x:1"
    path.write_bytes(json.dumps(index).encode())
    assert layout.tag_names("a") == []
    assert layout.get_manifest("a", digest)


def test_a_blob_of_the_wrong_size_does_not_count_as_present(layout):
    layout.push_blob("a", m.EMPTY_BYTES)
    layer = layout.push_blob("a", b"abc")
    body = m.image_manifest(
        layers=[Descriptor(layer.media_type, layer.digest, 4)], artifact_type="application/x"
    )
    with pytest.raises(BadInputError, match="4 bytes"):
        layout.push_manifest("a", body, media_type=m.parse_manifest(body).media_type, tag="1")


def test_sha512_blobs(layout):
    digest = "sha512:" + hashlib.sha512(b"x").hexdigest()
    assert layout.push_blob("a", b"x", digest=digest).digest == digest
    assert b"".join(layout.read_blob("a", digest)) == b"x"
    assert layout.push_blob("a", [b"x"], digest=digest).digest == digest


def test_mount_shares_the_bytes(layout):
    digest = layout.push_blob("one", b"x" * 1000).digest
    assert layout.mount_blob("two", digest, from_repo="one")
    assert blob_path(layout, "one", digest).samefile(blob_path(layout, "two", digest))


def test_a_store_that_does_not_exist_yet_is_empty_and_reading_makes_nothing(layout):
    assert layout.repositories() == []
    assert layout.tag_names("a") == []
    with pytest.raises(BlobNotFoundError):
        layout.get_manifest("a", "1")
    assert not layout.root.exists()


def test_a_held_lock_is_reported_and_nothing_changes(tmp_path, push, layout):
    push("a", "1")
    hasty = LayoutStore(layout.root, lock_timeout_s=0.05)
    lock = layout.root / "a" / ".packager" / "index.lock"
    with file_lock(lock), pytest.raises(BusyError) as caught:
        hasty.delete_tag("a", "1")
    assert caught.value.retry_after_s
    assert layout.tag_names("a") == ["1"]


def test_ingest_takes_pieces_and_forgets_what_was_not_committed(layout):
    digest = m.describe(b"abcdef").digest
    with layout.ingest("a") as writer:
        writer.write(b"abc")
    assert layout.has_blob("a", digest) is None
    with layout.ingest("a", digest=digest) as writer:
        writer.write(b"abc")
        writer.write(b"def")
        assert writer.size_bytes == 6
        with pytest.raises(BadInputError, match="7 bytes were announced"):
            writer.commit(size_bytes=7)
        assert layout.has_blob("a", digest) is None
        assert writer.commit(size_bytes=6) == digest
    assert layout.has_blob("a", digest) == 6
    assert temporary_files(layout) == []


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo (Debian package) is not installed")
def test_skopeo_reads_and_writes_layouts(layout, push, tmp_path):
    digest = push("a/data", "1.0", data=b"payload").digest
    source = f"oci:{layout.root}/a/data:1.0"
    shown = subprocess.run(
        ["skopeo", "inspect", "--raw", source], check=True, capture_output=True
    ).stdout
    assert m.describe(shown).digest == digest
    target = layout.root / "copied"
    target.mkdir(parents=True)
    subprocess.run(
        ["skopeo", "copy", "--insecure-policy", "--preserve-digests", source, f"oci:{target}:x"],
        check=True,
        capture_output=True,
    )
    assert layout.tag_names("copied") == ["x"]
    assert layout.resolve("copied", "x").digest == digest
    layer = m.parse_manifest(layout.get_manifest("copied", "x").body).layers[0]
    assert b"".join(layout.read_blob("copied", layer.digest)) == b"payload"
    push("copied", "y", data=b"ours")
    assert layout.tag_names("copied") == ["x", "y"]


def test_files_that_are_held_open_are_few_and_end_with_their_store(layout_push, tmp_path):
    def held():
        with os.scandir("/proc/self/fd") as found:
            targets = [os.path.realpath(one.path) for one in found]
        return [target for target in targets if target.startswith(str(tmp_path))]

    push = type(layout_push)(LayoutStore(tmp_path))
    for number in range(200):
        push(f"repo{number}", "1")
    assert 0 < len(held()) <= 64
    del push
    gc.collect()
    assert held() == []
