"""Further programs that read a share as it is: crawlers of the index, and HTTP libraries of Python.

Each on the open link and on the link that needs no password, from Ceph and from Azurite.
"""

from __future__ import annotations

import io
import shutil
import urllib.request
from urllib.parse import quote

import fsspec
import httpx
import pandas as pd
import pytest
import requests
from pyarrow import csv as arrow_csv

from clients.sharing import found_in

CSV = "obs/day 1/a.csv"
LARGE = "parts/large.bin"
POOCH = """\
import pooch, sys
address, known, folder = sys.argv[1:]
print(pooch.retrieve(address, known_hash=known or None, path=folder, fname="got"))
"""


@pytest.fixture(params=["open", "capability"])
def link(request, world):
    """Return one of the two links that need nothing else."""
    return world.open_url if request.param == "open" else world.capability_url


def address_of(link, path):
    return f"{link}files/{quote(path)}"


def test_wget_crawls_the_index(world, link, tmp_path, require):
    require("wget", package="wget")
    command = ["wget", "-q", "-r", "-np", "-nH", "--cut-dirs=3", "-R", "index.html*", "-P", "out"]
    done = world.run([*command, f"{link}files/"], tmp_path)
    found = found_in(tmp_path / "out")
    # wget decodes "%25" twice in the names that it makes, and cuts long names short.
    own_ideas = {path for path in world.files if "%" in path or len(path.encode()) > 200}
    for path in set(world.files) - own_ideas:
        assert found.get(path) == world.files[path], (path, done.stdout)
    assert set(found.values()) <= set(world.files.values())
    assert {entry.name for entry in tmp_path.iterdir()} == {"out"}  # no name became a command


def test_rclone_checks_what_it_copied(world, link, tmp_path, require):
    require("rclone", package="rclone")
    remote = ["--config", "/dev/null", "--http-url", f"{link}files/", "--http-no-head"]
    remote += ["--no-unicode-normalization", "--transfers", "8", ":http:", "out"]
    copied = world.run(["rclone", "copy", *remote], tmp_path)
    assert copied.returncode == 0, copied.stdout
    assert found_in(tmp_path / "out") == world.files
    check = ["rclone", "check", "--download", *remote]
    same = world.run(check, tmp_path)
    assert same.returncode == 0, same.stdout
    (tmp_path / "out" / CSV).write_bytes(b"time,depth\n9,9\n")
    differs = world.run(check, tmp_path)
    assert differs.returncode == 1
    assert "1 differences found" in differs.stdout


@pytest.mark.parametrize("read", ["requests", "urllib", "httpx"])
def test_http_libraries(world, link, read):
    for path in (CSV, "top.bin", "odd/$(touch pwned)`touch pwned`", "README.md"):
        assert READERS[read](address_of(link, path)) == world.files[path]


def _with_urllib(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


READERS = {
    "requests": lambda address: requests.get(address, timeout=60).content,
    "urllib": _with_urllib,
    "httpx": lambda address: httpx.get(address, follow_redirects=True, timeout=60).content,
}


def test_a_head_says_what_a_get_gives(world, link):
    for path, data in world.files.items():
        head = requests.head(address_of(link, path), timeout=60)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data))), path
        assert head.headers["Accept-Ranges"] == "bytes"


def test_readers_take_only_the_part_that_they_need(world, link):
    files = fsspec.filesystem("http", skip_instance_cache=True)
    with files.open(address_of(link, LARGE), block_size=64 * 1024) as file:
        file.seek(-1000, io.SEEK_END)
        assert file.read() == world.files[LARGE][-1000:]
        file.seek(2_000_000)
        assert file.read(10) == world.files[LARGE][2_000_000:2_000_010]
    assert pd.read_csv(address_of(link, CSV)).to_dict("list") == {"time": [1], "depth": [2]}
    with files.open(address_of(link, CSV)) as file:
        assert arrow_csv.read_csv(file).to_pydict() == {"time": [1], "depth": [2]}


def test_pooch_verifies_by_the_checksum_of_the_pointer(world, link, tmp_path, require_tools):
    python = require_tools("pooch") / "python"
    known = f"sha256:{world.checksums[CSV]['sha256']}"
    command = [python, "-c", POOCH, address_of(link, CSV)]
    done = world.run([*command, known, tmp_path / "pooch"], tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "pooch" / "got").read_bytes() == world.files[CSV]
    shutil.rmtree(tmp_path / "pooch")
    wrong = world.run([*command, f"sha256:{'0' * 64}", tmp_path / "pooch"], tmp_path)
    assert (wrong.returncode, "does not match" in wrong.stdout) == (1, True)
