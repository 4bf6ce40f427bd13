"""Runs the real command line as a process, in a world of its own, and remembers what it said."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packager_jupyter.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

UNTOUCHED = ("AWS_", "AZURE_", "PACKAGER_", "JUPYTER")
PASSING = (".sqlite-wal", ".sqlite-shm", ".lock")
ATTEMPTS = 'INSERT INTO "audit"'


@dataclass(frozen=True)
class Done:
    """One finished command."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.err.splitlines()[-1])


@dataclass
class Cli:
    """The command line with its own home, state, drafts and environment.

    With `in_process` commands run in this process, which spares a second each; everything else is
    the same.
    """

    home: Path
    in_process: bool = False
    env: dict[str, str] = field(default_factory=dict)
    said: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data_dir = self.home / "data"
        self.root_dir = self.home / "root"
        self.root_dir.mkdir(parents=True, exist_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(UNTOUCHED)}
        own = {
            "HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(self.home / "jupyter-config"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "jupyter-runtime"),
            "PACKAGER_DATA_DIR": str(self.data_dir),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return kept | own | self.env | more

    def run(
        self,
        *args: str,
        stdin: str | None = None,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> Done:
        environment = self.environment(**(env or {}))
        if self.in_process:
            found = run_here(args, stdin=stdin, cwd=cwd or self.root_dir, env=environment)
            self.said.append(found)
            return found
        done = subprocess.run(
            [sys.executable, "-m", "packager_jupyter.cli", *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=cwd or self.root_dir,
            timeout=240,
        )
        found = Done(args, done.returncode, done.stdout, done.stderr)
        self.said.append(found)
        return found

    def ok(self, *args: str, **options: Any) -> Done:
        done = self.run(*args, **options)
        assert done.code == 0, f"{args}: {done.err}"
        assert "Traceback" not in done.err
        return done

    def fails(self, *args: str, code: int = 1, **options: Any) -> Done:
        """Run what must fail: one line, no traceback, nothing changed."""
        before = self.state()
        done = self.run(*args, **options)
        assert done.code == code, (args, done.code, done.out, done.err)
        assert "Traceback" not in done.err
        if "--json" not in args:
            assert done.err.splitlines()[-1].startswith("error: ")
        after = self.state()
        # A blob that nothing names is no content: it may stay for the collector, but none may go.
        left = {path for path in after if "/blobs/" in path and path not in before}
        assert {path: mark for path, mark in after.items() if path not in left} == before
        return done

    def state(self) -> dict[str, str]:
        """Return what must not change: drafts, artifacts, stored secrets, rows of the database."""
        found = {}
        for folder in (self.root_dir, self.data_dir / "oci", self.data_dir / "secrets"):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and not file.name.endswith(
                    (".sqlite-wal", ".sqlite-shm", ".lock")
                ):
                    content = dump(file) if file.suffix == ".sqlite" else file.read_bytes()
                    found[str(file.relative_to(self.home))] = sha256(content).hexdigest()
        database = self.data_dir / "packager.sqlite"
        if database.exists():
            found["database"] = sha256(dump(database)).hexdigest()
        return found

    @contextlib.contextmanager
    def background(self, *args: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command until the block ends; it gets SIGTERM and must end with 0."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "packager_jupyter.cli", *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd=self.root_dir,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def run_here(args: tuple[str, ...], *, stdin: str | None, cwd: Path, env: dict[str, str]) -> Done:
    """Run one command in this process, with the streams and the environment of another."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    old_env, old_cwd, old_streams = (
        dict(os.environ),
        Path.cwd(),
        (sys.stdin, sys.stdout, sys.stderr),
    )
    try:
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(stdin or ""), out, err
        code = main(args)
    finally:
        sys.stdin, sys.stdout, sys.stderr = old_streams
        os.chdir(old_cwd)
        os.environ.clear()
        os.environ.update(old_env)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Done(args, code, *texts)


def dump(database: Path) -> bytes:
    """Return the content of an SQLite database as SQL, without what records attempts."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        lines = [
            line for line in connection.iterdump() if not line.startswith('INSERT INTO "audit"')
        ]
    return "\n".join(lines).encode()


def wait_for(path: Path, needle: str, process: subprocess.Popen[bytes], *, at_most_s: float) -> str:
    """Return the text of `path` once it holds `needle`."""
    deadline = time.monotonic() + at_most_s
    while time.monotonic() < deadline:
        text = path.read_text("utf-8", errors="replace")
        if needle in text:
            return text
        assert process.poll() is None, text
        time.sleep(0.1)
    raise AssertionError(path.read_text("utf-8", errors="replace"))
