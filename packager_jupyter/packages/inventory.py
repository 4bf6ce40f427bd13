"""Reading files of keys: CSV, JSONL, Parquet, plain text, and the inventories that S3 writes.

Pure reading of local files, in batches, never whole. An inventory is its ``manifest.json`` with the
data files beside it or where S3 puts them; their sizes and MD5 must be those of the manifest, so a
cut or stale copy is noticed before its first row is used
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html).
Parquet needs the extra ``parquet``. Which column means what is `key_rows`' part.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NoReturn

import orjson

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.key_rows import KeyColumns, bad_keys, meaning_of
from packager_jupyter.sources.base import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


BATCH = 5000
MAX_LINE = 1024 * 1024
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
MAX_NAME_BYTES = 255  # of a file, on every system that we know
PLAIN_ENDINGS = (".txt", ".source")
"""Of files that hold one key a line and no heading."""

_CHUNK = 1024 * 1024
_GZIP, _PARQUET, _ORC = b"\x1f\x8b", b"PAR1", b"ORC"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """An opened file of keys.

    Attributes
    ----------
    name : str
        For messages.
    bucket : str or None
        The bucket that an inventory lists; its keys are those of the whole bucket. None: keys are
        relative to the source.
    read : callable
        Returns an iterator over batches of at most `BATCH` entries; an entry without size was not
        given one. It raises `BadInputError` where the file breaks off or cannot be read.
    """

    name: str
    bucket: str | None
    read: Callable[[], Iterator[list[Entry]]]


def open_keys(path: Path) -> KeyFile:
    """Recognize a file of keys by what is in it.

    Raises
    ------
    BadInputError
        It cannot be opened, is of no known kind, or is an inventory whose files are missing or
        are not those of the manifest.
    """
    name = path.name
    with _reading(name), path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise bad_keys(name, "it is empty")
    if head.startswith(_PARQUET):
        return KeyFile(name, None, lambda: _parquet(path))
    if head.startswith(_ORC):
        raise bad_keys(name, "it is an ORC file")
    if head.lstrip()[:1] == b"{" and not head.startswith(_GZIP):
        manifest = _manifest(path)
        if manifest is not None:
            return manifest
    if path.suffix.lower() in PLAIN_ENDINGS:
        return KeyFile(name, None, lambda: _plain(path))
    return KeyFile(name, None, lambda: _table(path))


def to_json_lines(keys: KeyFile) -> Iterator[bytes]:
    """Yield a file of keys as JSONL, batch by batch; `open_keys` reads the same rows from it.

    Raises
    ------
    BadInputError
        A key is no valid Unicode, which JSON cannot carry; or what reading the file raises.
    """
    for entries in keys.read():
        try:
            yield b"".join(_json_line(entry) for entry in entries)
        except TypeError as error:  # orjson's for lone surrogates
            raise bad_keys(keys.name, "it names a key that is no valid Unicode text") from error


def _json_line(entry: Entry) -> bytes:
    row = {
        "key": entry.key,
        "size": entry.size_bytes,
        "etag": entry.etag,
        "last_modified": entry.modified_s,
        "version_id": entry.version_id,
        "checksum": next((f"{name}:{value}" for name, value in entry.checksums.items()), None),
    }
    known = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(known, option=orjson.OPT_APPEND_NEWLINE)


class _reading:  # noqa: N801  # reads as a statement: with _reading(name)
    """Turns what reading a damaged file raises into one error that names it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, UnicodeError):
            raise bad_keys(self._name, "it is not UTF-8 text") from error
        if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
            raise bad_keys(self._name, "its compressed data are damaged or cut") from error
        if isinstance(error, OSError):
            reason = error.strerror or "it cannot be read"
            raise bad_keys(self._name, reason[0].lower() + reason[1:]) from error
        if isinstance(error, csv.Error):
            raise bad_keys(self._name, f"it is no proper CSV ({error})") from error


# --- tables of text ---------------------------------------------------------------------------


def _table(path: Path) -> Iterator[list[Entry]]:
    """Read a CSV with a heading, or JSONL; either may be gzipped."""
    name = path.name
    with _reading(name), _open_text(path) as text:
        lines = _lines(name, text)
        first = next(lines, "")
        rest = _chained(first, lines)
        if first.lstrip().startswith("{"):
            yield from _json_lines(name, rest)
            return
        rows = csv.reader(rest, strict=True)
        columns = KeyColumns.of(name, next(rows, []))
        yield from _csv_rows(columns, rows, first_number=2)


def _plain(path: Path) -> Iterator[list[Entry]]:
    """Read a text of one key a line, as packageR's ``.source`` files are."""
    name = path.name
    with _reading(name), _open_text(path) as text:
        keys = (line.rstrip("\r\n") for line in _lines(name, text))
        while batch := list(islice(keys, BATCH)):
            yield [Entry(key) for key in batch if key and not key.startswith("#")]


def _open_text(path: Path) -> IO[str]:
    with path.open("rb") as raw:
        is_packed = raw.read(2) == _GZIP
    if is_packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _lines(name: str, text: IO[str]) -> Iterator[str]:
    """Yield lines; one without end must not fill the memory."""
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith("\n"):
            raise bad_keys(name, f"it has a line of more than {MAX_LINE:,} characters")
        yield line


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _csv_rows(
    columns: KeyColumns, rows: Iterator[list[str]], *, first_number: int
) -> Iterator[list[Entry]]:
    number = first_number
    while batch := list(islice(rows, BATCH)):
        yield columns.entries(batch, number)
        number += len(batch)


