"""What a client promises, whichever way it reaches the packager."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    ObjectNotFoundError,
    PackageNotFoundError,
    PathNotFoundError,
    RevisionMismatchError,
    ShareNotFoundError,
    SourceNotFoundError,
)
from packager_jupyter.services import Services


@pytest.fixture
def folder(settings):
    folder = Path(settings.root_dir) / "bucket"
    (folder / "obs").mkdir(parents=True)
    for number in range(12):
        (folder / "obs" / f"day {number:02}.csv").write_text(f"x\n{number}\n")
    (folder / "top+level#.txt").write_text("top")
    return folder


@pytest.fixture
def curated(client, folder):
    client.sources.add("lake", folder.as_uri())
    client.packages.create("lab/ocean", title="Ocean")
    client.packages.add("lab/ocean", "lake", ["obs/", "top+level#.txt"])
    return client


def keys_of(value) -> set[str]:
    return set(value)


def test_it_says_what_answers(client):
    assert client.status()["api"] == 1
    assert client.status()["user"]["name"]


def test_sources_come_and_go(client, folder):
    made = client.sources.add("lake", folder.as_uri())
    assert keys_of(made) == {"name", "kind", "url", "options", "credential", "is_managed"}
    assert client.sources.list() == [made]
    assert client.sources.test("lake")["is_ok"]
    with pytest.raises(ConflictError):
        client.sources.add("lake", folder.as_uri())
    client.sources.remove("lake")
    assert client.sources.list() == []
    with pytest.raises(SourceNotFoundError) as caught:
        client.sources.test("lake")
    assert caught.value.remedy


def test_a_secret_is_never_shown(client):
    made = client.sources.add(
        "vault",
        "s3://bucket/x",
        options={"region": "eu-north-1"},
        credential={"kind": "stored"},
        secret={"AWS_ACCESS_KEY_ID": "AKIA00003F3F", "AWS_SECRET_ACCESS_KEY": "CANARY-hunter2"},
    )
    assert made["options"]["region"] == "eu-north-1"
    assert "CANARY" not in repr(made) + repr(client.sources.list()) + repr(client)
    signed = client.sources.presign("vault", "a b", ttl_s=60)
    assert "CANARY" not in signed["url"]


def test_entries_are_pages_that_are_asked_for_when_needed(client, folder):
    client.sources.add("lake", folder.as_uri())
    entries = list(client.sources.entries("lake"))
    assert [(row["key"], row["is_folder"]) for row in entries] == [
        ("obs/", True),
        ("top+level#.txt", False),
    ]
    assert len(list(client.sources.entries("lake", "obs/"))) == 12
    first = next(islice(client.sources.entries("lake", "obs/"), 1))
    assert first["name"] == "day 00.csv"


def test_a_package_from_draft_to_versions(curated):
    packages = curated.packages
    assert [row["name"] for row in packages.list()] == ["lab/ocean"]
    whole = packages.get("lab/ocean")
    assert whole["metadata"]["title"] == "Ocean"
    assert whole["draft"]["files"] == 13
    attached = packages.attach("lab/ocean", "README.md", b"# Ocean\n")
    assert (attached["path"], attached["size_bytes"]) == ("README.md", 8)
    assert packages.status("lab/ocean")["files"] == 13

    first = packages.publish("lab/ocean")
    again = packages.publish("lab/ocean")
    assert (first["version"], first["is_new"], again["is_new"]) == ("1", True, False)
    assert again["digest"] == first["digest"]
    second = packages.publish("lab/ocean", "v2")
    assert {row["version"] for row in packages.versions("lab/ocean")} == {"v2", "1"}
    assert second["files"] == 13

    folder_rows = list(packages.files("lab/ocean", version="1"))
    assert {row["name"] for row in folder_rows if row["is_folder"]} == {"obs"}
    inside = list(packages.files("lab/ocean", version="1", path="obs"))
    assert len(inside) == 12
    assert inside[0]["source"] == "lake"
    found = list(packages.files("lab/ocean", match="top+level"))
    assert [row["name"] for row in found] == ["top+level#.txt"]

    removed = packages.remove("lab/ocean", ["obs"])
    assert removed["files_removed"] == 12
    packages.delete_draft("lab/ocean")
    assert packages.get("lab/ocean")["draft"] is None
    assert len(packages.versions("lab/ocean")) == 2


def test_the_report_of_adding(curated):
    report = curated.packages.add("lab/ocean", "lake", ["obs/"])
    assert report["files_added"] == 0
    assert report["files_unchanged"] == 12
    assert report["skipped"] == []
    renamed = curated.packages.add(
        "lab/ocean", "lake", ["top+level#.txt"], to="notes", rename="top.txt"
    )
    assert renamed["files_added"] == 1
    only = curated.packages.add("lab/ocean", "lake", ["obs/"], to="few", include=["*day 0*"])
    assert only["files_added"] == 10


def test_progress_is_told_and_cancels(curated):
    seen = []
    curated.packages.add(
        "lab/ocean", "lake", ["obs/"], to="again", progress=lambda *told: seen.append(told)
    )
    assert all(files >= 0 and size >= 0 for files, size in seen)

    class EnoughError(Exception):
        pass

    def enough(_files, _size):
        raise EnoughError

    before = curated.packages.status("lab/ocean")
    with pytest.raises(EnoughError):
        curated.packages.add("lab/ocean", "lake", [""], to="never", progress=enough)
    assert seen
    assert curated.packages.status("lab/ocean")["files"] >= before["files"]


def test_shares_come_and_go(curated):
    curated.packages.publish("lab/ocean")
    made = curated.shares.create(
        "lab/ocean", version="1", password="open sesame", expires_in_s=3600, slug="ocean"
    )
    assert made["share"]["version"] == "1"
    assert made["share"]["has_password"]
    assert made["url"].endswith("/")
    assert "s/ocean-" in made["url"]
    assert "~" in made["capability_url"]
    assert curated.shares.link(made["share"]["id"]) == made["url"]
    assert [row["id"] for row in curated.shares.list()] == [made["share"]["id"]]
    assert made["token"] not in repr(curated.shares.list())
    curated.shares.revoke(made["share"]["id"])
    assert curated.shares.list()[0]["state"] == "revoked"


def test_changes_are_in_the_audit(curated, settings):
    curated.packages.publish("lab/ocean")
    share = curated.shares.create("lab/ocean")["share"]["id"]
    curated.shares.update(share, description="for the reviewers")
    curated.shares.rotate(share)
    curated.shares.link(share)
    curated.shares.revoke(share)
    with Services.open(settings) as services:
        rows = [row for _, row in services.audit.rows(object=share)]
        assert services.audit.rows(object="lake")[0][1].action == "source.add"
    assert [row.action for row in reversed(rows)] == [
        f"share.{what}" for what in ("create", "update", "rotate", "link", "revoke")
    ]
    assert {row.result for row in rows} == {"ok"}


def test_shares_change_and_get_another_link(curated):
    curated.packages.publish("lab/ocean")
    made = curated.shares.create(
        "lab/ocean", starts_in_s=3600, expires_in_s=7200, audience=["signed-in"]
    )
    share = made["share"]
    assert (share["state"], share["audience"], share["paths"]) == (
        "not started",
        ["signed-in"],
        [],
    )
    changed = curated.shares.update(
        share["id"],
        revision=share["revision"],
        password="open sesame",
        starts_in_s=None,
        audience=None,
        description="for the reviewers",
        slug="ocean",
    )
    assert changed["share"]["state"] == "active"
    assert changed["share"]["audience"] == ["anyone"]
    assert changed["share"]["expires_s"] == share["expires_s"]
    assert changed["share"]["description"] == "for the reviewers"
    assert changed["capability_url"]
    assert made["token"] == changed["token"]
    with pytest.raises(RevisionMismatchError):
        curated.shares.update(share["id"], revision=share["revision"], description="late")
    for wrong in ({"paths": ["no/such/folder"]}, {"nothing": 1}, {"expires_in_s": 5}):
        with pytest.raises(BadInputError):
            curated.shares.update(share["id"], **wrong)
    rotated = curated.shares.rotate(share["id"])
    assert rotated["token"] != made["token"]
    assert rotated["capability_url"] != changed["capability_url"]
    assert curated.shares.link(share["id"]) == rotated["url"]
    with pytest.raises(ShareNotFoundError):
        curated.shares.rotate("sh_000")


def test_failures_are_the_same_classes_everywhere(client):
    with pytest.raises(PackageNotFoundError):
        client.packages.get("nothing")
    with pytest.raises(PackageNotFoundError):
        client.packages.publish("nothing")
    with pytest.raises(BadInputError):
        client.packages.create("../up")
    with pytest.raises(ShareNotFoundError):
        client.shares.link("sh_000")
    with pytest.raises(SourceNotFoundError):
        list(client.sources.entries("nothing"))
    client.packages.create("empty")
    with pytest.raises(PathNotFoundError):
        client.packages.remove("empty", ["no/such.txt"])
    with pytest.raises(SourceNotFoundError):
        client.packages.add("empty", "nothing", ["a"])


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "%2e%2e", "a/b/c", "a?b", "a#b", ""])
def test_a_name_is_never_an_address(client, name):
    with pytest.raises((BadInputError, PackageNotFoundError)):
        client.packages.get(name)


def test_a_file_of_keys_is_added_without_listing(curated, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text("key,size,etag\nmade/up.csv,7,aa\nobs/day 00.csv,4,bb\nother.txt,5,\n")
    report = curated.packages.add_keys(
        "lab/ocean", "lake", file, to="listed", exclude=["*.txt", "*.bin"]
    )
    assert (report["files_added"], report["files_filtered"]) == (2, 1)
    rows = {row["path"]: row for row in curated.packages.files("lab/ocean", match="listed/*/*")}
    assert rows["listed/made/up.csv"]["size_bytes"] == 7
    assert rows["listed/made/up.csv"]["etag"] == "aa"
    file.write_text("key,size\nx,\n")
    with pytest.raises(ObjectNotFoundError):
        curated.packages.add_keys("lab/ocean", "lake", file)
    file.write_text("name\nx\n")
    with pytest.raises(BadInputError, match=r"keys\.csv"):
        curated.packages.add_keys("lab/ocean", "lake", file)


def test_a_list_in_a_source_is_added(curated, folder):
    (folder / "keys.jsonl").write_text('{"key": "made/up.csv", "size": 7}\n')
    report = curated.packages.add_stored_keys("lab/ocean", "lake", "lake", "keys.jsonl", to="in")
    assert (report["files_added"], report["bytes_added"]) == (1, 7)
    with pytest.raises(ObjectNotFoundError):
        curated.packages.add_stored_keys("lab/ocean", "lake", "lake", "no.csv")


def test_an_inventory_is_added_from_this_computer(client, tmp_path):
    data = tmp_path / "inv" / "data" / "1.csv"
    data.parent.mkdir(parents=True)
    data.write_text('"bucket","obs/a%2Bb.csv","7"\n"bucket","elsewhere","8"\n')
    manifest = tmp_path / "inv" / "manifest.json"
    value = {"sourceBucket": "bucket", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size"}
    manifest.write_text(json.dumps({**value, "files": [{"key": "b/inv/data/1.csv"}]}))
    client.sources.add(
        "vault",
        "s3://bucket/obs",
        credential={"kind": "stored"},
        secret={"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "nothing is asked"},
    )
    client.packages.create("ocean")
    report = client.packages.add_keys("ocean", "vault", str(manifest))
    assert (report["files_added"], report["bytes_added"]) == (1, 7)
    assert [row["key"] for row in client.packages.files("ocean")] == ["a+b.csv"]
