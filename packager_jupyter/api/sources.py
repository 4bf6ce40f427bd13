"""Calls about sources."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import BadInputError, CredentialMissingError
from packager_jupyter.sources.base import DEFAULT_PAGE, SourceCheck, SourceReport

if TYPE_CHECKING:
    from packager_jupyter.api.shapes.sources import (
        EntryList,
        EntryShown,
        Presigned,
        SourceReportShown,
    )
    from packager_jupyter.services import Services
    from packager_jupyter.sources.base import Entry


def list_sources(services: Services) -> dict[str, Any]:
    """Return what is connected."""
    return {"items": [spec.to_json() for spec in services.sources.specs()], "cursor": None}


def list_entries(
    services: Services,
    source: str,
    *,
    prefix: str = "",
    cursor: str | None = None,
    limit: int = DEFAULT_PAGE,
) -> EntryList:
    """Return one page of one level: one storage request, whatever lies below."""
    page = services.sources.open(source).list_page(prefix, cursor=cursor, limit=limit)
    return {"items": [_entry(entry) for entry in page.entries], "cursor": page.cursor}


def test_source(services: Services, source: str) -> SourceReportShown:
    """Try what the source is for."""
    try:
        report = services.sources.open(source).test()
    except CredentialMissingError as error:
        # There is nothing to try without it; that is the report.
        check = SourceCheck(
            "find the credential", is_ok=False, message=error.message, remedy=error.remedy
        )
        report = SourceReport(source, is_ok=False, checks=[check])
    return {
        "name": report.name,
        "is_ok": report.is_ok,
        "checks": [
            {
                "what": check.what,
                "is_ok": check.is_ok,
                "message": check.message,
                "remedy": check.remedy,
            }
            for check in report.checks
        ],
    }


def presign(
    services: Services,
    source: str,
    key: str,
    *,
    version_id: str | None = None,
    ttl_s: int | None = None,
    self_url: str | None = None,
) -> Presigned:
    """Sign an address that reads one object.

    Parameters
    ----------
    ttl_s : int, optional
        Seconds; the default and the most is `Settings.presign_ttl_s`.
    self_url : str, optional
        Our own public address, for sources without a storage of their own.

    Raises
    ------
    BadInputError
        A longer life than the setting allows, or a source that needs `self_url`.
    """
    ttl_s = presign_life_s(services, ttl_s)
    now_s = int(time.time())
    signer = services.sources.open(source).signer(ttl_s=ttl_s, self_url=self_url)
    return {"url": signer(key, version_id=version_id), "expires_s": now_s + ttl_s}


def presign_life_s(services: Services, wanted_s: int | None) -> int:
    """Return how long a presigned address shall live; raises `BadInputError` beyond the limit."""
    limit_s = services.settings.presign_ttl_s
    ttl_s = wanted_s or limit_s
    if ttl_s > limit_s:
        raise BadInputError(
            f"A presigned address lives for at most {limit_s} seconds here.",
            remedy="Ask for less, or have the administrator raise Settings.presign_ttl_s.",
        )
    return ttl_s


def _entry(entry: Entry) -> EntryShown:
    return {
        "key": entry.key,
        "name": entry.key.rstrip("/").rpartition("/")[2] or entry.key,
        "is_folder": entry.is_folder,
        "size_bytes": entry.size_bytes,
        "modified_s": entry.modified_s,
        "etag": entry.etag,
        "version_id": entry.version_id,
        "storage_class": entry.storage_class,
        "is_archived": entry.is_archived,
    }
