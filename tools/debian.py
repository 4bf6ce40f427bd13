"""The Debian packages that we use: one list, the reason for each, and their installation."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import BootstrapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console import Console


@dataclass(frozen=True)
class DebianPackage:
    """One package, and why we want it."""

    name: str
    why: str


FOR_TESTS = (
    DebianPackage("apt", "fetches the OCI clients of later Debian releases"),
    DebianPackage("ceph-mon", "a real S3 server: its monitor"),
    DebianPackage("ceph-osd", "a real S3 server: its storage, in memory"),
    DebianPackage("radosgw", "a real S3 server: its gateway"),
    DebianPackage("chromium", "the sidebar and the share pages in a real browser"),
    DebianPackage("aria2", "fetches shares as people do"),
    DebianPackage("curl", "fetches shares as people do"),
    DebianPackage("docker-registry", "a real OCI registry"),
    DebianPackage("git", "what is committed is checked"),
    DebianPackage("git-annex", "fetches shares as people do"),
    DebianPackage("git-lfs", "fetches shares as people do"),
    DebianPackage("libatomic1", "playwright's driver is linked with it"),
    DebianPackage("openssl", "makes the certificate of a test"),
    DebianPackage("postgresql", "the other database that a server may keep its state in"),
    DebianPackage("rclone", "fetches shares as people do"),
    DebianPackage("skopeo", "reads our OCI layouts with a reader that is not ours"),
    DebianPackage("strace", "shows that writes reach the disk in the right order"),
    DebianPackage("unzip", "opens our ZIP files with a reader that is not ours"),
    DebianPackage("wget", "fetches shares as people do"),
    DebianPackage("zsh", "runs the lines of shares, which people copy into it"),
)


def missing(packages: Sequence[DebianPackage]) -> list[DebianPackage] | None:
    """Return those that are not installed; None when this is no Debian."""
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        return None
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *[item.name for item in packages]],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it names the unknown ones, which the absence tells too
        text=True,
        check=False,
    )
    installed = {
        line.split()[0] for line in done.stdout.splitlines() if line.endswith(" ok installed")
    }
    return [item for item in packages if item.name not in installed]


def is_root() -> bool:
    """Say whether we may install packages."""
    return os.geteuid() == 0


def install(names: Sequence[str], console: Console) -> None:
    """Install packages as root, quietly and without their recommendations.

    Raises
    ------
    BootstrapError
        When apt fails; its last lines are in the text.
    """
    # SYSTEMD_OFFLINE: a registry is wanted as a program, not as a service that runs from now on.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_OFFLINE": "1"}
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    remedy = f"Install by hand: apt-get install {' '.join(names)}"
    console.run(["apt-get", *wait, "update"], env=env, remedy=remedy)
    command = ["apt-get", *wait, "install", "-y", "--no-install-recommends", *names]
    console.run(command, env=env, remedy=remedy)


def provide_for_tests(console: Console) -> None:
    """Install what the tests use, or say what will be skipped for want of it."""
    lacking = missing(FOR_TESTS)
    if lacking is None:
        console.say("  This is no Debian: tests that miss a program are skipped, naming it.")
        return
    if not lacking:
        return
    names = [item.name for item in lacking]
    if is_root():
        try:
            with console.step(f"Debian packages for the tests: {' '.join(names)}"):
                install(names, console)
        except BootstrapError as error:
            console.say(f"{error}\n  Going on: tests that miss a program are skipped, naming it.")
        return
    console.say("  Not root, so these Debian packages stay missing and their tests are skipped:")
    for item in lacking:
        console.say(f"    {item.name:16} {item.why}")
    console.say(f"  To run them too: sudo apt-get install {' '.join(names)}")
