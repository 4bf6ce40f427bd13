"""`packager get` beside rclone, downloading many small files from the same share.

Both read a share of the standalone server, which runs in a process of its own, over 8 connections,
into a fresh folder: first files of a folder, whose bytes the server itself sends, then as many
objects in a Ceph RADOS gateway. rclone reads the share's index and asks for no HEAD, its fastest
way. Both are started as people start them, so each run holds the start of its program.
`--size` is the number of files.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Case, Suite, main

from clients.world import PACKAGE, SOURCE, make_share, serving
from packager_jupyter.config import Settings
from packager_jupyter.services import Services
from peers.rgw import RgwConnection, RgwServer
from server.share.storages import S3, STORED

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = 8
FILE_BYTES = 1024
numbers = count()


def objects(size: int) -> dict[str, bytes]:
    """Return `size` files of 1 KiB in folders of a thousand."""
    return {
        f"obs/{number // 1000:03d}/file {number:06d}.csv": _body(number) for number in range(size)
    }


def _body(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest() * (FILE_BYTES // 32)


def cases(folder: Path, address: Callable[[], str], size: int) -> list[Case]:
    """Return both ways to download the share at an address."""
    env = os.environ | {"HOME": str(folder)}

    def rclone() -> None:
        command = ["rclone", "copy", "--config", os.devnull, "--http-url", f"{address()}files/"]
        command += ["--http-no-head", "--transfers", str(JOBS), "--checkers", str(JOBS), ":http:"]
        run(command)

    def ours() -> None:
        command = [sys.executable, "-m", "packager_jupyter.cli", "get", address()]
        run([*command, "--jobs", str(JOBS)])

    def run(command: list[str]) -> None:
        target = folder / f"out-{next(numbers)}"
        subprocess.run([*command, str(target)], env=env, check=True, capture_output=True)
        came = sum(1 for file in (target / "obs").rglob("*") if file.is_file())
        assert came == size, f"{command[0]} brought {came} of {size} files"
        shutil.rmtree(target)

    return [
        Case("rclone copy", size, rclone),
        Case("packager get", size, ours),
    ]


def shared(stack: contextlib.ExitStack, folder: Path, **source: object) -> str:
    """Publish and share all that `source` holds, serve it, return the share's address."""
    settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder))
    services = stack.enter_context(Services.open(settings))
    services.sources.add(SOURCE, **source)
    draft = services.packages.create(PACKAGE)
    draft.add(SOURCE, [""], rename=".")
    draft.publish("1", now_s=1)
    return make_share(services, stack.enter_context(serving(folder))).url


def build(size: int) -> list[Suite]:
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    if shutil.which("rclone") is None:
        sys.exit("rclone not found: install the Debian package rclone")
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="packager-bench-")))
    local, remote = root / "local", root / "s3"
    for folder in (local, remote):
        folder.mkdir()
    for path, data in objects(size).items():
        (local / "lake" / path).parent.mkdir(parents=True, exist_ok=True)
        (local / "lake" / path).write_bytes(data)
    local_url = shared(stack, local, url=(local / "lake").as_uri())

    @cache
    def remote_url() -> str:
        """Start the gateway and fill it when it is first asked for: it would disturb the others."""
        running = os.environ.get("PACKAGER_TEST_RGW")
        rgw = RgwConnection.load(Path(running)) if running else stack.enter_context(RgwServer())
        storage = S3(rgw)
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(lambda pair: storage.put(*pair), objects(size).items()))
        return shared(stack, remote, credential=STORED, **storage.connection)

    return [
        Suite("A share of a folder", "file", cases(local, lambda: local_url, size), clock="wall"),
        Suite("A share of objects in Ceph", "file", cases(remote, remote_url, size), clock="wall"),
    ]


if __name__ == "__main__":
    main(build, size=10_000, rounds=1, doc=__doc__)
