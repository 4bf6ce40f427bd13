"""Runs a piece of work in a forked child under strace, which injects faults into its system calls.

The child stops itself, strace attaches, the child goes on: so only the work's own calls are
counted, and the n-th call of one kind is the same one in every run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MUTATING = (
    "openat", "write", "writev", "pwrite64", "fsync", "fdatasync", "rename", "renameat",
    "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "flock", "fchmod",
    "utimensat", "ftruncate",
)  # fmt: skip
"""Calls between which the state on disk can differ."""
MAX_WAIT_S = 60

needs_strace = pytest.mark.skipif(
    not shutil.which("strace"), reason="strace not found: install the Debian package strace"
)


@dataclass(frozen=True)
class Outcome:
    """How the child ended: what the work returned (or the error's class), and the calls it made.

    `said` is None when the child died before it could say anything.
    """

    said: str | None
    log: str

    @property
    def is_acknowledged(self) -> bool:
        return self.said == "done"


def run(work: Callable[[], object], *strace_options: str) -> Outcome:
    """Run `work` in a child under strace; an exception of it becomes ``said``."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(work, writer)
    os.close(writer)
    with tempfile.TemporaryDirectory() as folder, os.fdopen(reader, "rb") as pipe:
        log = Path(folder) / "log"
        os.waitpid(pid, os.WUNTRACED)
        with subprocess.Popen(
            ["strace", "-f", "-y", "-qq", "-o", str(log), *strace_options, "-p", str(pid)],
            stderr=subprocess.PIPE,
        ) as tracer:
            _await_tracer(pid, tracer)
            os.kill(pid, signal.SIGCONT)
            said = pipe.read().decode() or None
            os.waitpid(pid, 0)
            tracer.wait(MAX_WAIT_S)
        return Outcome(said, log.read_text(errors="replace"))


def _child(work: Callable[[], object], writer: int) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        work()
        said = "done"
    except BaseException as error:  # noqa: BLE001 - the parent judges it
        said = type(error).__name__
    with contextlib.suppress(OSError):
        os.write(writer, said.encode())
    os._exit(0)


def _await_tracer(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + MAX_WAIT_S
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pytest.fail(f"strace did not attach: {tracer.communicate()[1]!r}")
        time.sleep(0.001)


def calls(log: str) -> Counter[str]:
    """Count the system calls of a log by name."""
    return Counter(re.findall(r"^(?:\d+ +)?(\w+)\(", log, re.MULTILINE))


def points(work: Callable[[], object]) -> Iterator[tuple[str, int]]:
    """Run `work` once undisturbed and yield (call, n) for each mutating call that it made."""
    outcome = run(work, "-e", f"trace={','.join(MUTATING)}")
    assert outcome.is_acknowledged, outcome.said
    for call, count in sorted(calls(outcome.log).items()):
        for number in range(1, count + 1):
            yield call, number


def kill_at(work: Callable[[], object], call: str, number: int) -> Outcome:
    """Run `work` and kill it when it enters its `number`-th `call`."""
    return run(work, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")


def refuse_at(work: Callable[[], object], call: str, number: int, error: str) -> Outcome:
    """Run `work` and let its `number`-th `call` fail with `error` without being done."""
    return run(work, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
