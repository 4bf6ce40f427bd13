import gzip
import hashlib
import json
import subprocess
import sys
import threading
import zlib

import pytest

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    PackageNotFoundError,
    VersionExistsError,
)
from packager_jupyter.oci.base import ANNOTATION_CREATED, MEDIA_TYPE_MANIFEST
from packager_jupyter.oci.manifest import parse_manifest
from packager_jupyter.packages.artifact import (
    ARTIFACT_TYPE,
    CONFIG_TYPE,
    POINTERS_TYPE,
    gzip_blocks,
)
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.publish import next_version

REPO = "packages/ocean"
KNOWN = "dd21264e0c765a0c8f5fe733ea38aec9e181777dc37e6b8d3bba4c727c2114c8"


@pytest.fixture
def filled(draft, source):
    source.put("data/b.csv", "data/a.csv", "data/sub/c.csv", "z.txt", size=3)
    draft.add("demo", ["data/", "z.txt"])
    draft.attach(b"# Ocean", "README.md")
    draft.attach(b"{}", "notebooks/one.ipynb")
    draft.set_metadata(title="Ocean", license="CC-BY-4.0", authors=["A"], keywords=["k"])
    return draft


def test_the_artifact_is_as_documented(filled, packages):
    done = filled.publish(now_s=1_754_042_400)
    assert (done.version, done.is_new, done.files, done.bytes) == ("1", True, 4, 12)
    manifest = packages._oci.get_manifest(REPO, "1")
    assert manifest.descriptor.digest == done.digest
    content = parse_manifest(manifest.body)
    assert content.artifact_type == ARTIFACT_TYPE
    assert content.config.media_type == CONFIG_TYPE
    config = json.loads(b"".join(packages._oci.read_blob(REPO, content.config.digest)))
    pointers, readme, notebook = content.layers
    assert pointers.media_type == POINTERS_TYPE
    packed = b"".join(packages._oci.read_blob(REPO, pointers.digest))
    lines = gzip.decompress(packed)
    assert packed[4:8] == b"\0\0\0\0"
    expected = b"".join(pointer.to_line() for pointer in filled.iter_pointers())
    assert lines == expected
    assert [Pointer.from_line(line).path for line in lines.splitlines()] == [
        "data/a.csv",
        "data/b.csv",
        "data/sub/c.csv",
        "z.txt",
    ]
    assert config == {
        "name": "ocean",
        "version": "1",
        "title": "Ocean",
        "license": "CC-BY-4.0",
        "authors": ["A"],
        "keywords": ["k"],
        "totals": {"files": 4, "bytes": 12},
        "fingerprint": f"sha256:{hashlib.sha256(lines).hexdigest()}",
        "sources": [{"name": "demo", "address": "s3://bucket/raw/"}],
    }
    titles = [layer.annotations["org.opencontainers.image.title"] for layer in (readme, notebook)]
    assert titles == ["README.md", "notebooks/one.ipynb"]
    assert readme.media_type == "text/markdown"
    assert b"".join(packages._oci.read_blob(REPO, readme.digest)) == b"# Ocean"
    latest = packages._oci.resolve(REPO, "latest")
    assert latest.digest == done.digest
    assert latest.annotations[ANNOTATION_CREATED] == "2025-08-01T10:00:00Z"


def test_the_digest_depends_on_content_alone(filled, source, make_packages):
    other = make_packages("other-root", data="other-data").create("ocean")
    other.set_metadata(keywords=["k"], authors=["A"], license="CC-BY-4.0", title="Ocean")
    other.attach(b"{}", "notebooks/one.ipynb")
    other.attach(b"# Ocean", "README.md")
    for key in ("z.txt", "data/a.csv", "data/sub/c.csv", "data/b.csv"):
        other.add("demo", [key], rename=key)
    other.add("demo", ["data/"], to="tmp")
    other.remove(["tmp"])
    one, two = filled.publish(now_s=1), other.publish(now_s=2_000_000_000)
    assert one.digest == two.digest
    assert one.version == two.version == "1"


def test_publishing_again_changes_nothing(filled, packages):
    first = filled.publish(now_s=10)
    for version in (None, "1"):
        again = filled.publish(version, now_s=99)
        assert (again.digest, again.is_new, again.version) == (first.digest, False, "1")
    assert [info.created_s for info in packages.versions("ocean")] == [10]


