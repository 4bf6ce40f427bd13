"""What a Parquet file is: its schema, and the first rows of its first columns. Runs in `worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.base import FactsBlock, Preview, cut, table_block

if TYPE_CHECKING:
    from packager_jupyter.previews.base import Block
    from packager_jupyter.previews.worker import RemoteFile

MAX_FOOTER_BYTES = 8 * 1024 * 1024
MAX_FIELDS = 200
HEAD_ROWS = 20
HEAD_COLUMNS = 20
HEAD_BYTES = 4 * 1024 * 1024
BUFFER_BYTES = 64 * 1024
_MAX_LIST = 5
_TAIL = 8


def parquet_preview(file: RemoteFile) -> Preview:
    """Read the footer and the beginning of the first row group."""
    import pyarrow as pa
    from pyarrow import parquet

    _check_footer(file)
    opened = parquet.ParquetFile(
        pa.PythonFile(file, mode="r"),
        pre_buffer=False,
        buffer_size=BUFFER_BYTES,
        thrift_string_size_limit=MAX_FOOTER_BYTES,
        thrift_container_size_limit=1_000_000,
    )
    facts, schema, notes = _facts(opened), opened.schema_arrow, []
    fields = [
        [field.name, cut(str(field.type)), "yes" if field.nullable else "no"]
        for field in (schema.field(at) for at in range(min(len(schema), MAX_FIELDS)))
    ]
    if len(schema) > MAX_FIELDS:
        notes.append(f"Only the first {MAX_FIELDS} of {len(schema):,} columns are listed.")
    blocks: list[Block] = [facts]
    try:
        head, more = _head(opened)
        notes += more
        blocks += head
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        reason = " ".join(str(error).split())
        notes.append(f"The first rows cannot be shown: {cut(reason)}.")
    blocks.append(_schema_table(fields))
    return Preview(tuple(blocks), tuple(notes))


def _schema_table(fields: list[list[str]]) -> Block:
    from packager_jupyter.previews.base import TableBlock

    rows = tuple((cut(name), kind, nullable) for name, kind, nullable in fields)
    return TableBlock(("Column", "Type", "May be empty"), rows, "Columns")


def _check_footer(file: RemoteFile) -> None:
    """See https://parquet.apache.org/docs/file-format: the length and the magic number end it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL) or b""
    if tail[4:] == b"PARE":
        raise NotPreviewableError("its footer is encrypted", remedy="Download it.")
    if len(tail) != _TAIL or tail[4:] != b"PAR1":
        raise NotPreviewableError("it does not end as one", remedy="Download it.")
    length = int.from_bytes(tail[:4], "little")
    if length > min(MAX_FOOTER_BYTES, size):
        raise NotPreviewableError(
            f"its footer has {length:,} bytes, too many for a preview", remedy="Download it."
        )


def _facts(opened: Any) -> FactsBlock:
    found = opened.metadata
    return FactsBlock(
        (
            ("Rows", f"{found.num_rows:,}"),
            ("Columns", f"{len(opened.schema_arrow):,}"),
            ("Row groups", f"{found.num_row_groups:,}"),
            ("Written by", cut(str(found.created_by or "unknown"))),
        )
    )


def _head(opened: Any) -> tuple[list[Block], list[str]]:
    if not opened.metadata.num_row_groups:
        return [], []
    names, notes = _affordable(opened)
    if not names:
        return [], ["The first rows cannot be shown: the first column is too large."]
    batches = opened.iter_batches(HEAD_ROWS, row_groups=[0], columns=names, use_threads=False)
    batch = next(batches, None)
    if batch is None:
        return [], notes
    columns = [str(name) for name in batch.schema.names]
    values = [_values(batch.column(at)) for at in range(batch.num_columns)]
    rows = [list(row) for row in zip(*values, strict=True)]
    block, more = table_block(columns, rows, title="First rows")
    if opened.metadata.num_rows > batch.num_rows:
        more.append(f"Only the first {batch.num_rows:,} rows are shown.")
    return [block], notes + more


def _affordable(opened: Any) -> tuple[list[str], list[str]]:
    """Return the first columns whose bytes in the first row group are few enough."""
    group, schema = opened.metadata.row_group(0), opened.schema_arrow
    cost: dict[str, int] = {}
    for at in range(group.num_columns):
        chunk = group.column(at)
        name = chunk.path_in_schema.partition(".")[0]
        cost[name] = cost.get(name, 0) + max(chunk.total_uncompressed_size, 0)
    names: list[str] = []
    spent = 0
    for name in schema.names:
        # Only as many as are read in small parts anyway; the first one is tried in any case.
        spent += min(cost.get(name, 0), HEAD_BYTES // 2)
        if len(names) >= HEAD_COLUMNS or (names and spent > HEAD_BYTES):
            break
        names.append(name)
    left = len(schema) - len(names)
    return names, [f"First rows: {left:,} more columns are not shown."] if left else []


def _values(column: Any) -> list[str]:
    return [_value(column[at]) for at in range(len(column))]


def _value(scalar: Any) -> str:
    import pyarrow as pa

    if not scalar.is_valid:
        return ""
    kind = scalar.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        size = len(scalar.as_buffer())
        return f"{size:,} bytes"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        count = len(scalar.values)
        shown = [_value(scalar.values[at]) for at in range(min(count, _MAX_LIST))]
        return cut(f"[{', '.join(shown)}{', …' if count > _MAX_LIST else ''}]")
    return cut(str(scalar.as_py()))
