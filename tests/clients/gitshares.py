"""A package in a real storage whose checksums are known in part, and how the git tools are run."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packager_jupyter.sources.catalog import CredentialRef
from server.share.storages import S3, Azure

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "open sesame"
TIMEOUT_S = 240
FILES = {
    "top.bin": bytes(range(256)) * 1000,
    "empty.dat": b"",
    "obs/day 1/a.csv": b"time,depth\n1,2\n",
    "obs/day 1/b+c#d%e&f.csv": b"hostile",
    "obs/日本/データ.txt": "データ".encode(),
    'obs/it\'s "quoted" <b>.txt': b"quoted",
    "obs/e\u0301 and \u00e9.txt": b"nfd",
    "obs/-rf": b"option",
    "obs/$(touch pwned)`touch pwned`;.txt": b"signs",
    "obs/100%.txt": b"percent",
    "obs/%41.txt": b"encoded",
    "obs/same.csv": b"time,depth\n1,2\n",
    "a.very.long.name.tar.gz": b"gz",
}
ONLY = {"obs/100%.txt": "md5", "obs/%41.txt": "sha256"}
UNHASHED = {"big/parts.bin": b"0123456789abcdef" * 330_000}
REFUSED = {
    ".git/config": b"[core]\n\tfsmonitor = touch pwned\n",
    "sub/.GIT/hooks/post-checkout": b"#!/bin/sh\ntouch pwned\n",
    ".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = -u./pwned\n',
    "x/git~1/HEAD": b"x",
    "x/.g\u200cit/HEAD": b"x",
    "x/.git ./HEAD": b"x",
}
ATTACHMENTS = {"README.md": b"# Ocean\n", "notebooks/look.ipynb": b"{}\n"}


@dataclass
class GitShare:
    """A published package and the storage behind it."""

    registry: object
    storage: object
    name: str
    files: dict = field(default_factory=dict)

    def publish(self, *, now_s: int) -> None:
        """Publish everything that the storage holds."""
        packages = self.registry.services.packages
        draft = packages.draft(self.name) if packages.has_draft(self.name) else None
        if draft is None:
            draft = packages.create(self.name)
            for path, data in ATTACHMENTS.items():
                draft.attach(data, path)
        else:
            draft.remove(["obs", "big", "top.bin"])
        draft.add(self.name, [""], rename=".")
        draft.set_checksums(
            [
                (pointer, checksums_of(pointer.path, self.files[pointer.path]))
                for pointer in draft.iter_pointers()
                if pointer.path in self.files and pointer.path not in UNHASHED
            ]
        )
        draft.publish(now_s=now_s)

    def known(self, algorithm: str) -> set[str]:
        """Return the paths of the latest version whose checksum of this kind is known."""
        version = self.registry.services.packages.version(self.name)
        return {one.path for one in version.iter_pointers() if algorithm in one.checksums}

    def url(self, **options: object) -> str:
        """Return the address of a new share, with its capability when it has a password."""
        made = self.registry.services.shares.create(self.name, owner="ann", **options)
        self.created = made
        return f"{self.registry.url}s/{made.capability_segment or made.segment}/"


def checksums_of(path: str, data: bytes) -> dict[str, str]:
    """Return what is known of a file: both checksums, for two files only one."""
    known = [ONLY[path]] if path in ONLY else ["md5", "sha256"]
    return {name: hashlib.new(name, data).hexdigest() for name in known}


def put_multipart(storage: S3, key: str, data: bytes) -> None:
    """Upload in parts, so that the ETag is no checksum."""
    client, bucket = storage.client, storage.bucket
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    size, parts = 5 * 1024 * 1024, []
    for number, start in enumerate(range(0, len(data), size), 1):
        part = client.upload_part(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=data[start : start + size],
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def make_share(registry, kind: str, request) -> GitShare:
    """Put everything into a fresh bucket or container and publish it."""
    if kind == "azure":
        storage = Azure(request.getfixturevalue("azurite"))
    else:
        storage = S3(request.getfixturevalue("rgw"), is_versioned=False)
    files = FILES | UNHASHED
    for path, data in {**FILES, **REFUSED}.items():
        storage.put(path, data)
    for path, data in UNHASHED.items():
        if kind == "azure":
            put_blocks(storage, path, data)
        else:
            put_multipart(storage, path, data)
    name = f"ocean-{kind}-{secrets.token_hex(4)}"
    services = registry.services
    services.sources.add(name, credential=CredentialRef("stored"), **storage.connection)
    made = GitShare(registry, storage, name, files)
    made.publish(now_s=1_700_000_000)
    return made


def put_blocks(storage: Azure, key: str, data: bytes) -> None:
    """Upload as a list of blocks, for which Azure knows no checksum."""
    from azure.storage.blob import BlobBlock

    blob = storage.client.get_blob_client(key)
    half = len(data) // 2
    blob.stage_block("MQ==", data[:half])
    blob.stage_block("Mg==", data[half:])
    blob.commit_block_list([BlobBlock("MQ=="), BlobBlock("Mg==")])


def run(command: list[str], *, cwd: Path, env: dict[str, str], is_ok: bool = True) -> str:
    """Run a program, expect that it works (or not), return what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert (done.returncode == 0) == is_ok, f"{command} ended with {done.returncode}:\n{said}"
    return said


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file of a clone that is no part of git's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def git_environment(env: dict[str, str]) -> dict[str, str]:
    """Return variables with a user for commits, and git-annex allowed to reach 127.0.0.1."""
    settings = {
        "user.name": "Test",
        "user.email": "test@example.org",
        "annex.security.allowed-ip-addresses": "127.0.0.1",
        "annex.retry": "0",
        "init.defaultBranch": "main",
        "advice.detachedHead": "false",
        "protocol.file.allow": "always",
    }
    pairs = {f"GIT_CONFIG_KEY_{at}": key for at, key in enumerate(settings)}
    values = {f"GIT_CONFIG_VALUE_{at}": value for at, value in enumerate(settings.values())}
    return env | pairs | values | {"GIT_CONFIG_COUNT": str(len(settings)), "LC_ALL": "C.UTF-8"}


def dvc_environment(env: dict[str, str], bin_folder: Path) -> dict[str, str]:
    """Return variables with which DVC is found and keeps to itself."""
    found = git_environment(env)
    path = f"{bin_folder}:{found['PATH']}"
    return found | {"PATH": path, "DVC_NO_ANALYTICS": "1", "CI": "true"}


def pulled_by_dvc(shared: GitShare) -> dict[str, bytes]:
    """Return what DVC's layout holds once everything is pulled."""
    found = dict(ATTACHMENTS)
    for path, data in shared.files.items():
        has_md5 = path in shared.known("md5")
        found[f"{'data' if has_md5 else 'unhashed'}/{path}"] = data
    return found
