"""A version as huggingface_hub sees a repository: facts, tree and identities, without HTTP.

There is no written protocol; this is what huggingface_hub 1.x and 2.x and datasets 4.x ask for and
read (their ``hf_api.py``, ``file_download.py`` and ``hf_file_system.py``). A version is one commit,
whose 40 hex digits are the first of its digest.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from packager_jupyter.exports.base import in_batches
from packager_jupyter.exports.described import description_of, document, iso
from packager_jupyter.exports.files import exported_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packager_jupyter.exports.base import Exportable, Place
    from packager_jupyter.packages.pointer import Pointer

KINDS = ("datasets", "models")
BRANCH = "main"
NAMESPACE = "share"
"""Of a package that has none: clients want one of every dataset."""
COMMIT_CHARS = 40
MAX_SIBLINGS = 10_000
"""Clients list the tree of a repository whose description does not name its files."""
_POINTER_BYTES = 134
_NO_OID = "0" * COMMIT_CHARS


def commit_of(digest: str) -> str:
    """Return the commit that stands for a version: what clients cache files under."""
    return digest.rpartition(":")[2][:COMMIT_CHARS]


def repository_of(name: str) -> str:
    """Return the name of a package as every client takes it, with a namespace."""
    return name if "/" in name else f"{NAMESPACE}/{name}"


def is_revision(contents: Exportable, revision: str) -> bool:
    """Return whether `revision` names this version: ``main``, its commit, or its own name."""
    return revision in {BRANCH, commit_of(contents.digest), contents.version}


def etag_of(pointer: Pointer) -> str:
    """Return the entity tag of a file: its SHA-256, else hex that differs when the object does.

    Clients name the files of their cache by it.
    """
    if "sha256" in pointer.checksums:
        return pointer.checksums["sha256"]
    identity = [
        pointer.source,
        pointer.key,
        pointer.version_id,
        pointer.etag,
        pointer.size_bytes,
        pointer.modified_s,
    ]
    return hashlib.sha256(orjson.dumps(identity)).hexdigest()[:COMMIT_CHARS]


def info(contents: Exportable, place: Place, *, with_files: bool) -> Iterator[bytes]:
    """Yield what ``dataset_info`` and ``model_info`` read.

    Parameters
    ----------
    contents : Exportable
    place : Place
    with_files : bool
        Whether every file is named.
    """
    metadata = contents.metadata()
    commit = commit_of(contents.digest)
    facts: dict[str, Any] = {
        "_id": commit[:24],
        "id": contents.name,
        "modelId": contents.name,
        "sha": commit,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": list(metadata.keywords),
        "description": description_of(contents),
    }
    if place.created_s is not None:
        facts["createdAt"] = facts["lastModified"] = _time(place.created_s)
    if metadata.license:
        facts["cardData"] = {"license": metadata.license}
    if not with_files:
        return document(facts)
    names = ({"rfilename": file.path} for file in exported_files(contents, place.base_url))
    return document(facts, ("siblings", names))


def tree(contents: Exportable, place: Place, *, folder: str, is_deep: bool) -> Iterator[bytes]:
    """Yield what ``list_repo_tree`` reads: a list of the files and folders below `folder`.

    Parameters
    ----------
    contents : Exportable
    place : Place
    folder : str
        Path without a slash at its end; empty for all.
    is_deep : bool
        Whether everything below is listed, or this one level.
    """
    return in_batches(_tree(contents, place, f"{folder}/" if folder else "", is_deep=is_deep))


def _tree(contents: Exportable, place: Place, prefix: str, *, is_deep: bool) -> Iterator[bytes]:
    before = b"["
    for entry in _entries(contents, place, prefix, is_deep=is_deep):
        yield before + orjson.dumps(entry)
        before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


def _entries(
    contents: Exportable, place: Place, prefix: str, *, is_deep: bool
) -> Iterator[dict[str, Any]]:
    commit = _commit(contents, place)
    # Those of attachments come first and are few; those of pointers come in order.
    told: set[str] = set()
    open_folders: Sequence[str] = ()
    for path, is_pointer, entry in _rows(contents):
        if not path.startswith(prefix):
            continue
        folders = _folders(path, prefix, is_deep=is_deep)
        yield from (
            folder_entry(one) for one in folders if one not in told and one not in open_folders
        )
        if is_pointer:
            open_folders = folders
        else:
            told.update(folders)
        if is_deep or "/" not in path[len(prefix) :]:
            yield entry() | commit


def _rows(contents: Exportable) -> Iterator[tuple[str, bool, Callable[[], dict[str, Any]]]]:
    """Yield every path, whether it is a pointer's, and what makes its entry."""
    for attachment in contents.attachments():
        yield attachment.path, False, partial(_read_entry, contents, attachment.path)
    for pointer in contents.iter_pointers():
        yield pointer.path, True, partial(file_entry, pointer)


def _read_entry(contents: Exportable, path: str) -> dict[str, Any]:
    return attachment_entry(path, contents.read_attachment(path))


def _folders(path: str, prefix: str, *, is_deep: bool) -> list[str]:
    """Return the folders between `prefix` and the file, outermost first."""
    names = path[len(prefix) :].split("/")[:-1]
    if not is_deep:
        names = names[:1]
    return [prefix + "/".join(names[: n + 1]) for n in range(len(names))]


def folder_entry(path: str) -> dict[str, Any]:
    """Return the entry of a folder."""
    return {"type": "directory", "oid": _NO_OID, "size": 0, "path": path}


def file_entry(pointer: Pointer) -> dict[str, Any]:
    """Return the entry of a file; ``lfs`` stands where its SHA-256 is known."""
    found: dict[str, Any] = {
        "type": "file",
        "oid": etag_of(pointer)[:COMMIT_CHARS],
        "size": pointer.size_bytes,
        "path": pointer.path,
    }
    sha256 = pointer.checksums.get("sha256")
    if sha256:
        size = pointer.size_bytes
        found["lfs"] = {"oid": sha256, "size": size, "pointerSize": _POINTER_BYTES}
    return found


def attachment_entry(path: str, data: bytes) -> dict[str, Any]:
    """Return the entry of an attachment: a file that lies in git itself, under its blob's name."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return {"type": "file", "oid": blob, "size": len(data), "path": path}


def as_list(entries: Iterable[dict[str, Any]]) -> bytes:
    """Return entries as ``get_paths_info`` reads them."""
    return orjson.dumps(list(entries))


def _commit(contents: Exportable, place: Place) -> dict[str, Any]:
    if place.created_s is None:
        return {}
    return {
        "lastCommit": {
            "id": commit_of(contents.digest),
            "title": f"Version {contents.version}",
            "date": _time(place.created_s),
        }
    }


def _time(seconds: int) -> str:
    return iso(seconds).replace("Z", ".000Z")