def test_what_was_changed_gets_the_next_number(filled, source, packages):
    assert filled.publish(now_s=1).version == "1"
    filled.attach(b"# More", "README.md")
    assert filled.publish(now_s=2).version == "2"
    filled.remove(["z.txt"])
    assert filled.publish("2024.1", now_s=3).version == "2024.1"
    filled.set_metadata(title="Other")
    assert filled.publish(now_s=4).version == "3"
    versions = packages.versions("ocean")
    assert [info.version for info in versions] == ["3", "2024.1", "2", "1"]
    assert [info.files for info in versions] == [3, 3, 4, 4]
    assert versions[0].title == "Other"
    assert packages.version("ocean").version == "3"


def test_a_version_never_changes(filled, packages):
    first = filled.publish("1.0", now_s=1)
    filled.set_metadata(title="Other")
    with pytest.raises(VersionExistsError, match=r"ocean@1\.0"):
        filled.publish("1.0", now_s=2)
    assert packages.version("ocean", "1.0").digest == first.digest
    assert packages.version("ocean").digest == first.digest
    assert filled.status().is_changed
    filled.set_metadata(title="Ocean")
    assert filled.publish("1.0", now_s=3).digest == first.digest


def test_an_old_version_published_again_does_not_become_latest(filled, packages):
    filled.publish(now_s=1)
    filled.set_metadata(title="Second")
    second = filled.publish(now_s=2)
    filled.set_metadata(title="Ocean")
    assert not filled.publish("1", now_s=3).is_new
    assert packages.version("ocean").digest == second.digest
    assert filled.publish(now_s=4).version == "3"


def test_clocks_that_differ_keep_the_order(filled, packages):
    filled.publish(now_s=2_000)
    filled.set_metadata(title="Second")
    filled.publish(now_s=1_000)
    assert [info.version for info in packages.versions("ocean")] == ["2", "1"]
    assert packages.version("ocean").version == "2"
    assert not filled.publish(now_s=500).is_new


def test_a_draft_that_was_lost_goes_on_from_what_is_published(filled, source, packages):
    first = filled.publish(now_s=1)
    packages.delete_draft("ocean")
    draft = packages.create("ocean", title="Ocean", license="CC-BY-4.0")
    draft.set_metadata(authors=["A"], keywords=["k"])
    draft.attach(b"# Ocean", "README.md")
    draft.attach(b"{}", "notebooks/one.ipynb")
    draft.add("demo", ["data/", "z.txt"])
    done = draft.publish(now_s=2)
    assert (done.version, done.is_new, done.digest) == ("1", False, first.digest)
    assert draft.status().base_version == "1"


@pytest.mark.parametrize("version", ["latest", "_x", "a b", "", "x" * 129])
def test_versions_that_are_none(filled, version):
    with pytest.raises(BadInputError):
        filled.publish(version, now_s=1)


def test_an_empty_draft_is_not_published(draft):
    with pytest.raises(BadInputError, match="empty"):
        draft.publish(now_s=1)
    draft.attach(b"x", "README.md")
    done = draft.publish(now_s=1)
    assert (done.files, done.bytes) == (0, 0)


def test_an_attachment_that_covers_a_pointer_is_refused(filled, packages):
    (filled.folder / "data").mkdir()
    (filled.folder / "data" / "a.csv").write_text("mine")
    with pytest.raises(ConflictError, match=r"data/a\.csv"):
        filled.publish(now_s=1)
    with pytest.raises(PackageNotFoundError, match="never published"):
        packages.version("ocean")


def test_pointers_that_did_not_change_are_not_read_again(filled, monkeypatch):
    filled.publish(now_s=1)
    monkeypatch.setattr("packager_jupyter.packages.publish.PointerList", None)
    filled.attach(b"# New", "README.md")
    assert filled.publish(now_s=2).version == "2"


def test_a_list_that_left_the_store_is_made_again(filled, packages, monkeypatch):
    filled.publish(now_s=1)
    layer = parse_manifest(packages._oci.get_manifest(REPO, "1").body).layers[0]
    packages._oci.blobs(REPO).path(layer.digest).unlink()
    filled.set_metadata(title="New")
    filled.publish(now_s=2)
    assert len(list(packages.version("ocean", "2").iter_pointers())) == 4


