import os
import socket
import threading

import pytest

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    DiskFullError,
    ForbiddenError,
    PackageNotFoundError,
    PathNotFoundError,
    TooLargeError,
)
from packager_jupyter.packages.attachments import MAX_ATTACHMENTS
from packager_jupyter.packages.base import Contents

MAX_ATTACHMENT_BYTES = 64 * 1024


def test_a_draft_is_an_ordinary_folder(packages, draft):
    assert draft.folder == packages.root_dir / "packages" / "ocean"
    assert isinstance(draft, Contents)
    (draft.folder / "README.md").write_text("# Hello")
    (draft.folder / "notebooks").mkdir()
    (draft.folder / "notebooks" / "one.ipynb").write_text("{}")
    found = draft.attachments()
    assert [(one.path, one.size_bytes, one.media_type) for one in found] == [
        ("README.md", 7, "text/markdown"),
        ("notebooks/one.ipynb", 2, "application/x-ipynb+json"),
    ]
    assert found[0].modified_s > 1_700_000_000
    assert draft.readme() == "# Hello"
    assert draft.read_attachment("notebooks/one.ipynb") == b"{}"


def test_attaching_writes_the_file(draft):
    shown = draft.attach(b"x,y\n", "tables/a.csv")
    assert (shown.path, shown.size_bytes, shown.media_type) == ("tables/a.csv", 4, "text/csv")
    assert (draft.folder / "tables" / "a.csv").read_bytes() == b"x,y\n"
    draft.attach(b"x\n", "tables/a.csv")
    assert draft.read_attachment("tables/a.csv") == b"x\n"
    assert draft.readme() is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../outside", BadInputError),
        ("/etc/passwd", BadInputError),
        ("a\nb", BadInputError),
        ("", BadInputError),
        ("package.yaml", BadInputError),
        (".packager/pointers.sqlite", BadInputError),
        (".hidden", BadInputError),
        ("a/.git/config", BadInputError),
        ("folder", ConflictError),
        ("file/below", ConflictError),
        ("data/x", ConflictError),
        ("data", ConflictError),
        ("data/x/below", ConflictError),
    ],
)
def test_attachments_that_are_refused(draft, source, path, error):
    source.put("data/x")
    draft.add("demo", ["data/"])
    draft.attach(b"1", "file")
    draft.attach(b"1", "folder/file")
    before = sorted(draft.folder.parent.parent.rglob("*"))
    with pytest.raises(error):
        draft.attach(b"2", path)
    assert sorted(draft.folder.parent.parent.rglob("*")) == before
    assert [one.path for one in draft.attachments()] == ["file", "folder/file"]


def test_large_attachments_are_refused(draft):
    draft.attach(b"x" * MAX_ATTACHMENT_BYTES, "fits")
    with pytest.raises(TooLargeError, match="'large'"):
        draft.attach(b"x" * (MAX_ATTACHMENT_BYTES + 1), "large")
    (draft.folder / "large").write_bytes(b"x" * (MAX_ATTACHMENT_BYTES + 1))
    with pytest.raises(TooLargeError, match="'large'"):
        draft.read_attachment("large")
    with pytest.raises(TooLargeError, match="'large'"):
        draft.publish(now_s=1)


def test_a_folder_full_of_files_is_refused(draft):
    for number in range(MAX_ATTACHMENTS + 1):
        (draft.folder / f"f{number}").touch()
    with pytest.raises(TooLargeError, match="2,000 files"):
        draft.attachments()


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.mkdir()
    (path / "passwd").write_text("root:secret")
    return path


