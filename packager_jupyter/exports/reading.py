"""The bytes that a pointer means, or an error: never those of another object.

A version says which object it means by version id, ETag, size and checksums. Where the version id
names it, the storage itself gives no other. Elsewhere the object is looked at before and after it
is read, so that one that is replaced meanwhile is noticed before its last bytes are taken as good.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from packager_jupyter.errors import ObjectChangedError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packager_jupyter.packages.pointer import Pointer
    from packager_jupyter.sources.base import Entry, Source

_CHECKED = ("sha256", "md5", "sha512", "sha1")


def is_changed(pointer: Pointer, entry: Entry) -> bool:
    """Whether `entry` is another object than the one `pointer` was made from.

    The ETag decides where both sides have one; size and date must agree where there is none.
    """
    if entry.size_bytes is not None and entry.size_bytes != pointer.size_bytes:
        return True
    if pointer.etag is not None and entry.etag is not None:
        return pointer.etag != entry.etag
    return (
        pointer.modified_s is not None
        and entry.modified_s is not None
        and pointer.modified_s != entry.modified_s
    )


def object_changed(path: str) -> ObjectChangedError:
    """Return the error for an object that is not the one the version was published with."""
    return ObjectChangedError(
        f"{path} has changed in the storage since this version was published.",
        remedy="Ask the person who sent you the link to publish a new version.",
    )


def object_gone(path: str) -> ObjectNotFoundError:
    """Return the error for an object that has vanished since the version was published."""
    return ObjectNotFoundError(
        f"{path} is part of this package, but the storage has it no longer.",
        remedy="Ask the person who sent you the link to publish a new version.",
    )


def read_pointer(pointer: Pointer, open_source: Callable[[str], Source]) -> Iterator[bytes]:
    """Yield the bytes of a pointer's object, checked; the end comes only when all is right.

    Raises
    ------
    ObjectChangedError, ObjectNotFoundError
        It is not the object that was published. Bytes that were yielded before are not its bytes.
    StorageError
    """
    source = open_source(pointer.source)
    try:
        look(source, pointer)
        yield from _hashed(source, pointer)
        look(source, pointer)
    except ObjectNotFoundError as error:
        raise object_gone(pointer.path) from error


def look(source: Source, pointer: Pointer) -> None:
    """Ask the storage whether the object is still the one that was published.

    Raises
    ------
    ObjectChangedError, ObjectNotFoundError, StorageError
    """
    if pointer.version_id is None and is_changed(pointer, source.stat(pointer.key)):
        raise object_changed(pointer.path)


def _hashed(source: Source, pointer: Pointer) -> Iterator[bytes]:
    name = next((one for one in _CHECKED if one in pointer.checksums), None)
    digest = hashlib.new(name, usedforsecurity=False) if name else None
    size_bytes = 0
    for chunk in source.read(pointer.key, version_id=pointer.version_id):
        size_bytes += len(chunk)
        if size_bytes > pointer.size_bytes:
            raise object_changed(pointer.path)
        if digest is not None:
            digest.update(chunk)
        yield chunk
    is_other = digest is not None and name and digest.hexdigest() != pointer.checksums[name]
    if size_bytes != pointer.size_bytes or is_other:
        raise object_changed(pointer.path)
