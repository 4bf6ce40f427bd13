"""``packager source test``: what a source is for, tried step by step.

The steps stand in the order in which they can fail; after the first failure the later ones are
not tried, because they would only say the same in other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    CredentialMissingError,
    PackagerError,
    StorageCredentialError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)
from packager_jupyter.sources.base import SourceCheck, SourceReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from packager_jupyter.sources.base import Source

_MAX_FOLDERS = 5


def _failed(what: str, error: PackagerError) -> SourceCheck:
    return SourceCheck(what, is_ok=False, message=error.message, remedy=error.remedy)


def _done(what: str, message: str) -> SourceCheck:
    return SourceCheck(what, is_ok=True, message=message)


def report(name: str, checks: list[SourceCheck]) -> SourceReport:
    """Return the report of `checks`."""
    return SourceReport(name, is_ok=all(check.is_ok for check in checks), checks=checks)


def failed_report(name: str, error: PackagerError) -> SourceReport:
    """Return the report for a source that could not even be opened."""
    what = "credential" if isinstance(error, CredentialMissingError) else "open"
    return report(name, [_failed(what, error)])


def run_checks(source: Source, presigned: Callable[[str], str]) -> SourceReport:
    """Try to reach, to list, to read and to presign.

    Parameters
    ----------
    source : Source
    presigned : callable
        Presigns a key and fetches its first byte through that URL, as a visitor would; returns
        what to say about it. Raises `PackagerError`.
    """
    checks: list[SourceCheck] = []
    try:
        page = source.list_page(limit=100)
    except PackagerError as error:
        # What failed shows how far we came.
        if not isinstance(error, (StorageUnreachableError, StorageNotUnderstoodError)):
            checks.append(_done("reach", "The storage answers."))
            if not isinstance(error, StorageCredentialError):
                checks.append(_done("credential", "The storage knows the credential."))
        what = ("reach", "credential", "list")[len(checks)]
        checks.append(_failed(what, error))
        return report(source.name, checks)
    more = "" if page.cursor is None else " and more"
    checks += [
        _done("reach", "The storage answers."),
        _done("credential", "The storage accepts the credential."),
        _done("list", f"{len(page.entries)} entries{more} at the top."),
    ]
    return report(source.name, checks + _object_checks(source, presigned))


def _object_checks(source: Source, presigned: Callable[[str], str]) -> list[SourceCheck]:
    try:
        key = _some_file(source)
    except PackagerError as error:
        return [_failed("list", error)]
    if key is None:
        return [_done("read", "No file was found to read; the rest was not tried.")]
    checks: list[SourceCheck] = []
    try:
        size = sum(len(chunk) for chunk in source.read(key, start=0, stop=1))
        checks.append(_done("read", f"Read {size} byte of {key[:120]!r}."))
    except PackagerError as error:
        checks.append(_failed("read", error))
    try:
        checks.append(_done("presign", presigned(key)))
    except PackagerError as error:
        checks.append(_failed("presign", error))
    return checks


def _some_file(source: Source) -> str | None:
    """Return a file near the top, looking into a few folders at most."""
    prefix = ""
    for _ in range(_MAX_FOLDERS):
        entries = source.list_page(prefix, limit=100).entries
        for entry in entries:
            if not entry.is_folder and not entry.is_archived and entry.size_bytes:
                return entry.key
        prefix = next((entry.key for entry in entries if entry.is_folder), "")
        if not prefix:
            return None
    return None
