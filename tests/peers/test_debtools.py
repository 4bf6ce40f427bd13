"""apt itself, with an archive in a folder: unpacking, and what cannot be had."""

import hashlib
import shutil
import subprocess

import pytest

from peers import debtools
from peers.process import PeerMissingError


@pytest.fixture
def archive(tmp_path, monkeypatch, require):
    """An archive of one release with one package, whose program says hello."""
    require("dpkg-deb", package="dpkg")
    require("apt-get", package="apt")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: hello-lab\nVersion: 1\nArchitecture: all\nMaintainer: lab <lab@lab.test>\n"
        "Description: says hello\n"
    )
    program = tree / "usr" / "bin" / "hello-lab"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    pool = tmp_path / "archive" / "pool"
    pool.mkdir(parents=True)
    deb = pool / "hello-lab_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", str(tree), str(deb)], check=True, capture_output=True)
    control = (tree / "DEBIAN" / "control").read_text()
    data = deb.read_bytes()
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    lists = tmp_path / "archive" / "dists" / "lab" / "main" / f"binary-{machine}"
    lists.mkdir(parents=True)
    packages = (
        f"{control}Filename: pool/{deb.name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    ).encode()
    (lists / "Packages").write_bytes(packages)
    (lists.parents[1] / "Release").write_text(
        f"Suite: lab\nCodename: lab\nComponents: main\nArchitectures: {machine}\n"
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {hashlib.sha256(packages).hexdigest()} "
        f"{len(packages)} main/binary-{machine}/Packages\n"
    )
    place = debtools.Archive((tmp_path / "archive").as_uri(), "trusted=yes")
    monkeypatch.setenv("PACKAGER_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(debtools, "archive", lambda: place)
    monkeypatch.setattr(debtools, "RELEASES", {"hello-lab": "lab"})
    monkeypatch.setattr(debtools, "_refusals", {})
    return tmp_path / "archive"


def test_a_program_is_unpacked_once_and_runs(archive, tmp_path):
    program = debtools.debian_program("hello-lab")
    assert program.startswith(str(tmp_path / "cache"))
    said = subprocess.run([program], check=True, capture_output=True, text=True)
    assert said.stdout == "hello\n"
    shutil.rmtree(archive)
    assert debtools.debian_program("hello-lab") == program


def test_what_the_archive_lacks_is_no_fault_of_ours(archive, monkeypatch):
    monkeypatch.setattr(debtools, "RELEASES", {"hello-lab": "nowhere"})
    with pytest.raises(PeerMissingError, match="hello-lab cannot be had") as caught:
        debtools.debian_program("hello-lab")
    assert "Debian package" not in str(caught.value)


def test_what_it_has_and_does_not_give_is_named(archive):
    [deb] = (archive / "pool").iterdir()
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")
    with pytest.raises(PeerMissingError, match="Debian packages hello-lab of lab"):
        debtools.debian_program("hello-lab")


def test_the_mirror_is_this_machines_own(require):
    require("apt-get", package="apt")
    if not debtools.KEYRING.exists():
        pytest.skip("this machine is no Debian")
    assert "://" in debtools.archive().url
