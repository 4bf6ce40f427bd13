"""Proving and comparing from the command line: tables, JSON and exit codes."""

import pytest

FILES = {f"d{number % 3}/f{number}": b"%d" % number for number in range(12)}


@pytest.fixture
def lake(cli, tmp_path):
    """A command line with a published package `p` of a folder."""
    cli.storage = tmp_path / "storage"
    for path, data in FILES.items():
        file = cli.storage / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    cli.ok("source", "add", "lake", cli.storage.as_uri())
    cli.ok("new", "p")
    cli.ok("add", "p", "lake:")
    cli.ok("publish", "p")
    return cli


def change(storage):
    (storage / "d0/f0").unlink()
    (storage / "d1/f1").write_bytes(b"other")
    (storage / "d2/new").write_bytes(b"new")


def test_verify_ends_with_one_when_something_differs(lake):
    assert lake.ok("verify", "p@1").err.endswith("12 files checked: all as published.\n")
    change(lake.storage)
    done = lake.run("verify", "p@1")
    assert done.code == 1
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["missing", "d0/f0"],
        ["changed", "d1/f1"],
    ]
    report = lake.run("verify", "p@1", "--json")
    assert report.code == 1
    assert report.json["problems"] == {"missing": 1, "changed": 1}
    assert (report.json["is_ok"], report.json["files"]) == (False, 12)


@pytest.mark.parametrize("version", [(), ("1",)])
def test_diff_with_the_storage_as_it_is_now(lake, version):
    assert lake.ok("diff", "p", *version, "--storage").out == ""
    change(lake.storage)
    done = lake.ok("diff", "p", *version, "--storage")
    assert [(line[0], line.split()[-1]) for line in done.out.splitlines()] == [
        ("-", "d0/f0"),
        ("~", "d1/f1"),
        ("+", "d2/new"),
    ]
    assert done.err.splitlines()[-1] == "1 added, 1 removed, 1 changed, 0 renamed."
    report = lake.ok("diff", "p", *version, "--storage", "--json").json
    assert [(item["kind"], item["path"]) for item in report["items"]] == [
        ("removed", "d0/f0"),
        ("changed", "d1/f1"),
        ("added", "d2/new"),
    ]
    assert (report["added"], report["removed"], report["changed"]) == (1, 1, 1)
    assert (report["bytes_added"], report["bytes_changed"]) == (3, 5)


def test_diff_between_versions_and_the_draft(lake):
    lake.ok("mv", "p", "d0/f0", "moved")
    lake.ok("rm", "p", "d1")
    items = lake.ok("diff", "p", "--json").json["items"]
    assert [(item["kind"], item["path"]) for item in items] == [
        *(("removed", path) for path in sorted(FILES) if path.startswith("d1/")),
        ("renamed", "moved"),
    ]
    assert items[-1]["from"] == "d0/f0"
    lake.ok("publish", "p")
    assert lake.ok("diff", "p", "1", "2", "--json").json["items"] == items
    assert lake.ok("diff", "p", "--json").json["items"] == []


def test_a_storage_that_is_gone_is_an_error_and_no_empty_diff(lake):
    lake.storage.rename(lake.storage.with_name("elsewhere"))
    assert lake.fails("diff", "p", "--storage").out == ""


def test_two_versions_and_the_storage_are_wrong_usage(lake):
    lake.fails("diff", "p", "1", "2", "--storage", code=2)
