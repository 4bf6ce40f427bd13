"""Previews of tables that are text: CSV and its kin, and JSON Lines."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.base import (
    MAX_COLUMNS,
    MAX_ROWS,
    Preview,
    TextBlock,
    table_block,
)
from packager_jupyter.previews.texts import read_text, whole_lines

if TYPE_CHECKING:
    from packager_jupyter.previews.ranged import RangedFile

_DELIMITERS = ",;\t|"


def csv_preview(file: RangedFile) -> Preview:
    """Show the first rows of a CSV file; what separates the columns is seen in its first line."""
    text, note = read_text(file)
    lines = whole_lines(text, note)
    first = lines[0] if lines else ""
    is_tabbed = ".tsv" in file.name.lower() or ".tab" in file.name.lower()
    delimiter = "\t" if is_tabbed else max(_DELIMITERS, key=first.count)
    rows = []
    try:
        for row in csv.reader((f"{line}\n" for line in lines), delimiter=delimiter):
            rows.append(row)
            if len(rows) > MAX_ROWS + 1:
                break
    except csv.Error:
        return Preview(
            (TextBlock(text),), _notes("It cannot be read as a table; it is shown as text.", note)
        )
    return _table(rows, note)


def jsonl_preview(file: RangedFile) -> Preview:
    """Show the first records of JSON Lines, as a table when they are objects, else as text."""
    text, note = read_text(file)
    lines = [line for line in whole_lines(text, note) if line.strip()]
    columns: dict[str, int] = {}
    records: list[dict[str, str]] = []
    for line in lines[: MAX_ROWS + 1]:
        try:
            record = json.loads(line, parse_int=str, parse_float=str)
            parsed = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            return Preview((TextBlock(text),), _notes(note))
        # Numbers stand as they are in the file; only inside of lists and objects they are parsed.
        records.append(
            {
                name: value
                if isinstance(value, str)
                else json.dumps(parsed[name], ensure_ascii=False)
                for name, value in record.items()
            }
        )
        for name in record:
            columns.setdefault(name, len(columns))
    names = list(columns)
    rows = [[record.get(name, "") for name in names[: MAX_COLUMNS + 1]] for record in records]
    block, notes = table_block(names, rows[:MAX_ROWS])
    if len(names) > MAX_COLUMNS or len(records) > MAX_ROWS or note:
        notes.append(_first_rows(min(len(records), MAX_ROWS)))
    return Preview((block,), tuple(notes))


def _table(rows: list[list[str]], note: str | None) -> Preview:
    if not rows:
        if note:
            raise NotPreviewableError(
                "The first row of this table is too long to be shown.", remedy="Download it."
            )
        return Preview((), ("This file is empty.",))
    block, notes = table_block(rows[0], rows[1:])
    if note or len(rows) > MAX_ROWS + 1:
        notes.append(_first_rows(len(block.rows)))
    return Preview((block,), tuple(notes))


def _first_rows(count: int) -> str:
    return f"Only the first {count:,} rows are shown." if count != 1 else "Only one row is shown."


def _notes(*notes: str | None) -> tuple[str, ...]:
    return tuple(note for note in notes if note)
