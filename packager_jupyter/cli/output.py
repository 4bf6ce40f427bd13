"""What the command line writes: data on stdout, remarks and progress on stderr.

Owns the shapes (tables, sizes, dates, JSON) and the rule that names from a storage never reach a
terminal with control characters in them. Commands hand over values; only this module decides how
they look.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.progress import TaskID

_STEP = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_ONE_DIGIT_BELOW = 99.95
_REDRAW_S = 0.1
_CHECK_COLORS = {"ok": "green", "hint": "yellow", "fails": "red"}


def printable(text: str) -> str:
    r"""Return `text` fit for one line of a terminal: control characters as ``\n``, ``\x1b``, ….

    Names in a storage are arbitrary; unescaped they could move the cursor, hide text or break a
    line in two. JSON output carries the exact name.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def use_color() -> bool | None:
    """Return False when https://no-color.org asks for it, else None: click asks the terminal."""
    return False if os.environ.get("NO_COLOR") else None


def human_size(size_bytes: int) -> str:
    """Return a size in decimal units: ``0 B``, ``1.2 kB``, ``3.2 GB``, ``143 TB``."""
    value = float(size_bytes)
    for unit in _UNITS:
        if unit == "B":
            if size_bytes < _STEP:
                return f"{size_bytes} B"
        elif value < _STEP - 0.5 or unit == _UNITS[-1]:
            return f"{value:.1f} {unit}" if value < _ONE_DIGIT_BELOW else f"{value:.0f} {unit}"
        value /= _STEP
    raise AssertionError(size_bytes)


def utc_minute(seconds: int | None) -> str:
    """Return ``2026-05-02 10:11`` (UTC), or ``-`` when unknown."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def utc_second(seconds: int) -> str:
    """Return ``2026-05-02 10:11:12`` (UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 file``, ``1,507 files``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class Output:
    """The two channels of one command.

    Parameters
    ----------
    is_json : bool, default False
        Write JSON on stdout and no remarks.
    is_exact : bool, default False
        Write sizes as plain numbers of bytes.
    """

    def __init__(self, *, is_json: bool = False, is_exact: bool = False) -> None:
        self.is_json = is_json
        self.is_exact = is_exact

    def size(self, size_bytes: int | None) -> str:
        """Return a size as this command shows sizes."""
        if size_bytes is None:
            return "-"
        return str(size_bytes) if self.is_exact else human_size(size_bytes)

    def line(self, text: str) -> None:
        """Write one line of data."""
        click.echo(printable(text))

    def heading(self, text: str) -> None:
        """Write a line that names what follows."""
        click.echo(click.style(printable(text), bold=True), color=use_color())

    def remark(self, *lines: str) -> None:
        """Say something beside the data, on stderr; silent with ``--json``."""
        if not self.is_json:
            for line in lines:
                click.echo(printable(line), err=True)

    def json(self, value: object) -> None:
        """Write one JSON document."""
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))

    def result(self, value: Mapping[str, Any], *lines: str) -> None:
        """Write `value` with ``--json``, else `lines`."""
        if self.is_json:
            self.json(value)
        else:
            for line in lines:
                self.line(line)

    def fields(self, value: Mapping[str, Any]) -> None:
        """Write the known fields of one thing, a line each."""
        if self.is_json:
            self.json(value)
            return
        for name, field in value.items():
            if field not in (None, {}, ""):
                shown = (
                    " ".join(f"{k}:{v}" for k, v in field.items()) if name == "checksums" else field
                )
                self.line(f"{name + ':':<13} {shown}")

    def check(self, state: str, what: str, message: str, remedy: str | None = None) -> None:
        """Write the outcome of one check: ``ok``, ``hint`` or ``fails``, and its remedy."""
        label = click.style(f"{state:<5}", fg=_CHECK_COLORS[state])
        click.echo(f"{label}  {printable(what)}: {printable(message)}", color=use_color())
        if remedy and state != "ok":
            click.echo(f"       {printable(remedy)}")

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: Sequence[str] = (),
    ) -> None:
        """Write an aligned table; values are never cut, so that they can be copied.

        Parameters
        ----------
        columns : sequence of str
            Headings.
        rows : iterable of sequences of str
            One cell per column.
        right : sequence of str
            Headings of the columns that are aligned to the right.
        """
        from rich.cells import cell_len

        cells = [[printable(cell) for cell in row] for row in rows]
        heads = [column.upper() for column in columns]
        widths = [
            max(cell_len(head), *(cell_len(row[i]) for row in cells), 0)
            for i, head in enumerate(heads)
        ]
        is_right = [column in right for column in columns]

        def aligned(row: Sequence[str]) -> str:
            parts = []
            for cell, width, to_right in zip(row, widths, is_right, strict=True):
                pad = " " * (width - cell_len(cell))
                parts.append(pad + cell if to_right else cell + pad)
            return "  ".join(parts).rstrip()

        click.echo(click.style(aligned(heads), bold=True), color=use_color())
        for row in cells:
            click.echo(aligned(row))

    @contextmanager
    def json_items(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Write ``{"items": [...], "cursor": ...}`` row by row, without holding the rows.

        When the block fails the document stays open, so that a partial listing is no valid JSON
        and cannot be taken for a complete one. What follows the rows is set by `close_items`.
        """
        self._is_first = True
        self._closing: Mapping[str, Any] = {"cursor": None}
        write = sys.stdout.buffer.write
        sys.stdout.flush()
        write(b'{"items": [')

        def item(row: Mapping[str, Any]) -> None:
            write(b"\n  " if self._is_first else b",\n  ")
            write(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS))
            self._is_first = False

        yield item
        write(b"], " if self._is_first else b"\n], ")
        write(orjson.dumps(dict(self._closing))[1:] + b"\n")
        sys.stdout.buffer.flush()

    def close_items(self, **fields: Any) -> None:
        """Set the fields that follow the rows of `json_items`: ``cursor`` and others."""
        self._closing = fields

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Yield a callback ``(files, bytes)`` that draws a line on stderr while a person watches.

        Nothing is drawn when stderr is no terminal or with ``--json``.
        """
        if self.is_json or not sys.stderr.isatty():
            yield _ignore
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        with bar:
            task = bar.add_task(label, total=None, counts="")
            yield _Drawer(bar.update, task)


class _Drawer:
    """Turns the callbacks of one job into at most ten redraws a second."""

    def __init__(self, update: Callable[..., None], task: TaskID) -> None:
        self._update = update
        self._task = task
        self._started_s = time.monotonic()
        self._drawn_s = 0.0

    def __call__(self, files: int, size_bytes: int) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = now_s
        rate = files / max(now_s - self._started_s, _REDRAW_S)
        counts = f"{count_of(files, 'file')} · {human_size(size_bytes)} · {rate:,.0f} files/s"
        self._update(self._task, counts=counts)


def _ignore(_files: int, _size_bytes: int) -> None:
    return None
