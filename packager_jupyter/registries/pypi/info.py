"""The JSON API of a project: its metadata and files in one document.

Source: the JSON API of the package index documentation; older tools read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.version import Version

from packager_jupyter.errors import PathNotFoundError
from packager_jupyter.registries.pypi.metadata import parse_metadata
from packager_jupyter.registries.pypi.names import parse_version

if TYPE_CHECKING:
    from packaging.metadata import Metadata

    from packager_jupyter.registries.pypi.index import PypiIndex
    from packager_jupyter.registries.pypi.simple import FileRow, ProjectPage


def project_info(
    index: PypiIndex, project: str, version: str | None, *, base_url: str
) -> dict[str, Any]:
    """Return the document of the newest (final, if there is one) or the named version.

    Parameters
    ----------
    base_url : str
        Absolute address of the feed, ending in ``/``.

    Raises
    ------
    PathNotFoundError
        Unknown project or version.
    """
    page = index.page(project)
    rows = _rows(page, version) if page else []
    if page is None or not rows:
        raise PathNotFoundError(
            f"This feed has no {project!r}" + (f" {version[:80]!r}." if version else "."),
            remedy="See its simple/ page.",
        )
    fields = parse_metadata(index.metadata(project, rows[0].filename))
    return {
        "info": _info(fields) | {"version": rows[0].version, "yanked": all(r.yanked for r in rows)},
        "urls": [_url(project, row, base_url) for row in rows],
        "releases": {
            each: [_url(project, row, base_url) for row in page.files if row.version == each]
            for each in page.versions
        },
        "vulnerabilities": [],
    }


def _rows(page: ProjectPage, version: str | None) -> list[FileRow]:
    if version is not None:
        wanted = parse_version(version)
        return [row for row in page.files if Version(row.version) == wanted]
    if not page.versions:
        return []
    final = [each for each in page.versions if not Version(each).is_prerelease]
    newest = max(final or page.versions, key=Version)
    return [row for row in page.files if row.version == newest]


def _info(fields: Metadata) -> dict[str, Any]:
    return {
        "name": fields.name,
        "summary": fields.summary or "",
        "description": fields.description or "",
        "description_content_type": fields.description_content_type or "",
        "author": fields.author or "",
        "author_email": fields.author_email or "",
        "license": fields.license or "",
        "license_expression": str(fields.license_expression or "") or None,
        "keywords": ",".join(fields.keywords or ()),
        "classifiers": list(fields.classifiers or ()),
        "requires_dist": [str(each) for each in fields.requires_dist or ()] or None,
        "requires_python": str(fields.requires_python) if fields.requires_python else None,
        "project_urls": dict(fields.project_urls or {}),
    }


def _url(project: str, row: FileRow, base_url: str) -> dict[str, Any]:
    is_wheel = row.filename.endswith(".whl")
    return {
        "filename": row.filename,
        "url": f"{base_url}files/{project}/{row.filename}",
        "digests": {"sha256": row.sha256},
        "size": row.size_bytes,
        "packagetype": "bdist_wheel" if is_wheel else "sdist",
        "requires_python": row.requires_python,
        "upload_time_iso_8601": row.upload_time,
        "yanked": row.yanked is not False,
        "yanked_reason": row.yanked if isinstance(row.yanked, str) else None,
    }
