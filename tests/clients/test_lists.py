"""Every list of a share, read by the program it is for, from S3 and from Azure."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from urllib.parse import quote

import fsspec
import pandas as pd
import pytest
from defusedxml import ElementTree
from pyarrow import csv as arrow_csv

from clients.sharing import (
    PASSWORD,
    SharedPackage,
    comments_of,
    found_in,
    make_shared,
    make_small,
    run,
    storage_for,
)
from server.share.storages import S3, STORED

ACCESS = ["open", "capability", "password"]


@pytest.fixture(scope="module", params=["rgw", "azurite"])
def shared(request, registry):
    """Return a package in each storage."""
    storage = storage_for(request.param, request)
    return make_shared(registry, storage, f"hostile-{request.param}")


@pytest.fixture(scope="module")
def wrong(registry, tmp_path_factory):
    """Return a package of which one checksum is not that of its file."""
    folder = tmp_path_factory.mktemp("wrong")
    return make_wrong(registry, folder)


def make_wrong(registry, folder):
    shared = make_small(registry, folder, "wrong", {"a.txt": b"one", "b.txt": b"two"})
    services = registry.services
    draft = services.packages.draft("wrong")
    pointer = draft.get("b.txt")
    lie = {name: hashlib.new(name, b"three").hexdigest() for name in ("md5", "sha256")}
    draft.set_checksums([(pointer, lie)])
    draft.publish(now_s=1_700_000_100)
    return shared


def headers_of(kind):
    return {"X-Share-Token": PASSWORD} if kind == "password" else {}


def fetch(link, name, kind="open"):
    request = urllib.request.Request(link + name, headers=headers_of(kind))
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def environment(registry):
    return registry.environment(LC_ALL="C.UTF-8")


@pytest.mark.parametrize("kind", ACCESS)
def test_aria2(shared, kind, require, tmp_path):
    require("aria2c", package="aria2")
    link = shared.link(kind)
    text = fetch(link, "aria2.txt", kind)
    (tmp_path / "aria2.txt").write_bytes(text)
    sent = [f"--header={name}: {value}" for name, value in headers_of(kind).items()]
    command = ["aria2c", "-q", "-c", "-j8", *sent, "-d", "out", "-i", "aria2.txt"]
    done = run(command, tmp_path, env=environment(shared.registry))
    assert done.returncode == 0, done.stdout
    named = {comment.rpartition(": ")[2] for comment in comments_of(text.decode())}
    missing = {path for path in shared.expected if quote(path, safe="/:~._") in named}
    expected = {path: data for path, data in shared.expected.items() if path not in missing}
    assert found_in(tmp_path / "out") == expected
    assert len(missing) <= 1
    assert {file.name for file in tmp_path.iterdir()} == {"aria2.txt", "out"}


def test_aria2_refuses_what_is_not_what_was_published(wrong, require, tmp_path):
    require("aria2c", package="aria2")
    (tmp_path / "list").write_bytes(fetch(wrong.link(), "aria2.txt"))
    done = run(["aria2c", "-q", "-d", "out", "-i", "list"], tmp_path)
    assert done.returncode == 32, (done.returncode, done.stdout)


@pytest.mark.parametrize("kind", ACCESS)
def test_curl(shared, kind, require, tmp_path):
    require("curl", package="curl")
    (tmp_path / "list").write_bytes(fetch(shared.link(kind), "curl.txt", kind))
    sent = [part for name, value in headers_of(kind).items() for part in ("-H", f"{name}: {value}")]
    done = run(["curl", "-sS", *sent, "-K", "../list"], tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert found_in(tmp_path / "out") == shared.expected


def test_curl_ends_with_an_error_when_one_file_cannot_be_had(registry, rgw, require, tmp_path):
    require("curl", package="curl")
    storage = S3(rgw, is_versioned=False)
    for key in ("one", "../../etc/passwd", "three"):
        storage.put(key, key.encode())
    services = registry.services
    services.sources.add("dotted", credential=STORED, **storage.connection)
    draft = services.packages.create("dotted")
    draft.add("dotted", [""])
    draft.publish(now_s=1)
    (tmp_path / "list").write_bytes(fetch(SharedPackage(registry, "dotted").link(), "curl.txt"))
    done = run(["curl", "-sS", "-K", "../list"], tmp_path / "out")
    # The storage refuses what curl makes of the address; nothing is written beside the folder.
    assert done.returncode == 22, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"list", "out"}
    assert set(found_in(tmp_path / "out").values()) <= {b"one", b"three"}


@pytest.mark.parametrize("kind", ACCESS)
def test_rclone(shared, kind, require, tmp_path):
    require("rclone", package="rclone")
    sent = ["--http-headers", f"X-Share-Token,{PASSWORD}"] if kind == "password" else []
    address = ["--http-url", shared.link(kind) + "files/", "--http-no-head"]
    done = run(
        ["rclone", "copy", "--no-unicode-normalization", ":http:", "out", *address, *sent],
        tmp_path,
        env=environment(shared.registry),
    )
    # A colon in the first folder is more than rclone 1.60 can ask for, and it says so.
    assert (done.returncode, "a:b: Failed to copy" in done.stderr) == (1, True), done.stderr
    expected = {path: data for path, data in shared.expected.items() if path != "a:b"}
    assert found_in(tmp_path / "out") == expected


@pytest.mark.parametrize("kind", ACCESS)
def test_wget(shared, kind, require, tmp_path):
    require("wget", package="wget")
    (tmp_path / "urls").write_bytes(fetch(shared.link(kind), "urls.txt", kind))
    sent = [f"--header={name}: {value}" for name, value in headers_of(kind).items()]
    command = ["wget", "-q", "-c", "-x", "-nH", "--cut-dirs=3", *sent, "-P", "out", "-i", "urls"]
    run(command, tmp_path, env=environment(shared.registry))
    found = found_in(tmp_path / "out")
    # Debian's wget decodes "%25" twice in the names that it makes of addresses (so that "pct%" and
    # "pct%25" are one file to it), and cuts names short that are too long for it.
    own_ideas = {path for path in shared.expected if "%" in path or len(path.encode()) > 200}
    for path in set(shared.expected) - own_ideas:
        assert found.get(path) == shared.expected[path], path
    assert set(found.values()) <= set(shared.expected.values())


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_checksum_programs(shared, algorithm, tmp_path):
    for path, data in shared.expected.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    text = fetch(shared.link(), f"{algorithm}sums.txt").decode()
    (tmp_path / "the sums").write_text(text)
    done = run([f"{algorithm}sum", "--strict", "-c", "the sums"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = comments_of(text)
    known = done.stdout.count(": OK\n")
    unknown = [line for line in comments_of(text) if line.startswith("no ")]
    assert last.startswith(f"end: {known} files with ")
    assert last.endswith(f", {len(unknown)} without")
    assert known + len(unknown) == len(shared.expected)
    assert len(unknown) >= len(shared.unhashed) > 0
    (tmp_path / "plain/1.csv").write_bytes(b"other")
    again = run([f"{algorithm}sum", "--strict", "-c", "the sums"], tmp_path)
    assert (again.returncode, again.stdout.count(": FAILED")) == (1, 1)


@pytest.mark.parametrize("kind", ACCESS)
def test_fsspec_reads_the_package_as_one_filesystem(shared, kind):
    sent = {"headers": headers_of(kind)}
    files = fsspec.filesystem(
        "reference",
        fo=shared.link(kind) + "refs.json",
        target_options=sent,
        remote_protocol="http",
        remote_options=sent,
        skip_instance_cache=True,
    )
    assert set(files.find("")) == set(shared.expected)
    assert {path: files.cat_file(path) for path in shared.expected} == shared.expected
    with files.open("plain/1.csv") as file:
        file.seek(4)
        assert file.read(3) == b"1,2"
    with files.open("plain/2.csv") as file:
        assert pd.read_csv(file).to_dict("list") == {"a": [2], "b": [2]}
    with files.open("plain/3.csv") as file:
        assert arrow_csv.read_csv(file).to_pydict() == {"a": [3], "b": [2]}


def test_a_file_is_read_straight_from_its_address(shared):
    link = shared.link("capability")
    assert pd.read_csv(f"{link}files/plain/0.csv").to_dict("list") == {"a": [0], "b": [2]}
    with fsspec.open(f"{link}files/plain/1.csv") as file:
        assert arrow_csv.read_csv(file).to_pydict() == {"a": [1], "b": [2]}


def test_metalink(shared, require, tmp_path):
    require("aria2c", package="aria2")
    (tmp_path / "package.meta4").write_bytes(fetch(shared.link(), "package.meta4"))
    command = ["aria2c", "-q", "-j8", "--check-integrity=true", "-d", "out", "-M", "package.meta4"]
    done = run(command, tmp_path, env=environment(shared.registry))
    found = found_in(tmp_path / "out")
    # aria2 1.36 writes "&" in names of a Metalink as "&#38;" and so on.
    odd = {path for path in shared.expected if set(path) & set("&<>\"'")}
    for path in set(shared.expected) - odd:
        assert found.get(path) == shared.expected[path], (path, done.stdout)
    assert sorted(found.values()) == sorted(shared.expected.values()), done.stdout


def test_metalink_names_every_file(shared):
    space = "{urn:ietf:params:xml:ns:metalink}"
    tree = ElementTree.fromstring(fetch(shared.link(), "package.meta4"))
    names = {file.get("name"): file for file in tree.iter(f"{space}file")}
    assert set(names) == set(shared.expected)
    for path, file in names.items():
        assert file.findtext(f"{space}size") == str(len(shared.expected[path]))
        is_known = file.find(f"{space}hash") is not None
        assert is_known == (path not in shared.unhashed)


def test_a_metalink_with_a_wrong_checksum_is_refused(wrong, require, tmp_path):
    require("aria2c", package="aria2")
    (tmp_path / "package.meta4").write_bytes(fetch(wrong.link(), "package.meta4"))
    command = ["aria2c", "-q", "--check-integrity=true", "-d", "out", "-M", "package.meta4"]
    assert run(command, tmp_path).returncode == 32


def test_the_lists_of_a_package_without_data_are_whole(registry, tmp_path, require):
    require("aria2c", package="aria2")
    text = {"README.md": b"# Nothing yet\n"}
    link = make_small(registry, tmp_path / "empty", "empty", {}, attachments=text).link()
    assert list(json.loads(fetch(link, "refs.json"))["refs"]) == ["README.md"]
    for name, command in (("aria2.txt", "aria2c -q -d out -i"), ("curl.txt", "curl -sS -K")):
        (tmp_path / name).write_bytes(fetch(link, name))
        done = run([*command.split(), name], tmp_path)
        assert done.returncode == 0, done.stderr
    found = {name: (tmp_path / name).read_bytes() for name in ("README.md", "out/README.md")}
    assert set(found.values()) == {text["README.md"]}
    assert comments_of(fetch(link, "md5sums.txt").decode())[-1] == (
        "end: 1 files with MD5, 0 without"
    )


def test_a_list_never_holds_a_signed_address(shared):
    from packager_jupyter.exports.table import EXPORTS

    for row in EXPORTS:
        text = fetch(shared.link(), row.name)
        for sign in (b"X-Amz-", b"Signature=", b"sig=", b"AccessKey"):
            assert sign not in text, row.name
