"""The lines that the page offers, run as they stand there by the real tools."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

import pytest

from server.share.ocean import ATTACHMENTS, BROWSER, FILES, PASSWORD
from server.share.ways import ACCESS, found_in, run, shared_in

# Debian's wget decodes "%25" twice in the names that it makes of addresses.
WGET_MISNAMES = {"obs/100%.txt", "obs/%41.txt"}
EVERYTHING = {**FILES, **ATTACHMENTS}


@pytest.fixture(params=[*ACCESS, "open zsh", "password zsh"])
def shared(request, alone, require):
    """Return a share of the package in each way in which people open one, and in both shells."""
    if request.param.endswith("zsh"):
        require("zsh", package="zsh")
    return shared_in(alone, request.param)


@pytest.fixture(params=ACCESS)
def opened(request, alone):
    """Return the same for what needs no shell."""
    return shared_in(alone, request.param)


async def test_wget(shared, tmp_path, require):
    require("wget", package="wget")
    for _ in range(2):  # the second run continues, and finds everything there
        code, output = await shared.run("wget", tmp_path)
        found = found_in(tmp_path / "ocean-2024")
        expected = {path: data for path, data in EVERYTHING.items() if path not in WGET_MISNAMES}
        assert {path: found.get(path) for path in expected} == expected, output
        assert len(found) == len(EVERYTHING), (code, output)


async def test_rclone(shared, tmp_path, require):
    require("rclone", package="rclone")
    code, output = await shared.run("rclone", tmp_path)
    assert (code, found_in(tmp_path / "ocean-2024")) == (0, EVERYTHING), output


@pytest.fixture
def packager(tmp_path):
    """Return a folder with our own command in it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    source = Path(__file__).parents[3]
    command = f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m packager_jupyter.cli "$@"\n'
    (tools / "packager").write_text(command)
    (tools / "packager").chmod(0o755)
    return tools


async def test_packager(shared, tmp_path, packager):
    code, output = await shared.run("packager", tmp_path, path=packager)
    assert code == 0, output
    found = found_in(tmp_path / "ocean-2024").values()
    assert [data for data in EVERYTHING.values() if data not in found] == []


async def test_curl_and_zip(shared, tmp_path, require):
    require("curl", package="curl")
    code, output = await shared.run("curl", tmp_path)
    assert code == 0, output
    lines = await shared.lines("curl")
    name = re.search(r"-o \./(\S+)", lines)[1]
    assert (tmp_path / name).read_bytes() in FILES.values()
    code, output = await shared.run("zip", tmp_path)
    assert code == 0, output
    names = zipfile.ZipFile(tmp_path / "ocean-2024.zip").namelist()
    assert "README.md" in str(names)


@pytest.mark.parametrize("key", ["python", "pandas", "fsspec"])
async def test_python(opened, tmp_path, key, require_tools):
    python = require_tools("fsspec") / "python" if key == "fsspec" else sys.executable
    code, output = await opened.run(key, tmp_path, interpreter=(str(python), "-W", "i"))
    assert code == 0, output
    if key == "python":
        assert found_in(tmp_path / "ocean-2024") == EVERYTHING
    elif key == "pandas":
        assert "depth" in output
    else:
        assert "b'" in output


async def test_aria2_reads_the_list(alone, tmp_path, require):
    require("aria2c", package="aria2")
    base = f"{alone.host.root}s/{alone.share().segment}"
    lines = f"curl -sf {base}/urls.txt > urls\naria2c -q -d out -i urls\n"
    code, output = await run(lines, tmp_path)
    assert code == 0, output
    assert sorted(found_in(tmp_path / "out").values()) == sorted(EVERYTHING.values())


