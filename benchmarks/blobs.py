"""Large files: upload beside Tornado's buffered multipart, download beside nginx.

curl sends and fetches; wall time and the server's CPU time, interleaved. The peer is measured
twice: as it comes it leaves the file to the system's memory, and with ``fsync`` it promises what
ours promises, that an acknowledged file survives a power loss. Beside uploads and downloads of ours
that are not timed another connection asks `healthz` all the time, and the 99th percentile of that
is printed. `--size` is the file's MiB, `--folder` where everything lies: on a memory file system
the disk costs nobody anything. Needs the Debian packages `curl` and `nginx-light`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import registry_servers as servers
from harness import machine, peak_memory_bytes

from packager_jupyter.config import Settings
from packager_jupyter.services import Services
from peers.process import free_ports
from registries.pypi.distributions import wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry_servers import Index

PEER = "Tornado's own multipart"
DURABLE = f"{PEER}, fsync"
BUFFERED = """
import asyncio, hashlib, os, sys, tempfile
from tornado import httpserver, web

class Upload(web.RequestHandler):
    def post(self, promise):
        [file] = self.request.files["content"]
        with tempfile.TemporaryFile(dir=".") as out:
            out.write(file["body"])
            if promise == "durable":
                out.flush()
                os.fsync(out.fileno())
        self.finish(hashlib.sha256(file["body"]).hexdigest())

async def main():
    app = web.Application([("/upload/(.*)", Upload)])
    server = httpserver.HTTPServer(app, max_buffer_size=2**34, max_body_size=2**34)
    server.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""


