"""The share world: one published package as strangers meet it, for every tool that reads it.

Fixture ``world`` (module-scoped, once on Ceph RGW and once on Azurite): a package whose files lie
in a real storage under hostile names, with attachments and with checksums known and unknown, behind
a standalone server in a process of its own, shared once openly and once with a password.

A test that changes the package or its objects makes a world of its own: ``with share_world(...)``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager_jupyter.config import Settings
from packager_jupyter.packages.hashing import hash_pointer
from packager_jupyter.services import Services
from peers.process import free_ports, is_listening, spawn
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD
from server.share.storages import STORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from server.share.storages import S3, Azure

PACKAGE = "ocean-2024"
VERSION = "2"
SOURCE = "lake"
# Written in parts: the ETag is no MD5, and Azure tells none.
UNHASHED = {
    "parts/large.bin": bytes(range(251)) * 20_000,
    "parts/small %.bin": b"two words",
}
# These have a SHA-256 in their pointer; Azure tells the MD5 of what was written in one piece.
SHA256_OF = ("obs/day 1/a.csv", "obs/-rf", "obs/日本/データ.txt", "parts/small %.bin")
HOSTILE = {
    "odd/ leading blank": b"1",
    "odd/trailing blank ": b"2",
    "odd/CON": b"3",
    "odd/aux.txt": b"4",
    "odd/Case": b"5",
    "odd/case": b"6",
    "odd/a:b|c<d>.txt": b"7",
    "odd/\u202egnp.exe": b"8",
    "odd/\U0001f600.txt": b"9",
    "odd/" + "long-" * 50: b"10",
    "odd/x'; touch pwned; '": b"11",
    "odd/$(touch pwned)`touch pwned`": b"12",
    "odd/--output=pwned": b"13",
    "odd/a&b=c;d?e#f": b"14",
}
POINTERS = {**FILES, **UNHASHED, **HOSTILE}


@dataclass(frozen=True)
class Share:
    """One share: its plain link, the link that needs no password, its id. Both end in ``/``."""

    url: str
    capability_url: str
    id: str


@dataclass(frozen=True)
class World:
    """What a stranger has, and what the test knows of it.

    Attributes
    ----------
    kind : str
        ``s3`` or ``azure``.
    url : str
        Root of the server, ending in ``/``.
    open_url, locked_url, capability_url : str
        The open share, the one with a password, and that one's link which needs none; each ends
        in ``/``.
    password : str
        Of `locked_url`.
    files : mapping of str to bytes
        All that the package holds, by path: `pointers` and `attachments`.
    checksums : mapping of str to mapping
        Of every pointer that has some, by path: algorithm to hex digest.
    unknown : sequence of str
        Paths of pointers without any.
    hostile : sequence of str
        Paths with names that some system or some careless program cannot bear.
    storage : S3 or Azure
        `put` and `delete` change what lies behind the pointers.
    services : Services
        The core on the same folders as the server, in this process.
    folder : Path
        The world's own; ``server.log`` is in it.
    """

    kind: str
    url: str
    open_url: str
    locked_url: str
    capability_url: str
    password: str
    pointers: Mapping[str, bytes]
    attachments: Mapping[str, bytes]
    checksums: Mapping[str, Mapping[str, str]]
    unknown: Sequence[str]
    hostile: Sequence[str]
    storage: S3 | Azure
    services: Services
    folder: Path

    @property
    def files(self) -> dict[str, bytes]:
        """All files of the package by path."""
        return {**self.pointers, **self.attachments}

    def share(self, **options: object) -> Share:
        """Make another share; see `Shares.create`."""
        return make_share(self.services, self.url, **options)

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which a program finds nothing of this machine's settings."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return kept | {"HOME": str(home), "LC_ALL": "C.UTF-8", **more}

    def run(
        self,
        command: Sequence[str | Path],
        cwd: Path,
        *,
        stdin: str = "",
        timeout_s: float = 120,
        **more: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in `cwd` with this `environment`; its output is text, both streams."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            input=stdin,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )


def make_share(services: Services, root: str, **options: object) -> Share:
    """Share the newest version of the world's package."""
    made = services.shares.create(PACKAGE, owner="ann", **options)
    with_capability = made.capability_segment or made.segment
    return Share(f"{root}s/{made.segment}/", f"{root}s/{with_capability}/", made.share.id)


