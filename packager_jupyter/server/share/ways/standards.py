"""Ways that hand the package to the tools of a standard."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from packager_jupyter.exports.described import slug
from packager_jupyter.server.share.ways.base import Way

if TYPE_CHECKING:
    from packager_jupyter.server.share.ways.base import ShareFacts

GROUP = "Standards"
_MAPS = (".tif", ".tiff", ".geojson", ".nc", ".gpkg", ".jp2")


def _frictionless(facts: ShareFacts) -> str:
    return f"{facts.ask}frictionless validate {facts.shell('datapackage.json')}"


def _croissant(facts: ShareFacts) -> str:
    return f"{facts.ask}mlcroissant validate --jsonld {facts.shell('croissant.json')}"


def _rocrate(facts: ShareFacts) -> str:
    address = facts.shell("ro-crate-metadata.json")
    return (
        f"{facts.ask}mkdir -p {facts.folder}\n"
        f"curl -fL {facts.header}-o {facts.folder}/ro-crate-metadata.json {address}"
    )


def _datacite(facts: ShareFacts) -> str:
    return f"{facts.ask}curl -fL {facts.header}-o datacite.json {facts.shell('datacite.json')}"


def _bagit(facts: ShareFacts) -> str:
    folder = shlex.quote(f"{slug(facts.name)}-{facts.version}")
    return (
        f"{facts.ask}curl -fL {facts.shell('bag.tar')} | tar x\n"
        f"bdbag --resolve-fetch all {folder}\nbdbag --validate full {folder}"
    )


def _stac(facts: ShareFacts) -> str:
    return (
        f"{facts.ask_python}import pystac\n\n"
        f"for item in pystac.ItemCollection.from_file({facts.python('stac/items.json')}):\n"
        '    print(item.id, item.assets["data"].href)'
    )


STANDARD_WAYS = (
    Way(
        "frictionless",
        GROUP,
        "Frictionless",
        "A Data Package 2; this line downloads and verifies every file.",
        _frictionless,
        opens_with="link",
    ),
    Way(
        "croissant",
        GROUP,
        "Croissant",
        "The description that machine-learning tools read.",
        _croissant,
        opens_with="link",
    ),
    Way(
        "ro-crate",
        GROUP,
        "RO-Crate",
        "The package as a crate of files on the web.",
        _rocrate,
        opens_with="link",
    ),
    Way(
        "datacite",
        GROUP,
        "DataCite",
        "What a repository asks for before a DOI.",
        _datacite,
        sends_token=True,
    ),
    Way(
        "bagit",
        GROUP,
        "BagIt",
        "A bag, fetched and validated; files of unknown checksum are no part of it.",
        _bagit,
        opens_with="link",
    ),
    Way(
        "stac",
        GROUP,
        "STAC",
        "The geospatial files as items of a catalog.",
        _stac,
        applies=lambda facts: facts.example(*_MAPS) is not None,
        opens_with="link",
    ),
)