async def test_the_pointers_of_the_archive_lead_to_the_data(alone, tmp_path, require):
    require("unzip", package="unzip")
    require("wget", package="wget")
    base = f"{alone.host.root}s/{alone.share().segment}"
    lines = (
        f"curl -sfO {base}/package.zip\nunzip -q package.zip -d zip\n"
        "grep -rh --include='*.pointer' '^url: ' zip | cut -d' ' -f2- | tr -d '\"' > urls\n"
        "wget -nv -c -x -nH --cut-dirs=3 -P out -i urls\n"
    )
    _, output = await run(lines, tmp_path)
    found = found_in(tmp_path / "out")
    expected = {path: data for path, data in FILES.items() if path not in WGET_MISNAMES}
    assert {path: found.get(path) for path in expected} == expected, output


@pytest.fixture(params=["audience", "audience+password", "audience+password zsh"])
def personal(request, alone, require):
    """Return a share for one person, whose token the lines ask for."""
    if request.param.endswith("zsh"):
        require("zsh", package="zsh")
    return shared_in(alone, request.param)


async def test_every_way_of_a_share_with_an_audience_works(personal, tmp_path, packager):
    answer = await personal.published.get(personal.segment, **BROWSER, **personal.headers)
    keys = re.findall(r'id="get-([a-z0-9-]+)"', answer.body.decode())
    assert keys == [
        *("title", "packager", "curl", "curl-all", "checksums", "zip", "zip-all", "datacite")
    ]
    for key in keys[1:]:
        code, output = await personal.run(key, tmp_path, path=packager)
        assert code == 0, (key, output)
        assert personal.token not in output
    folder = tmp_path / "ocean-2024"
    assert (folder / "top.bin").read_bytes() == FILES["top.bin"]
    names = zipfile.ZipFile(tmp_path / "ocean-2024.zip").namelist()
    assert "top.bin" in names


async def test_wget_crawls_the_index(alone, tmp_path, require):
    require("wget", package="wget")
    url = f"{alone.host.root}s/{alone.share().segment}/files/"
    lines = f"wget -q -r -np -nH --cut-dirs=3 -R 'index.html*' -P out {url} || true\n"
    _, output = await run(lines, tmp_path)
    found = found_in(tmp_path / "out")
    expected = {path: data for path, data in EVERYTHING.items() if path not in WGET_MISNAMES}
    assert {path: found.get(path) for path in expected} == expected, output


async def test_a_password_forwarded_to_the_storage_is_ours_to_ignore(alone, tmp_path, require):
    """Tools that send Authorization on to the redirect's target still get a local file."""
    require("curl", package="curl")
    created = alone.share(password=PASSWORD)
    url = f"{alone.host.root}s/{created.segment}/files/top.bin"
    lines = f"curl -sfL --location-trusted -u 'x:{PASSWORD}' -o out {url}\n"
    code, output = await run(lines, tmp_path)
    assert (code, (tmp_path / "out").read_bytes()) == (0, FILES["top.bin"]), output


@pytest.mark.parametrize("key", ["git-annex", "datalad", "dvc", "git-lfs"])
async def test_git(shared, tmp_path, key, require, require_tools):
    require("git-annex", package="git-annex")
    require("git-lfs", package="git-lfs")
    tools = require_tools({"dvc": "dvc"}.get(key, "annex"))
    (tmp_path / ".gitconfig").write_text(
        "[annex.security]\n\tallowed-ip-addresses = 127.0.0.1\n"
        "[user]\n\tname = Test\n\temail = test@example.org\n"
        '[filter "lfs"]\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n'
        "\tclean = git-lfs clean -- %f\n\trequired = true\n"
    )
    code, output = await shared.run(key, tmp_path, path=tools)
    assert code == 0, output
    # Nothing was hashed, so DVC imports by ETag and Git LFS has the texts alone.
    folder = tmp_path / "ocean-2024"
    found = {path: data for path, data in found_in(folder).items() if "/objects/" not in path}
    below = "unhashed/" if key == "dvc" else ""
    files = {} if key == "git-lfs" else {below + path: data for path, data in FILES.items()}
    if key in {"git-annex", "datalad"}:
        files = {path: (folder / path).read_bytes() for path in FILES}
        assert files == FILES
    assert {path: found.get(path, b"missing") for path in files} == files
    assert {path: found[path] for path in ATTACHMENTS} == ATTACHMENTS
