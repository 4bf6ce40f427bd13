"""Curating, looking and publishing: what a person types, and what is then in the package."""

import pytest

from cli.runner import Cli

FILES = {
    "obs/a.csv": 10,
    "obs/b.csv": 20,
    "obs/deep/c.txt": 30,
    "obs/deep/d.csv": 40,
    "top.json": 5,
    "other.json": 6,
}


@pytest.fixture
def lake(cli, tmp_path):
    """A command line with a folder as its source, and an empty draft."""
    storage = tmp_path / "storage"
    for path, size in FILES.items():
        file = storage / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    cli.ok("source", "add", "lake", storage.as_uri())
    cli.ok("new", "p")
    cli.storage = storage
    return cli


def paths(cli, ref="p", *options):
    items = cli.ok("show", ref, "--recursive", "--json", *options).json["items"]
    return [item["path"] for item in items]


@pytest.mark.parametrize(
    ("keys", "to", "expected"),
    [
        (["lake:top.json"], None, ["top.json"]),
        (["lake:top.json"], "about/", ["about/top.json"]),
        (["lake:top.json"], "about/the summary.json", ["about/the summary.json"]),
        (["lake:top.json", "lake:other.json"], "about", ["about/other.json", "about/top.json"]),
        (["lake:obs/deep/"], None, ["deep/c.txt", "deep/d.csv"]),
        (["lake:obs/deep/"], "x/", ["x/deep/c.txt", "x/deep/d.csv"]),
        (["lake:obs/deep/"], "x/y", ["x/y/c.txt", "x/y/d.csv"]),
        (["lake:obs/deep/"], ".", ["c.txt", "d.csv"]),
        (["lake:"], None, sorted(FILES)),
        (["lake:"], "all/", [f"all/{path}" for path in sorted(FILES)]),
    ],
)
def test_where_things_go(lake, keys, to, expected):
    options = ("--to", to) if to else ()
    lake.ok("add", "p", *keys, *options)
    assert sorted(paths(lake)) == sorted(expected)
    before = lake.state()
    lake.ok("add", "p", *keys, *options)  # the same words mean the same place
    assert lake.state() == before


def test_patterns_choose_among_what_is_below(lake):
    lake.ok("add", "p", "lake:obs/", "--include", "*.csv", "--exclude", "b*")
    assert sorted(paths(lake)) == ["obs/a.csv", "obs/deep/d.csv"]
    said = lake.ok("add", "p", "lake:obs/", "--include", "*.csv", "--exclude", "b*")
    assert "2 there already, 2 left out by the patterns" in said.out


def test_two_sources_at_once_are_wrong_usage(lake):
    done = lake.fails("add", "p", "lake:top.json", "pond:x", code=2)
    assert "one source at a time" in done.err


def test_moving_and_removing(lake):
    lake.ok("add", "p", "lake:")
    lake.ok("mv", "p", "obs/deep", "shallow")
    lake.ok("mv", "p", "top.json", "about/top.json")
    removed = lake.ok("rm", "p", "obs", "other.json", "--json").json
    assert (removed["files_removed"], removed["bytes_removed"]) == (3, 36)
    assert sorted(paths(lake)) == ["about/top.json", "shallow/c.txt", "shallow/d.csv"]


def test_attachments_go_in_together_or_not_at_all(lake, tmp_path):
    readme, note, hidden = (tmp_path / name for name in ("README.md", "note.txt", ".env"))
    for file in (readme, note, hidden):
        file.write_text(file.name)
    lake.ok("attach", "p", str(readme))
    lake.ok("attach", "p", str(note), "--to", "texts/")
    lake.ok("attach", "p", str(note), "--to", "texts/renamed.txt")
    readme.write_text("changed")
    done = lake.fails("attach", "p", str(readme), str(note), str(hidden), "--json")
    assert done.error["code"] == "bad_input"
    shown = lake.ok("show", "p", "--json").json
    assert [item["path"] for item in shown["attachments"]] == [
        "README.md",
        "texts/note.txt",
        "texts/renamed.txt",
    ]
    assert (lake.root_dir / "packages" / "p" / "README.md").read_text() == "README.md"


def test_show_for_eyes_and_for_programs(lake, tmp_path):
    lake.ok("add", "p", "lake:")
    readme = tmp_path / "README.md"
    readme.write_text("hello")
    lake.ok("attach", "p", str(readme))
    lines = lake.ok("show", "p").out.splitlines()
    assert "p, draft" in lines
    assert "6 files · 111 B · 1 attachment" in lines
    assert [line.split() for line in lines[-4:]] == [
        ["5", "B", "attached", "README.md"],
        ["100", "B", "4", "files", "obs/"],
        *[line.split() for line in lines[-2:]],
    ]
    body = lake.ok("show", "p", "obs", "--json").json
    assert body["totals"] == {"files": 4, "bytes": 100}
    assert [(item["name"], item["is_folder"]) for item in body["items"]] == [
        ("deep", True),
        ("a.csv", False),
        ("b.csv", False),
    ]
    file = lake.ok("show", "p", "obs/a.csv", "--json").json
    assert file["uri"] == (lake.storage / "obs/a.csv").as_uri()
    assert "size_bytes:   10" in lake.ok("show", "p", "obs/a.csv").out
    assert "is_attached:  True" in lake.ok("show", "p", "README.md").out


