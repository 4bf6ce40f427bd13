"""Credentials that are kept elsewhere: mounted secrets, folders, and what changes under way."""

from __future__ import annotations

import threading

import pytest

from packager_jupyter.errors import (
    BadInputError,
    CredentialMissingError,
    SourceNotFoundError,
)
from packager_jupyter.sources import credentials
from packager_jupyter.sources.catalog import CredentialRef, SourceCatalog, SourceOptions
from packager_jupyter.sources.credentials import read_folder, resolve
from packager_jupyter.sources.kinds import settle_options
from packager_jupyter.sources.secrets import SecretStore
from packager_jupyter.store.database import Database

KEYS = {"AWS_ACCESS_KEY_ID": "AKCANARY3F3F", "AWS_SECRET_ACCESS_KEY": "CANARY-secret-value"}
STORED = CredentialRef("stored")


@pytest.fixture
def secrets(tmp_path):
    return SecretStore(tmp_path / "secrets", key=bytes(32))


@pytest.fixture
def catalog(tmp_path, secrets):
    db = Database.open(f"sqlite:///{tmp_path / 'db.sqlite'}")
    made = SourceCatalog(db, secrets, secrets_dir=tmp_path / "mounted", local_key=b"k" * 32)
    yield made
    made.close()
    db.close()


