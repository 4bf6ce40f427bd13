"""The catalog: what is connected, where credentials come from, and that none ever shows."""

from __future__ import annotations

import json
import stat

import pytest

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    CredentialMissingError,
    SourceNotFoundError,
)
from packager_jupyter.sources.catalog import CredentialRef, SourceCatalog, SourceOptions
from packager_jupyter.sources.credentials import resolve
from packager_jupyter.sources.secrets import SecretStore
from packager_jupyter.store.database import Database

KEYS = {"AWS_ACCESS_KEY_ID": "AKCANARY3F3F", "AWS_SECRET_ACCESS_KEY": "CANARY-secret-value"}
STORED = CredentialRef("stored")


@pytest.fixture(params=["sqlite", "postgres"])
def db_kind(request):
    return request.param


@pytest.fixture
def secrets(tmp_path):
    return SecretStore(tmp_path / "secrets", key=bytes(32))


@pytest.fixture
def catalog(db_url, tmp_path, secrets):
    db = Database.open(db_url)
    made = SourceCatalog(db, secrets, secrets_dir=tmp_path / "mounted", local_key=b"k" * 32)
    yield made
    made.close()
    db.close()


def test_a_source_is_kept_and_shown_without_its_secret(catalog, tmp_path):
    options = SourceOptions(endpoint_url="https://s3.example.org", path_style=True)
    catalog.add("lake", "s3://lake/raw", options=options, credential=STORED, secret=KEYS)
    [spec] = catalog.specs()
    assert spec.to_json() == {
        "name": "lake",
        "kind": "s3",
        "url": "s3://lake/raw",
        "options": {"endpoint_url": "https://s3.example.org", "path_style": True},
        "credential": {"kind": "stored", "hint": "…3F3F"},
        "is_managed": False,
    }
    everything = repr(spec) + json.dumps(spec.to_json()) + repr(catalog) + repr(secrets)
    on_disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in KEYS.values():
        assert secret not in everything
        assert secret.encode() not in on_disk
    sealed = tmp_path / "secrets" / "lake.secret"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    assert stat.S_IMODE(sealed.parent.stat().st_mode) == 0o700


def test_the_stored_secret_is_resolved_and_never_shown(catalog, secrets):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    credential = resolve(catalog.spec("lake"), secrets)
    assert credential.variables == KEYS
    assert "CANARY" not in repr(credential)


def test_a_wider_or_foreign_secret_file_is_refused(catalog, secrets, tmp_path):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    spec = catalog.spec("lake")
    with pytest.raises(CredentialMissingError, match="another key"):
        resolve(spec, SecretStore(tmp_path / "secrets", key=b"x" * 32))
    (tmp_path / "secrets" / "lake.secret").chmod(0o644)
    with pytest.raises(BadInputError, match="chmod"):
        resolve(spec, secrets)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "s3://elsewhere"},
        {"options": SourceOptions(endpoint_url="https://evil.example.org")},
    ],
)
def test_another_place_forgets_the_secret(catalog, secrets, change):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    spec = catalog.update("lake", **change)
    assert (spec.credential.kind, spec.credential_hint) == ("none", None)
    with pytest.raises(CredentialMissingError):
        secrets.get("lake")


def test_another_region_keeps_the_secret(catalog, secrets):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    spec = catalog.update("lake", options=SourceOptions(region="eu-west-1"))
    assert (spec.options.region, spec.credential_hint) == ("eu-west-1", "…3F3F")
    assert secrets.get("lake") == KEYS


def test_removing_forgets_everything(catalog, secrets):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    catalog.remove("lake")
    assert catalog.specs() == []
    with pytest.raises(SourceNotFoundError, match="packager source add"):
        catalog.spec("lake")
    with pytest.raises(CredentialMissingError):
        secrets.get("lake")


def test_a_name_is_taken_once_and_the_first_keeps_its_secret(catalog, secrets):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    with pytest.raises(ConflictError, match="packager source rm lake"):
        catalog.add("lake", "s3://other", credential=STORED, secret={"AWS_ACCESS_KEY_ID": "x"})
    assert secrets.get("lake") == KEYS


@pytest.mark.parametrize("name", ["", "Lake", "a/b", "..", "-a", "a" * 64, "a b", "é", "a\n"])
def test_names_that_could_be_misread_are_refused(catalog, name):
    with pytest.raises(BadInputError):
        catalog.add(name, "s3://lake")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lake",
        "s3://",
        "s3:///x",
        "s3://user:pass@lake",
        "s3://lake?x=1",
        "s3://lake\n",
        "https://lake",
        "azure://account",
        "azure:///container",
        "file://host/folder",
        "file:folder",
        "file:///a?b",
    ],
)
def test_addresses_of_another_shape_are_refused(catalog, url):
    with pytest.raises(BadInputError):
        catalog.add("lake", url)
    assert catalog.specs() == []


def test_credentials_come_whole_or_not_at_all(catalog):
    with pytest.raises(BadInputError):
        catalog.add("lake", "s3://lake", credential=STORED)
    with pytest.raises(BadInputError):
        catalog.add("lake", "s3://lake", secret=KEYS)
    with pytest.raises(BadInputError):
        catalog.add("lake", "s3://lake", credential=STORED, secret={"PATH": "x"})
    with pytest.raises(BadInputError):
        CredentialRef("env")


def test_named_variables_are_read_at_each_use(catalog, secrets, monkeypatch):
    catalog.add("lake", "s3://lake", credential=CredentialRef("env", "LAKE"))
    spec = catalog.spec("lake")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ambient")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
    with pytest.raises(CredentialMissingError, match="LAKE_AWS_ACCESS_KEY_ID"):
        resolve(spec, secrets)
    for key, value in KEYS.items():
        monkeypatch.setenv(f"LAKE_{key}", value)
    assert resolve(spec, secrets).variables == KEYS


def test_no_credential_means_none_whatever_the_server_has(catalog, secrets, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ambient")
    catalog.add("lake", "s3://lake")
    assert resolve(catalog.spec("lake"), secrets).variables == {}


def _mount(tmp_path, name, variables):
    folder = tmp_path / "mounted" / name
    data = folder / "..2026_05_03"
    data.mkdir(parents=True)
    for key, value in variables.items():
        (data / key).write_text(value + "\n")
    (folder / "..data").symlink_to(data.name)
    for key in variables:
        (folder / key).symlink_to(f"..data/{key}")
    return folder


def test_each_folder_of_secrets_is_a_source_and_is_read_anew(catalog, secrets, tmp_path):
    _mount(
        tmp_path,
        "archive",
        KEYS | {"BUCKET_NAME": "arch", "BUCKET_PREFIX": "p", "AWS_REGION": "eu"},
    )
    _mount(tmp_path, "unrelated", {"AWS_REGION": "x"})
    [spec] = catalog.specs()
    assert (spec.name, spec.url, spec.is_managed) == ("archive", "s3://arch/p", True)
    assert spec.options.region == "eu"
    assert resolve(spec, secrets).variables["AWS_SECRET_ACCESS_KEY"] == "CANARY-secret-value"
    (tmp_path / "mounted" / "archive" / "..2026_05_03" / "AWS_SECRET_ACCESS_KEY").write_text("new")
    assert resolve(spec, secrets).variables["AWS_SECRET_ACCESS_KEY"] == "new"
    for refused in (
        lambda: catalog.remove("archive"),
        lambda: catalog.update("archive", url="s3://x"),
    ):
        with pytest.raises(BadInputError, match="folder of secrets"):
            refused()
    with pytest.raises(ConflictError):
        catalog.add("archive", "s3://x")
