"""The table of previewers: which kinds of files are shown, and by what.

A kind is recognised by the ending of the file's name, then by its media type. A new kind is a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from packager_jupyter.previews import images, isolated, tables, texts

if TYPE_CHECKING:
    from packager_jupyter.previews.base import Previewer


@dataclass(frozen=True, slots=True)
class PreviewKind:
    """One kind of file.

    Attributes
    ----------
    key : str
        Names it for ever.
    title : str
        As people call it.
    suffixes, media_types : tuple of str
        What it is recognised by, lower case.
    make : Previewer
    extra : str, optional
        The extra of this package that must be installed.
    """

    key: str
    title: str
    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    make: Previewer
    extra: str = ""


PREVIEWERS = (
    PreviewKind(
        "table",
        "Table",
        (".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz"),
        ("text/csv", "text/tab-separated-values"),
        tables.csv_preview,
    ),
    PreviewKind(
        "jsonl",
        "JSON Lines",
        (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"),
        ("application/jsonl", "application/x-ndjson"),
        tables.jsonl_preview,
    ),
    PreviewKind(
        "json",
        "JSON",
        (".json", ".geojson", ".json.gz"),
        ("application/json", "application/geo+json"),
        texts.json_preview,
    ),
    PreviewKind(
        "notebook", "Notebook", (".ipynb",), ("application/x-ipynb+json",), texts.notebook_preview
    ),
    PreviewKind(
        "markdown", "Markdown", (".md", ".markdown"), ("text/markdown",), texts.markdown_preview
    ),
    PreviewKind(
        "image",
        "Image",
        (".png", ".jpg", ".jpeg", ".gif", ".webp"),
        ("image/png", "image/jpeg", "image/gif", "image/webp"),
        images.image_preview,
    ),
    PreviewKind(
        "parquet",
        "Parquet",
        (".parquet", ".geoparquet"),
        ("application/vnd.apache.parquet",),
        isolated.Isolated("parquet", what="Parquet", extra="parquet"),
        extra="parquet",
    ),
    PreviewKind(
        "tiff",
        "TIFF",
        (".tif", ".tiff", ".cog"),
        ("image/tiff",),
        isolated.Isolated("tiff", what="TIFF", extra="tiff"),
        extra="tiff",
    ),
    PreviewKind(
        "text",
        "Text",
        (
            *(".txt", ".log", ".rst", ".tex", ".bib", ".toml", ".ini", ".cfg", ".yaml", ".yml"),
            *(".py", ".r", ".jl", ".m", ".f90", ".c", ".h", ".cpp", ".js", ".ts", ".sh", ".sql"),
            *(".xml", ".html", ".htm", ".svg", ".css", ".nml", ".cdl", ".wkt", ".txt.gz"),
            *(".dvc", ".cff", ".md5", ".sha256"),
        ),
        ("application/xml", "application/yaml", "application/toml", "application/sql"),
        texts.text_preview,
    ),
)


@cache
def _by_suffix() -> dict[str, PreviewKind]:
    return {suffix: kind for kind in PREVIEWERS for suffix in kind.suffixes}


@cache
def _by_media_type() -> dict[str, PreviewKind]:
    return {media_type: kind for kind in PREVIEWERS for media_type in kind.media_types}


def preview_kind(path: str, media_type: str | None = None) -> PreviewKind | None:
    """Return how a file is shown, ``None`` when its kind is not."""
    name = path.rpartition("/")[2].lower()
    parts = name.split(".")
    for count in (2, 1):
        if len(parts) > count:
            found = _by_suffix().get("." + ".".join(parts[-count:]))
            if found is not None:
                return found
    plain = (media_type or "").partition(";")[0].strip().lower()
    found = _by_media_type().get(plain)
    if found is None and plain.startswith("text/"):
        return next(kind for kind in PREVIEWERS if kind.key == "text")
    return found
