"""A version held in memory, with names that formats take for syntax."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from packager_jupyter.packages.metadata import Metadata
from packager_jupyter.packages.pointer import Pointer
from sources.support import HOSTILE_KEYS

# As `packages.names.check_path` lets them through; what XML cannot hold is among them.
PATHS = [
    "a/b c+d#e%f&g.csv",
    'it\'s "quoted" <b>.txt',
    "日本/データ.csv",
    "e\u0301 and \u00e9",
    "-rf",
    "-",
    "#comment",
    "[x]?*=;,:@$!()~^`{}|",
    "x.pointer",
    " lead and trail ",
    "]]>--><!--",
    "{{template}}",
    "out=x",
    "no\ufffecharacter",
    "line\u2028separator",
    "rtl\u202etxt.exe",
    *(key for key in HOSTILE_KEYS if key.isascii() and key.isalnum() and len(key) < 100),
]


@dataclass
class Attached:
    path: str
    size_bytes: int
    media_type: str | None


class Contents:
    """What an export reads."""

    name = "ocean"
    version = "3"
    digest = "sha256:" + "1" * 64

    def __init__(self, pointers=(), attached=None, metadata=None):
        self._pointers = sorted(pointers, key=lambda p: p.path.encode())
        self._attached = attached or {}
        self._metadata = metadata or Metadata()

    def metadata(self):
        return self._metadata

    def iter_pointers(self):
        return iter(self._pointers)

    def iter_pointers_from(self, path):
        return (one for one in self._pointers if one.path.encode() >= path.encode())

    def iter_written(self, files, start=""):
        remaining = self.iter_pointers_from(start) if start else self.iter_pointers()
        while batch := list(islice(remaining, 100)):
            names = [f"{one.path}.pointer".encode() for one in batch]
            yield names, [files.write(one) for one in batch]

    def outline(self):
        return None

    def attachments(self):
        return [Attached(path, len(data), "text/plain") for path, data in self._attached.items()]

    def read_attachment(self, path):
        return self._attached[path]


def pointer(path, *, size=5, media_type=None, **checksums):
    return Pointer(
        path=path,
        source="lake",
        key="raw/" + path,
        uri="s3://lake/raw/" + path,
        size_bytes=size,
        modified_s=1_700_000_000,
        etag="abc",
        checksums=checksums,
        media_type=media_type,
    )
