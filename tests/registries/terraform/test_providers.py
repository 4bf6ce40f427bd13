"""Providers: only what agrees with its checksums and signature is kept, byte for byte."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime

import pytest

from packager_jupyter.errors import BadInputError, ConflictError, PathNotFoundError
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.registries.terraform.names import version_key
from packager_jupyter.registries.terraform.providers import ProviderIndex, ProviderUpload
from packager_jupyter.registries.terraform.signing import SigningKey, verify_signature

from .archives import provider_zips, sums_of

NOW = datetime(2026, 5, 3, tzinfo=UTC)


def upload(files, version="1.0.0", **more):
    opened = {name: io.BytesIO(data) for name, data in files.items()}
    return ProviderUpload("acme", "lab", version, opened, **more)


@pytest.fixture
def key(tmp_path):
    return SigningKey(tmp_path / "keys" / "registry.key")


@pytest.fixture
def index(tmp_path, key):
    return ProviderIndex(LayoutStore(tmp_path / "oci"), "main", key=key)


def test_an_unsigned_upload_is_signed_by_us(index, key):
    files = provider_zips()
    assert index.publish(upload(files), now=NOW) is True
    answer, found = index.download("acme", "lab", "1.0.0", "linux", "amd64")
    name = "terraform-provider-lab_1.0.0_linux_amd64.zip"
    assert answer["shasum"] == hashlib.sha256(files[name]).hexdigest()
    assert (answer["filename"], answer["protocols"]) == (name, ["5.0"])
    assert b"".join(index.read("acme", "lab", found)) == files[name]
    assert index.size_bytes("acme", "lab", found) == len(files[name])
    [stated] = answer["signing_keys"]["gpg_public_keys"]
    sums, signature = (f("acme", "lab", "1.0.0") for f in (index.sums, index.signature))
    assert verify_signature(sums, signature, [stated["ascii_armor"]]).key_id == stated["key_id"]
    assert key.public().key_id == stated["key_id"]


def test_the_uploaders_sums_and_signature_are_kept_byte_for_byte(index, tmp_path):
    other = SigningKey(tmp_path / "other.key")
    files = provider_zips()
    sums = sums_of(files) + b"0" * 64 + b"  terraform-provider-lab_1.0.0_manifest.json\n"
    signature = other.sign(sums)
    index.publish(
        upload(files, sums=sums, signature=signature, public_key=other.public().ascii_armor),
        now=NOW,
    )
    assert index.sums("acme", "lab", "1.0.0") == sums
    assert index.signature("acme", "lab", "1.0.0") == signature


def test_versions_are_sorted_and_name_platforms_and_protocols(index):
    manifest = json.dumps({"version": 1, "metadata": {"protocol_versions": ["6.0"]}}).encode()
    for version in ("1.10.0", "1.9.0", "1.10.0-beta.2"):
        index.publish(upload(provider_zips(version), version, manifest=manifest), now=NOW)
    rows = index.versions("Acme", "lab")["versions"]
    assert [row["version"] for row in rows] == ["1.9.0", "1.10.0-beta.2", "1.10.0"]
    assert rows[0]["protocols"] == ["6.0"]
    assert {"os": "linux", "arch": "amd64"} in rows[0]["platforms"]
    assert index.versions("acme", "unknown") is None


def test_the_artifact_has_the_layout_that_opentofu_reads(index):
    index.publish(upload(provider_zips()), now=NOW)
    manifest = index.feed.store.get_manifest("tf-provider/main/acme/lab", "1.0.0")
    content = parse_manifest(manifest.body)
    assert content.artifact_type == "application/vnd.opentofu.provider"
    for row in content.manifests:
        assert row.artifact_type == "application/vnd.opentofu.provider-target"
        inner = index.feed.store.get_manifest("tf-provider/main/acme/lab", row.digest)
        target = parse_manifest(inner.body)
        assert target.artifact_type == "application/vnd.opentofu.provider-target"
        assert [layer.media_type for layer in target.layers] == ["archive/zip"]


def test_the_same_again_is_a_no_op_and_other_content_a_conflict(index):
    index.publish(upload(provider_zips()), now=NOW)
    assert index.publish(upload(provider_zips()), now=NOW) is False
    with pytest.raises(ConflictError, match="never change"):
        index.publish(upload(provider_zips(linux_amd64=b"other")), now=NOW)


def test_unknown_versions_and_platforms_are_404(index):
    index.publish(upload(provider_zips()), now=NOW)
    for version, os in (("2.0.0", "linux"), ("1.0.0", "plan9")):
        with pytest.raises(PathNotFoundError):
            index.download("acme", "lab", version, os, "amd64")


def _foreign_key(tmp_path):
    files = provider_zips()
    sums = sums_of(files)
    signer, other = SigningKey(tmp_path / "a.key"), SigningKey(tmp_path / "b.key")
    return upload(
        files, sums=sums, signature=signer.sign(sums), public_key=other.public().ascii_armor
    )


def _altered_sums(tmp_path):
    files = provider_zips()
    signer = SigningKey(tmp_path / "a.key")
    signature = signer.sign(sums_of(files) + b"\n")
    return upload(
        files,
        sums=sums_of(files),
        signature=signature,
        public_key=signer.public().ascii_armor,
    )


BAD_UPLOADS = {
    "no archive": lambda _: upload({}),
    "not in sums": lambda _: upload(provider_zips(), sums=b""),
    "wrong sum": lambda _: upload(
        provider_zips(), sums=sums_of(provider_zips(linux_amd64=b"x", darwin_arm64=b"y"))
    ),
    "foreign key": _foreign_key,
    "altered sums": _altered_sums,
    "signature without key": lambda _: upload(
        provider_zips(), sums=sums_of(provider_zips()), signature=b"x"
    ),
    "no signature at all": lambda _: upload(
        provider_zips(), sums=sums_of(provider_zips()), signature=b"x", public_key="y"
    ),
    "another version": lambda _: upload(provider_zips("2.0.0")),
    "not an archive name": lambda _: upload(
        {"../lab.zip": provider_zips()["terraform-provider-lab_1.0.0_linux_amd64.zip"]}
    ),
    "not a zip": lambda _: upload({"terraform-provider-lab_1.0.0_linux_amd64.zip": b"<html>"}),
    "bad manifest": lambda _: upload(provider_zips(), manifest=b"{}"),
    "leading v": lambda _: upload(provider_zips("v1.0.0"), "v1.0.0"),
}


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_what_does_not_agree_is_refused_and_leaves_nothing(index, tmp_path, name):
    with pytest.raises(BadInputError):
        index.publish(BAD_UPLOADS[name](tmp_path), now=NOW)
    assert index.feed.projects() == []


def test_version_precedence_is_that_of_semver():
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    shuffled = [ordered[n] for n in (3, 0, 5, 1, 4, 2)]
    assert sorted(shuffled, key=version_key) == ordered
