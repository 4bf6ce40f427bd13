"""Deleted versions: gone for readers, and their names are never given again."""

import pytest

from packager_jupyter.errors import BadInputError, PackageNotFoundError, VersionExistsError


@pytest.fixture
def three(packages, draft, source):
    """Versions 1, 2 and 3, each with a file more."""
    digests = {}
    for number in "123":
        source.put(f"f{number}")
        draft.add("demo", [f"f{number}"])
        digests[number] = draft.publish(now_s=int(number) * 100).digest
    return digests


def names(packages):
    return [info.version for info in packages.versions("ocean")]


def test_a_deleted_version_is_gone_by_name_and_digest(packages, three):
    packages.delete_version("ocean", "2", now_s=900)
    assert names(packages) == ["3", "1"]
    assert packages.version("ocean").version == "3"
    for ref in ("2", three["2"]):
        with pytest.raises(PackageNotFoundError):
            packages.version("ocean", ref)
    assert [p.path for p in packages.version("ocean", "1").iter_pointers()] == ["f1"]
    (deleted,) = packages.deleted_versions("ocean")
    assert (deleted.version, deleted.digest, deleted.deleted_s) == ("2", three["2"], 900)


def test_latest_moves_to_the_newest_that_is_left(packages, three):
    packages.delete_version("ocean", "3", now_s=900)
    assert packages.version("ocean").version == "2"
    packages.delete_version("ocean", "1", now_s=901)
    assert packages.version("ocean").version == "2"
    packages.delete_version("ocean", "2", now_s=902)
    with pytest.raises(PackageNotFoundError):
        packages.version("ocean")
    assert names(packages) == []
    assert packages.info("ocean").latest is None
    assert [one.version for one in packages.deleted_versions("ocean")] == ["2", "1", "3"]


def test_its_name_is_never_given_again(packages, draft, source, three):
    packages.delete_version("ocean", "3", now_s=900)
    with pytest.raises(VersionExistsError, match="was deleted"):
        draft.publish("3", now_s=1000)
    source.put("f4")
    draft.add("demo", ["f4"])
    with pytest.raises(VersionExistsError, match="was deleted"):
        draft.publish("3", now_s=1000)
    assert draft.publish(now_s=1001).version == "4"
    assert packages.version("ocean").version == "4"
    assert draft.status().base_version == "4"


def test_deleting_again_and_what_is_not_there(packages, three):
    packages.delete_version("ocean", "2", now_s=900)
    packages.delete_version("ocean", "2", now_s=999)
    (deleted,) = packages.deleted_versions("ocean")
    assert deleted.deleted_s == 900
    with pytest.raises(PackageNotFoundError):
        packages.delete_version("ocean", "9", now_s=1)
    with pytest.raises(BadInputError):
        packages.delete_version("ocean", "latest", now_s=1)
    assert names(packages) == ["3", "1"]


@pytest.mark.parametrize("call", ["tags", "delete_manifest"])
def test_an_interrupted_deletion_is_completed(packages, three, monkeypatch, call):
    class KilledError(Exception):
        pass

    def die(*args, **more):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(packages._oci, call, die)
        with pytest.raises(KilledError):
            packages.delete_version("ocean", "3", now_s=900)
    assert names(packages) == ["2", "1"]
    packages.delete_version("ocean", "3", now_s=950)
    assert packages.version("ocean").version == "2"
    with pytest.raises(PackageNotFoundError):
        packages.version("ocean", three["3"])
