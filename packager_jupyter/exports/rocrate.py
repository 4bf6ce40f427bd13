"""``ro-crate-metadata.json``: the package as an RO-Crate, version 1.2, of web-based data entities.

https://w3id.org/ro/crate/1.2: the root dataset is the share's own address (``./`` beside this file)
and every file an entity under its lasting address. Name, description, date and licence are what the
root must have (section "Root Data Entity"); an unknown licence is said to be unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.described import (
    description_of,
    document,
    iso,
    license_url,
    person_of,
    pieces,
    published_s,
    title_of,
)
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

CONTEXT = "https://w3id.org/ro/crate/1.2/context"
CONFORMS_TO = "https://w3id.org/ro/crate/1.2"
_NO_LICENSE = "#no-license"
_LICENSE = "#license"


def crate(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``ro-crate-metadata.json``; the files are read twice: for the root, for themselves."""
    return document({"@context": CONTEXT}, ("@graph", _graph(contents, place)))


def _graph(contents: Exportable, place: Place) -> Iterator[dict[str, Any] | Iterator[bytes]]:
    people = [person_of(text) for text in contents.metadata().authors]
    authors = [
        {"@id": one.orcid_url or f"#author-{number}", "@type": "Person", "name": one.name}
        for number, one in enumerate(people, 1)
    ]
    license_entity = _license(contents.metadata().license)
    yield {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": CONFORMS_TO},
        "about": {"@id": "./"},
    }
    root = _root(contents, place)
    root["license"] = {"@id": license_entity["@id"]}
    if authors:
        root["author"] = [{"@id": one} for one in dict.fromkeys(a["@id"] for a in authors)]
    parts = ({"@id": file.url} for file in exported_files(contents, place.base_url))
    yield pieces(root, ("hasPart", parts))
    yield license_entity
    yield from {author["@id"]: author for author in authors}.values()
    yield from map(_file, exported_files(contents, place.base_url, algorithms=("sha256",)))


def _root(contents: Exportable, place: Place) -> dict[str, Any]:
    metadata = contents.metadata()
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": title_of(contents),
        "description": description_of(contents),
        "datePublished": iso(published_s(contents, place)),
        "version": contents.version,
        "url": place.base_url,
        "identifier": contents.digest,
    }
    if metadata.keywords:
        root["keywords"] = ", ".join(metadata.keywords)
    return root


def _license(text: str) -> dict[str, Any]:
    if not text:
        return {
            "@id": _NO_LICENSE,
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "The owner of this package does not say under which licence it is.",
        }
    return {
        "@id": license_url(text) or _LICENSE,
        "@type": "CreativeWork",
        "name": text,
        "description": f"The licence of this package: {text}",
    }


def _file(file: ExportedFile) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": file.url,
        "@type": "File",
        "name": file.path,
        "contentSize": str(file.size_bytes),
        "encodingFormat": file.media_type,
    }
    if file.modified_s is not None:
        found["dateModified"] = iso(file.modified_s)
    if "sha256" in file.checksums:
        found["sha256"] = file.checksums["sha256"]
    return found