def test_links_lead_nowhere(draft, secret):
    draft.attach(b"fine", "fine.txt")
    (draft.folder / "link").symlink_to(secret / "passwd")
    (draft.folder / "dir").symlink_to(secret)
    (draft.folder / "dangling").symlink_to(secret / "nothing")
    (draft.folder / "loop").symlink_to("loop")
    (draft.folder / "inner").mkdir()
    (draft.folder / "inner" / "link").symlink_to("../fine.txt")
    assert [one.path for one in draft.attachments()] == ["fine.txt"]
    for path in ("link", "dir/passwd", "dangling", "loop", "inner/link"):
        with pytest.raises((ForbiddenError, PathNotFoundError), match=path.split("/")[0]):
            draft.read_attachment(path)
    for path in ("link", "dir/passwd", "dir/new"):
        with pytest.raises((ForbiddenError, ConflictError)):
            draft.attach(b"overwritten", path)
    assert (secret / "passwd").read_text() == "root:secret"
    assert [one.name for one in secret.iterdir()] == ["passwd"]
    with pytest.raises(PathNotFoundError):
        draft.remove(["dir/passwd"])
    assert (secret / "passwd").exists()


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "socket", "bad name"])
def test_publishing_refuses_by_name_what_is_no_ordinary_file(draft, secret, kind):
    draft.attach(b"fine", "fine.txt")
    odd = draft.folder / ("odd\nname" if kind == "bad name" else "odd")
    if kind == "link":
        odd.symlink_to(secret / "passwd")
    elif kind == "folder link":
        odd.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(odd)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(odd))
    else:
        odd.touch()
    with pytest.raises(BadInputError, match="odd"):
        draft.publish(now_s=1)
    if kind != "bad name":
        with pytest.raises((ForbiddenError, OSError)):
            draft.read_attachment("odd")


def test_hidden_files_are_left_out(draft):
    for name in (".env", ".git/config", ".ipynb_checkpoints/a.ipynb", "notes/.secret"):
        path = draft.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("hidden")
    draft.attach(b"x", "notes/seen.txt")
    assert [one.path for one in draft.attachments()] == ["notes/seen.txt"]
    with pytest.raises(PathNotFoundError):
        draft.read_attachment(".env")
    with pytest.raises(PathNotFoundError):
        draft.read_attachment("package.yaml")


def test_a_package_yaml_that_is_a_link_is_not_followed(draft, secret):
    (draft.folder / "package.yaml").unlink()
    (draft.folder / "package.yaml").symlink_to(secret / "passwd")
    with pytest.raises((ForbiddenError, PackageNotFoundError)):
        draft.metadata()


def test_metadata_is_kept_in_a_file_that_people_edit(draft):
    draft.set_metadata(title="Öcean", authors=["Jane Doe <jane@example.org>"], keywords=["CTD"])
    text = (draft.folder / "package.yaml").read_text()
    assert "Öcean" in text
    (draft.folder / "package.yaml").write_text(text + "license: CC-BY-4.0\nfunding: none\n")
    assert draft.metadata().license == "CC-BY-4.0"
    draft.set_metadata(title=None, description="Two\nlines")
    metadata = draft.metadata()
    assert (metadata.title, metadata.description) == ("", "Two\nlines")
    assert metadata.authors == ("Jane Doe <jane@example.org>",)
    assert "funding: none" in (draft.folder / "package.yaml").read_text()


def test_removing_takes_pointers_and_attachments(draft, source):
    source.put("data/a", "data/b", "data/sub/c", size=2)
    draft.add("demo", ["data/"])
    draft.attach(b"four", "docs/one.md")
    draft.attach(b"four", "docs/two.md")
    report = draft.remove(["data/a", "docs/one.md"])
    assert (report.files_removed, report.bytes_removed) == (2, 6)
    report = draft.remove(["data/", "docs", "data/sub"])
    assert (report.files_removed, report.bytes_removed) == (3, 8)
    assert draft.attachments() == []
    assert draft.totals() == (0, 0)
    assert not (draft.folder / "docs").exists()


def test_removing_is_all_or_nothing(draft, source):
    source.put("data/a")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "README.md")
    for paths in (["README.md", "data/a", "nothing"], ["data/a", "docs/nothing"], [""], []):
        with pytest.raises((PathNotFoundError, BadInputError)):
            draft.remove(paths)
    assert draft.totals().files == 1
    assert draft.readme() == "x"


