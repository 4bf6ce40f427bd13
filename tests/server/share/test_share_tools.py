"""The lines that the page offers, run as they stand there by the real tools."""

from __future__ import annotations

import asyncio
import html
import re
import sys
from pathlib import Path

import pytest

from server.share.ocean import ATTACHMENTS, BROWSER, FILES, PASSWORD

# Debian's wget decodes "%25" twice in the names that it makes of addresses.
WGET_MISNAMES = {"obs/100%.txt", "obs/%41.txt"}
EVERYTHING = {**FILES, **ATTACHMENTS}


async def recipe(published, segment, name, **headers):
    """Return the lines of one recipe as a person would copy them."""
    page = (await published.get(segment, **BROWSER, **headers)).body.decode()
    found = re.search(rf"<summary>{name} .*?<code>(.*?)</code>", page, re.DOTALL)
    return html.unescape(found[1])


async def run(lines, folder, *, answer="", interpreter=("bash", "-e")):
    """Run copied lines in `folder`, answering what they ask."""
    script = folder / "lines"
    script.write_text(lines)
    process = await asyncio.create_subprocess_exec(
        *interpreter,
        str(script),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )
    output, _ = await asyncio.wait_for(process.communicate(f"{answer}\n".encode()), 120)
    return process.returncode, output.decode(errors="replace")


def found_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=["open", "capability", "password"])
def shared(request, alone):
    """Return a package, the segment of its link, the headers to see its page, the password."""
    if request.param == "open":
        return alone, alone.share().segment, {}, ""
    created = alone.share(password=PASSWORD)
    if request.param == "capability":
        return alone, created.capability_segment, {}, ""
    return alone, created.segment, {"X_Share_Token": PASSWORD}, PASSWORD


async def test_wget(shared, tmp_path, require):
    require("wget", package="wget")
    published, segment, headers, answer = shared
    lines = await recipe(published, segment, "wget", **headers)
    for _ in range(2):  # the second run continues, and finds everything there
        code, output = await run(lines, tmp_path, answer=answer)
        found = found_in(tmp_path / "ocean-2024")
        expected = {path: data for path, data in EVERYTHING.items() if path not in WGET_MISNAMES}
        assert {path: found.get(path) for path in expected} == expected, output
        assert len(found) == len(EVERYTHING), (code, output)
    assert answer == "" or answer not in lines


async def test_rclone(shared, tmp_path, require):
    require("rclone", package="rclone")
    published, segment, headers, answer = shared
    lines = await recipe(published, segment, "rclone", **headers)
    code, output = await run(lines, tmp_path, answer=answer)
    assert (code, found_in(tmp_path / "ocean-2024")) == (0, EVERYTHING), output


async def test_curl(shared, tmp_path, require):
    require("curl", package="curl")
    published, segment, headers, answer = shared
    lines = await recipe(published, segment, "curl", **headers)
    code, output = await run(lines, tmp_path, answer=answer)
    assert code == 0, output
    name = re.search(r"-o \./(\S+)", lines)[1]
    assert (tmp_path / name).read_bytes() in FILES.values()


async def test_python(shared, tmp_path):
    published, segment, headers, answer = shared
    lines = await recipe(published, segment, "Python", **headers)
    code, output = await run(
        lines, tmp_path, answer=answer, interpreter=(sys.executable, "-W", "i")
    )
    assert (code, found_in(tmp_path / "ocean-2024")) == (0, EVERYTHING), output


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
