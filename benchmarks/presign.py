"""Presigned URLs per second, beside the vendor's library, in one process.

``python benchmarks/presign.py [--size N] [--rounds R] [--json]``; $BENCH_SIZE sets N too. Rounds
are interleaved, so that load of the machine falls on all alike; figures are medians of CPU time.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from statistics import median

Case = tuple[str, int, Callable[[list[str]], object]]
ASCII_KEY = "raw/2024/observations/station_{:04d}/measurement-{:07d}.nc"
UNICODE_KEY = "roh/2024/Messwerte März/Station {:04d}/größe-{:07d}.parquet"


def keys_of(pattern: str, count: int) -> list[str]:
    return [pattern.format(number % 400, number) for number in range(count)]


def floor(keys: list[str]) -> None:
    """Do what no signer in Python can leave out: one SHA-256 and one HMAC."""
    key = b"k" * 32
    for name in keys:
        digest = hashlib.sha256(name.encode()).hexdigest()
        hmac.digest(key, digest.encode(), "sha256")


def s3_cases(size: int) -> list[tuple[str, list[Case]]]:
    import boto3
    from botocore.config import Config

    from packager_jupyter.sources.s3_client import S3Access, S3Place
    from packager_jupyter.sources.sigv4 import S3Keys

    keys = S3Keys("AKIDEXAMPLE", "secret-of-the-benchmark")
    access = S3Access(S3Place("data-bucket", "eu-central-1", None, None), keys)
    client = boto3.client(
        "s3",
        region_name="eu-central-1",
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(signature_version="s3v4"),
    )

    def ours(names: list[str]) -> None:
        sign = access.signer(ttl_s=3600, method="GET", prefix="")
        for name in names:
            sign(name)

    def peer(names: list[str]) -> None:
        for name in names:
            client.generate_presigned_url(
                "get_object", Params={"Bucket": "data-bucket", "Key": name}, ExpiresIn=3600
            )

    few = max(size // 40, 50)
    return [
        (
            f"S3 GET, {name} keys",
            [("boto3, one client", few, peer), ("packager", size, ours), ("floor", size, floor)],
        )
        for name in ("ASCII", "unicode")
    ]


def measure(cases: list[Case], pattern: str, rounds: int) -> dict[str, float]:
    """Return CPU microseconds per URL of each case: medians over interleaved rounds."""
    spent: dict[str, list[float]] = {name: [] for name, _, _ in cases}
    inputs = {name: keys_of(pattern, count) for name, count, _ in cases}
    for _ in range(rounds):
        for name, count, run in cases:
            start = time.process_time()
            run(inputs[name])
            spent[name].append((time.process_time() - start) / count * 1e6)
    return {name: median(values) for name, values in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=int(os.environ.get("BENCH_SIZE", "20000")))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    for title, cases in s3_cases(options.size):
        pattern = UNICODE_KEY if "unicode" in title else ASCII_KEY
        us = measure(cases, pattern, options.rounds)
        peer = us[cases[0][0]]
        results[title] = {
            name: {"us_per_url": value, "urls_per_s": 1e6 / value, "times_peer": peer / value}
            for name, value in us.items()
        }
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for title, rows in results.items():
        print(title)
        for name, row in rows.items():
            print(
                f"  {name:<34}{row['us_per_url']:>10.2f} us/URL"
                f"{row['urls_per_s']:>12,.0f} URL/s{row['times_peer']:>9.1f} x"
            )


if __name__ == "__main__":
    main()
