"""Everything that can be wrong in a layout store is found, and what can be mended is."""

from __future__ import annotations

import json
import os
import random

import pytest

from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.layout import LayoutStore


@pytest.fixture
def store(layout):
    return layout


@pytest.fixture
def filled(layout, push):
    push("a", "1", data=b"one")
    push("a", "2", data=b"two")
    push("b/c", "1", data=b"three")
    layout.push_blob("a", b"orphan")
    return layout


def path_of(layout, repo, data):
    return layout.blobs(repo).path(layout.push_blob(repo, data).digest)


def kinds(report):
    return sorted(problem.kind for problem in report.problems)


def test_a_sound_store(filled):
    seen = []
    report = check(filled, progress=seen.append)
    assert report.is_ok
    assert (report.repositories, report.manifests, report.blobs) == (2, 3, 9)
    assert (report.orphans, report.orphan_bytes) == (1, 6)
    assert seen == ["a", "b/c"]
    assert check(filled, prefix="b").manifests == 1


def test_bit_rot_is_found_in_every_damaged_blob(filled, push):
    for number in range(100):
        push("rot", f"{number}", data=os.urandom(50))
    victims = random.sample(sorted(filled.blobs("rot").digests()), 10)
    for digest in victims:
        path = filled.blobs("rot").path(digest)
        data = bytearray(path.read_bytes())
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        path.write_bytes(data)
    report = check(LayoutStore(filled.root))
    assert not report.is_ok
    assert {p.digest for p in report.problems if p.kind == "blob_damaged"} == set(victims)


def test_without_hashing_a_damaged_manifest_is_still_found(filled):
    path = filled.blobs("a").path(filled.resolve("a", "1").digest)
    path.write_bytes(path.read_bytes().replace(b'"size":3', b'"size":4'))
    assert kinds(check(LayoutStore(filled.root), rehash=False)) == ["manifest_damaged"]
    assert kinds(check(LayoutStore(filled.root))) == ["blob_damaged"]


def test_missing_and_short_blobs(filled):
    path_of(filled, "a", b"one").unlink()
    os.truncate(path_of(filled, "a", b"two"), 0)
    report = check(filled, rehash=False)
    assert kinds(report) == ["blob_missing", "size_differs"]
    assert all(problem.needed_by and problem.remedy for problem in report.problems)
    assert kinds(check(filled)) == ["blob_damaged", "blob_missing", "size_differs"]


def test_a_missing_manifest(filled):
    filled.blobs("a").path(filled.resolve("a", "1").digest).unlink()
    assert kinds(check(LayoutStore(filled.root))) == ["blob_missing"]


def test_an_unreadable_index_and_a_missing_layout_file(filled):
    (filled.root / "a" / "index.json").write_bytes(b"{")
    (filled.root / "b" / "c" / "oci-layout").unlink()
    assert kinds(check(filled)) == ["index_unreadable", "layout_file_missing"]
    report = check(filled, repair=True)
    assert [p.kind for p in report.problems if p.is_repaired] == ["layout_file_missing"]
    assert not report.is_ok
    assert (filled.root / "a" / "index.json").read_bytes() == b"{"


def test_a_blob_listed_as_a_manifest(filled):
    path = filled.root / "a" / "index.json"
    index = json.loads(path.read_bytes())
    orphan = filled.push_blob("a", b"orphan")
    index["manifests"][0] |= {"digest": orphan.digest, "size": 6}
    path.write_bytes(json.dumps(index).encode())
    assert kinds(check(filled)) == ["manifest_damaged"]


def test_stray_files(filled):
    (filled.root / "a" / "blobs" / "sha256" / ("g" * 64)).write_bytes(b"")
    (filled.root / "a" / "blobs" / "sha256" / "x").write_bytes(b"")
    assert kinds(check(filled)) == ["stray_file", "stray_file"]


def test_repair_takes_from_the_trash_and_sets_damaged_blobs_aside(filled):
    lost, damaged = path_of(filled, "a", b"one"), path_of(filled, "a", b"two")
    trash = filled.root / "a" / ".packager" / "trash"
    trash.mkdir()
    lost.rename(trash / f"sha256-{lost.name}")
    damaged.write_bytes(b"tw0")
    report = check(filled, repair=True)
    assert {(p.kind, p.is_repaired) for p in report.problems} == {
        ("blob_missing", True),
        ("blob_damaged", True),
        ("blob_missing", False),
    }
    assert filled.has_blob("a", f"sha256:{lost.name}") == 3
    assert filled.has_blob("a", f"sha256:{damaged.name}") is None
    filled.push_blob("a", b"two")
    assert check(filled).is_ok


def test_repair_never_touches_a_sound_blob(filled):
    path = filled.root / "a" / "index.json"
    index = json.loads(path.read_bytes())
    index["manifests"][0]["size"] += 1
    path.write_bytes(json.dumps(index).encode())
    before = set(filled.blobs("a").digests())
    report = check(filled, repair=True)
    assert "size_differs" in kinds(report)
    assert not report.is_ok
    assert set(filled.blobs("a").digests()) == before
