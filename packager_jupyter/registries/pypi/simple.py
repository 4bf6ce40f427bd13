"""Pages of the simple repository API: JSON 1.4 and HTML, and which of them a client wants.

Source: "Simple repository API" of the packaging specifications (PEP 503, 592, 629, 658, 691, 700,
714, 740, 792, 833). HTML carries what HTML pages carry and nothing newer (PEP 833).
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

API_VERSION = "1.4"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
PLAIN_HTML_TYPE = "text/html"
Status = Literal["active", "archived", "quarantined", "deprecated"]

_BY_NAME = {
    JSON_TYPE: JSON_TYPE,
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    HTML_TYPE: HTML_TYPE,
    "application/vnd.pypi.simple.latest+html": HTML_TYPE,
    "text/html": PLAIN_HTML_TYPE,
    "text/*": PLAIN_HTML_TYPE,
    "*/*": PLAIN_HTML_TYPE,
    "application/*": JSON_TYPE,
}
_MAX_ACCEPT_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class FileRow:
    """One distribution file as a list shows it.

    Attributes
    ----------
    yanked : str or bool
        False, True, or the reason (PEP 592).
    metadata_sha256 : str or None
        Digest of the file served at ``<url>.metadata`` (PEP 658, 714).
    provenance_url : str or None
        Absolute (PEP 740).
    upload_time : str
        ``yyyy-mm-ddThh:mm:ss.ffffffZ`` (PEP 700).
    """

    filename: str
    version: str
    sha256: str
    size_bytes: int
    upload_time: str
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | bool = False
    provenance_url: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """Everything that a project's page says; `project` is normalised."""

    project: str
    files: Sequence[FileRow]
    versions: Sequence[str]
    status: Status = "active"
    status_reason: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def negotiate(accept: str | None) -> str | None:
    """Return the content type for an ``Accept`` header (RFC 9110 12.5.1), or None for 406.

    The highest quality wins; among equals JSON, then HTML. No header means ``text/html``.
    """
    if not accept or not accept.strip():
        return PLAIN_HTML_TYPE
    best: dict[str, float] = {}
    for part in accept[:_MAX_ACCEPT_LENGTH].split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        content_type = _BY_NAME.get(name.lower())
        if content_type is not None:
            quality = _quality(parameters)
            best[content_type] = max(quality, best.get(content_type, 0.0))
    order = (JSON_TYPE, HTML_TYPE, PLAIN_HTML_TYPE)
    ranked = sorted(
        (kind for kind, quality in best.items() if quality > 0),
        key=lambda kind: (-best[kind], order.index(kind)),
    )
    return ranked[0] if ranked else None


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def file_url(project: str, filename: str) -> str:
    """Return the URL of a file, relative to the project's page (``simple/<project>/``)."""
    return f"../../files/{quote(project, safe='')}/{quote(filename, safe='')}"


def project_json(page: ProjectPage) -> bytes:
    """Return the JSON page of a project."""
    body: dict[str, Any] = {
        "meta": {"api-version": API_VERSION},
        "name": page.project,
        "versions": list(page.versions),
        "files": [_file_json(page.project, row) for row in _offered(page)],
        "project-status": _without_none({"status": page.status, "reason": page.status_reason}),
    }
    return orjson.dumps(body | dict(page.extra))


def project_html(page: ProjectPage) -> bytes:
    """Return the HTML page of a project."""
    metas = [("pypi:repository-version", API_VERSION), ("pypi:project-status", page.status)]
    if page.status_reason:
        metas.append(("pypi:project-status-reason", page.status_reason))
    anchors = (_anchor(page.project, row) for row in _offered(page))
    return _document(f"Links for {page.project}", metas, anchors)


def index_json(projects: Iterable[str]) -> bytes:
    """Return the JSON list of all projects."""
    rows = [{"name": name} for name in projects]
    return orjson.dumps({"meta": {"api-version": API_VERSION}, "projects": rows})


def index_html(projects: Iterable[str]) -> bytes:
    """Return the HTML list of all projects."""
    anchors = (f'<a href="{quote(name, safe="")}/">{html.escape(name)}</a>' for name in projects)
    return _document("Simple index", [("pypi:repository-version", API_VERSION)], anchors)


def _offered(page: ProjectPage) -> Sequence[FileRow]:
    # A quarantined project must not offer its files (PEP 792).
    return () if page.status == "quarantined" else page.files


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _file_json(project: str, row: FileRow) -> dict[str, Any]:
    metadata = {"sha256": row.metadata_sha256} if row.metadata_sha256 else False
    return _without_none(
        {
            "filename": row.filename,
            "url": file_url(project, row.filename),
            "hashes": {"sha256": row.sha256},
            "requires-python": row.requires_python,
            # Never as dist-info-metadata too: pip 22.3 to 23.0 fails on it in JSON (PEP 714).
            "core-metadata": metadata,
            "yanked": row.yanked,
            "size": row.size_bytes,
            "upload-time": row.upload_time,
            "provenance": row.provenance_url,
        }
    )


def _anchor(project: str, row: FileRow) -> str:
    attributes = {"href": f"{file_url(project, row.filename)}#sha256={row.sha256}"}
    if row.requires_python:
        attributes["data-requires-python"] = row.requires_python
    if row.metadata_sha256:
        attributes["data-core-metadata"] = f"sha256={row.metadata_sha256}"
        attributes["data-dist-info-metadata"] = f"sha256={row.metadata_sha256}"
    if row.yanked is not False:
        attributes["data-yanked"] = row.yanked if isinstance(row.yanked, str) else ""
    if row.provenance_url:
        attributes["data-provenance"] = row.provenance_url
    shown = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<a {shown}>{html.escape(row.filename)}</a>"


def _document(title: str, metas: Iterable[tuple[str, str]], anchors: Iterable[str]) -> bytes:
    head = "\n".join(
        f'<meta name="{name}" content="{html.escape(value)}">' for name, value in metas
    )
    links = "<br>\n".join(anchors)
    shown = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n{head}\n'
        f"<title>{shown}</title>\n</head>\n<body>\n<h1>{shown}</h1>\n{links}\n</body>\n</html>\n"
    ).encode()
