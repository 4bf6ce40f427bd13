import re

import pytest

from packager_jupyter.errors import BadInputError, ConflictError, PackageNotFoundError
from packager_jupyter.packages.kept import Kept


def test_creating_makes_a_folder(packages):
    draft = packages.create("team/ocean", title="Ocean", keywords=["a"])
    assert draft.folder == packages.root_dir / "packages" / "team" / "ocean"
    assert draft.metadata().title == "Ocean"
    assert (draft.folder / ".packager" / "pointers.sqlite").stat().st_mode & 0o77 == 0
    assert packages.draft("team/ocean").totals() == (0, 0)
    assert packages.has_draft("team/ocean")
    assert not packages.has_draft("team")


@pytest.mark.parametrize("name", ["", "..", "../x", "A", "a/b/c", "a b", "x" * 200, "a/../b"])
def test_names_that_are_none(packages, name):
    for use in (packages.create, packages.draft, packages.versions, packages.delete_draft):
        with pytest.raises(BadInputError):
            use(name)
    assert not packages.has_draft(name)
    assert not packages.folder.exists()


def test_bad_metadata_makes_nothing(packages):
    with pytest.raises(BadInputError):
        packages.create("ocean", title="x" * 1000)
    assert not packages.folder.exists()


def test_a_name_is_taken_once(packages):
    packages.create("ocean", title="First")
    with pytest.raises(ConflictError, match="already"):
        packages.create("ocean", title="Second")
    assert packages.draft("ocean").metadata().title == "First"


def test_packages_do_not_lie_in_each_other(packages):
    packages.create("ocean")
    with pytest.raises(ConflictError, match="namespace"):
        packages.create("ocean/inner")
    packages.create("team/one")
    with pytest.raises(ConflictError, match="namespace"):
        packages.create("team")
    assert [info.name for info in packages.names()] == ["ocean", "team/one"]


def test_a_folder_of_files_becomes_a_draft(packages):
    folder = packages.folder / "ocean"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    with pytest.raises(PackageNotFoundError):
        packages.draft("ocean")
    assert packages.create("ocean").readme() == "mine"


def test_a_link_is_no_draft(packages, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "package.yaml").write_text("title: secret")
    packages.folder.mkdir(parents=True)
    (packages.folder / "ocean").symlink_to(elsewhere)
    assert packages.names() == []
    with pytest.raises(PackageNotFoundError):
        packages.draft("ocean")
    with pytest.raises(ConflictError, match="link"):
        packages.create("ocean")
    draft = packages.create("river")
    (draft.folder / ".packager").rename(elsewhere / "state")
    (draft.folder / ".packager").symlink_to(elsewhere / "state")
    with pytest.raises(ConflictError, match="link"):
        packages.draft("river")


def test_the_list_joins_drafts_and_versions(packages, source):
    source.put("data/a", size=5)
    one = packages.create("one", title="One")
    one.add("demo", ["data/"])
    one.publish(now_s=7)
    one.set_metadata(title="One again")
    two = packages.create("two", title="Two")
    two.add("demo", ["data/"])
    gone = packages.create("gone", title="Gone")
    gone.attach(b"x", "README.md")
    gone.publish("v1", now_s=8)
    packages.delete_draft("gone")
    rows = {info.name: info for info in packages.names()}
    assert list(rows) == ["gone", "one", "two"]
    assert rows["gone"].draft is None
    assert (rows["gone"].latest.version, rows["gone"].title) == ("v1", "Gone")
    assert (rows["one"].title, rows["one"].versions) == ("One again", 1)
    assert rows["one"].draft.is_changed
    assert rows["one"].draft.base_version == "1"
    assert (rows["one"].latest.files, rows["one"].latest.created_s) == (1, 7)
    assert rows["two"].latest is None
    assert (rows["two"].draft.files, rows["two"].draft.bytes) == (1, 5)
    assert packages.info("one") == rows["one"]
    assert rows["one"].to_json()["latest"]["title"] == "One"
    with pytest.raises(PackageNotFoundError):
        packages.info("nothing")


def test_one_damaged_draft_does_not_hide_the_others(packages):
    packages.create("fine")
    broken = packages.create("broken")
    worse = packages.create("worse")
    packages.close()
    (broken.folder / ".packager" / "pointers.sqlite").write_bytes(b"x" * 5000)
    (worse.folder / "package.yaml").write_text("title: [")
    rows = {info.name: info for info in packages.names()}
    assert rows["fine"].draft.problem is None
    assert "damaged" in rows["broken"].draft.problem
    assert "cannot be read" in rows["worse"].draft.problem


def test_deleting_a_draft_keeps_its_versions(packages):
    draft = packages.create("team/ocean")
    draft.attach(b"x", "README.md")
    draft.publish(now_s=1)
    draft.attach(b"x", "notes/deep.md")
    packages.delete_draft("team/ocean")
    assert list(packages.folder.iterdir()) == []
    with pytest.raises(PackageNotFoundError, match=re.escape("packager new team/ocean")):
        packages.draft("team/ocean")
    with pytest.raises(PackageNotFoundError):
        draft.metadata()
    assert packages.version("team/ocean").readme() == "x"
    assert [info.version for info in packages.versions("team/ocean")] == ["1"]
    with pytest.raises(PackageNotFoundError):
        packages.delete_draft("team/ocean")


def test_a_draft_made_anew_starts_empty(packages, source):
    source.put("a")
    packages.create("ocean").add("demo", ["a"])
    packages.delete_draft("ocean")
    draft = packages.create("ocean")
    assert draft.totals() == (0, 0)


def test_versions_of_a_draft_that_was_never_published(packages):
    packages.create("ocean")
    assert packages.versions("ocean") == []
    with pytest.raises(PackageNotFoundError):
        packages.versions("nothing")


def test_tags_of_others_are_no_versions(packages):
    from packager_jupyter.oci.base import MEDIA_TYPE_MANIFEST
    from packager_jupyter.oci.manifest import EMPTY_BYTES, image_manifest

    draft = packages.create("ocean")
    draft.attach(b"x", "README.md")
    draft.publish(now_s=1)
    oci = packages._oci
    oci.push_blob("packages/ocean", EMPTY_BYTES)
    body = image_manifest(artifact_type="application/vnd.example.signature")
    for tag in ("sha256-abc.sig", "7", "_events"):
        oci.push_manifest("packages/ocean", body, media_type=MEDIA_TYPE_MANIFEST, tag=tag)
    assert [info.version for info in packages.versions("ocean")] == ["1"]


def test_a_store_without_notes_is_asked_for_the_artifacts(packages, monkeypatch):
    draft = packages.create("ocean", title="Ocean")
    draft.attach(b"x", "README.md")
    draft.publish(now_s=1)
    draft.set_metadata(title="Second")
    draft.publish("10", now_s=2)
    original = packages._oci.tags

    def bare(repo):
        from dataclasses import replace

        return [
            replace(one, descriptor=replace(one.descriptor, annotations={}, artifact_type=None))
            for one in original(repo)
        ]

    monkeypatch.setattr(packages._oci, "tags", bare)
    found = packages.versions("ocean")
    assert [(info.version, info.title, info.created_s) for info in found] == [
        ("10", "Second", None),
        ("1", "Ocean", None),
    ]


def test_what_was_used_longest_ago_is_closed():
    closed = []
    kept = Kept(2, closed.append)
    for key in "aba":
        kept.get(key, lambda key=key: key)
    kept.get("c", lambda: "c")
    assert closed == ["b"]
    kept.drop("a")
    kept.drop("nothing")
    kept.clear()
    assert closed == ["b", "a", "c"]
