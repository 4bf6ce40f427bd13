"""Every way in which a person or a storage can be wrong: one message, one code, nothing changed."""

import json

import pytest

from cli.fake_s3 import EXPIRED, HTML, always, fake_s3, first_page_only
from cli.runner import Cli

CANARY = "canarySecretKey/7f3a+0001"
KEYS = {"AWS_ACCESS_KEY_ID": "AKCANARY00003F3F", "AWS_SECRET_ACCESS_KEY": CANARY}


def connect(cli, url, endpoint, *, env=KEYS, name="lake"):
    cli.ok(
        *("source", "add", name, url, "--endpoint-url", endpoint, "--region", "us-east-1"),
        "--from-env",
        env=env,
    )


def says(done, *words):
    for word in words:
        assert word in done.err, done.err
    assert CANARY not in done.out + done.err
    assert done.err.count("\n") == 1


@pytest.fixture
def lake(cli, rgw):
    """A command line, a source of three files in a real bucket, a draft with one of them."""
    bucket = rgw.bucket()
    client = rgw.client()
    for key in ("a.txt", "folder/b.txt", "folder/c.csv"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    env = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
    connect(cli, f"s3://{bucket}", rgw.endpoint_url, env=env)
    cli.ok("new", "p")
    cli.ok("add", "p", "lake:a.txt")
    cli.bucket, cli.client = bucket, client
    return cli


@pytest.mark.parametrize("command", [("ls", "lake"), ("ls", "lake", "-r"), ("add", "p", "lake:")])
class TestStorage:
    """The storage refuses, is not there, or is something else."""

    def test_wrong_key(self, cli, rgw, command):
        cli.ok("new", "p")
        connect(cli, f"s3://{rgw.bucket()}", rgw.endpoint_url)
        says(cli.fails(*command), "lake", "AWS_ACCESS_KEY_ID")
        assert cli.fails(*command, "--json").error["code"] == "storage_credential_refused"

    def test_wrong_secret(self, cli, rgw, command):
        cli.ok("new", "p")
        env = KEYS | {"AWS_ACCESS_KEY_ID": rgw.access_key}
        connect(cli, f"s3://{rgw.bucket()}", rgw.endpoint_url, env=env)
        says(cli.fails(*command), "lake", "AWS_SECRET_ACCESS_KEY")
        assert cli.fails(*command, "--json").error["code"] == "storage_credential_refused"

    def test_wrong_bucket(self, cli, rgw, command):
        cli.ok("new", "p")
        env = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
        connect(cli, "s3://no-such-bucket-here", rgw.endpoint_url, env=env)
        says(cli.fails(*command), "no-such-bucket-here")
        assert cli.fails(*command, "--json").error["code"] == "storage_bucket_not_found"

    def test_wrong_endpoint(self, cli, command):
        cli.ok("new", "p")
        connect(cli, "s3://b", "http://127.0.0.1:9")
        says(cli.fails(*command), "127.0.0.1:9")
        assert cli.fails(*command, "--json").error["code"] == "storage_unreachable"

    def test_no_network(self, cli, command):
        cli.ok("new", "p")
        connect(cli, "s3://b", "http://storage.invalid")
        says(cli.fails(*command), "storage.invalid")
        assert cli.fails(*command, "--json").error["code"] == "storage_unreachable"

    def test_html_instead_of_a_listing(self, cli, command):
        cli.ok("new", "p")
        with fake_s3(always(HTML)) as endpoint:
            connect(cli, "s3://b", endpoint)
            done = cli.fails(*command)
            says(done)
            assert "campus" not in done.err
            assert cli.fails(*command, "--json").error["code"] == "storage_not_understood"

    def test_expired_credential(self, cli, command):
        cli.ok("new", "p")
        with fake_s3(always(EXPIRED)) as endpoint:
            connect(cli, "s3://b", endpoint)
            says(cli.fails(*command), "expired")
            assert cli.fails(*command, "--json").error["code"] == "storage_credential_refused"

    def test_a_partial_listing_is_an_error(self, cli, command):
        cli.ok("new", "p")
        with fake_s3(first_page_only) as endpoint:
            connect(cli, "s3://b", endpoint)
            done = cli.fails(*command, "--json")
            assert done.error["code"].startswith("storage")
            if done.out:
                with pytest.raises(json.JSONDecodeError):
                    json.loads(done.out)


@pytest.mark.parametrize("name", ["../x", "..", "a/b/c", "/etc/x", "UPPER", "a b", "", "é"])
def test_a_package_name_that_is_none(cli, name):
    done = cli.fails("new", name)
    says(done, "name")


def test_a_package_that_is_not_there(lake):
    for command in (
        ("add", "nope", "lake:a.txt"),
        ("status", "nope"),
        ("show", "nope"),
        ("publish", "nope"),
        ("share", "nope"),
        ("share", "p"),  # a draft, never published
        ("rm", "nope", "x"),
    ):
        done = lake.fails(*command, "--json")
        assert done.error["code"] == "package_not_found", command
        assert done.error["remedy"]


def test_a_package_made_twice(lake):
    assert lake.fails("new", "p", "--json").error["code"] == "conflict"


def test_a_source_made_twice_unknown_or_wrong(lake):
    again = ("source", "add", "lake", "s3://other", "--anonymous", "--json")
    assert lake.fails(*again).error["code"] == "conflict"
    assert lake.fails("ls", "nope", "--json").error["code"] == "source_not_found"
    assert lake.fails("source", "rm", "nope", "--json").error["code"] == "source_not_found"
    for name, url in (("UP", "s3://b"), ("x", "ftp://b"), ("x", "s3://"), ("x", "b")):
        assert lake.fails("source", "add", name, url, "--json").error["code"] == "bad_input"


def test_credentials_that_are_not_there(cli):
    done = cli.fails("source", "add", "lake", "s3://b", "--from-env")
    says(done, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    done = cli.fails("source", "add", "lake", "azure://account/c", "--from-env")
    says(done, "AZURE_STORAGE_")
    cli.ok("source", "add", "lake", "s3://b", "--secrets-env", "LAKE")
    assert cli.fails("ls", "lake", "--json").error["code"] == "credential_missing"
    cli.ok("source", "add", "bare", "s3://b")
    done = cli.fails("source", "test", "bare")
    assert "credential" in done.out + done.err


def test_the_environment_is_never_used_unasked(cli, rgw):
    """A source without a credential does not pick up the ambient ones."""
    env = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
    bucket = rgw.bucket()
    cli.ok("source", "add", "bare", f"s3://{bucket}", "--endpoint-url", rgw.endpoint_url)
    cli.fails("ls", "bare", env=env)


def test_a_file_added_twice_is_there_once(lake):
    before = lake.state()
    again = lake.ok("add", "p", "lake:a.txt", "--json").json
    assert (again["files_added"], again["files_unchanged"]) == (0, 1)
    assert lake.state() == before


def test_an_object_that_changed_since_it_was_added(lake):
    lake.client.put_object(Bucket=lake.bucket, Key="a.txt", Body=b"other")
    again = lake.ok("add", "p", "lake:a.txt", "--json").json
    assert again["files_replaced"] == 1


def test_an_object_that_is_not_there(lake):
    done = lake.fails("add", "p", "lake:gone.txt")
    says(done, "gone.txt")
    code = lake.fails("add", "p", "lake:a.txt", "lake:gone.txt", "--json").error["code"]
    assert code == "object_not_found"


def test_a_path_that_is_not_there(lake):
    assert lake.fails("rm", "p", "nope.txt", "--json").error["code"] == "path_not_found"
    assert lake.fails("mv", "p", "nope.txt", "b", "--json").error["code"] == "path_not_found"
    assert lake.fails("show", "p", "nope.txt", "--json").error["code"] == "path_not_found"


@pytest.mark.parametrize("path", ["../up.txt", "/abs.txt", "a/../b", "a//b", "x\ny", "."])
def test_a_path_that_leads_elsewhere(lake, path):
    for command in (("mv", "p", "a.txt", path), ("add", "p", "lake:a.txt", "--to", path)):
        assert lake.fails(*command, "--json").error["code"] == "bad_input", command


def test_an_attachment_that_leads_elsewhere_is_missing_or_too_large(lake):
    big = lake.home / "big.txt"
    big.write_bytes(b"x" * (16 * 1024 * 1024 + 1))
    note = lake.home / "note.txt"
    note.write_text("hello")
    assert lake.fails("attach", "p", str(big), "--json").error["code"] == "too_large"
    assert lake.fails("attach", "p", str(note), str(big), "--json").error["code"] == "too_large"
    for path in ("../../out.txt", "/tmp/out.txt", ".packager/pointers.sqlite", "package.yaml"):
        done = lake.fails("attach", "p", str(note), "--to", path, "--json")
        assert done.error["code"] in {"bad_input", "conflict"}, path
    lake.fails("attach", "p", str(lake.home / "nope.txt"), code=2)


HOSTILE = ["a/../b", "//x", "line\nbreak", "quote\"'`$(x)", "n" * 1022, "tab\tand\x1b[31mred", "."]


@pytest.mark.parametrize("key", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_key_is_mapped_or_refused_and_never_escapes(lake, key):
    lake.client.put_object(Bucket=lake.bucket, Key=f"h/{key}", Body=b"x")
    listed = lake.ok("ls", "lake", "-r", "--json").json["items"]
    assert f"h/{key}" in {item["key"] for item in listed}
    shown = lake.ok("ls", "lake", "-r").out
    assert "\x1b" not in shown
    assert shown.count("\n") == len(listed)
    before = lake.state()
    done = lake.run("add", "p", f"lake:h/{key}", "--json")
    if done.code == 0:
        files = lake.ok("show", "p", "--recursive", "--json").json["items"]
        [file] = [item for item in files if item["key"] == f"h/{key}"]
        assert not file["path"].startswith("/")
        assert not {"..", ".", ""} & set(file["path"].split("/"))
        assert file["path"].isprintable()
    else:
        assert done.code == 1
        assert done.error["code"] == "bad_input"
        assert lake.state() == before
    outside = {path for path in lake.home.rglob("*") if path.is_file()}
    assert all(lake.data_dir in p.parents or lake.root_dir in p.parents for p in outside)


def test_other_content_under_a_published_version(lake):
    lake.ok("publish", "p", "--version", "v1")
    lake.ok("add", "p", "lake:folder/")
    done = lake.fails("publish", "p", "--version", "v1", "--json")
    assert done.error["code"] == "version_exists"
    for version in ("latest", "a b", "../x", ""):
        assert (
            lake.fails("publish", "p", "--version", version, "--json").error["code"] == "bad_input"
        )


def test_shares_that_are_not_there_or_cannot_be(lake):
    lake.ok("publish", "p")
    assert lake.fails("shares", "revoke", "nope", "--json").error["code"] == "share_not_found"
    assert lake.fails("share", "p@7", "--json").error["code"] == "package_not_found"
    assert lake.fails("share", "p", "--expires", "5s", "--json").error["code"] == "bad_input"
    assert lake.fails("share", "p", "--slug", "No Slug!", "--json").error["code"] == "bad_input"
    assert lake.fails("share", "p", "--base-url", "ftp://x", "--json").error["code"] == "bad_input"
    done = lake.fails("share", "p", "--password-stdin", stdin="\n")
    says(done, "password")
    revoked = lake.ok("share", "p", "--json").json["share"]["id"]
    lake.ok("shares", "revoke", revoked)
    assert lake.ok("shares", "ls", "--json").json["items"] == []
    states = [item["state"] for item in lake.ok("shares", "ls", "--all", "--json").json["items"]]
    assert states == ["revoked"]


def test_a_share_is_changed_and_gets_another_link(lake):
    lake.ok("publish", "p")
    path = lake.ok("show", "p@latest", "--json").json["items"][0]["path"]
    options = ("--path", path, "--audience", "user:ann", "--not-before", "2h", "--expires", "7d")
    made = lake.ok("share", "p", *options, "--json").json
    share = made["share"]
    assert (share["paths"], share["audience"], share["state"]) == (
        [path],
        ["user:ann"],
        "not started",
    )
    assert share["id"] in lake.ok("shares", "ls").out
    lake.ok("shares", "edit", share["id"], "--description", "for ann", "--slug", "word")
    cleared = ("path", "audience", "not-before", "expires", "slug")
    clears = [word for name in cleared for word in ("--clear", name)]
    edited = lake.ok("shares", "edit", share["id"], *clears, "--json").json
    assert edited["share"] | {"revision": 0} == share | {
        "revision": 0,
        "paths": [],
        "audience": ["anyone"],
        "state": "active",
        "starts_s": None,
        "expires_s": None,
        "description": "for ann",
    }
    locked = lake.ok(
        "shares", "edit", share["id"], "--password-stdin", "--json", stdin="sesame open\n"
    )
    assert locked.json["capability_url"]
    assert lake.ok("shares", "link", share["id"], "--json").json["url"] == made["url"]
    rotated = lake.ok("shares", "rotate", share["id"], "--json").json
    assert rotated["url"] != made["url"]
    assert lake.ok("shares", "link", share["id"], "--json").json["url"] == rotated["url"]


def test_changes_of_a_share_that_cannot_be(lake):
    lake.ok("publish", "p")
    share = lake.ok("share", "p", "--json").json["share"]["id"]
    for options in (
        ("--path", "no/such/thing"),
        ("--path", "/absolute"),
        ("--audience", "everyone"),
        ("--audience", "group:staff"),
        ("--not-before", "2d", "--expires", "1d"),
        ("--version", "7"),
    ):
        assert lake.fails("shares", "edit", share, *options, "--json").code == 1, options
    for options in ((), ("--clear", "slug", "--slug", "word"), ("--not-before", "tomorrow")):
        lake.fails("shares", "edit", share, *options, code=2)
    assert lake.fails("shares", "edit", "sh_0", "--slug", "word").code == 1
    assert lake.fails("shares", "rotate", "sh_0").code == 1
    assert lake.fails("shares", "link", "sh_0").code == 1
    date = ("--not-before", "2001-01-01", "--expires", "2040-01-01T12:00Z", "--json")
    assert lake.ok("shares", "edit", share, *date).json["share"]["state"] == "active"


def test_a_data_folder_that_cannot_be_used(cli):
    file = cli.home / "file"
    file.write_text("x")
    done = cli.run("source", "ls", "--data-dir", str(file / "below"))
    assert done.code in {1, 2}
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_a_share_says_when_nobody_serves_it(lake):
    lake.ok("publish", "p")
    done = lake.ok("share", "p")
    assert done.out.startswith("http://127.0.0.1:8850/s/")
    assert "packager serve" in done.err
    named = lake.ok("share", "p", "--base-url", "https://data.example.org/packager")
    assert named.out.startswith("https://data.example.org/packager/s/")
    assert named.err == ""


def test_no_secret_in_files_but_encrypted(cli, rgw):
    connect(cli, f"s3://{rgw.bucket()}", rgw.endpoint_url)
    cli.run("source", "test", "lake")
    cli.run("source", "ls", "--json")
    cli.run("ls", "lake")
    for done in cli.said:
        assert CANARY not in done.out + done.err
    for file in cli.home.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


def test_a_bare_cli_object_is_isolated(tmp_path):
    """The world of these tests does not leak in: no configuration file, no source."""
    body = Cli(tmp_path).ok("config", "--show", "--json").json
    assert body["files"] == []
