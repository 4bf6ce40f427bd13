"""Lists for downloaders that know more than an address: aria2, curl, Metalink.

Each gives every file its path, and a checksum where one is known. What a format cannot hold is
named in a comment with its reason, never left out silently. Paths of a package hold no line ends,
control characters or backslashes (`packages.names.check_path`), so none can begin an option of its
own; what else a format takes for syntax is escaped here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from packager_jupyter.exports.base import in_batches
from packager_jupyter.exports.files import exported_files, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place

_STRONGEST_FIRST = ("sha512", "sha256", "sha1", "md5")
_ASKED_OF_ATTACHMENTS = ("sha256",)
# Names of the IANA registry "Hash Function Textual Names", which aria2 and Metalink use.
_TEXTUAL = {"sha512": "sha-512", "sha256": "sha-256", "sha1": "sha-1", "md5": "md5"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold (section 2.2)."""


def aria2(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``aria2.txt``, an input file of aria2 (its manual, "Input File").

    A value ends at its line and is stripped of blanks: a path that ends in one cannot be given.
    """
    return in_batches(_aria2(contents, place.base_url))


def _aria2(contents: Exportable, base_url: str) -> Iterator[bytes]:
    for file in exported_files(contents, base_url, algorithms=_ASKED_OF_ATTACHMENTS):
        if file.path.endswith((" ", "\u3000")) or _is_many_lines(file.path):
            yield f"# aria2 cannot write this name: {harmless(file.path)}\n".encode()
            continue
        found = file.first_checksum(_STRONGEST_FIRST)
        checksum = f"  checksum={_TEXTUAL[found[0]]}={found[1]}\n" if found else ""
        # "./" keeps a first character that would mean something.
        yield f"{file.url}\n  out=./{file.path}\n{checksum}".encode()


def curl(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``curl.txt``, a config file of curl (``curl -K``), values quoted."""
    return in_batches(_curl(contents, place.base_url))


def _curl(contents: Exportable, base_url: str) -> Iterator[bytes]:
    # Without "fail-early" the exit code would be that of the last file alone.
    yield b"location\nfail\nfail-early\ncreate-dirs\ngloboff\n"
    for file in exported_files(contents, base_url):
        if _is_many_lines(file.path):
            yield f"# curl cannot write this name: {harmless(file.path)}\n".encode()
            continue
        name = file.path.replace("\\", "\\\\").replace('"', '\\"')
        # "./" as "-" alone would be standard output.
        yield f'\nurl = "{file.url}"\noutput = "./{name}"\n'.encode()


def metalink(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``package.meta4``, a Metalink document (RFC 5854)."""
    return in_batches(_metalink(contents, place.base_url))


def _metalink(contents: Exportable, base_url: str) -> Iterator[bytes]:
    yield (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    )
    for file in exported_files(contents, base_url, algorithms=_ASKED_OF_ATTACHMENTS):
        if _NOT_XML.search(file.path):
            yield f"<!-- XML cannot hold this name: {harmless(file.path)} -->\n".encode()
            continue
        hashes = "".join(
            f'<hash type="{_TEXTUAL[name]}">{file.checksums[name]}</hash>'
            for name in _STRONGEST_FIRST
            if name in file.checksums
        )
        # RFC 5854 4.1.2.1: a name may hold folders, but neither begin with "/" nor hold "..".
        yield (
            f"<file name={quoteattr(file.path)}><size>{file.size_bytes}</size>{hashes}"
            f'<url priority="1">{escape(file.url)}</url></file>\n'
        ).encode()
    yield b"</metalink>\n"


def _is_many_lines(path: str) -> bool:
    return "\n" in path or "\r" in path
