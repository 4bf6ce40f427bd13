"""Every way to give a credential, against real storages; listings and signed addresses."""

import csv
import io
import json
import urllib.request

import pytest

from cli.runner import Cli


@pytest.fixture(scope="module")
def world(rgw, tmp_path_factory):
    """A command line without sources, and a bucket with some files."""
    cli = Cli(tmp_path_factory.mktemp("sources"), in_process=True)
    cli.ok("source", "ls")
    bucket = rgw.bucket()
    client = rgw.client()
    for n in range(25):
        client.put_object(Bucket=bucket, Key=f"many/{n:02d}.txt", Body=b"x" * n)
    client.put_object(Bucket=bucket, Key="top & #1.txt", Body=b"top")
    return cli, bucket


def keys(rgw):
    return {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}


def add(world, rgw, name, *options, env=None, endpoint=None):
    cli, bucket = world
    endpoint = endpoint or rgw.endpoint_url
    return cli.ok(
        *("source", "add", name, f"s3://{bucket}", "--endpoint-url", endpoint, *options),
        env=env,
    )


def listed(cli, *args, **options):
    return [item["key"] for item in cli.ok("ls", *args, "--json", **options).json["items"]]


TOP = ["many/", "top & #1.txt"]


def test_from_env_is_read_once_and_kept(world, rgw):
    cli, _ = world
    add(world, rgw, "kept", "--from-env", env=keys(rgw))
    assert listed(cli, "kept") == TOP
    assert cli.ok("source", "test", "kept").out.count("ok ") >= 3
    spec = next(i for i in cli.ok("source", "ls", "--json").json["items"] if i["name"] == "kept")
    assert spec["credential"]["kind"] == "stored"
    assert spec["credential"]["hint"].endswith(rgw.access_key[-4:])


def test_secrets_env_is_read_at_each_use_and_not_kept(world, rgw):
    cli, _ = world
    add(world, rgw, "each", "--secrets-env", "LAKE")
    env = {f"LAKE_{name}": value for name, value in keys(rgw).items()}
    assert listed(cli, "each", env=env) == TOP
    assert cli.fails("ls", "each", "--json").error["code"] == "credential_missing"


def test_secrets_dir_is_read_at_each_use(world, rgw, tmp_path):
    cli, _ = world
    for name, value in keys(rgw).items():
        (tmp_path / name).write_text(value + "\n")
        (tmp_path / name).chmod(0o600)
    add(world, rgw, "folder", "--secrets-dir", str(tmp_path))
    assert listed(cli, "folder") == TOP
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("another")
    assert cli.fails("ls", "folder", "--json").error["code"] == "storage_credential_refused"


def test_a_profile_is_used_by_name(world, rgw, tmp_path):
    cli, _ = world
    file = tmp_path / "credentials"
    pairs = "\n".join(f"{name.lower()} = {value}" for name, value in keys(rgw).items())
    file.write_text(f"[lab]\n{pairs}\n")
    add(world, rgw, "profile", "--profile", "lab")
    assert listed(cli, "profile", env={"AWS_SHARED_CREDENTIALS_FILE": str(file)}) == TOP


def test_anonymous_sends_no_credential(world, rgw):
    cli, bucket = world
    add(world, rgw, "public", "--anonymous")
    assert cli.fails("ls", "public", "--json").error["code"].startswith("storage")
    rgw.client().put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert listed(cli, "public") == TOP
    rgw.client().put_bucket_acl(Bucket=bucket, ACL="private")


def test_a_storage_with_its_own_authority(world, rgw):
    cli, _ = world
    tls = {"endpoint": rgw.tls_endpoint_url, "env": keys(rgw)}
    add(world, rgw, "untrusted", "--from-env", **tls)
    assert cli.fails("ls", "untrusted", "--json").error["code"] == "storage_unreachable"
    add(world, rgw, "trusted", "--from-env", "--ca-bundle", rgw.ca_bundle, **tls)
    assert listed(cli, "trusted") == TOP


def test_azure_by_key_and_by_connection_string(azurite, tmp_path):
    from azure.storage.blob import BlobServiceClient

    cli = Cli(tmp_path, in_process=True)
    container = azurite.container()
    service = BlobServiceClient.from_connection_string(azurite.connection_string)
    for name in ("deep/a+b.txt", "top.txt"):
        service.get_blob_client(container, name).upload_blob(b"azure")
    endpoint = ("--endpoint-url", azurite.endpoint)
    url = f"azure://{azurite.account}/{container}"
    for name, env in (
        ("by-key", {"AZURE_STORAGE_KEY": azurite.key}),
        ("by-string", {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}),
    ):
        cli.ok("source", "add", name, url, *endpoint, "--from-env", env=env)
        assert listed(cli, name) == ["deep/", "top.txt"]
        signed = cli.ok("presign", f"{name}:deep/a+b.txt").out.strip()
        assert read(signed) == b"azure"
    cli.ok("new", "p")
    cli.ok("add", "p", "by-key:deep/", "by-key:top.txt")
    assert cli.ok("publish", "p", "--json").json["files"] == 2
    for done in cli.said:
        assert azurite.key not in done.out + done.err