def test_moving_pointers_attachments_and_both(draft, source):
    source.put("data/a", "data/b")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "data/notes.md")
    draft.attach(b"y", "README.md")
    draft.move("data", "renamed")
    assert draft.totals("renamed").files == 2
    assert [one.path for one in draft.attachments()] == ["README.md", "renamed/notes.md"]
    draft.move("README.md", "docs/")
    assert draft.read_attachment("docs/README.md") == b"y"
    draft.move("renamed/a", "c")
    assert draft.get("c").key == "data/a"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("README.md", "data/a", ConflictError),
        ("README.md", "data", ConflictError),
        ("data/a", "README.md", ConflictError),
        ("data", "docs", ConflictError),
        ("docs", "docs/deeper", BadInputError),
        ("nothing", "x", PathNotFoundError),
        ("data/a", "../x", BadInputError),
        ("data/a", "data/b", ConflictError),
    ],
)
def test_moves_that_are_refused_change_nothing(draft, source, old, new, error):
    source.put("data/a", "data/b")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "README.md")
    draft.attach(b"x", "docs/notes.md")
    with pytest.raises(error):
        draft.move(old, new)
    assert [one.path for one in draft.attachments()] == ["README.md", "docs/notes.md"]
    assert [one.path for one in draft.iter_pointers()] == ["data/a", "data/b"]


def test_status_tells_what_changed_since_publishing(draft, source):
    source.put("data/a", "data/b", "data/c")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "README.md")
    status = draft.status()
    assert (status.files, status.bytes, status.attachments) == (3, 3, 1)
    assert status.is_changed
    assert status.base_version is None
    assert status.added is None
    done = draft.publish(now_s=1)
    assert status.digest == done.digest
    status = draft.status()
    assert (status.is_changed, status.digest, status.base_version) == (False, done.digest, "1")
    assert (status.added, status.removed, status.changed) == (0, 0, 0)
    source.put("data/b", etag="cc" * 16)
    source.put("data/d")
    draft.add("demo", ["data/"])
    draft.remove(["data/a"])
    status = draft.status()
    assert (status.added, status.removed, status.changed) == (1, 1, 1)
    assert status.is_changed
    assert status.digest == draft.publish(now_s=9).digest


def test_what_is_changed_back_is_not_changed(draft, source):
    source.put("data/a", "data/b")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "README.md")
    draft.publish(now_s=1)
    draft.remove(["data/a"])
    assert draft.status().is_changed
    draft.add("demo", ["data/a"], to="data")
    assert not draft.status().is_changed
    assert not draft.state().is_changed
    draft.attach(b"y", "README.md")
    assert draft.status().is_changed
    draft.attach(b"x", "README.md")
    assert not draft.status().is_changed
    draft.set_metadata(title="New")
    status = draft.status()
    assert status.is_changed
    assert (status.added, status.removed, status.changed) == (0, 0, 0)


def test_large_drafts_are_not_counted(draft, source, monkeypatch):
    source.put("data/a", "data/b")
    draft.add("demo", ["data/"])
    draft.publish(now_s=1)
    monkeypatch.setattr("packager_jupyter.packages.status.COUNTED_FILES", 1)
    assert draft.status().added == 0
    draft.remove(["data/a"])
    monkeypatch.setattr("packager_jupyter.packages.status.COUNTED_FILES", 0)
    status = draft.status()
    assert (status.added, status.digest, status.is_changed) == (None, None, True)


def test_two_threads_editing_lose_nothing(draft, source):
    source.put(*(f"n/{number:03}" for number in range(40)))
    failures = []

    def add(keys):
        try:
            for key in keys:
                draft.add("demo", [key])
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    keys = sorted(source.entries)
    threads = [threading.Thread(target=add, args=(keys[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert draft.totals().files == 40


def test_a_move_below_an_attachment_is_refused(draft, source):
    source.put("data/a")
    draft.add("demo", ["data/"])
    draft.attach(b"x", "README.md")
    with pytest.raises(ConflictError, match=r"README\.md"):
        draft.move("data", "README.md/data")
    assert draft.get("data/a").key == "data/a"


def test_a_move_that_cannot_be_written_is_undone(draft, source, monkeypatch):
    draft.attach(b"1", "docs/a")
    draft.attach(b"2", "docs/b")
    source.put("docs2/p")
    draft.add("demo", ["docs2/"], rename="docs/p")
    write = draft._files.write

    def fail(path, data):
        if path.endswith("b"):
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(draft._files, "write", fail)
    with pytest.raises(DiskFullError):
        draft.move("docs", "moved")
    assert [one.path for one in draft.attachments()] == ["docs/a", "docs/b"]
    assert draft.get("docs/p/p").key == "docs2/p"


def test_metadata_keeps_the_permissions_of_its_file(draft):
    (draft.folder / "package.yaml").chmod(0o600)
    draft.set_metadata(title="x")
    assert (draft.folder / "package.yaml").stat().st_mode & 0o777 == 0o600