def test_versions_of_another_zlib_are_still_the_same(filled, packages, monkeypatch):
    filled.publish(now_s=1)

    def other_blocks(pieces):
        yield gzip.compress(b"".join(pieces), 1, mtime=0)

    monkeypatch.setattr("packager_jupyter.packages.artifact.gzip_blocks", other_blocks)
    filled._index.set_meta({"list": None})
    again = filled.publish("1", now_s=2)
    assert not again.is_new
    assert packages.version("ocean").digest == again.digest


def test_compression_does_not_depend_on_how_the_list_was_cut():
    data = b"".join(f"{number * 7919 % 1000},{number}\n".encode() for number in range(100_000))
    whole = b"".join(gzip_blocks([data]))
    for step in (1_000, 65_536, 262_144, 300_001):
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        assert b"".join(gzip_blocks(pieces)) == whole
    assert gzip.decompress(whole) == data
    assert gzip.decompress(b"".join(gzip_blocks([]))) == b""


def test_the_compressed_bytes_are_those_that_were_always_written():
    # The classic zlib; another implementation may differ, then only the fingerprint decides.
    data = b"".join(b'{"path":"data/%05d.csv","size":%d}\n' % (n, n * n) for n in range(20_000))
    found = hashlib.sha256(b"".join(gzip_blocks([data]))).hexdigest()
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
        assert found == KNOWN


def test_default_versions():
    assert next_version([]) == "1"
    assert next_version(["1", "3", "latest", "2024.1", "007", "x"]) == "4"


def test_of_two_that_publish_one_version_one_wins(filled, source, make_packages):
    other = make_packages("elsewhere").create("ocean", title="Another")
    other.add("demo", ["data/"])
    outcomes = []
    start = threading.Barrier(2)

    def publish(draft):
        start.wait()
        try:
            outcomes.append(draft.publish("1", now_s=1).is_new)
        except VersionExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=publish, args=(one,)) for one in (filled, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["True", "exists"]


def test_many_that_publish_the_next_version_all_get_one(source, make_packages):
    source.put("data/a")
    drafts = [make_packages(f"root{number}").create("ocean") for number in range(6)]
    for number, draft in enumerate(drafts):
        draft.add("demo", ["data/"], to=f"of-{number}")
    done = []

    def publish(draft):
        done.append(draft.publish(now_s=1))

    threads = [threading.Thread(target=publish, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.version for one in done) == ["1", "2", "3", "4", "5", "6"]
    assert len({one.digest for one in done}) == 6


def test_edits_during_publishing_go_into_the_next_version(filled, source, packages, monkeypatch):
    from packager_jupyter.packages import artifact

    original = artifact.sorted_rows
    source.put("late")

    def rows(connection):
        for number, chunk in enumerate(original(connection)):
            if number == 0:
                filled.add("demo", ["late"])
            yield chunk

    monkeypatch.setattr(artifact, "sorted_rows", rows)
    done = filled.publish(now_s=1)
    assert done.files == 4
    assert filled.totals().files == 5
    monkeypatch.undo()
    status = filled.status()
    assert (status.is_changed, status.added) == (True, 1)


def test_another_process_gives_the_same_digest(filled, tmp_path):
    digest = filled.publish(now_s=1).digest
    packed = b"".join(gzip_blocks(pointer.to_line() for pointer in filled.iter_pointers()))
    lines = tmp_path / "lines"
    lines.write_bytes(b"".join(pointer.to_line() for pointer in filled.iter_pointers()))
    code = (
        "import sys, hashlib\n"
        "from packager_jupyter.packages.artifact import gzip_blocks\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "print(hashlib.sha256(b''.join(gzip_blocks([data]))).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(packed).hexdigest()
    assert digest.startswith("sha256:")


def test_latest_is_mended_when_publishing_was_cut_off_before_it(filled, packages):
    filled.publish(now_s=1)
    filled.set_metadata(title="Second")
    second = filled.publish(now_s=2)
    oci = packages._oci
    first = oci.get_manifest(REPO, "1")
    oci.push_manifest(
        REPO, first.body, media_type=MEDIA_TYPE_MANIFEST, tag="latest", overwrite=True
    )
    again = filled.publish(now_s=3)
    assert (again.version, again.is_new) == ("2", False)
    assert oci.resolve(REPO, "latest").digest == second.digest
