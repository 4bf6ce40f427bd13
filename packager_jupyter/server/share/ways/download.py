"""Ways that put the files onto a disk with common command line tools."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from packager_jupyter.exports.content_zip import MAX_ENTRIES
from packager_jupyter.server.share.ways.base import Way

if TYPE_CHECKING:
    from packager_jupyter.server.share.ways.base import ShareFacts

GROUP = "Download"


def _packager(facts: ShareFacts) -> str:
    password = 'PACKAGER_SHARE_PASSWORD="$PASSWORD" ' if facts.is_locked else ""
    line = f"{password}packager get {facts.shell()} {facts.folder}"
    if facts.wants_token:
        return f"{facts.ask}printf '%s\\n' \"$TOKEN\" | {line} --token-stdin"
    return facts.ask + line


def _wget(facts: ShareFacts) -> str:
    folder = facts.folder
    return (
        f"{facts.ask}wget -nv {facts.header}-O {folder}.urls {facts.shell('urls.txt')}\n"
        f"wget -c -x -nH --cut-dirs={facts.cut_dirs} {facts.header}-P {folder} -i {folder}.urls"
    )


def _rclone(facts: ShareFacts) -> str:
    header = '--http-headers "X-Share-Token,$PASSWORD" ' if facts.is_locked else ""
    return (
        f"{facts.ask}rclone copy :http: {facts.folder} --http-no-head {header}"
        f"--http-url {facts.shell('files/')}"
    )


def _curl(facts: ShareFacts) -> str:
    path = facts.examples[0]
    target = shlex.quote(path.rpartition("/")[2])
    return f"{facts.ask}curl -fL {facts.header}-o ./{target} {facts.shell(facts.file(path))}"


def _aria2(facts: ShareFacts) -> str:
    folder = facts.folder
    return (
        f"{facts.ask}curl -fL {facts.header}-o {folder}.aria2.txt {facts.shell('aria2.txt')}\n"
        f"aria2c -c -j8 {facts.header}-d {folder} -i {folder}.aria2.txt"
    )


def _curl_all(facts: ShareFacts) -> str:
    folder = facts.folder
    return (
        f"{facts.ask}mkdir -p {folder} && cd {folder}\n"
        f"curl -fL {facts.header}{facts.shell('curl.txt')} | curl -Z {facts.header}-K -"
    )


def _sums(facts: ShareFacts) -> str:
    address = facts.shell("md5sums.txt")
    return f"{facts.ask}cd {facts.folder} && curl -fL {facts.header}{address} | md5sum -c"


def _zip(facts: ShareFacts) -> str:
    address = facts.shell("package.zip")
    return f"{facts.ask}curl -fL {facts.header}-C - -o {facts.folder}.zip {address}"


def _zip_all(facts: ShareFacts) -> str:
    address = facts.shell("package.zip?content=all")
    return f"{facts.ask}curl -fL {facts.header}-o {facts.folder}.zip {address}"


DOWNLOAD_WAYS = (
    Way(
        "wget",
        GROUP,
        "wget",
        "Every file, in its folders. Run it again to continue where it stopped.",
        _wget,
    ),
    Way(
        "rclone",
        GROUP,
        "rclone",
        "Every file, fast for many small ones. Run it again to fetch what is missing.",
        _rclone,
    ),
    Way(
        "aria2",
        GROUP,
        "aria2",
        "Every file, several at a time, verified where a checksum is known.",
        _aria2,
    ),
    Way(
        "packager",
        GROUP,
        "packager",
        "Every file, resuming, with its checksums verified (pip install packager_jupyter).",
        _packager,
        sends_token=True,
    ),
    Way("curl", GROUP, "curl", "One file.", _curl, sends_token=True),
    Way(
        "curl-all",
        GROUP,
        "curl, all",
        "Every file, several at a time.",
        _curl_all,
        sends_token=True,
    ),
    Way(
        "checksums",
        GROUP,
        "md5sum",
        "Verify what you have, where an MD5 is known.",
        _sums,
        sends_token=True,
    ),
    Way(
        "zip",
        GROUP,
        "ZIP",
        "README, notebooks and a pointer for each file; no data.",
        _zip,
        sends_token=True,
    ),
    Way(
        "zip-all",
        GROUP,
        "ZIP, all",
        "A small package with all its data in one file.",
        _zip_all,
        applies=lambda facts: facts.files <= MAX_ENTRIES,
        sends_token=True,
    ),
)
