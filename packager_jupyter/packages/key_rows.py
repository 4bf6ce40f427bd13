"""Rows of tables of keys as entries: which column means what, and what a cell may hold.

Columns are known by their names, whatever their case and punctuation: ``key`` (the only one that
must be there), ``size``, ``etag``, ``last_modified``, ``version_id``, ``checksum``, and the names
that S3 Inventory gives them. Other columns are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.names import shown
from packager_jupyter.sources.base import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAMES = {
    "key": ("key",),
    "size": ("size", "sizebytes", "contentlength"),
    "etag": ("etag",),
    "modified": ("lastmodified", "lastmodifieddate", "modified", "modifieds"),
    "version_id": ("versionid",),
    "checksum": ("checksum",),
    "is_latest": ("islatest",),
    "is_marker": ("isdeletemarker",),
}
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names}
_NO_LETTER = re.compile(r"[^a-z0-9]")
_DIGITS = re.compile(r"[0-9]{1,18}")
_HEX = re.compile(r"[0-9a-f]+")
_HEX_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_ALGORITHMS = {length: name for name, length in _HEX_LENGTHS.items()}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def bad_keys(name: str, problem: str) -> BadInputError:
    """Return the error for a file of keys that cannot be used as it is."""
    return BadInputError(
        f"{shown(name)} cannot be used: {problem}. Nothing was added.",
        remedy="Give a CSV with a heading, a JSONL or a Parquet file with a column 'key', a .txt "
        "of one key a line, or the manifest.json of an S3 Inventory; fetch the file again if it "
        "was cut.",
    )


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """Which column of one table holds what.

    Attributes
    ----------
    file : str
        Name of the file, for messages.
    places : dict of str to int
        Meaning to place in a row.
    width : int
        Columns in all.
    is_encoded : bool
        Whether keys are percent-encoded, as S3 Inventory does in CSV.
    """

    file: str
    places: dict[str, int]
    width: int
    is_encoded: bool = False

    @classmethod
    def of(cls, file: str, names: Sequence[str], *, is_encoded: bool = False) -> KeyColumns:
        """Find the columns by their names.

        Raises
        ------
        BadInputError
            There is no ``key``, or two columns mean the same.
        """
        places: dict[str, int] = {}
        for place, name in enumerate(names):
            meaning = meaning_of(name)
            if meaning is None:
                continue
            if meaning in places:
                raise bad_keys(file, f"two of its columns give the {meaning}")
            places[meaning] = place
        if "key" not in places:
            raise bad_keys(file, "it has no column 'key'")
        return cls(file, places, len(names), is_encoded)

    def entry(self, row: Sequence[Any], number: int) -> Entry | None:
        """Return one row, or None for what is not the newest version of an object.

        Raises
        ------
        BadInputError
            Too few or many cells, or one that cannot be read; the message names the row.
        """
        if len(row) != self.width:
            raise self._bad(number, f"has {len(row)} columns instead of {self.width}")
        cells = {meaning: row[place] for meaning, place in self.places.items()}
        if self._truth(cells.get("is_marker"), number) is True:
            return None
        if self._truth(cells.get("is_latest"), number) is False:
            return None
        version_id = self._text(cells.get("version_id"), number)
        return Entry(
            self._key(cells["key"], number),
            size_bytes=self._size(cells.get("size"), number),
            modified_s=self._time(cells.get("modified"), number),
            etag=(self._text(cells.get("etag"), number) or "").strip('"') or None,
            # S3 writes "null" for objects that were put while versions were not kept.
            version_id=None if version_id == "null" else version_id,
            checksums=self._checksums(cells.get("checksum"), number),
        )

    def entries(self, rows: Iterable[Sequence[Any]], first: int) -> list[Entry]:
        """Return the entries of rows, of which the first has the number `first`."""
        found = (self.entry(row, number) for number, row in enumerate(rows, first) if row)
        return [entry for entry in found if entry is not None]

    def _bad(self, number: int, problem: str) -> BadInputError:
        return bad_keys(self.file, f"row {number:,} {problem}")

    def _key(self, cell: Any, number: int) -> str:
        if not isinstance(cell, str) or not cell:
            raise self._bad(number, "has no key")
        return unquote_plus(cell, errors="surrogateescape") if self.is_encoded else cell

    def _text(self, cell: Any, number: int) -> str | None:
        if cell is None or cell == "":
            return None
        if not isinstance(cell, str):
            raise self._bad(number, f"holds {shown(str(cell))} where a text belongs")
        return cell

    def _size(self, cell: Any, number: int) -> int | None:
        if cell is None or cell == "":
            return None
        if isinstance(cell, str) and _DIGITS.fullmatch(cell):
            return int(cell)
        if isinstance(cell, int) and not isinstance(cell, bool) and 0 <= cell < 2**63:
            return cell
        raise self._bad(number, f"has the size {shown(str(cell))}, which is no number of bytes")

    def _time(self, cell: Any, number: int) -> int | None:
        if cell is None or cell == "":
            return None
        try:
            if isinstance(cell, datetime):
                moment = cell
            elif isinstance(cell, str) and not _DIGITS.fullmatch(cell):
                moment = datetime.fromisoformat(cell)
            else:
                return int(cell)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return int(aware.timestamp() // 1)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._bad(
                number, f"has the date {shown(str(cell))}; write 2025-08-01T10:00:00Z"
            ) from error

    def _checksums(self, cell: Any, number: int) -> dict[str, str]:
        text = self._text(cell, number)
        if text is None:
            return {}
        label, colon, digest = text.lower().partition(":")
        if not colon:
            label, digest = _ALGORITHMS.get(len(label), ""), label
        if _HEX_LENGTHS.get(label) != len(digest) or not _HEX.fullmatch(digest):
            raise self._bad(
                number, f"has the checksum {shown(text)}; write sha256: and 64 hex digits"
            )
        return {label: digest}

    def _truth(self, cell: Any, number: int) -> bool | None:
        if cell is None or cell == "":
            return None
        found = _TRUTH.get(str(cell).lower())
        if found is None:
            raise self._bad(number, f"holds {shown(str(cell))} where true or false belongs")
        return found


def meaning_of(name: str) -> str | None:
    """Return what a column of that name holds, None for one that is passed over."""
    return _MEANINGS.get(_NO_LETTER.sub("", name.lower()))
