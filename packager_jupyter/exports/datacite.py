"""``datacite.json``: the metadata of DataCite 4.5 in its JSON form, ready for a DOI.

https://schema.datacite.org/meta/kernel-4.5/: creators, title, publisher, year and type must stand.
A package names no publisher and need not name an author: these are ``:unav``, DataCite's own word
for a value that is not available (its appendix 3).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.described import (
    document,
    iso,
    license_url,
    person_of,
    published_s,
    title_of,
)
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.described import Person

SCHEMA = "http://datacite.org/schema/kernel-4"
UNAVAILABLE = ":unav"
_MAX_FORMATS = 50


def datacite(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``datacite.json``."""
    return document(_record(contents, place))


def _record(contents: Exportable, place: Place) -> dict[str, Any]:
    metadata = contents.metadata()
    at_s = published_s(contents, place)
    count = size_bytes = 0
    formats: dict[str, None] = {}
    for file in exported_files(contents, place.base_url):
        count += 1
        size_bytes += file.size_bytes
        if len(formats) < _MAX_FORMATS:
            formats[file.media_type] = None
    record: dict[str, Any] = {
        "schemaVersion": SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Data package"},
        "creators": [_creator(person_of(text)) for text in metadata.authors]
        or [{"name": UNAVAILABLE}],
        "titles": [{"title": title_of(contents)}],
        "publisher": {"name": UNAVAILABLE},
        "publicationYear": f"{datetime.fromtimestamp(at_s, UTC):%Y}",
        "dates": [{"date": iso(at_s), "dateType": "Issued"}],
        "version": contents.version,
        "url": place.base_url,
        "alternateIdentifiers": [
            {"alternateIdentifier": contents.digest, "alternateIdentifierType": "OCI digest"}
        ],
        "sizes": [f"{count} files", f"{size_bytes} bytes"],
        "formats": list(formats),
    }
    if metadata.description:
        record["descriptions"] = [
            {"description": metadata.description, "descriptionType": "Abstract"}
        ]
    if metadata.keywords:
        record["subjects"] = [{"subject": word} for word in metadata.keywords]
    if metadata.license:
        record["rightsList"] = [_rights(metadata.license)]
    return record


def _creator(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = {"name": person.name}
    if person.orcid_url:
        found["nameIdentifiers"] = [
            {
                "nameIdentifier": person.orcid_url,
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    return found


def _rights(text: str) -> dict[str, str]:
    url = license_url(text)
    return {"rights": text} | ({"rightsUri": url} if url else {})
