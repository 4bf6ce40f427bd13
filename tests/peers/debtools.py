"""Programs of later Debian releases, unpacked into the tests' cache folder.

Go programs of a later release run on ours. apt fetches and checks them as ever, from the mirror
that this machine uses, but with lists and state of its own: nothing of the system changes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from peers.azurite import cache_folder
from peers.process import PeerMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FETCH_S = 300
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Program, which is also the name of its package, to the first release that has it.
RELEASES: Mapping[str, str] = MappingProxyType(
    {"cosign": "trixie", "crane": "forky", "oras": "trixie"}
)
_TARGETS = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
_refusals: dict[str, str] = {}  # by release: what cannot be had is not asked for again


@dataclass(frozen=True, slots=True)
class Archive:
    """A Debian archive: its address, and the option of a source line that says whom to trust."""

    url: str
    trust: str


def debian_program(name: str) -> str:
    """Return the path of a program, unpacking it when it is neither on the PATH nor in the cache.

    Raises
    ------
    PeerMissingError
        It cannot be had here; or it can, and something went wrong: then the text names the
        Debian package, so that with ``CI=true`` the test fails.
    """
    installed = shutil.which(name)
    if installed:
        return installed
    release = RELEASES[name]
    folder = cache_folder() / "debtools" / release
    program = folder / "root" / "usr" / "bin" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may want it at once
        if not program.exists():
            _provide(release, folder)
    if not program.exists():
        raise PeerMissingError(f"{name}: the Debian package of {release} has no such program")
    return str(program)


def archive() -> Archive:
    """Return where this machine has its own Debian from.

    Raises
    ------
    PeerMissingError
        This is no Debian, or its sources do not say.
    """
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))) or not KEYRING.exists():
        raise PeerMissingError("this machine is no Debian, whose later releases have it")
    done = _run(["apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"])
    rows = [line.split("|") for line in done.stdout.splitlines()]
    ours = _codename()
    found = [row for row in rows if row[1] == ours and row[2] == "main"]
    if not found:
        raise PeerMissingError(f"the sources of apt name no archive of Debian {ours!r}")
    best = max(found, key=lambda row: row[3] == "Debian")
    return Archive(best[0], f"signed-by={KEYRING}")


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME":
            return value.strip('"')
    return ""


def _provide(release: str, folder: Path) -> None:
    if release in _refusals:
        raise PeerMissingError(_refusals[release])
    try:
        _fetch(release, folder)
    except PeerMissingError as error:
        _refusals[release] = str(error)
        raise


def _fetch(release: str, folder: Path) -> None:
    """Unpack all programs of a release below ``root``; the archive's lists do not stay."""
    place, names = archive(), sorted(name for name, one in RELEASES.items() if one == release)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    for path in ("lists/partial", "cache/archives/partial", "debs", "root"):
        (work / path).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [{place.trust}] {place.url} {release} main\n")
    options = _options(work)
    # Translations, icons and the like would be many times the size of what is wanted.
    more = ("-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::DEP-11::Optional=1")
    done = _run(["apt-get", "-qq", *options, *more, "update", "--error-on=any"])
    if done.returncode:
        raise PeerMissingError(
            f"{', '.join(names)} cannot be had: the archive that this machine uses gives nothing "
            f"of Debian {release}: {done.stderr.strip()[-400:]}"
        )
    done = _run(["apt-get", "-qq", *options, "download", *names], cwd=work / "debs")
    if done.returncode:
        raise _failed(names, release, done)
    for deb in sorted((work / "debs").glob("*.deb")):
        done = _run(["dpkg-deb", "-x", str(deb), str(work / "root")])
        if done.returncode:
            raise _failed(names, release, done)
    shutil.rmtree(folder / "root", ignore_errors=True)
    (work / "root").rename(folder / "root")
    shutil.rmtree(work)


def _options(work: Path) -> list[str]:
    settings = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",  # else apt's own user, who may not write here
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _failed(
    names: Sequence[str], release: str, done: subprocess.CompletedProcess[str]
) -> Exception:
    said = (done.stderr or done.stdout).strip()[-400:]
    return PeerMissingError(f"the Debian packages {', '.join(names)} of {release}: {said}")


def _run(command: Sequence[str], *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_S,
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerMissingError(f"apt gave nothing within {FETCH_S} s") from error