def make_wheel(folder: Path, mebibytes: int, number: int) -> Path:
    """Write a real wheel with one large stored member, different for each number."""
    name, data = wheel("big", f"1.{number}")
    path = folder / name
    small = zipfile.ZipFile(io.BytesIO(data))
    noise = os.urandom(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        members = small.infolist()
        for info in members[:-1]:
            archive.writestr(zipfile.ZipInfo(info.filename), small.read(info))
        with archive.open("big/data.bin", "w") as out:
            for _ in range(mebibytes):
                out.write(noise)
        record = small.read(members[-1]) + b"big/data.bin,,\n"
        archive.writestr(zipfile.ZipInfo(members[-1].filename), record)
    os.sync()  # so that no upload pays for the disk's work on this file
    return path


def curl(*arguments: str) -> float:
    """Run curl and return its wall seconds."""
    command = [servers.need("curl", "curl"), "--silent", "--show-error", "--fail-with-body"]
    start = time.perf_counter()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"curl failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return took


def peak_bytes(pids: Sequence[int]) -> int:
    """Return the most memory that the processes have held."""
    return sum(map(peak_memory_bytes, pids))


def resident_bytes(pids: Sequence[int]) -> int:
    """Return the memory that the processes hold now."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def upload_form(index: Index, file: Path) -> float:
    """Publish a wheel as upload tools do."""
    _, version, *_ = file.name.split("-")
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    url = index.page.replace(f"simple/{servers.PROJECT}/", "legacy/")
    fields = {":action": "file_upload", "name": "big", "version": version, "sha256_digest": sha256}
    form = [part for key, value in fields.items() for part in ("--form", f"{key}={value}")]
    token = f"Authorization: {index.headers['Authorization']}"
    return curl("--header", token, *form, "--form", f"content=@{file}", url)


def upload_blob(index: Index, token: str, file: Path) -> float:
    """Push the same bytes through the distribution API."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    origin = index.page.partition("/pypi/")[0]
    headers = {"Authorization": f"Bearer {token}"}
    begun = httpx.post(f"{origin}/v2/bench/big/blobs/uploads/", headers=headers).raise_for_status()
    url = httpx.URL(origin).join(begun.headers["Location"])
    url = url.copy_add_param("digest", f"sha256:{sha256}")
    kind = "Content-Type: application/octet-stream"
    auth = f"Authorization: Bearer {token}"
    return curl("--header", auth, "--header", kind, "--upload-file", str(file), str(url))


class Prober(threading.Thread):
    """Asks `healthz` over one connection until it is told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._is_over = url, threading.Event()
        self.took_s: list[float] = []

    def run(self) -> None:
        """Ask."""
        with httpx.Client() as client:
            while not (self._is_over.is_set() and self.took_s):
                start = time.perf_counter()
                client.get(self._url).raise_for_status()
                self.took_s.append(time.perf_counter() - start)
                time.sleep(0.002)

    def stop(self) -> float:
        """Stop, and return the 99th percentile in milliseconds."""
        self._is_over.set()
        self.join()
        return sorted(self.took_s)[int(len(self.took_s) * 0.99)] * 1e3


def beside(ours: Index, work: Callable[[], object]) -> float:
    """Return the 99th percentile of requests beside `work`, in milliseconds."""
    prober = Prober(f"{ours.page.partition('/pypi/')[0]}/healthz")
    prober.start()
    work()
    return prober.stop()


def uploads(folder: Path, ours: Index, oci_token: str, size: int, rounds: int) -> Path:
    """Print the wall time of uploads; return the last wheel, which is published."""
    [port] = free_ports(1)
    script = folder / "buffered.py"
    script.write_text(BUFFERED)
    command = [sys.executable, str(script), str(port)]
    process = servers.start("buffered", command, port, folder=folder, env=dict(os.environ))
    url = f"http://127.0.0.1:{port}/upload"
    buffered = servers.Index("buffered", url, process)
    spent: dict[str, list[tuple[float, float]]] = {}
    waits: list[float] = []
    before = resident_bytes(ours.pids())
    try:
        for number in range(rounds):
            file = make_wheel(folder, size, number)
            content = f"content=@{file}"
            for name, server, send in (
                (PEER, buffered, lambda: curl("--form", content, f"{url}/cached")),  # noqa: B023
                (DURABLE, buffered, lambda: curl("--form", content, f"{url}/durable")),  # noqa: B023
                ("package index, form", ours, lambda: upload_form(ours, file)),  # noqa: B023
                ("distribution API, PUT", ours, lambda: upload_blob(ours, oci_token, file)),  # noqa: B023
            ):
                cpu_s = server.cpu_s()
                took_s = send()
                spent.setdefault(name, []).append((took_s, server.cpu_s() - cpu_s))
                os.sync()
            waits += [
                beside(ours, lambda: upload_form(ours, file)),  # noqa: B023
                beside(ours, lambda: upload_blob(ours, oci_token, file)),  # noqa: B023
            ]
            if number + 1 < rounds:
                file.unlink()
        theirs = peak_bytes(buffered.pids())
    finally:
        buffered.stop()
    print(f"\n### Upload of {size:,} MiB\n\n| server | wall, s | MB/s | faster by "
          "| than it with fsync | CPU, s | less by |\n"
          "| --- | --: | --: | --: | --: | --: | --: |")  # fmt: skip
    for name, values in spent.items():
        took_s, cpu_s = (statistics.median(pair[which] for pair in values) for which in (0, 1))
        wall, durable, cpu = (
            statistics.median(a[which] / b[which] for a, b in zip(spent[peer], values, strict=True))
            for peer, which in ((PEER, 0), (DURABLE, 0), (PEER, 1))
        )
        print(f"| {name} | {took_s:.2f} | {size * 1.048576 / took_s:,.0f} | {wall:.1f} "
              f"| {durable:.1f} | {cpu_s:.2f} | {cpu:.1f} |")  # fmt: skip
    grown = peak_bytes(ours.pids()) - before
    print(f"\npeak memory: ours {grown / 2**20:,.0f} MiB above its start, "
          f"Tornado's {theirs / 2**20:,.0f} MiB")  # fmt: skip
    print(f"healthz beside an upload: p99 {statistics.median(waits):.1f} ms")
    return file


def downloads(ours: Index, static: Index, file: Path, size: int, rounds: int) -> None:
    """Print the wall time of downloads, and how long others wait beside ours."""
    origin = ours.page.partition("/pypi/")[0]
    url = f"{origin}/pypi/main/files/big/{file.name}"
    auth = f"Authorization: {ours.headers['Authorization']}"
    plain = static.page.replace(
        f"simple/{servers.PROJECT}/", f"files/{servers.PROJECT}/{file.name}"
    )
    spent: dict[str, list[tuple[float, float]]] = {"nginx": [], "package index": []}
    waits = []
    for turn in range(rounds + 1):
        for name, server, request in (
            ("nginx", static, (plain,)),
            ("package index", ours, ("--header", auth, url)),
        ):
            cpu_s = server.cpu_s()
            took_s = curl("--output", os.devnull, *request)
            if turn:
                spent[name].append((took_s, server.cpu_s() - cpu_s))
        waits.append(beside(ours, lambda: curl("--output", os.devnull, "--header", auth, url)))
    print(f"\n### Download of {size:,} MiB\n\n| server | wall, s | MB/s | of nginx | CPU, s |\n"
          "| --- | --: | --: | --: | --: |")  # fmt: skip
    for name, values in spent.items():
        took_s, cpu_s = (statistics.median(pair[which] for pair in values) for which in (0, 1))
        ratio = statistics.median(
            theirs[0] / mine[0] for theirs, mine in zip(spent["nginx"], values, strict=True)
        )
        rate = size * 1.048576 / took_s
        print(f"| {name} | {took_s:.2f} | {rate:,.0f} | {ratio:.2f} | {cpu_s:.2f} |")
    print(f"\nhealthz beside a download: p99 {statistics.median(waits):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=int(os.environ.get("BENCH_SIZE", "1024")))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where everything lies; default: TMPDIR")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="packager-blobs-", dir=options.folder))
    print(", ".join(machine().values()))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ours = servers.ours(folder, servers.make_wheels(folder / "wheels", 1))
        stack.callback(ours.stop)
        settings = Settings(data_dir=str(folder / "packager-data"), root_dir=str(folder))
        with Services.open(settings) as services:
            token = services.tokens.create("bench", scopes=("oci/bench/*:publish",)).secret
        static = servers.nginx(folder, folder / "wheels", ours)
        stack.callback(static.stop)
        file = uploads(folder, ours, token, options.size, options.rounds)
        (folder / "wheels" / file.name).hardlink_to(file)
        downloads(ours, static, file, options.size, options.rounds)


if __name__ == "__main__":
    main()
