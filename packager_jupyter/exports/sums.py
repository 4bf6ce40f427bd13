"""``md5sums.txt`` and ``sha256sums.txt``: what ``md5sum -c`` and ``sha256sum -c`` read.

A line is that of GNU coreutils (info coreutils, "md5sum invocation"): digest, two characters, name.
Lines that begin with ``#`` are comments to ``-c``. A file without such a checksum stands in a
comment, and the last line counts both, so that nobody takes the list for more than it is, or for
whole when it is cut off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.exports.base import in_batches
from packager_jupyter.exports.files import exported_files, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.exports.base import Exportable, Place

_SPELLED = {"md5": "MD5", "sha256": "SHA-256"}


def md5sums(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``md5sums.txt``."""
    return in_batches(_lines(contents, place.base_url, "md5"))


def sha256sums(contents: Exportable, place: Place) -> Iterator[bytes]:
    """Yield ``sha256sums.txt``."""
    return in_batches(_lines(contents, place.base_url, "sha256"))


def _lines(contents: Exportable, base_url: str, algorithm: str) -> Iterator[bytes]:
    known = unknown = 0
    spelled = _SPELLED[algorithm]
    yield (
        f"# {spelled} of the files of {contents.name}@{contents.version}.\n"
        f"# In the folder with the files: {algorithm}sum -c {algorithm}sums.txt\n"
    ).encode()
    for file in exported_files(contents, base_url, algorithms=(algorithm,)):
        digest = file.checksums.get(algorithm)
        if digest is None:
            unknown += 1
            yield f"# no {spelled} is known of {harmless(file.path)}\n".encode()
        else:
            known += 1
            yield f"{digest}  {_name(file.path)}\n".encode()
    yield f"# end: {known} files with {spelled}, {unknown} without\n".encode()


def _name(path: str) -> str:
    # "-" is standard input to these programs. Backslashes and line ends, which they would want
    # escaped, are in no path of a package (`packages.names.check_path`).
    return "./-" if path == "-" else path
