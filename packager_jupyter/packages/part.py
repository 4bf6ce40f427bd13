"""Part of a version: what a share hands out that names some folders, files or patterns.

The part has an index of its own, made of the chosen lines of the version's list alone. So whatever
is asked of it, a page, a filter, a total or a stream, cannot tell of anything outside it, and costs
what it costs of a version of that size. Its digest is its own as well: nothing that is remembered
by digest is ever taken from the whole for the part or the other way round.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from packager_jupyter.errors import BadInputError
from packager_jupyter.packages.artifact import ListFacts
from packager_jupyter.packages.globs import MAX_PATTERN_LENGTH, glob_matcher, is_glob
from packager_jupyter.packages.index_rows import load_sources
from packager_jupyter.packages.names import check_path, shown
from packager_jupyter.packages.rebuild import build_index, list_corrupt, unpack_lines
from packager_jupyter.packages.version import VersionIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from packager_jupyter.oci.base import OciStore
    from packager_jupyter.packages.artifact import VersionRecord
    from packager_jupyter.packages.index import PointerIndex
    from packager_jupyter.packages.pointer import Pointer

MAX_PATHS = 100
FORMAT = "part-1"
META_FINGERPRINT = "part-fingerprint"
META_UNMATCHED = "part-unmatched"


class PathFilter:
    """Which paths of a package belong to a part.

    An entry without pattern characters is a file, or a folder with everything below it. With ``*``,
    ``?`` or ``[`` it is also a pattern of `packages.globs`: ``*.tif`` at any depth,
    ``images/**/*.tif`` below a folder. A path belongs to the part when any entry says so.

    Parameters
    ----------
    paths : iterable of str
        1 to 100 entries; a ``/`` at the end of a folder is left out.

    Attributes
    ----------
    paths : tuple of str
        The entries, sorted, each once.

    Raises
    ------
    BadInputError
        There is none, there are too many, or one can be neither a path nor a pattern.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(sorted({_checked(path) for path in paths}))
        if not 1 <= len(self.paths) <= MAX_PATHS:
            raise BadInputError(
                f"A part of a package was given by {len(self.paths)} paths.",
                remedy=f"Give 1 to {MAX_PATHS} files, folders or patterns.",
            )
        self._exact = frozenset(self.paths)
        self._below = tuple(f"{path}/" for path in self.paths)
        self._globs = [glob_matcher(path) for path in self.paths if is_glob(path)]

    def passes(self, path: str) -> bool:
        """Return whether `path` belongs to the part."""
        return (
            path in self._exact
            or path.startswith(self._below)
            or any(matches(path) for matches in self._globs)
        )

    def digest(self, of: str) -> str:
        """Return the digest of this part of the version or list with the digest `of`."""
        text = orjson.dumps([FORMAT, of, self.paths])
        return f"sha256:{hashlib.sha256(text).hexdigest()}"


class PartIndex(VersionIndex):
    """The cached index of one part of a pointer list.

    Parameters
    ----------
    folder, oci, repo, facts
        Of the whole list, as for `VersionIndex`.
    wanted : PathFilter
    """

    def __init__(
        self, folder: Path, oci: OciStore, repo: str, facts: ListFacts, wanted: PathFilter
    ) -> None:
        super().__init__(folder, oci, repo, facts, name=wanted.digest(facts.fingerprint))
        self._wanted = wanted

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yield the pointers of the part, sorted by the bytes of their paths."""
        self.ensure()
        yield from self._index.iter_sorted()

    def build(self) -> None:
        """Make the index of the chosen lines; the whole list is checked on the way."""
        chosen = _Chosen(self.list_bytes(), self._facts, self._wanted)
        build_index(self.path, chosen, notes=chosen.notes)

    def part_of(self, record: VersionRecord) -> VersionRecord:
        """Return `record` as far as it belongs to the part; builds the index when it is missing."""
        facts, unmatched = self.use(lambda index: _facts_of(index, self._facts))
        attachments = {
            path: layer for path, layer in record.attachments.items() if self._wanted.passes(path)
        }
        config = record.config | {
            "totals": {"files": facts.files, "bytes": facts.bytes},
            "fingerprint": facts.fingerprint,
            "sources": [{"name": name, "address": at} for name, at in facts.addresses],
        }
        return replace(
            record,
            digest=self._wanted.digest(record.digest),
            config=config,
            facts=facts,
            attachments=attachments,
            unmatched=_still_unmatched(unmatched, attachments),
        )


class _Chosen:
    """Blocks of the chosen lines of a compressed list, with what is to be noted about them."""

    def __init__(self, chunks: Iterable[bytes], facts: ListFacts, wanted: PathFilter) -> None:
        self._chunks = chunks
        self._facts = facts
        self._passes = wanted.passes
        self._unmatched = list(wanted.paths)
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for block in unpack_lines(self._chunks, fingerprint=self._facts.fingerprint):
            chosen = b"".join(
                line + b"\n" for line in block[:-1].split(b"\n") if self._is_chosen(line)
            )
            if chosen:
                self._hash.update(chosen)
                yield chosen

    def notes(self) -> dict[str, str]:
        """Return what the index keeps besides the pointers; right after the iteration."""
        return {
            META_FINGERPRINT: f"sha256:{self._hash.hexdigest()}",
            META_UNMATCHED: orjson.dumps(self._unmatched).decode(),
        }

    def _is_chosen(self, line: bytes) -> bool:
        path = orjson.loads(line)["path"]
        if type(path) is not str:
            raise list_corrupt("A path in it is no text.")
        if not self._passes(path):
            return False
        if self._unmatched:
            self._unmatched = _without(self._unmatched, path)
        return True


def _facts_of(index: PointerIndex, whole: ListFacts) -> tuple[ListFacts, list[str]]:
    notes, totals = index.meta(), index.totals()
    with index.read() as connection:
        addresses = sorted(at for at in load_sources(connection).values() if at[1])
    facts = ListFacts(whole.layer, notes[META_FINGERPRINT], totals.files, totals.bytes, addresses)
    return facts, orjson.loads(notes[META_UNMATCHED])


def _without(unmatched: list[str], path: str) -> list[str]:
    """Return the entries that do not match `path` either."""
    return [entry for entry in unmatched if not PathFilter([entry]).passes(path)]


def _still_unmatched(unmatched: list[str], attachments: Iterable[str]) -> tuple[str, ...]:
    for path in attachments:
        unmatched = _without(unmatched, path)
    return tuple(unmatched)


def _checked(path: str) -> str:
    trimmed = path.removesuffix("/")
    if not is_glob(trimmed):
        return check_path(trimmed)
    glob_matcher(trimmed)
    if len(trimmed) > MAX_PATTERN_LENGTH or not trimmed.isprintable():
        raise BadInputError(
            f"{shown(path)} is no pattern.",
            remedy=f"Give printable characters, at most {MAX_PATTERN_LENGTH}.",
        )
    return trimmed
