"""Digests of everything in a draft but its pointers: the metadata and the attachments."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import orjson

from packager_jupyter.oci.base import ANNOTATION_TITLE, Descriptor
from packager_jupyter.packages.media import media_type_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packager_jupyter.packages.attachments import AttachmentFolder, Mark, Scan
    from packager_jupyter.packages.metadata import Metadata

_MAX_REMEMBERED = 10_000
_SETTLED_NS = 2_000_000_000
"""A file changed less long ago may change again without a new time on coarse file systems."""


def attachment_layer(path: str, data: bytes) -> Descriptor:
    """Return the layer of an attachment."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return _layer(path, digest, len(data))


def _layer(path: str, digest: str, size_bytes: int) -> Descriptor:
    return Descriptor(media_type_for(path), digest, size_bytes, {ANNOTATION_TITLE: path})


def texts_mark(metadata: Metadata, attachments: Sequence[Descriptor]) -> str:
    """Return a digest of metadata and attachments."""
    parts = [[layer.annotations[ANNOTATION_TITLE], layer.digest] for layer in attachments]
    return hashlib.sha256(orjson.dumps([metadata.to_json(), parts])).hexdigest()


class DigestMemory:
    """Remembers the digests of attachments, so that asking for a draft's state reads no file twice.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._digests: OrderedDict[Mark, str] = OrderedDict()
        self._lock = threading.Lock()

    def layers(self, folder: AttachmentFolder, scan: Scan) -> list[Descriptor]:
        """Return the layers of all attachments of a scan."""
        return [
            _layer(one.path, self._digest(folder, one.path, scan.marks[one.path]), one.size_bytes)
            for one in scan.attachments
        ]

    def _digest(self, folder: AttachmentFolder, path: str, mark: Mark) -> str:
        with self._lock:
            known = self._digests.get(mark)
            if known is not None:
                self._digests.move_to_end(mark)
                return known
        digest = f"sha256:{hashlib.sha256(folder.read(path)).hexdigest()}"
        if max(mark[3:]) < time.time_ns() - _SETTLED_NS:
            with self._lock:
                self._digests[mark] = digest
                while len(self._digests) > _MAX_REMEMBERED:
                    self._digests.popitem(last=False)
        return digest
