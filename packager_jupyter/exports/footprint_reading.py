"""Reads the footprints of a version's GeoTIFFs from the storage, within limits, and remembers them.

A request reads so many files and no more; the next one goes on where it stopped. What is remembered
is remembered by the version's digest, which names each object exactly, and only after the storage
has said that the object is still the one that was published.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from packager_jupyter.errors import ObjectChangedError, ObjectNotFoundError, PackagerError
from packager_jupyter.exports.footprints import Footprints, footprint_of
from packager_jupyter.exports.reading import look
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.previews.georeference import georeference
from packager_jupyter.previews.ranged import RangedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.exports.base import Exportable
    from packager_jupyter.exports.footprints import Footprint
    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Source

_log = logging.getLogger(__name__)

MAX_FILES = 5_000
"""Images of a version whose place is looked for: the first by path."""
FILES_A_REQUEST = 256
SECONDS_A_REQUEST = 10.0
VERSIONS = 8
_AT_ONCE = 8
_MAX_FILE_BYTES = 1024 * 1024
_MAX_FILE_REQUESTS = 6
_MAX_FILE_S = 5.0


@dataclass(slots=True)
class _Known:
    found: dict[str, Footprint | None] = field(default_factory=dict)
    is_done: bool = False


class FootprintReader:
    """The footprints of the last few versions that somebody asked for; for any thread.

    Parameters
    ----------
    max_files : int, optional
        Images per version.
    files_a_request : int, optional
    seconds_a_request : float, optional
        No file is begun after so long.
    """

    def __init__(
        self,
        *,
        max_files: int = MAX_FILES,
        files_a_request: int = FILES_A_REQUEST,
        seconds_a_request: float = SECONDS_A_REQUEST,
    ) -> None:
        self._max_files = max_files
        self._files_a_request = files_a_request
        self._seconds_a_request = seconds_a_request
        self._versions: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, contents: Exportable, open_source: Callable[[str], Source]) -> Footprints:
        """Return what is known of a version after reading some more of it; blocks.

        A file that the storage cannot give now is not known then, and asked for again next time.
        """
        with self._lock:
            known = self._versions.setdefault(contents.digest, _Known())
            self._versions.move_to_end(contents.digest)
            while len(self._versions) > VERSIONS:
                self._versions.popitem(last=False)
            found = dict(known.found)
        if not known.is_done:
            new, is_done = self._read_more(contents, found, open_source)
            with self._lock:
                known.found.update(new)
                known.is_done = known.is_done or is_done
                found = dict(known.found)
        return Footprints(found)

    def _read_more(
        self,
        contents: Exportable,
        found: dict[str, Footprint | None],
        open_source: Callable[[str], Source],
    ) -> tuple[dict[str, Footprint | None], bool]:
        """Return what was read of the files not yet in `found`, and whether that was all."""
        ends_at = time.monotonic() + self._seconds_a_request
        left = (
            pointer
            for pointer in islice(_images(contents), self._max_files)
            if pointer.path not in found
        )
        failing: set[str] = set()
        new: dict[str, Footprint | None] = {}

        def ask(pointer: Pointer) -> Footprint | None:
            return _footprint(pointer, open_source)

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="footprints") as pool:
            while len(new) < self._files_a_request and time.monotonic() < ends_at:
                asked = list(islice((one for one in left if one.source not in failing), _AT_ONCE))
                if not asked:
                    return new, not failing
                for pointer, done in [(one, pool.submit(ask, one)) for one in asked]:
                    try:
                        new[pointer.path] = done.result()
                    except PackagerError as error:
                        # The others of this source are left for the next request.
                        if pointer.source not in failing:
                            _log.warning("No footprint: %s: %s", pointer.source, error.message)
                        failing.add(pointer.source)
        return new, False


def _images(contents: Exportable) -> Iterator[Pointer]:
    return (
        pointer
        for pointer in contents.iter_pointers()
        if pointer.modified_s is not None  # without a date it has no item
        and (pointer.media_type or media_type_for(pointer.path)) == "image/tiff"
    )


def _footprint(pointer: Pointer, open_source: Callable[[str], Source]) -> Footprint | None:
    """Return the footprint of one file; nothing of an object that is not the published one."""
    source = open_source(pointer.source)

    def read(start: int, stop: int) -> Iterator[bytes]:
        return source.read(pointer.key, start=start, stop=stop, version_id=pointer.version_id)

    file = RangedFile(
        pointer.path.rpartition("/")[2],
        pointer.size_bytes,
        read,
        max_bytes=_MAX_FILE_BYTES,
        max_requests=_MAX_FILE_REQUESTS,
        deadline_s=_MAX_FILE_S,
    )
    try:
        found = georeference(file)
        look(source, pointer)
    except (ObjectChangedError, ObjectNotFoundError):
        return None
    return None if found is None else footprint_of(found)
