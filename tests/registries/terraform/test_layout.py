"""Provider versions that others pushed: OpenTofu's bare layout and that of oci-package-proxy."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from io import BytesIO

import pytest

from packager_jupyter.errors import ConflictError, PathNotFoundError
from packager_jupyter.oci.base import MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST, Descriptor
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.manifest import describe, image_index, image_manifest
from packager_jupyter.registries.terraform.modules import ModuleIndex
from packager_jupyter.registries.terraform.providers import ProviderIndex, ProviderUpload
from packager_jupyter.registries.terraform.signing import SigningKey, verify_signature

from .archives import provider_zips, sums_of, zipped_module

NOW = datetime(2026, 5, 3, tzinfo=UTC)
REPO = "tf-provider/main/acme/lab"
OPENTOFU = "application/vnd.opentofu.provider-target"
PROXY = "application/vnd.tf.provider.v1+json"
PROXY_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
def store(tmp_path):
    return LayoutStore(tmp_path / "oci")


@pytest.fixture
def index(store, tmp_path):
    return ProviderIndex(store, "main", key=SigningKey(tmp_path / "registry.key"))


def push(store, files, *, tag, kind, layer_type, is_named, is_nested=False, annotations=None):
    """Push archives as another program does, without any of our annotations."""
    rows = []
    for name, data in files.items():
        os, arch = name.removesuffix(".zip").split("_")[-2:]
        layer = store.push_blob(REPO, data, media_type=layer_type)
        store.push_blob(REPO, b"{}")
        body = image_manifest(layers=(layer,), artifact_type=kind)
        store.push_manifest(REPO, body, media_type=MEDIA_TYPE_MANIFEST)
        plain = describe(body, media_type=MEDIA_TYPE_MANIFEST, artifact_type=kind)
        named = {"original-filename": name, "original-file-digest": layer.digest[7:]}
        rows.append(
            Descriptor(
                plain.media_type,
                plain.digest,
                plain.size_bytes,
                named if is_named else {},
                kind,
                {"os": os, "architecture": arch},
            )
        )
    body = image_index(rows, annotations=annotations)
    if is_nested:
        inner = store.push_manifest(REPO, body, media_type=MEDIA_TYPE_INDEX)
        body = image_index([describe(body, media_type=inner.media_type)])
    store.push_manifest(REPO, body, media_type=MEDIA_TYPE_INDEX, tag=tag)


def check(index, files, version="1.0.0"):
    """Ask all that terraform asks, and compare bytes, checksums and signature."""
    for name, data in files.items():
        os, arch = name.removesuffix(".zip").split("_")[-2:]
        answer, archive = index.download("acme", "lab", version, os, arch)
        assert (answer["filename"], answer["shasum"]) == (name, hashlib.sha256(data).hexdigest())
        assert b"".join(index.read("acme", "lab", archive)) == data
        [key] = answer["signing_keys"]["gpg_public_keys"]
    sums, signature = (f("acme", "lab", version) for f in (index.sums, index.signature))
    assert verify_signature(sums, signature, [key["ascii_armor"]]).key_id == key["key_id"]
    return sums


def test_the_bare_layout_of_opentofu(index, store):
    files = provider_zips("1.0.0+b1")
    push(store, files, tag="1.0.0_b1", kind=OPENTOFU, layer_type="archive/zip", is_named=False)
    assert [row["version"] for row in index.versions("acme", "lab")["versions"]] == ["1.0.0+b1"]
    assert check(index, files, "1.0.0+b1").splitlines() == sorted(
        sums_of(files).splitlines(), key=lambda line: line[64:]
    )


@pytest.mark.parametrize("is_nested", [False, True])
def test_the_layout_of_oci_package_proxy(index, store, is_nested):
    files = provider_zips()
    sums = sums_of(files) + b"0" * 64 + b"  more.json\n"
    push(
        store,
        files,
        tag="v1.0.0",
        kind=PROXY,
        layer_type=PROXY_LAYER,
        is_named=True,
        is_nested=is_nested,
        annotations={
            "shasum": base64.b64encode(sums).decode(),
            "shasum-signature-encoded": base64.b64encode(b"by an unknown key").decode(),
        },
    )
    assert check(index, files) == sums
    platforms = index.versions("acme", "lab")["versions"][0]["platforms"]
    assert {"os": "darwin", "arch": "arm64"} in platforms
    opened = {name: BytesIO(data) for name, data in provider_zips(linux_amd64=b"else").items()}
    with pytest.raises(ConflictError):
        index.publish(ProviderUpload("acme", "lab", "1.0.0", opened), now=NOW)


def test_checksums_that_do_not_fit_are_made_again(index, store):
    files = provider_zips()
    wrong = base64.b64encode(sums_of(provider_zips(linux_amd64=b"other"))).decode()
    push(
        store,
        files,
        tag="v1.0.0",
        kind=PROXY,
        layer_type=PROXY_LAYER,
        is_named=True,
        annotations={"shasum": wrong},
    )
    assert set(check(index, files).splitlines()) == set(sums_of(files).splitlines())


def test_tags_that_are_no_versions_are_passed_over(index, store):
    for tag in ("nightly", "v1", "1.0.0"):
        push(
            store,
            provider_zips(linux_amd64=tag.encode()),
            tag=tag,
            kind=OPENTOFU,
            layer_type="archive/zip",
            is_named=False,
        )
    assert [row["version"] for row in index.versions("acme", "lab")["versions"]] == ["1.0.0"]


def test_what_is_no_provider_is_none(index, store):
    push(store, provider_zips(), tag="1.0.0", kind="text/x", layer_type="x/y", is_named=False)
    assert index.versions("acme", "lab") is None
    with pytest.raises(PathNotFoundError):
        index.sums("acme", "lab", "1.0.0")


def test_a_module_that_opentofu_pushed(store):
    repo = "tf-module/main/acme/network/aws"
    data = zipped_module("# one\n")
    note = store.push_blob(repo, b"note", media_type="text/plain")
    layer = store.push_blob(repo, data, media_type="archive/zip")
    store.push_blob(repo, b"{}")
    body = image_manifest(layers=(note, layer), artifact_type="application/vnd.opentofu.modulepkg")
    store.push_manifest(repo, body, media_type=MEDIA_TYPE_MANIFEST, tag="1.0.0")
    modules, name = ModuleIndex(store, "main"), ("acme", "network", "aws")
    found = modules.module(*name, "1.0.0")
    assert b"".join(modules.read(*name, found)) == data
    assert modules.details(*name, None)["root"]["readme"] == ""