def mount(folder, variables, *, generation=1):
    """Write variables as the kubelet does: a new folder, and one link swapped to it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"..2026_{generation}"
    data.mkdir()
    for key, value in variables.items():
        (data / key).write_text(value + "\n")
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(f"..data/{key}")
    swap = folder / "..data_tmp"
    swap.symlink_to(data.name)
    swap.replace(folder / "..data")
    return folder


def test_a_mounted_secret_keeps_the_modes_of_the_mount(catalog, secrets, tmp_path):
    mount(tmp_path / "mounted" / "lake", KEYS | {"BUCKET_NAME": "lake"})
    assert resolve(catalog.spec("lake"), secrets).variables["AWS_ACCESS_KEY_ID"] == "AKCANARY3F3F"


def test_a_plain_folder_of_secrets_must_be_private(catalog, secrets, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for key, value in KEYS.items():
        (folder / key).write_text(value)
        (folder / key).chmod(0o600)
    (folder / "AWS_REGION").write_text("eu")
    (folder / "AWS_REGION").chmod(0o644)
    catalog.add("lake", "s3://lake", credential=CredentialRef("dir", str(folder)))
    assert resolve(catalog.spec("lake"), secrets).variables["AWS_SECRET_ACCESS_KEY"]
    (folder / "AWS_SECRET_ACCESS_KEY").chmod(0o640)
    with pytest.raises(BadInputError, match="chmod go-rwx"):
        resolve(catalog.spec("lake"), secrets)


def test_only_one_newline_is_dropped(tmp_path):
    for text, expected in (("v\n", "v"), ("v\n\n", "v\n"), ("v", "v"), (" v \n", " v ")):
        (tmp_path / "AWS_ACCESS_KEY_ID").write_text(text)
        assert read_folder(tmp_path) == {"AWS_ACCESS_KEY_ID": expected}


def test_a_rotated_secret_is_read_whole(tmp_path, monkeypatch):
    folder = mount(tmp_path / "lake", {"AWS_ACCESS_KEY_ID": "1", "AWS_SECRET_ACCESS_KEY": "1"})
    real = credentials._read_variables
    rotated = []

    def read_and_rotate(at):
        found = real(at)
        if not rotated:
            rotated.append(True)
            values = {"AWS_ACCESS_KEY_ID": "2", "AWS_SECRET_ACCESS_KEY": "2"}
            mount(folder, values, generation=2)
        return found

    monkeypatch.setattr(credentials, "_read_variables", read_and_rotate)
    assert set(read_folder(folder).values()) == {"2"}


def test_one_bad_folder_does_not_hide_the_others(catalog, tmp_path, caplog):
    mounted = tmp_path / "mounted"
    mount(mounted / "good", KEYS | {"BUCKET_NAME": "good"})
    mount(mounted / "bad", KEYS | {"BUCKET_NAME": "b@d"})
    mount(mounted / "endpoint", KEYS | {"BUCKET_NAME": "b", "AWS_ENDPOINT_URL": "nonsense"})
    mount(mounted / "Not A Name", KEYS | {"BUCKET_NAME": "x"})
    (mounted / "binary").mkdir()
    (mounted / "binary" / "BUCKET_NAME").write_bytes(b"\xff\xfe")
    (mounted / "file").write_text("x")
    assert [spec.name for spec in catalog.specs()] == ["good"]
    with pytest.raises(SourceNotFoundError):
        catalog.spec("bad")
    assert "CANARY" not in caplog.text
    assert "binary" in caplog.text


@pytest.mark.parametrize(
    ("variables", "url", "endpoint"),
    [
        ({"BUCKET_NAME": "b", "BUCKET_PREFIX": "/p/q/"}, "s3://b/p/q", None),
        ({"BUCKET_NAME": "b", "AWS_ENDPOINT_URL": "http://s3.lab.test"}, "s3://b", "s3.lab.test"),
        ({"BUCKET_NAME": "c", "AZURE_STORAGE_ACCOUNT": "acc"}, "azure://acc/c", None),
        (
            {
                "AZURE_STORAGE_CONTAINER": "c",
                "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a2V5;"
                "BlobEndpoint=https://blob.lab.test/acc",
            },
            "azure://acc/c",
            "blob.lab.test",
        ),
    ],
)
def test_what_a_folder_describes(catalog, tmp_path, variables, url, endpoint):
    mount(tmp_path / "mounted" / "it", variables)
    spec = catalog.spec("it")
    assert spec.url == url
    assert (endpoint or "None") in str(spec.options.endpoint_url)


def test_endpoints_in_secrets_are_told_and_not_hidden(catalog):
    """Whoever may give a secret must not thereby choose an endpoint that nobody checks."""
    metadata = "http://169.254.169.254"
    inner = {
        "s3://b": {"AWS_ENDPOINT_URL": metadata},
        "azure://acc/c": {
            "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=acc;AccountKey=a2V5;"
            f"BlobEndpoint={metadata}/acc"
        },
        "azure://acc/d": {
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a2V5;"
            "DefaultEndpointsProtocol=http;EndpointSuffix=169.254.169.254.evil.test"
        },
    }
    for url, secret in inner.items():
        settled = settle_options(url, SourceOptions(), secret)
        assert "169.254.169.254" in settled.endpoint_url
    spec = catalog.add("b", "s3://b", credential=STORED, secret=KEYS | inner["s3://b"])
    assert spec.options.endpoint_url == metadata
    usual = {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a2V5"}
    assert settle_options("azure://acc/c", SourceOptions(), usual).endpoint_url is None


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint_url": "s3.example.org"},
        {"endpoint_url": "https://user:CANARY@s3.example.org"},
        {"endpoint_url": "https://s3.example.org?x=CANARY"},
        {"public_endpoint_url": "file:///etc"},
        {"public_endpoint_url": "https://[::1"},
        {"presign_as": "https://bucket"},
        {"presign_as": "s3://"},
    ],
)
def test_options_that_are_no_addresses_are_refused_at_once(catalog, options):
    with pytest.raises(BadInputError) as caught:
        catalog.add("b", "s3://b", options=SourceOptions(**options))
    assert "CANARY" not in str(caught.value)
    assert catalog.specs() == []


@pytest.mark.parametrize(
    "change",
    [
        {"options": SourceOptions(public_endpoint_url="https://evil.example.org")},
        {"options": SourceOptions(ca_bundle="/tmp/evil.pem")},
        {"options": SourceOptions(presign_as="s3://elsewhere")},
    ],
)
def test_other_changes_of_place_forget_the_secret_too(catalog, secrets, change):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    assert catalog.update("lake", **change).credential.kind == "none"
    with pytest.raises(CredentialMissingError):
        secrets.get("lake")


def test_a_new_secret_replaces_the_old_one(catalog, secrets):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    spec = catalog.update("lake", secret=KEYS | {"AWS_ACCESS_KEY_ID": "AKNEW9999"})
    assert spec.credential_hint == "…9999"
    assert secrets.get("lake")["AWS_ACCESS_KEY_ID"] == "AKNEW9999"


def test_an_opened_source_is_kept_until_something_changes(catalog, tmp_path, monkeypatch):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    opened = [catalog.open("lake")]
    assert catalog.open("lake") is opened[0]
    changes = [
        lambda: catalog.update("lake", secret=KEYS | {"AWS_SECRET_ACCESS_KEY": "other"}),
        lambda: catalog.update("lake", options=SourceOptions(region="eu-west-1")),
        lambda: catalog.update("lake", credential=CredentialRef("env", "LAKE")),
        lambda: monkeypatch.setenv("LAKE_AWS_SECRET_ACCESS_KEY", "rotated"),
    ]
    for key, value in KEYS.items():
        monkeypatch.setenv(f"LAKE_{key}", value)
    for change in changes:
        change()
        opened.append(catalog.open("lake"))
        assert catalog.open("lake") is opened[-1]
    assert len({id(source) for source in opened}) == len(opened)
    folder = mount(tmp_path / "mounted" / "kube", KEYS | {"BUCKET_NAME": "b"})
    first = catalog.open("kube")
    assert catalog.open("kube") is first
    mount(folder, KEYS | {"BUCKET_NAME": "b", "AWS_SECRET_ACCESS_KEY": "new"}, generation=2)
    assert catalog.open("kube") is not first


def test_many_threads_may_open_at_once(catalog):
    catalog.add("lake", "s3://lake", credential=STORED, secret=KEYS)
    barrier = threading.Barrier(8)
    errors = []

    def work():
        barrier.wait()
        try:
            for _ in range(5):
                assert catalog.open("lake").signer(ttl_s=60)("k")
        except Exception as error:  # noqa: BLE001 - carried to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert catalog.open("lake") is catalog.open("lake")


def test_a_source_that_cannot_be_opened_has_a_report(catalog):
    catalog.add("lake", "s3://lake")
    report = catalog.test("lake")
    assert not report.is_ok
    [check] = report.checks
    assert (check.what, check.is_ok) == ("credential", False)
    assert "--anonymous" in check.remedy
    with pytest.raises(SourceNotFoundError):
        catalog.test("other")


def test_a_mount_is_browsed_here_and_presigned_as_its_bucket(catalog, rgw, tmp_path):
    bucket = rgw.bucket()
    (tmp_path / "mnt").mkdir()
    (tmp_path / "mnt" / "a b.txt").write_bytes(b"mounted")
    rgw.client().put_object(Bucket=bucket, Key="raw/a b.txt", Body=b"mounted")
    options = SourceOptions(
        presign_as=f"s3://{bucket}/raw", endpoint_url=rgw.endpoint_url, path_style=True
    )
    keys = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
    url = (tmp_path / "mnt").as_uri()
    catalog.add("mnt", url, options=options, credential=STORED, secret=keys)
    source = catalog.open("mnt")
    assert [entry.key for entry in source.list_page().entries] == ["a b.txt"]
    assert source.uri("a b.txt") == f"s3://{bucket}/raw/a b.txt"
    signed = source.signer(ttl_s=60)("a b.txt")
    assert signed.startswith(f"{rgw.endpoint_url}/{bucket}/raw/a%20b.txt?")
    from packager_jupyter.sources.transport import Transport

    answer = Transport("t").fetch("GET", signed)
    assert (answer.status, answer.body) == (200, b"mounted")
    assert source.test().is_ok
