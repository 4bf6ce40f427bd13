"""The plain index of a folder: HTML with one relative link a line, streamed however long it is."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.packages.index_query import FolderRow
from packager_jupyter.server.share.pages import (
    human_bytes,
    moment,
    plural,
    static_files,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.packages.base import Attachment
    from packager_jupyter.packages.index_query import Row
    from packager_jupyter.packages.version import Version

PAGE_ROWS = 2000


def has_folder(version: Version, folder: str) -> bool:
    """Whether the version has a folder of this path, be it of files or of attachments."""
    if not folder:
        return True
    if any(one.path.startswith(f"{folder}/") for one in version.attachments()):
        return True
    try:
        version.totals(folder)
    except PathNotFoundError:
        return False
    return True


def folder_index(version: Version, folder: str, *, up: str) -> Iterator[bytes]:
    """Yield the index of one folder, complete or not at all.

    Parameters
    ----------
    version : Version
    folder : str
        Without a slash at its end; empty is the root.
    up : str
        From the index to our own root, for the style sheet.
    """
    title = html.escape(visible(f"{version.name}/{folder}" if folder else version.name))
    style = f"{up}static/share.css?v={static_files()['share.css'][1]}"
    parent = '<p><a href="../">Parent folder</a></p>' if folder else ""
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<title>{title}</title>\n<link rel="stylesheet" href="{style}">\n</head>\n'
        f'<body class="index">\n<main>\n<h1>{title}</h1>\n{parent}\n<ul>\n'
    ).encode("utf-8", "replace")
    folders, attached = _attached(version.attachments(), f"{folder}/" if folder else "")
    yield "".join(_line(f"{name}/", "") for name in sorted(folders)).encode()
    for rows in _pages(version, folder):
        yield "".join(
            _row(row) for row in rows if not (row.is_folder and row.name in folders)
        ).encode("utf-8", "replace")
    yield "".join(_line(name, human_bytes(one.size_bytes)) for name, one in attached).encode()
    yield b"</ul>\n</main>\n</body>\n</html>\n"


def _pages(version: Version, folder: str) -> Iterator[list[Row]]:
    try:
        version.totals(folder)
    except PathNotFoundError:
        return  # a folder of attachments only
    cursor: str | None = None
    while True:
        page = version.page(folder, cursor=cursor, limit=PAGE_ROWS)
        yield page.rows
        cursor = page.cursor
        if cursor is None:
            return


def _attached(
    attachments: list[Attachment], prefix: str
) -> tuple[set[str], list[tuple[str, Attachment]]]:
    folders, here = set(), []
    for one in attachments:
        if one.path.startswith(prefix):
            name, slash, _ = one.path.removeprefix(prefix).partition("/")
            if slash:
                folders.add(name)
            else:
                here.append((name, one))
    return folders, here


def _row(row: Row) -> str:
    if isinstance(row, FolderRow):
        return _line(f"{row.name}/", f"{plural(row.files, 'file')}, {human_bytes(row.size_bytes)}")
    date = moment(row.modified_s) if row.modified_s is not None else ""
    return _line(row.name, f"{human_bytes(row.size_bytes)} {date}".rstrip())


def _line(name: str, note: str) -> str:
    # <bdi>: a name with right-to-left characters must not turn its neighbours around.
    link = f'<a href="./{quote(name, safe="/")}"><bdi>{html.escape(visible(name))}</bdi></a>'
    return f"<li>{link} <span>{note}</span></li>\n"
