"""A real S3 server: one Ceph monitor, one OSD in memory, one RADOS gateway, all on 127.0.0.1.

It checks signatures, expiry and ETags, keeps versions and answers CORS, over http and over https
with a certificate of its own authority. Path-style addresses work at 127.0.0.1, virtual-host style
at ``http://<bucket>.localhost:<port>``. Up in about ten seconds; the store is in RAM and dies with
the process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.certificates import write_certificate
from peers.process import (
    Peer,
    PeerFailedError,
    PeerMissingError,
    free_ports,
    is_listening,
    need,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = (
    "ceph-mon",
    "ceph-osd",
    "radosgw",
    "radosgw-admin",
    "ceph",
    "ceph-authtool",
    "monmaptool",
)
PACKAGE = "the Debian packages ceph-mon, ceph-osd and radosgw"
ACCESS_KEY = "AKTEST"
SECRET_KEY = "SKTESTsecret"
REGION = "us-east-1"
STORE_BYTES = 8 * 1024**3

CONF = """\
[global]
fsid = {fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:{mon_port}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_allow_insecure_global_id_reclaim = true
mon_warn_on_insecure_global_id_reclaim_allowed = false
mon_warn_on_pool_no_redundancy = false
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
keyring = {folder}/keyring
[mon.a]
host = localhost
mon_addr = v2:127.0.0.1:{mon_port}
mon_data = {folder}/mon
[osd]
osd_class_dir = {class_dir}
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = {store_bytes}
[client.rgw]
rgw_data = {folder}/rgw
rgw_dns_name = localhost
rgw_enable_usage_log = false
rgw_frontends = beast endpoint=127.0.0.1:{port} {tls_frontend}
"""


@dataclass(frozen=True, slots=True)
class RgwConnection:
    """How to reach a gateway.

    `tls_endpoint_url` serves the same over https, with a certificate that only `ca_bundle` vouches
    for.
    """

    endpoint_url: str
    tls_endpoint_url: str
    ca_bundle: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION

    def save(self, file: Path) -> None:
        """Write it for `load`."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> RgwConnection:
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text()))

    def client(self, **options: Any) -> Any:
        """Return a boto3 S3 client, path style; `options` override its arguments."""
        import boto3
        from botocore.config import Config

        arguments: dict[str, Any] = {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
            "config": Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=16,
            ),
        }
        return boto3.client("s3", **(arguments | options))

    def bucket(self, name: str | None = None) -> str:
        """Make an empty bucket and return its name."""
        name = name or f"bucket-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name


class RgwServer(Peer[RgwConnection]):
    """A gateway of our own; see the module's text."""

    name = "rgw"

    def __init__(self, *, port: int | None = None) -> None:
        need(COMMANDS, package=PACKAGE)
        class_dir = next(Path("/usr/lib").glob("*/rados-classes"), None)
        if class_dir is None:
            raise PeerMissingError(f"no rados-classes below /usr/lib: install {PACKAGE}")
        super().__init__()
        self._class_dir = class_dir
        free = free_ports(3)
        self._port, self._tls_port, self._mon_port = port or free[0], free[1], free[2]

    def start(self) -> RgwConnection:
        """Bring up monitor, OSD and gateway, and make the one user."""
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        pem, ca_bundle = write_certificate(self.folder, hosts=["localhost", "127.0.0.1"])
        fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(
            CONF.format(
                fsid=fsid,
                folder=self.folder,
                class_dir=self._class_dir,
                port=self._port,
                tls_frontend=f"ssl_endpoint=127.0.0.1:{self._tls_port} ssl_certificate={pem}",
                mon_port=self._mon_port,
                store_bytes=STORE_BYTES,
            )
        )
        self._start_monitor(fsid)
        self._start_osd()
        self._ceph_daemon(
            "rgw",
            ["radosgw", "-f", "-n", "client.rgw"],
            is_ready=lambda: is_listening(self._port) and is_listening(self._tls_port),
        )
        self._run(
            [
                "radosgw-admin",
                "user",
                "create",
                "--uid=test",
                "--display-name=test",
                f"--access-key={ACCESS_KEY}",
                f"--secret-key={SECRET_KEY}",
                "--max-buckets=100000",  # each test takes a fresh one, over many runs
            ]
        )
        return RgwConnection(
            endpoint_url=f"http://127.0.0.1:{self._port}",
            tls_endpoint_url=f"https://localhost:{self._tls_port}",
            ca_bundle=str(ca_bundle),
        )

    def _start_monitor(self, fsid: str) -> None:
        key = ["ceph-authtool", "keyring", "--gen-key"]
        self._run(["ceph-authtool", "--create-keyring", "keyring"])
        self._run([*key, "-n", "mon.", "--cap", "mon", "allow *"])
        for name in ("client.admin", "osd.0", "client.rgw"):
            self._run([*key, "-n", name, "--cap", "mon", "allow *", "--cap", "osd", "allow *"])
        address = f"[v2:127.0.0.1:{self._mon_port}]"
        self._run(["monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, "monmap"])
        self._run(["ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring"])
        self._ceph_daemon(
            "mon", ["ceph-mon", "-f", "-i", "a"], is_ready=lambda: is_listening(self._mon_port)
        )

    def _start_osd(self) -> None:
        osd_uuid = str(uuid.uuid4())
        self._run(["ceph", "osd", "new", osd_uuid, "0"])
        self._run(["ceph", "auth", "import", "-i", "keyring"])
        shutil.copy(self.folder / "keyring", self.folder / "osd" / "keyring")
        self._run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_uuid])
        self._ceph_daemon("osd", ["ceph-osd", "-f", "-i", "0"], is_ready=self._is_osd_up)

    def _is_osd_up(self) -> bool:
        stat = json.loads(self._run(["ceph", "osd", "stat", "-f", "json"]))
        return bool(stat["num_up_osds"] == 1)

    def _ceph_daemon(
        self, name: str, command: Sequence[str], *, is_ready: Callable[[], bool]
    ) -> None:
        self.daemon(name, [*command, "-c", str(self.folder / "ceph.conf")], is_ready=is_ready)

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "CEPH_CONF": str(self.folder / "ceph.conf")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise PeerFailedError(f"{command[0]} failed: {done.stderr[-2000:]}")
        return done.stdout
