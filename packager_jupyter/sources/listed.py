"""A list of names and addresses as a source: files that lie anywhere on the web.

The list is a file on this machine, read anew when it changes. Its addresses are public, so a
presigned URL of such a file is simply its address.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from packager_jupyter.errors import (
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageDeniedError,
    StorageError,
)
from packager_jupyter.sources.base import DEFAULT_PAGE, MAX_PAGE, Entry, Page
from packager_jupyter.sources.checks import run_checks
from packager_jupyter.sources.cursors import decode_cursor, encode_cursor
from packager_jupyter.sources.list_formats import MAX_LIST_BYTES, parse_list
from packager_jupyter.sources.spec import parse_list_url
from packager_jupyter.sources.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packager_jupyter.sources.base import Method, Signer, SourceReport
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.list_formats import ListedFile
    from packager_jupyter.sources.spec import SourceSpec
    from packager_jupyter.sources.transport import Answer

_BATCH = 5000
_OK, _PARTIAL, _NOT_FOUND, _GONE = 200, 206, 404, 410
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5


def open_source(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> ListSource:  # noqa: ARG001 - every kind takes them
    """Open a ``list:FILE`` source; see `sources.kinds`."""
    return ListSource(spec)


class ListSource:
    """A `Source` over a list; safe to share between threads."""

    kind = "list"

    def __init__(self, spec: SourceSpec) -> None:
        self.name = spec.name
        self._file = Path(parse_list_url(spec.url))
        self._transport = Transport(spec.name, ca_bundle=spec.options.ca_bundle)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._rows: dict[str, ListedFile] = {}
        self._keys: list[str] = []

    def __repr__(self) -> str:
        return f"ListSource({self.name!r})"

    def uri(self, key: str) -> str:
        """Return the address of a file."""
        row = self._load().get(key)
        return row.url if row else f"list:{self._file.name}#{key}"

    def list_page(
        self, prefix: str = "", *, cursor: str | None = None, limit: int = DEFAULT_PAGE
    ) -> Page:
        """List one level of the names; see `base.Source.list_page`."""
        self._load()
        limit = max(1, min(limit, MAX_PAGE))
        after = decode_cursor(cursor, self.kind, prefix) if cursor else ""
        level = prefix.rpartition("/")[0] + "/" if "/" in prefix else ""
        found: list[Entry] = []
        last = after
        for key in self._keys:
            if not key.startswith(prefix):
                continue
            head, slash, _ = key[len(level) :].partition("/")
            shown = f"{level}{head}{slash}"
            if shown <= last:
                continue
            if len(found) == limit:
                return Page(found, encode_cursor(self.kind, prefix, last))
            found.append(Entry(shown, is_folder=True) if slash else self._entry(self._rows[key]))
            last = shown
        return Page(found, None)

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        """Yield the files below a prefix; see `base.Source.walk`."""
        rows = self._load()
        chosen = [key for key in self._keys if key.startswith(prefix)]
        for at in range(0, len(chosen), _BATCH):
            yield [self._sized(rows[key]) for key in chosen[at : at + _BATCH]]

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        """Ask the file's own server; see `base.Source.stat`."""
        row = self._row(key, version_id)
        answer = self._ask("HEAD", row.url, {})[0]
        self._check(answer, key)
        length = answer.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else row.size_bytes
        etag = answer.headers.get("etag", "").removeprefix("W/").strip('"') or None
        media_type = row.media_type or answer.headers.get("content-type")
        return Entry(
            key,
            size_bytes=size,
            etag=etag,
            checksums=row.checksums,
            media_type=media_type,
        )

    def read(
        self, key: str, *, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """Yield bytes of a file; see `base.Source.read`."""
        row = self._row(key, version_id)
        end = "" if stop is None else str(stop - 1)
        headers = {"Range": f"bytes={start}-{end}"} if start or stop is not None else {}
        answer, chunks = self._ask("GET", row.url, headers)
        self._check(answer, key)
        if headers and answer.status != _PARTIAL:
            return _cut(chunks, start, stop)
        return chunks

    def signer(
        self,
        *,
        ttl_s: int,  # noqa: ARG002 - public addresses do not end
        method: Method = "GET",  # noqa: ARG002 - and serve any method
        self_url: str | None = None,  # noqa: ARG002 - nor need us
    ) -> Signer:
        """Return a function that gives the public address of a file."""
        rows = self._load()
        name = self.name

        def address(
            key: str,
            *,
            version_id: str | None = None,  # noqa: ARG001 - the web keeps no versions
            filename: str | None = None,  # noqa: ARG001 - its server names it
            media_type: str | None = None,  # noqa: ARG001 - likewise
        ) -> str:
            row = rows.get(key)
            if row is None:
                raise _unlisted(name, key)
            return row.url

        return address

    def test(self) -> SourceReport:
        """Try to read the list and its first file; see `base.Source.test`."""

        def fetched(key: str) -> str:
            next(self.read(key, stop=1), b"")
            return f"{key!r} answers at its address."

        return run_checks(self, fetched)

    def close(self) -> None:
        """Drop idle connections."""
        self._transport.close()

    def _load(self) -> Mapping[str, ListedFile]:
        """Return the rows of the list as it is now."""
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            with self._lock:
                if stamp == self._stamp:
                    return self._rows
                if found.st_size > MAX_LIST_BYTES:
                    raise StorageError(
                        f"The list of source {self.name!r} is larger than 512 MiB.",
                        remedy="Split it into several lists.",
                    )
                rows = {row.name: row for row in parse_list(self._file.read_bytes())}
                self._rows, self._keys, self._stamp = rows, sorted(rows), stamp
                return rows
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise StorageBucketNotFoundError(
                f"The list of source {self.name!r} is not there: {self._file.name}.",
                remedy="Put it back, or connect the source again with its new place.",
            ) from None
        except PermissionError:
            raise StorageDeniedError(
                f"The list of source {self.name!r} may not be read.",
                remedy="Give the server's user the permission to read it.",
            ) from None

    def _entry(self, row: ListedFile) -> Entry:
        return Entry(
            row.name,
            size_bytes=row.size_bytes,
            checksums=row.checksums,
            media_type=row.media_type,
        )

    def _sized(self, row: ListedFile) -> Entry:
        # A pointer needs a size; where the list does not say it, the file's own server does.
        return self.stat(row.name) if row.size_bytes is None else self._entry(row)

    def _row(self, key: str, version_id: str | None) -> ListedFile:
        row = self._load().get(key)
        if row is None or version_id is not None:
            raise _unlisted(self.name, key)
        return row

    def _ask(
        self, method: Method, url: str, headers: dict[str, str]
    ) -> tuple[Answer, Iterator[bytes]]:
        for _ in range(_MAX_REDIRECTS):
            chunks: Iterator[bytes]
            if method == "HEAD":
                answer, chunks = self._transport.fetch("HEAD", url, headers=headers), iter(())
            else:
                answer, chunks = self._transport.stream(url, headers=headers)
            if answer.status not in _REDIRECTS:
                return answer, chunks
            url = urljoin(url, answer.headers.get("location", ""))
            if urlsplit(url).scheme not in ("http", "https"):
                break
        raise StorageError(
            f"An address of source {self.name!r} redirects in a circle or to nowhere.",
            remedy="Correct the address in the list.",
        )

    def _check(self, answer: Answer, key: str) -> None:
        if answer.status in (_OK, _PARTIAL):
            return
        if answer.status in (_NOT_FOUND, _GONE):
            raise ObjectNotFoundError(
                f"The address of {key[:200]!r} answers that it is not there.",
                remedy="Correct the address in the list, or remove the file.",
            )
        if answer.status in (401, 403):
            raise StorageDeniedError(
                f"The address of {key[:200]!r} refuses to be read.",
                remedy="Lists are for public addresses; connect protected storage as s3 or azure.",
            )
        raise StorageError(
            f"The address of {key[:200]!r} answered with {answer.status}.",
            remedy="Try again later.",
        )


def _cut(chunks: Iterator[bytes], start: int, stop: int | None) -> Iterator[bytes]:
    """Yield ``[start, stop)`` of a whole answer, from a server that does not know ranges."""
    at = 0
    for chunk in chunks:
        low, high = max(start - at, 0), len(chunk) if stop is None else stop - at
        at += len(chunk)
        if low < min(high, len(chunk)):
            yield chunk[low:high]
        if stop is not None and at >= stop:
            return


def _unlisted(source: str, key: str) -> ObjectNotFoundError:
    return ObjectNotFoundError(
        f"The list of source {source!r} does not name {key[:200]!r}.",
        remedy="See what it names: packager ls.",
    )