def read(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


@pytest.fixture(scope="module")
def lake(world, rgw):
    cli, _ = world
    add(world, rgw, "lake", "--from-env", env=keys(rgw))
    return cli


def test_a_long_listing_goes_on_where_it_stopped(lake):
    found, cursor = [], None
    for _ in range(10):
        more = ("--cursor", cursor) if cursor else ()
        page = lake.ok("ls", "lake:many/", "--limit", "10", "--json", *more).json
        found += [item["key"] for item in page["items"]]
        cursor = page["cursor"]
        assert page["is_complete"] is (cursor is None)
        if cursor is None:
            break
        assert len(page["items"]) == 10
    assert found == [f"many/{n:02d}.txt" for n in range(25)]


def test_a_cut_listing_says_so(lake):
    level = lake.ok("ls", "lake:many/", "--limit", "10")
    assert len(level.out.splitlines()) == 10
    assert "There are more: packager ls lake:many/ --cursor " in level.err
    below = lake.ok("ls", "lake", "-r", "--limit", "10")
    assert len(below.out.splitlines()) == 10
    assert "there are more" in below.err
    assert lake.ok("ls", "lake", "-r", "--limit", "10", "--json").json["is_complete"] is False
    whole = lake.ok("ls", "lake", "-r", "--limit", "26")
    assert whole.err == ""


def test_a_listing_for_eyes(lake):
    lines = lake.ok("ls", "lake").out.splitlines()
    assert lines[0].split() == ["folder", "many/"]
    assert lines[1].endswith("top & #1.txt")
    assert lines[1].split()[:2] == ["3", "B"]
    exact = lake.ok("ls", "lake:many/", "--bytes").out.splitlines()
    assert [line.split()[0] for line in exact] == [str(n) for n in range(25)]
    assert len({len(line) for line in exact}) == 1
    assert "begins with 'nothing'" in lake.ok("ls", "lake:nothing").err


@pytest.mark.parametrize("shape", ["text", "ndjson", "csv", "json"])
def test_signed_addresses_read_exactly_their_object(lake, shape):
    wanted = ("lake:top & #1.txt", "lake:many/07.txt")
    options = ("--json",) if shape == "json" else ("--format", shape)
    out = lake.ok("presign", *wanted, "--expires", "5m", *options).out
    rows = {
        "text": lambda: [{"url": line} for line in out.splitlines()],
        "ndjson": lambda: [json.loads(line) for line in out.splitlines()],
        "csv": lambda: list(csv.DictReader(io.StringIO(out))),
        "json": lambda: json.loads(out)["items"],
    }[shape]()
    assert [read(row["url"]) for row in rows] == [b"top", b"x" * 7]
    assert all("X-Amz-Expires=300" in row["url"] for row in rows)
    if shape != "text":
        assert [row["key"] for row in rows] == ["top & #1.txt", "many/07.txt"]


def test_signed_addresses_from_a_file_and_of_a_package(lake):
    from_file = lake.ok(
        "presign", "--from-file", "-", stdin="lake:many/03.txt\n\nlake:many/04.txt\n"
    )
    assert [read(url) for url in from_file.out.split()] == [b"xxx", b"xxxx"]
    lake.ok("new", "signed")
    lake.ok("add", "signed", "lake:many/02.txt", "--to", "renamed.txt")
    lake.ok("publish", "signed")
    rows = lake.ok("presign", "--package", "signed", "--json").json["items"]
    assert [(row["path"], read(row["url"])) for row in rows] == [("renamed.txt", b"xx")]
    done = lake.fails("presign", "--from-file", "-", "--json", stdin="no colon\n", code=2)
    assert done.error["code"] == "wrong_usage"
    done = lake.fails("presign", "lake:many/02.txt", "--expires", "30d", "--json")
    assert done.error["code"] == "bad_input"


def test_a_removed_source_is_gone_with_its_secret(lake, rgw):
    lake.ok(
        *("source", "add", "short", "s3://b", "--endpoint-url", rgw.endpoint_url, "--from-env"),
        env=keys(rgw),
    )
    stored = {file.name for file in (lake.data_dir / "secrets").rglob("*") if file.is_file()}
    assert lake.ok("source", "rm", "short", "--json").json == {"name": "short", "is_removed": True}
    left = {file.name for file in (lake.data_dir / "secrets").rglob("*") if file.is_file()}
    assert len(left) == len(stored) - 1
    assert lake.fails("ls", "short", "--json").error["code"] == "source_not_found"
