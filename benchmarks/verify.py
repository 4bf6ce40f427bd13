"""Verifying by listing, beside a bare recursive listing of the same objects.

First against Ceph's RADOS gateway, in wall time: a draft, a published version and a package whose
paths sort otherwise than its keys. Then what one pointer costs, in CPU time and without a storage,
as their number grows, each size in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Case, Suite, as_json, machine, measure, peak_memory_bytes, print_tables
from index import SIZES, Listing, Sources, timed

from packager_jupyter.config import Settings
from packager_jupyter.oci.layout import LayoutStore
from packager_jupyter.packages.catalog import Packages
from packager_jupyter.packages.verify import Verifier
from packager_jupyter.services import Services
from packager_jupyter.sources.catalog import CredentialRef
from packager_jupyter.sources.spec import SourceOptions
from peers.bulk import put_many
from peers.rgw import RgwConnection, RgwServer

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_FOLDER = 1000


@contextmanager
def gateway() -> Iterator[RgwConnection]:
    """Yield the gateway that ``PACKAGER_TEST_RGW`` names, or one of our own."""
    running = os.environ.get("PACKAGER_TEST_RGW")
    if running:
        yield RgwConnection.load(Path(running))
        return
    with RgwServer() as connection:
        yield connection


@contextmanager
def folder_for_files() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-verify-"))
    try:
        (folder / "root").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder)


def beside_listing(rgw: RgwConnection, services: Services, size: int) -> Suite:
    bucket = rgw.bucket()
    keys = (f"raw/d{number // PER_FOLDER:05}/f{number:07}.dat" for number in range(size))
    put_many(rgw, bucket, ((key, key.encode()) for key in keys), connections=16)
    services.sources.add(
        "lake",
        f"s3://{bucket}/raw",
        options=SourceOptions(endpoint_url=rgw.endpoint_url, path_style=True),
        credential=CredentialRef("stored"),
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key},
    )
    source = services.sources.open("lake")
    draft = services.packages.create("straight")
    draft.add("lake", [""])
    version = services.packages.version("straight", draft.publish(now_s=1).version)
    version.page("")
    mixed = services.packages.create("mixed")
    mixed.add("lake", [""])
    mixed.move("d00000", "z")
    client = rgw.client()

    def listing() -> None:
        assert sum(len(batch) for batch in source.walk()) == size

    def boto3_listing() -> None:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="raw/")
        assert sum(len(page["Contents"]) for page in pages) == size

    def verify(contents: Any) -> None:
        report = Verifier(contents, services.sources.open, on_problem=print).run()
        assert (report.is_ok, report.files) == (True, size)

    return Suite(
        f"{size:,} objects on the RADOS gateway",
        "object",
        [
            Case("bare recursive listing", size, listing),
            Case("bare listing by boto3's paginator", size, boto3_listing),
            Case("verify a draft", size, lambda: verify(draft)),
            Case("verify a version", size, lambda: verify(version)),
            Case("verify what sorts otherwise", size, lambda: verify(mixed)),
        ],
        clock="wall",
    )


def grow(size: int, *, is_mixed: bool) -> dict[str, float]:
    """Verify a made-up package in this process; the listing's own cost is taken off."""
    listing = Listing(size)
    with folder_for_files() as folder:
        packages = Packages(
            folder / "root",
            LayoutStore(folder / "oci"),
            Sources(listing),  # type: ignore[arg-type]
            folder / "cache",
            max_attachment_bytes=1024,
        )
        draft = packages.create("bench")
        draft.add("demo", [""])
        if is_mixed:
            draft.move("flat", "z")
        made_up = min(timed(lambda: [None for _ in listing.walk()])[0] for _ in range(2))
        before = peak_memory_bytes() / 2**20
        cpu = time.process_time()
        report = Verifier(draft, lambda _name: listing, on_problem=print).run()  # type: ignore[arg-type, return-value]
        cpu = time.process_time() - cpu - made_up
        assert (report.is_ok, report.files) == (True, size)
        packages.close()
        return {"us": cpu / size * 1e6, "per_s": size / cpu,
                "peak_mib": peak_memory_bytes() / 2**20, "peak_mib_before": before}  # fmt: skip


def growth(size: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, option in (("in key order", []), ("otherwise", ["--mixed"])):
        command = [sys.executable, __file__, "--grow", str(size), *option]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found[name] = json.loads(done.stdout)
    return found


def print_growth(grown: dict[int, dict[str, dict[str, float]]]) -> None:
    print("\n### Growth (CPU time, without the listing itself)\n")
    print("| | " + " | ".join(f"{size:,}" for size in grown) + " |")
    print("| --- |" + " --: |" * len(grown))
    for kind in next(iter(grown.values())):
        for figure in ("us", "per_s", "peak_mib"):
            values = [grown[size][kind][figure] for size in grown]
            shown = " | ".join(
                f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for value in values
            )
            print(f"| {kind}: {figure} | {shown} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=20_000, help="objects on the gateway")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ten-million", action="store_true", help="grow up to 10,000,000")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--mixed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow:
        print(json.dumps(grow(options.grow, is_mixed=options.mixed)))
        return
    with ExitStack() as stack:
        rgw = stack.enter_context(gateway())
        folder = stack.enter_context(folder_for_files())
        settings = Settings(data_dir=str(folder / "data"), root_dir=str(folder / "root"))
        services = stack.enter_context(Services.open(settings))
        suite = beside_listing(rgw, services, options.size)
        compared = [(suite, measure(suite, rounds=options.rounds))]
    sizes = (*SIZES, 10_000_000) if options.ten_million else SIZES
    grown = {size: growth(size) for size in sizes}
    if options.json:
        print(json.dumps({**as_json(compared), "growth": grown}, indent=1))
        return
    print_tables(compared)
    print_growth(grown)
    print(f"\n{', '.join(machine().values())}")


if __name__ == "__main__":
    main()