def _json_lines(name: str, lines: Iterator[str]) -> Iterator[list[Entry]]:
    number = 1
    known: dict[tuple[str, ...], KeyColumns] = {}
    while batch := list(islice(lines, BATCH)):
        entries = []
        for at, line in enumerate(batch, number):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except ValueError as error:
                raise bad_keys(name, f"line {at:,} is not JSON") from error
            if not isinstance(row, dict):
                raise bad_keys(name, f"line {at:,} is no JSON object")
            names = tuple(row)
            columns = known.get(names)
            if columns is None:
                columns = KeyColumns.of(name, names)
                if len(known) < BATCH:
                    known[names] = columns
            entry = columns.entry(list(row.values()), at)
            if entry is not None:
                entries.append(entry)
        yield entries
        number += len(batch)


# --- Parquet ----------------------------------------------------------------------------------


def _parquet(path: Path) -> Iterator[list[Entry]]:
    name = path.name
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise BadInputError(
            f"{name} is a Parquet file, and reading those is not installed here.",
            remedy="Install the extra: pip install 'packager_jupyter[parquet]'; or give a CSV.",
        ) from error
    try:
        with _reading(name), parquet.ParquetFile(path, pre_buffer=False) as file:
            schema = file.schema_arrow
            wanted = [column for column in schema.names if meaning_of(column)]
            columns = KeyColumns.of(name, wanted)
            number = 1
            for batch in file.iter_batches(BATCH, columns=wanted, use_threads=False):
                cells = [_cells(pa, batch.column(column)) for column in wanted]
                yield columns.entries(zip(*cells, strict=True), number)
                number += batch.num_rows
    except pa.ArrowException as error:
        raise bad_keys(name, "its Parquet data are damaged, cut or of an unknown kind") from error


def _cells(pa: Any, column: Any) -> list[Any]:
    """Return a column as Python values; instants as whole Unix seconds, rounded down."""
    if pa.types.is_timestamp(column.type):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        ticks = column.cast(pa.int64()).to_pylist()
        return [None if tick is None else tick // per_second for tick in ticks]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells: list[Any] = column.to_pylist()
    return cells


# --- S3 Inventory -----------------------------------------------------------------------------


def _manifest(path: Path) -> KeyFile | None:
    """Return the inventory of a manifest, None when the file is none."""
    name = path.name
    with _reading(name):
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            return None
        data = path.read_bytes()
    try:
        value = orjson.loads(data)
    except ValueError:
        if name == "manifest.json":
            raise bad_keys(name, "it is no complete JSON") from None
        return None
    if not isinstance(value, dict) or "fileSchema" not in value:
        return None
    bucket, kind, files = (value.get(part) for part in ("sourceBucket", "fileFormat", "files"))
    readers: dict[Any, Callable[[Path], Iterator[list[Entry]]]] = {
        "CSV": lambda file: _inventory_csv(file, value["fileSchema"]),
        "Parquet": _parquet,
    }
    if kind not in readers:
        raise bad_keys(name, f"its files are {kind}, not CSV or Parquet")
    if not isinstance(bucket, str) or not bucket or not isinstance(files, list):
        raise bad_keys(name, "it is no complete manifest of an S3 Inventory")
    found = [_data_file(path, one) for one in files]

    def read() -> Iterator[list[Entry]]:
        for file, size_bytes, md5 in found:
            _check_data(file, size_bytes, md5)
            yield from readers[kind](file)

    return KeyFile(name, bucket, read)


def data_parts(manifest: str, row: Any) -> list[str]:
    """Return the segments of the key that one row of a manifest's ``files`` gives.

    Raises
    ------
    BadInputError
        It gives none, or one that would lead out of a folder.
    """
    key = row.get("key") if isinstance(row, dict) else None
    parts = key.split("/") if isinstance(key, str) else []
    is_bad = not parts or not {"", ".", ".."}.isdisjoint(parts[1:] or parts)
    if is_bad or "\0" in str(key) or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise bad_keys(manifest, "it names a data file that cannot be")
    return parts


def _data_file(manifest: Path, row: Any) -> tuple[Path, int | None, str | None]:
    """Find the local copy of one file that the manifest names by its key in a bucket."""
    parts = data_parts(manifest.name, row)
    size_bytes, md5 = row.get("size"), row.get("MD5checksum")
    for start in range(len(parts)):
        for folder in (manifest.parent, manifest.parent.parent):
            file = folder.joinpath(*[part for part in parts[start:] if part])
            if file.is_file():
                return file, size_bytes, md5
    raise bad_keys(
        manifest.name, f"its data file {parts[-1]} is neither beside it nor in a folder 'data'"
    )


def _check_data(file: Path, size_bytes: int | None, md5: str | None) -> None:
    found = hashlib.md5(usedforsecurity=False)
    length = 0
    with _reading(file.name), file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            length += len(chunk)
            if md5:
                found.update(chunk)
    if size_bytes is not None and length != size_bytes:
        _differs(file, f"it has {length:,} bytes instead of {size_bytes:,}")
    if md5 and found.hexdigest() != md5.lower():
        _differs(file, "its MD5 is not the one in the manifest")


def _differs(file: Path, problem: str) -> NoReturn:
    raise bad_keys(file.name, problem)


def _inventory_csv(path: Path, schema: str) -> Iterator[list[Entry]]:
    """Read one CSV of an inventory: no heading, keys percent-encoded."""
    names: Sequence[str] = [one.strip() for one in schema.split(",")]
    columns = KeyColumns.of(path.name, names, is_encoded=True)
    with _reading(path.name), _open_text(path) as text:
        rows = csv.reader(_lines(path.name, text), strict=True)
        yield from _csv_rows(columns, rows, first_number=1)
