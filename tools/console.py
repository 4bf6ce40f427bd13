"""What a person sees while things are installed: one line a step; everything else is in a log."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 40


class BootstrapError(Exception):
    """The work cannot go on; the text is for the person, remedy included."""


class Console:
    """Prints steps and runs commands whose output goes to `log`.

    Parameters
    ----------
    log : Path
        Started anew; its end is shown when a command fails.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def say(self, text: str) -> None:
        """Print one line."""
        print(text, flush=True)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Print `text` when the block begins and its duration when it ends well."""
        print(f"  {text} ...", end=" ", flush=True)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            print("failed", flush=True)
            raise
        print(f"{time.monotonic() - started:.0f} s", flush=True)

    def run(
        self,
        command: Sequence[str],
        *,
        remedy: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run `command` into the log.

        Raises
        ------
        BootstrapError
            When it fails: the end of its output, the log's name and `remedy`.
        """
        with self.log.open("ab") as out:
            out.write(f"\n$ {shlex.join(command)}\n".encode())
            out.flush()
            start = out.tell()
            try:
                code = subprocess.run(
                    command,
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
            except OSError as error:
                raise BootstrapError(f"{command[0]} cannot be run: {error}. {remedy}") from error
        if code:
            with self.log.open("rb") as said:
                said.seek(start)
                tail = said.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
            raise BootstrapError(
                "\n".join(tail) + f"\n\n{shlex.join(command)} ended with {code}.\n"
                f"The whole output: {self.log}\n{remedy}"
            )
