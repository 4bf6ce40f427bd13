"""Files without a name: they get one once they are whole, and nobody else's file is ever taken."""

from __future__ import annotations

import io

import pytest

from packager_jupyter.io import name_it, open_unnamed
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.names import digest_bytes


def test_an_unnamed_file_becomes_a_blob_without_being_read(tmp_path, monkeypatch):
    store = LayoutStore(tmp_path / "oci")
    data = b"bytes" * 1000
    with open_unnamed(tmp_path) as file:
        file.write(data)
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr(store, "push_blob", None)  # nothing is copied
        blob = store.push_file("a", file, digest=digest_bytes(data), size_bytes=len(data))
    assert b"".join(store.read_blob("a", blob.digest)) == data
    assert list(tmp_path.rglob(".packager-tmp-*")) == []


@pytest.mark.parametrize("kind", ["memory", "named"])
def test_other_files_are_copied(tmp_path, kind):
    store = LayoutStore(tmp_path / "oci")
    mine = tmp_path / "mine"
    mine.write_bytes(b"bytes")
    with io.BytesIO(b"bytes") if kind == "memory" else mine.open("rb") as file:
        assert name_it(file, tmp_path, tmp_path / "taken") is False
        blob = store.push_file("a", file, digest=digest_bytes(b"bytes"), size_bytes=5)
    mine.write_bytes(b"other")  # in place, as its owner may
    assert b"".join(store.read_blob("a", blob.digest)) == b"bytes"


def test_served_bytes_are_hashed_again_once_anybody_wrote_to_them(tmp_path):
    from packager_jupyter.errors import StoreCorruptError

    store = LayoutStore(tmp_path / "oci")
    blob = store.push_blob("a", b"bytes")
    for _warm in range(2):
        assert b"".join(store.read_blob("a", blob.digest)) == b"bytes"
    path = store.blobs("a").path(blob.digest)
    path.chmod(0o600)
    path.write_bytes(b"bytez")
    with pytest.raises(StoreCorruptError):
        list(store.read_blob("a", blob.digest))