@contextlib.contextmanager
def share_world(
    folder: Path,
    storage: S3 | Azure,
    *,
    kind: str = "s3",
    unhashed: Mapping[str, bytes] = UNHASHED,
    files: Mapping[str, bytes] = FILES | HOSTILE,
    attachments: Mapping[str, bytes] = ATTACHMENTS,
    sha256: Sequence[str] = SHA256_OF,
    hurried_s: int | None = None,
) -> Iterator[World]:
    """Yield a world of this test's own on `storage`.

    Parameters
    ----------
    unhashed, files : mapping of str to bytes
        What is put into the storage: without and with a checksum that it tells.
    attachments : mapping of str to bytes
    sha256 : sequence of str
        Paths that get a SHA-256.
    hurried_s : int, optional
        Let the server sign addresses that live this many seconds, far below the least that its
        settings allow.
    """
    pointers = {**files, **unhashed}
    for path, data in files.items():
        storage.put(path, data)
    for path, data in unhashed.items():
        storage.put_in_parts(path, data)
    settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder))
    with Services.open(settings) as services:
        services.sources.add(SOURCE, credential=STORED, **storage.connection)
        _publish(services, attachments, sha256)
        with serving(folder, hurried_s=hurried_s) as url:
            plain = make_share(services, url)
            locked = make_share(services, url, password=PASSWORD)
            published = services.packages.version(PACKAGE, VERSION)
            checksums = {one.path: one.checksums for one in published.iter_pointers()}
            yield World(
                kind=kind,
                url=url,
                open_url=plain.url,
                locked_url=locked.url,
                capability_url=locked.capability_url,
                password=PASSWORD,
                pointers=pointers,
                attachments=attachments,
                checksums={path: known for path, known in checksums.items() if known},
                unknown=[path for path, known in checksums.items() if not known],
                hostile=[path for path in pointers if path.startswith(("odd/", "obs/"))],
                storage=storage,
                services=services,
                folder=folder,
            )


def _publish(services: Services, attachments: Mapping[str, bytes], sha256: Sequence[str]) -> None:
    draft = services.packages.create(
        PACKAGE, title="Ocean survey", license="CC-BY-4.0", authors=["Ann Author"]
    )
    draft.add(SOURCE, [""], rename=".")
    open_source = services.sources.open
    pointers = [draft.get(path) for path in sha256]
    draft.set_checksums([(one, hash_pointer(one, open_source, ["sha256"])) for one in pointers])
    for path, data in attachments.items():
        draft.attach(data, path)
    draft.publish(VERSION, now_s=int(time.time()))


_HURRIED = """\
import sys
from packager_jupyter import config
from packager_jupyter.cli import main
from packager_jupyter.server.share import state
config.MIN_TTL_S, state.SIGNER_S = 1, float(sys.argv.pop(1))
sys.exit(main())
"""


@contextlib.contextmanager
def serving(
    folder: Path, *, hurried_s: int | None = None, port: int | None = None
) -> Iterator[str]:
    """Run ``packager serve`` on the services in `folder`, yield its address (ending in ``/``)."""
    port = port or free_ports(1)[0]
    config = folder / "config"
    config.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "packager_jupyter.cli"]
    if hurried_s is not None:
        settings = {"Settings": {"presign_ttl_s": hurried_s}}
        (config / "jupyter_packager_config.json").write_text(json.dumps(settings))
        command = [sys.executable, "-c", _HURRIED, str(hurried_s / 4)]
    command += ["serve", "--port", str(port), "--data-dir", str(folder / "data")]
    process = spawn(
        [*command, "--root-dir", str(folder)],
        log=folder / "server.log",
        env=os.environ | {"JUPYTER_CONFIG_DIR": str(config)},
    )
    try:
        _wait(process, port, folder / "server.log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        try:
            process.wait(40)
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if is_listening(port):
            return
        assert process.poll() is None, log.read_text()[-2000:]
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")
