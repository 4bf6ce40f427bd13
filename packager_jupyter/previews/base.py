"""What a preview is: blocks of plain values, which whoever shows them must escape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from packager_jupyter.previews.ranged import RangedFile

MAX_ROWS = 100
MAX_COLUMNS = 50
MAX_CELL_CHARS = 200
MAX_TEXT_CHARS = 128 * 1024
HEAD_BYTES = 256 * 1024
"""How much of a text is read, at most."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Text, shown as it is."""

    text: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """CommonMark, rendered by whoever shows it."""

    text: str
    kind: str = "markdown"


@dataclass(frozen=True, slots=True)
class NotebookBlock:
    """The bytes of a Jupyter notebook, rendered by whoever shows it."""

    data: bytes
    kind: str = "notebook"


@dataclass(frozen=True, slots=True)
class FactsBlock:
    """Names and values."""

    facts: tuple[tuple[str, str], ...]
    title: str = ""
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table with a heading; rows may be shorter than it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """The file itself is an image that browsers show safely; sizes in pixels."""

    width: int
    height: int
    kind: str = "image"


@dataclass(frozen=True, slots=True)
class PictureBlock:
    """A picture that was made of the file: a PNG, base64."""

    png_base64: str
    title: str
    kind: str = "picture"


Block = (
    TextBlock | MarkdownBlock | NotebookBlock | FactsBlock | TableBlock | ImageBlock | PictureBlock
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of a file.

    Attributes
    ----------
    blocks : tuple of Block
    notes : tuple of str
        What is not shown, in sentences: a part is never passed off as the whole.
    """

    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = field(default=())


class Previewer(Protocol):
    """Makes previews of one kind of file; a row of `registry.PREVIEWERS`."""

    def __call__(self, file: RangedFile) -> Preview:
        """Return the preview of `file`.

        Raises
        ------
        NotPreviewableError
            The file is not what its name says, or too large, or a library is not installed.
        StorageError
            The storage failed; nothing is shown then.
        """
        ...


def cut(text: str, limit: int = MAX_CELL_CHARS) -> str:
    """Return `text`, at most `limit` characters of it and an ellipsis."""
    return text if len(text) <= limit else text[:limit] + "…"


def table_block(
    columns: list[str], rows: list[list[str]], *, title: str = ""
) -> tuple[TableBlock, list[str]]:
    """Return a table within the limits, and a note when columns were left out."""
    notes = []
    count = max([len(columns), *map(len, rows)], default=0)
    if count > MAX_COLUMNS:
        notes.append(f"Only the first {MAX_COLUMNS} of {count:,} columns are shown.")
    block = TableBlock(
        tuple(cut(name) for name in columns[:MAX_COLUMNS]),
        tuple(tuple(cut(value) for value in row[:MAX_COLUMNS]) for row in rows[:MAX_ROWS]),
        title,
    )
    return block, notes