def test_show_goes_on_where_it_stopped(lake):
    lake.ok("add", "p", "lake:")
    first = lake.ok("show", "p", "--limit", "2", "--json").json
    assert first["is_complete"] is False
    second = lake.ok("show", "p", "--cursor", first["cursor"], "--json").json
    found = [item["path"] for item in first["items"] + second["items"]]
    assert found == ["obs", "other.json", "top.json"]
    assert second["is_complete"] is True
    assert "go on with --cursor" in lake.ok("show", "p", "--limit", "2").err
    cut = lake.ok("show", "p", "-r", "--limit", "2", "--json").json
    assert (len(cut["items"]), cut["is_complete"]) == (2, False)
    assert lake.fails("show", "p", "--cursor", "nonsense", "--json").error["code"] == "bad_input"


def test_versions_are_immutable_and_the_draft_goes_on(lake):
    lake.ok("add", "p", "lake:obs/")
    one = lake.ok("publish", "p", "--json").json
    lake.ok("rm", "p", "obs/a.csv")
    lake.ok("add", "p", "lake:top.json")
    state = lake.ok("status", "p", "--json").json
    assert (state["is_changed"], state["added"], state["removed"]) == (True, 1, 1)
    assert "since p@1: 1 added, 1 removed" in lake.ok("status", "p").out
    two = lake.ok("publish", "p", "--json").json
    assert (one["version"], two["version"]) == ("1", "2")
    assert "as published: p@2" in lake.ok("status", "p").out
    infos = lake.ok("versions", "p", "--json").json["items"]
    assert [(info["version"], info["digest"]) for info in infos] == [
        ("2", two["digest"]),
        ("1", one["digest"]),
    ]
    assert "obs/a.csv" in paths(lake, "p@1")
    assert "obs/a.csv" not in paths(lake, "p@latest")
    assert paths(lake, f"p@{one['digest']}") == paths(lake, "p@1")
    assert lake.ok("show", "p@2").out.splitlines()[0] == f"p@2  {two['digest']}"


def test_packages_are_listed(lake):
    lake.ok("add", "p", "lake:top.json")
    lake.ok("new", "team/q", "--title", "Second", "--author", "A", "--author", "B")
    lake.ok("publish", "p")
    rows = [line.split() for line in lake.ok("show").out.splitlines()]
    assert rows[0] == ["PACKAGE", "DRAFT", "LATEST", "PUBLISHED", "TITLE"]
    assert rows[1] == ["p", "1", "·", "5", "B", "1", "1", "·", "5", "B"]
    assert rows[2] == ["team/q", "0", "·", "0", "B", "-", "-", "Second"]
    items = lake.ok("show", "--json").json["items"]
    assert [item["name"] for item in items] == ["p", "team/q"]
    assert lake.ok("show", "team/q", "--json").json["metadata"]["authors"] == ["A", "B"]


def test_an_empty_draft_is_not_published(lake):
    assert lake.fails("publish", "p", "--json").error["code"] == "bad_input"


def test_empty_places_say_what_to_do(tmp_path):
    cli = Cli(tmp_path, in_process=True)
    assert "packager source add" in cli.ok("source", "ls").err
    assert "packager new" in cli.ok("show").err
    assert "packager share" in cli.ok("shares", "ls").err
    cli.ok("new", "p")
    assert "packager publish p" in cli.ok("versions", "p").err


def test_a_file_of_keys_is_added_without_listing(lake, tmp_path):
    keys = tmp_path / "keys.csv"
    keys.write_text("key,size\nobs/a.csv,10\nobs/deep/c.txt,\n")
    done = lake.ok("add", "p", "--source", "lake", "--keys", str(keys), "--to", "in/", "--json")
    assert (done.json["files_added"], done.json["bytes_added"]) == (2, 40)
    assert sorted(paths(lake)) == ["in/obs/a.csv", "in/obs/deep/c.txt"]
    keys.write_text("key,size\nobs/b.csv,20\nobs/a")
    done = lake.fails("add", "p", "--source", "lake", "--keys", str(keys))
    assert "row 3 has 1 columns" in done.err
    lake.fails("add", "p", "--keys", str(keys), code=2)
    lake.fails("add", "p", "lake:obs/", "--source", "lake", "--keys", str(keys), code=2)
    lake.fails("add", "p", code=2)


def test_a_deleted_version_stays_deleted(lake):
    for key in ("top.json", "other.json"):
        lake.ok("add", "p", f"lake:{key}")
        lake.ok("publish", "p")
    lake.ok("rm-version", "p@2")
    assert [item["version"] for item in lake.ok("versions", "p", "--json").json["items"]] == ["1"]
    with_deleted = lake.ok("versions", "p", "--all", "--json").json
    assert [item["version"] for item in with_deleted["deleted"]] == ["2"]
    assert "2" in lake.ok("versions", "p", "--all").err
    assert "was deleted" in lake.fails("publish", "p", "--version", "2").err
    lake.fails("show", "p@2")
    lake.fails("rm-version", "p@5")
    lake.fails("rm-version", "p", code=2)


def test_a_picture_is_written(lake, tmp_path):
    lake.ok("add", "p", "lake:obs/")
    file = tmp_path / "p.svg"
    lake.ok("plot", "p", "--kind", "sizes", "-o", str(file))
    assert file.read_bytes().startswith(b"<?xml")
    lake.fails("plot", "p", "-o", str(tmp_path / "p.gif"), code=2)
    lake.fails("plot", "p@9", "-o", str(tmp_path / "q.png"))
    assert not (tmp_path / "q.png").exists()


def test_who_shares_leaves_no_work_to_the_first_visitor(published):
    cli = published
    cache = cli.data_dir / "cache" / "pointers"
    (index,) = cache.glob("*.sqlite")
    index.unlink()
    assert not list(cache.glob("*.outline"))
    cli.ok("share", "p")
    assert index.exists()
    assert len(list(cache.glob("*.outline"))) == 1
