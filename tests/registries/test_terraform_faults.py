"""Publish providers and modules, disturbed anywhere: whole and verifiable, or not there at all."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from functools import partial

import pytest

from faults.bench import Bench, Operation
from faults.strace import needs_strace
from packager_jupyter.oci.fsck import check
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.registries.terraform.modules import ModuleIndex
from packager_jupyter.registries.terraform.providers import ProviderIndex, ProviderUpload
from packager_jupyter.registries.terraform.signing import SigningKey, verify_signature
from registries.terraform.archives import provider_zips, zipped_module

pytestmark = needs_strace

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NAMES = ["first provider", "module"]
MODULE = ("acme", "network", "aws")
SAID = {"ENOSPC": "DiskFullError", "EIO": "StorageError"}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The registry's key, made before anything is disturbed."""
    key = SigningKey(tmp_path_factory.mktemp("keys") / "registry.key")
    key.public()
    return key


def publish_provider(key, version, root):
    files = {name: io.BytesIO(data) for name, data in provider_zips(version).items()}
    index = ProviderIndex(LayoutStore(root), "main", key=key)
    assert index.publish(ProviderUpload("acme", "lab", version, files), now=NOW)


def look_at_providers(key, root):
    """Return the versions that are there; each can be downloaded and its signature verified."""
    index = ProviderIndex(LayoutStore(root), "main", key=key)
    assert [p for p in check(index.feed.store).problems if p.kind != "layout_file_missing"] == []
    versions = [
        row["version"] for row in (index.versions("acme", "lab") or {"versions": []})["versions"]
    ]
    for version in versions:
        sums, signature = (f("acme", "lab", version) for f in (index.sums, index.signature))
        assert verify_signature(sums, signature, [key.public().ascii_armor])
        for name, data in provider_zips(version).items():
            archive = index.archive("acme", "lab", version, name)
            assert b"".join(index.read("acme", "lab", archive)) == data
            assert f"{hashlib.sha256(data).hexdigest()}  {name}".encode() in sums
    return versions


def publish_module(version, root):
    index = ModuleIndex(LayoutStore(root), "main")
    assert index.publish(*MODULE, version, io.BytesIO(zipped_module(f"# {version}")), now=NOW)


def look_at_modules(root):
    """Return the versions that are there; each can be downloaded."""
    index = ModuleIndex(LayoutStore(root), "main")
    assert [p for p in check(index.feed.store).problems if p.kind != "layout_file_missing"] == []
    found = index.versions(*MODULE)
    versions = [row["version"] for row in found["modules"][0]["versions"]] if found else []
    for version in versions:
        stored = index.module(*MODULE, version)
        assert b"".join(index.read(*MODULE, stored)) == zipped_module(f"# {version}")
    return versions


def bench(name, key, tmp_path):
    """Return a feed without or with a version, to which one more is published."""
    if "provider" in name:
        publish, look = partial(publish_provider, key), partial(look_at_providers, key)
    else:
        publish, look = publish_module, look_at_modules
    before = [] if "first" in name else ["1.0.0"]

    def prepare(root):
        for version in before:
            publish(version, root)
        look(root)

    work = partial(publish, "2.0.0")
    return Bench(Operation(prepare, work, look, before, [*before, "2.0.0"]), tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_every_call(name, key, tmp_path):
    print(f"{name}: {bench(name, key, tmp_path).kill_everywhere()} killed")


@pytest.mark.parametrize(("name", "error"), [("provider", "ENOSPC"), ("module", "EIO")])
def test_refused_at_every_call(name, error, key, tmp_path):
    refused = bench(name, key, tmp_path).refuse_everywhere(error, said=SAID[error])
    print(f"{name}: {refused} refused")
    assert refused > 5


@pytest.mark.parametrize("name", NAMES)
def test_the_power_fails_after_every_call(name, key, tmp_path):
    count = bench(name, key, tmp_path).fail_power_everywhere(tmp_path / "after")
    print(f"{name}: {count} states")
    assert count >= 8
