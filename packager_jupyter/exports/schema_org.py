"""What search engines read of a package: a schema.org Dataset as JSON-LD, for its page.

It describes the package as a whole and stays small however many files there are; the lists that it
names hold every one. Fields: https://schema.org/Dataset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.exports.described import (
    description_of,
    iso,
    license_url,
    person_of,
    title_of,
)

if TYPE_CHECKING:
    from packager_jupyter.exports.base import Exportable

_MAX_DESCRIPTION_CHARS = 5000
"""What search engines take of it."""


def dataset(
    contents: Exportable, share_url: str, *, files: int, size_bytes: int, created_s: int | None
) -> dict[str, Any]:
    """Return the description.

    Parameters
    ----------
    contents : Exportable
    share_url : str
        Lasting address of the share, ending in ``/``.
    files, size_bytes : int
        Totals of the package.
    created_s : int or None
        When the version was published, Unix seconds.
    """
    metadata = contents.metadata()
    found: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": share_url,
        "url": share_url,
        "name": title_of(contents),
        "description": description_of(contents)[:_MAX_DESCRIPTION_CHARS],
        "version": contents.version,
        "identifier": contents.digest,
        "isAccessibleForFree": True,
        "size": f"{size_bytes} bytes in {files} files",
        "distribution": [
            _download(share_url, "manifest.jsonl", "application/jsonl", "Every file, as a list"),
            _download(share_url, "package.zip", "application/zip", "Texts and pointers"),
        ],
    }
    if metadata.license:
        found["license"] = license_url(metadata.license) or metadata.license
    if metadata.authors:
        found["creator"] = [_person(text) for text in metadata.authors]
    if metadata.keywords:
        found["keywords"] = list(metadata.keywords)
    if created_s is not None:
        found["datePublished"] = iso(created_s)
    return found


def in_script(value: dict[str, Any]) -> str:
    """Return JSON that may stand inside ``<script>``: nothing in it ends or opens an element.

    https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
    """
    text = orjson.dumps(value).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _person(text: str) -> dict[str, str]:
    person = person_of(text)
    found = {"@type": "Person", "name": person.name}
    if person.orcid_url:
        found["@id"] = person.orcid_url
    return found


def _download(share_url: str, below: str, media_type: str, name: str) -> dict[str, str]:
    return {
        "@type": "DataDownload",
        "name": name,
        "encodingFormat": media_type,
        "contentUrl": share_url + below,
    }
