"""``croissant.json``: the package in MLCommons' Croissant 1.1, as JSON-LD.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html: each file is a ``FileObject``
with its address and a SHA-256 or MD5. Readers demand one of them unless ``isLiveDataset`` says that
content may be without; it is set exactly when a file has neither, and the description of that file
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.base import encode_path
from packager_jupyter.exports.described import (
    description_of,
    document,
    iso,
    license_url,
    person_of,
    title_of,
)
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_HASHES = ("sha256", "md5")
_UNKNOWN = "No SHA-256 and no MD5 of this file is known."
# Terms and their meanings as the specification lists them (its section "Namespaces").
_CR = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
    *("fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
    *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _CR},
}


def croissant(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``croissant.json``."""
    files = _Distribution(contents, place.base_url)
    return document(_head(contents, place), ("distribution", files), files.after)


class _Distribution:
    """The files, and what is known of them after the last."""

    def __init__(self, contents: Exportable, base_url: str) -> None:
        self._contents = contents
        self._base_url = base_url
        self.after: dict[str, Any] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for file in exported_files(self._contents, self._base_url, algorithms=("sha256",)):
            found = _file_object(file)
            if "description" in found:
                self.after["isLiveDataset"] = True
            yield found


def _head(contents: Exportable, place: Place) -> dict[str, Any]:
    metadata = contents.metadata()
    head: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": title_of(contents),
        "description": description_of(contents),
        "url": place.base_url,
        "version": contents.version,
        "identifier": contents.digest,
    }
    if place.created_s is not None:
        head["datePublished"] = iso(place.created_s)
    if metadata.license:
        head["license"] = license_url(metadata.license) or metadata.license
    if metadata.authors:
        head["creator"] = [
            {"@type": "sc:Person", "name": one.name}
            | ({"url": one.orcid_url} if one.orcid_url else {})
            for one in map(person_of, metadata.authors)
        ]
    if metadata.keywords:
        head["keywords"] = list(metadata.keywords)
    return head


def _file_object(file: ExportedFile) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": encode_path(file.path),
        "name": file.path,
        "contentUrl": file.url,
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": file.media_type,
    }
    checksum = file.first_checksum(_HASHES)
    return found | ({checksum[0]: checksum[1]} if checksum else {"description": _UNKNOWN})
