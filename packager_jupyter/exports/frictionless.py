"""``datapackage.json``: a Frictionless Data Package, version 2.

https://datapackage.org/standard/data-package/ and .../data-resource/: names of resources are unique
and of ``a-z0-9._-`` (as readers of version 1 demand), paths are the share's addresses, and ``hash``
names its algorithm. It stands only where a checksum is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packager_jupyter.exports.described import (
    document,
    iso,
    license_url,
    person_of,
    slug,
    title_of,
)
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.exports.files import ExportedFile

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_MAX_SLUG = 80
_LICENSE_NAME = re.compile(r"[-a-zA-Z0-9._]+")
_HASHES = ("sha256", "md5", "sha512", "sha1")


def datapackage(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``datapackage.json``."""
    return document(
        _head(contents, place),
        (
            "resources",
            (
                _resource(number, file)
                for number, file in enumerate(
                    exported_files(contents, place.base_url, algorithms=("sha256",)), 1
                )
            ),
        ),
    )


def _head(contents: Exportable, place: Place) -> dict[str, Any]:
    metadata = contents.metadata()
    head: dict[str, Any] = {
        "$schema": PROFILE,
        "name": slug(contents.name),
        "id": contents.digest,
        "title": title_of(contents),
        "version": contents.version,
        "homepage": place.base_url,
    }
    if metadata.description:
        head["description"] = metadata.description
    if place.created_s is not None:
        head["created"] = iso(place.created_s)
    if metadata.license:
        head["licenses"] = [_license(metadata.license)]
    people = [person_of(text) for text in metadata.authors]
    if people:
        head["contributors"] = [
            {"title": one.name, "roles": ["author"]}
            | ({"path": one.orcid_url} if one.orcid_url else {})
            for one in people
        ]
    if metadata.keywords:
        head["keywords"] = list(metadata.keywords)
    return head


def _license(text: str) -> dict[str, str]:
    url = license_url(text)
    found = {"name": text if _LICENSE_NAME.fullmatch(text) else slug(text), "title": text}
    return found | ({"path": url} if url else {})


def _resource(number: int, file: ExportedFile) -> dict[str, Any]:
    found: dict[str, Any] = {
        # The number makes it unique, whatever the path is.
        "name": f"{slug(file.path)[:_MAX_SLUG]}-{number}",
        "title": file.path,
        "path": file.url,
        "mediatype": file.media_type,
        "bytes": file.size_bytes,
    }
    checksum = file.first_checksum(_HASHES)
    if checksum:
        found["hash"] = f"{checksum[0]}:{checksum[1]}"
    return found
