"""Modules: ZIP or tar.gz in, one deterministic ZIP in the store, versions that never change."""

from __future__ import annotations

import io
import tarfile
import zipfile
from datetime import UTC, datetime

import pytest

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.registries.terraform.modules import ModuleIndex

NOW = datetime(2026, 5, 3, tzinfo=UTC)
NAME = ("acme", "network", "aws")


@pytest.fixture
def index(tmp_path):
    return ModuleIndex(LayoutStore(tmp_path), "main")


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("__", ".")), text)
    return buffer


def tarred(mtime=0, link=None, **files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size, entry.mtime = len(text), mtime
            archive.addfile(entry, io.BytesIO(text.encode()))
        if link:
            entry = tarfile.TarInfo("link")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return buffer


def test_a_zip_is_kept_byte_for_byte(index):
    file = zipped(main__tf="# one")
    assert index.publish(*NAME, "1.0.0", file, now=NOW) is True
    stored = index.module(*NAME, "1.0.0")
    assert b"".join(index.read(*NAME, stored)) == file.getvalue()
    assert stored.size_bytes == len(file.getvalue())


def test_a_tar_becomes_the_same_zip_whenever_it_was_packed(index):
    index.publish(*NAME, "1.0.0", tarred(main__tf="# one", mtime=1), now=NOW)
    assert index.publish(*NAME, "1.0.0", tarred(main__tf="# one", mtime=2), now=NOW) is False
    stored = index.module(*NAME, "1.0.0")
    with zipfile.ZipFile(io.BytesIO(b"".join(index.read(*NAME, stored)))) as archive:
        assert archive.read("main.tf") == b"# one"


def test_versions_and_latest(index):
    for version in ("1.10.0", "1.9.0", "1.1.0+b1"):
        index.publish(*NAME, version, zipped(main__tf=version), now=NOW)
    answer = index.versions(*NAME)
    assert [row["version"] for row in answer["modules"][0]["versions"]] == [
        "1.1.0+b1",
        "1.9.0",
        "1.10.0",
    ]
    latest = index.feed.store.get_manifest("tf-module/main/acme/network/aws", "latest")
    content = parse_manifest(latest.body)
    assert content.annotations["org.opencontainers.image.version"] == "1.10.0"
    assert content.artifact_type == "application/vnd.opentofu.modulepkg"
    assert [layer.media_type for layer in content.layers] == ["archive/zip"]
    assert index.versions("acme", "other", "aws") is None


def test_published_versions_never_change(index):
    index.publish(*NAME, "1.0.0", zipped(main__tf="one"), now=NOW)
    with pytest.raises(ConflictError, match="never change"):
        index.publish(*NAME, "1.0.0", zipped(main__tf="two"), now=NOW)
    with pytest.raises(PathNotFoundError):
        index.module(*NAME, "2.0.0")


@pytest.mark.parametrize(
    "file",
    [
        io.BytesIO(b""),
        io.BytesIO(b"<html>"),
        zipped(readme__md="no configuration"),
        zipped(**{"../evil__tf": "x"}),
        tarred(main__tf="x", link="main.tf"),
        tarred(main__tf="x", link="/etc/passwd"),
    ],
)
def test_what_is_no_module_is_refused_and_leaves_nothing(index, file):
    with pytest.raises(BadInputError):
        index.publish(*NAME, "1.0.0", file, now=NOW)
    assert index.feed.projects() == []


@pytest.mark.parametrize(
    "name", [("a/b", "n", "s"), ("..", "n", "s"), ("a", "", "s"), ("a", "n", "é")]
)
def test_names_are_checked(index, name):
    with pytest.raises(BadInputError):
        index.publish(*name, "1.0.0", zipped(main__tf="x"), now=NOW)
