"""Curating from real storages: a folder of this machine and buckets of the real gateway."""

import hashlib

import pytest

from packager_jupyter.errors import ConflictError, ObjectNotFoundError, StorageError
from packager_jupyter.sources.catalog import CredentialRef
from packager_jupyter.sources.spec import SourceOptions

HOSTILE = [
    "a/../b",
    "//x",
    "../../etc/passwd",
    "new\nline.csv",
    "tab\there",
    "a:b",
    "\u202egnp.exe",
    "caf\u00e9",
    "cafe\u0301",
    "y" * 1024,
    "/lead",
    "sp ace+plus#hash?q=%20&amp",
    "back\\slash",
    "q'uo\"te",
    "a//b",
    "./a",
    "emoji\U0001f30a.nc",
]


@pytest.fixture
def bucket(rgw, services):
    """Connect a fresh bucket as ``lake`` and return a function that puts objects into it."""
    name = rgw.bucket()
    client = rgw.client()
    services.sources.add(
        "lake",
        f"s3://{name}/raw",
        options=SourceOptions(endpoint_url=rgw.endpoint_url, path_style=True),
        credential=CredentialRef("stored"),
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key},
    )

    def put(key, body=b"x"):
        client.put_object(Bucket=name, Key=f"raw/{key}", Body=body)

    put.name, put.client = name, client
    return put


def test_a_bucket_is_added_published_and_read_back(services, bucket):
    bodies = {
        f"obs/{year}/f{number:03}.csv": b"%d" % number for year in "ab" for number in range(9)
    }
    for key, body in bodies.items():
        bucket(key, body)
    draft = services.packages.create("ocean")
    report = draft.add("lake", ["obs/"])
    assert report.files_added == len(bodies)
    draft.add("lake", ["obs/a/f001.csv"], rename="best.csv")
    done = draft.publish(now_s=1)
    version = services.packages.version("ocean")
    assert done.files == len(bodies) + 1
    found = {pointer.path: pointer for pointer in version.iter_pointers()}
    for key, body in bodies.items():
        pointer = found[key]
        assert pointer.uri == f"s3://{bucket.name}/raw/{key}"
        assert pointer.etag == hashlib.md5(body).hexdigest()
        assert pointer.size_bytes == len(body)
        assert pointer.modified_s > 1_700_000_000
    assert found["best.csv"].key == "obs/a/f001.csv"
    assert version.config["sources"] == [{"name": "lake", "address": f"s3://{bucket.name}/raw/"}]
    assert draft.add("lake", ["obs/"]).files_unchanged == len(bodies)
    bucket("obs/a/f000.csv", b"other")
    report = draft.add("lake", ["obs/"])
    assert (report.files_replaced, report.files_unchanged) == (1, len(bodies) - 1)


def test_keys_that_are_no_paths(services, bucket):
    for key in HOSTILE:
        if len(key) < 1020:
            bucket(key, key.encode())
    draft = services.packages.create("ocean")
    report = draft.add("lake", [""])
    assert report.skipped == []
    wanted = {key for key in HOSTILE if len(key) < 1020}
    found = {pointer.key: pointer for pointer in draft.iter_pointers()}
    assert set(found) == wanted
    source = services.sources.open("lake")
    for key, pointer in found.items():
        assert b"".join(source.read(pointer.key)) == key.encode()
    draft.publish(now_s=1)
    version = services.packages.version("ocean")
    assert {pointer.key for pointer in version.iter_pointers()} == wanted
    for pointer in found.values():
        assert version.get(pointer.path) == pointer


def test_a_versioned_bucket_pins_the_version(services, bucket):
    status = {"Status": "Enabled"}
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=status)
    bucket("a.csv", b"first")
    draft = services.packages.create("ocean")
    draft.add("lake", ["a.csv"])
    pinned = draft.get("a.csv")
    bucket("a.csv", b"second")
    assert pinned.version_id
    source = services.sources.open("lake")
    assert b"".join(source.read("a.csv", version_id=pinned.version_id)) == b"first"
    assert draft.add("lake", ["a.csv"]).files_replaced == 1
    assert draft.get("a.csv").version_id != pinned.version_id


def test_what_is_missing_or_refused_changes_nothing(services, bucket, rgw):
    bucket("obs/a", b"1")
    draft = services.packages.create("ocean")
    draft.add("lake", ["obs/"])
    services.sources.add(
        "wrong",
        f"s3://{bucket.name}",
        options=SourceOptions(endpoint_url=rgw.endpoint_url, path_style=True),
        credential=CredentialRef("stored"),
        secret={"AWS_ACCESS_KEY_ID": "AKWRONG", "AWS_SECRET_ACCESS_KEY": "wrong"},
    )
    for source, key, error in (
        ("lake", "nothing", ObjectNotFoundError),
        ("lake", "nothing/", ObjectNotFoundError),
        ("wrong", "raw/", StorageError),
        ("wrong", "raw/obs/a", StorageError),
    ):
        with pytest.raises(error):
            draft.add(source, [key])
        assert draft.totals() == (1, 1)


def test_a_folder_of_this_machine(services, tmp_path):
    lake = tmp_path / "lake"
    (lake / "sub").mkdir(parents=True)
    (lake / "sub" / "a b.csv").write_bytes(b"1234")
    (lake / "c").write_bytes(b"1")
    services.sources.add("here", f"file://{lake}")
    draft = services.packages.create("ocean")
    report = draft.add("here", [""])
    assert report.files_added == 2
    pointer = draft.get("sub/a b.csv")
    assert (pointer.key, pointer.size_bytes) == ("sub/a b.csv", 4)
    draft.publish(now_s=1)
    assert services.packages.version("ocean").get("sub/a b.csv") == pointer


def test_a_bucket_with_a_file_and_a_folder_of_one_name(services, bucket):
    bucket("data", b"1")
    bucket("data/x", b"1")
    draft = services.packages.create("ocean")
    with pytest.raises(ConflictError, match="'data'"):
        draft.add("lake", [""])
    assert draft.totals() == (0, 0)
