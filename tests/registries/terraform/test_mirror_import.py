"""Importing what ``terraform providers mirror`` writes: every stated hash is compared."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile

import pytest

from packager_jupyter.registries.imports import import_folder

from .archives import provider_zips


def h1(data):
    """Go's dirhash.Hash1, written down once more with the standard library."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        lines = [
            f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}\n"
            for name in sorted(archive.namelist())
        ]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


@pytest.fixture
def mirror(tmp_path):
    """A folder as terraform writes it, and the rows of its JSON to be changed."""
    folder = tmp_path / "mirror" / "registry.lab.test" / "acme" / "lab"
    folder.mkdir(parents=True)
    rows = {}
    for name, data in provider_zips().items():
        (folder / name).write_bytes(data)
        platform = "_".join(name.removesuffix(".zip").split("_")[-2:])
        zh = f"zh:{hashlib.sha256(data).hexdigest()}"
        rows[platform] = {"hashes": [h1(data), zh, "h9:unknown"], "url": name}

    def write(text=None):
        body = json.dumps({"archives": rows}) if text is None else text
        (folder / "1.0.0.json").write_text(body)
        return tmp_path / "mirror"

    return write, rows, folder


def load(services, folder):
    if not services.feeds.specs():
        services.feeds.create("terraform/main")
    return import_folder(
        services.feeds, services.feeds.spec("terraform", "main"), folder, by="alice"
    )


def test_hashes_that_fit(services, mirror):
    write, rows, _ = mirror
    assert load(services, write()).published == ["acme/lab 1.0.0"]
    assert load(services, write()).unchanged == ["acme/lab 1.0.0"]
    found = services.feeds.terraform("main").providers.mirror_version("acme", "lab", "1.0.0")
    assert {f"{one.os}_{one.arch}": one.h1 for one in found} == {
        platform: row["hashes"][0] for platform, row in rows.items()
    }


@pytest.mark.parametrize("number", [0, 1])
def test_a_hash_that_does_not_fit(services, mirror, number):
    write, rows, _ = mirror
    wrong = rows["linux_amd64"]["hashes"]
    wrong[number] = rows["darwin_arm64"]["hashes"][number]
    report = load(services, write())
    [(name, error)] = report.failures
    assert (name, report.published) == ("acme/lab 1.0.0", [])
    assert wrong[number] in error.message
    assert services.feeds.terraform("main").providers.versions("acme", "lab") is None


def test_an_archive_that_is_named_and_not_there(services, mirror):
    write, rows, folder = mirror
    (folder / rows["linux_amd64"]["url"]).unlink()
    [(_, error)] = load(services, write()).failures
    assert "linux_amd64" in error.message


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"archives": {"a": 1}}', "[" * 100_000])
def test_a_mirror_that_says_nothing_readable(services, mirror, text):
    write, _, _ = mirror
    [(_, error)] = load(services, write(text)).failures
    assert "hashes" in error.message


def test_archives_alone_are_taken(services, mirror):
    _, _, folder = mirror
    assert load(services, folder.parents[2]).published == ["acme/lab 1.0.0"]
