"""Folders and mounts as a source: nothing outside the root is reachable, by no name and no link.

Every component of a key is opened relative to the folder before it, without following links
(``openat`` with ``O_NOFOLLOW``), so neither ``..`` nor a link swapped in at the right moment leads
out. Links and special files are listed as nothing. A folder has no storage to redirect to, so its
URLs lead back to our own server, unless it is the mount of a bucket (``presign_as``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import heapq
import os
import stat
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BadInputError,
    ForbiddenError,
    ObjectNotFoundError,
    PackagerError,
    StorageBucketNotFoundError,
    StorageDeniedError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)
from packager_jupyter.signed import sign, verify
from packager_jupyter.sources.arguments import check_ttl
from packager_jupyter.sources.base import (
    DEFAULT_PAGE,
    MAX_PAGE,
    Entry,
    Page,
    SourceCheck,
    SourceReport,
)
from packager_jupyter.sources.kinds import kind_of
from packager_jupyter.sources.kinds import open_source as open_bucket
from packager_jupyter.sources.spec import parse_file_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

    from packager_jupyter.sources.base import Method, Signer, Source
    from packager_jupyter.sources.credentials import Credential
    from packager_jupyter.sources.spec import SourceSpec

URL_PURPOSE = "local-url"
# A link, a name that no file system takes, a socket: none of them is a file of ours.
_LINK_ERRORS = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})
_CHUNK_BYTES = 256 * 1024  # each of many readers at once holds some
_BATCH = 5000
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LocalGrant:
    """What a signed local URL allows: to read one file of one source."""

    source: str
    key: str
    filename: str | None
    media_type: str | None


def open_signed(token: str, key: bytes, now_s: float) -> LocalGrant:
    """Return what a URL's token allows.

    Raises
    ------
    ForbiddenError
        It was altered, made with another key, or has expired.
    """
    claims = verify(token, purpose=URL_PURPOSE, now_s=now_s, key=key)
    if claims is None:
        raise ForbiddenError(
            "This download address has expired or was altered.",
            remedy="Open the share or package again and download from there.",
        )
    filename, media_type = claims.get("filename"), claims.get("media_type")
    return LocalGrant(
        source=str(claims["source"]),
        key=str(claims["key"]),
        filename=None if filename is None else str(filename),
        media_type=None if media_type is None else str(media_type),
    )


def open_source(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> LocalSource:
    """Open a ``file:///folder`` source; see `sources.catalog.Kind`."""
    bucket: Source | None = None
    if spec.options.presign_as:
        bucket = _open_bucket(spec, credential, local_key=local_key)
    return LocalSource(spec, local_key=local_key, bucket=bucket)


class LocalSource:
    """A `Source` over one folder; safe to share between threads.

    Parameters
    ----------
    spec : SourceSpec
    local_key : bytes
        Signs URLs to our own server.
    bucket : Source, optional
        The bucket that the folder is a mount of; it signs then.
    """

    kind = "local"

    def __init__(self, spec: SourceSpec, *, local_key: bytes, bucket: Source | None = None) -> None:
        self.name = spec.name
        self._root = os.path.realpath(parse_file_url(spec.url))
        self._url = spec.url.rstrip("/")
        self._local_key = local_key
        self._bucket = bucket

    def __repr__(self) -> str:
        return f"LocalSource({self.name!r})"

    def uri(self, key: str) -> str:
        """Return the address of a file; that of the bucket for a mount of one."""
        return self._bucket.uri(key) if self._bucket else f"{self._url}/{key}"

    def list_page(
        self, prefix: str = "", *, cursor: str | None = None, limit: int = DEFAULT_PAGE
    ) -> Page:
        """List one level in key order; see `base.Source.list_page`."""
        limit = max(1, min(limit, MAX_PAGE))
        after = _read_cursor(cursor)
        folder_key, _, start = prefix.rpartition("/")
        base = f"{folder_key}/" if folder_key else ""
        with self._folder(folder_key) as fd, self._explained(prefix):
            names = (name for name in self._names(fd) if name.startswith(start) and name > after)
            chosen = heapq.nsmallest(limit + 1, names)
            entries = [entry for name in chosen[:limit] if (entry := self._entry(fd, base, name))]
        cursor = _make_cursor(chosen[limit - 1]) if len(chosen) > limit else None
        return Page(entries, cursor)

    def walk(self, prefix: str = "") -> Iterator[list[Entry]]:
        """Yield the files below `prefix`; see `base.Source.walk`."""
        batch: list[Entry] = []
        folder_key, _, start = prefix.rpartition("/")
        for entry in self._walk(folder_key, start):
            batch.append(entry)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def stat(self, key: str, *, version_id: str | None = None) -> Entry:
        """Look at one file; see `base.Source.stat`. Folders keep no versions."""
        folder_key, _, name = key.rpartition("/")
        self._refuse_version(key, version_id)
        base = f"{folder_key}/" if folder_key else ""
        with self._folder(folder_key) as fd, self._explained(key):
            entry = self._entry(fd, base, name) if _is_name(name) else None
        if entry is None or entry.is_folder:
            raise _not_found(self.name, key)
        return entry

    def read(
        self, key: str, *, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> Iterator[bytes]:
        """Open now and yield the bytes ``[start, stop)``; see `base.Source.read`."""
        self._refuse_version(key, version_id)
        folder_key, _, name = key.rpartition("/")
        if not _is_name(name):
            raise _not_found(self.name, key)
        with self._folder(folder_key) as folder, self._explained(key):
            file = os.fdopen(os.open(name, _FILE_FLAGS, dir_fd=folder), "rb", buffering=0)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise _not_found(self.name, key)
        return self._chunks(file, key, start, stop)

    def signer(self, *, ttl_s: int, method: Method = "GET", self_url: str | None = None) -> Signer:
        """Return a signer; see `base.Source.signer`. Our own URLs answer GET and HEAD alike."""
        if self._bucket:
            return self._bucket.signer(ttl_s=ttl_s, method=method)
        if not self_url:
            raise BadInputError(
                f"The source {self.name!r} is a folder, which has no address of its own.",
                remedy="Run `packager serve` and set public_url, so that a URL can lead there.",
            )
        check_ttl(ttl_s)
        now_s = int(time.time())
        base, source, key_bytes = f"{self_url}local/", self.name, self._local_key

        def address(
            key: str,
            *,
            version_id: str | None = None,  # noqa: ARG001 - folders keep no versions
            filename: str | None = None,
            media_type: str | None = None,
        ) -> str:
            claims: dict[str, str | int] = {"source": source, "key": key}
            if filename is not None:
                claims["filename"] = filename
            if media_type is not None:
                claims["media_type"] = media_type
            exp_s = now_s + ttl_s
            token = sign(claims, purpose=URL_PURPOSE, iat_s=now_s, exp_s=exp_s, key=key_bytes)
            return base + token

        return address

    def test(self) -> SourceReport:
        """Try to list and to read; see `base.Source.test`."""
        checks: list[SourceCheck] = []
        try:
            page = self.list_page(limit=100)
            count = f"{len(page.entries)}{'+' if page.cursor else ''}"
            checks.append(SourceCheck("list", is_ok=True, message=f"{count} entries at the top."))
            first = next((entry for entry in page.entries if not entry.is_folder), None)
            if first is not None:
                next(self.read(first.key, stop=1), b"")
                checks.append(SourceCheck("read", is_ok=True, message=f"Read from {first.key!r}."))
        except PackagerError as error:
            what = "read" if checks else "list"
            checks.append(
                SourceCheck(what, is_ok=False, message=error.message, remedy=error.remedy)
            )
        if self._bucket:
            checks += self._bucket.test().checks
        return SourceReport(self.name, all(check.is_ok for check in checks), checks)

    def close(self) -> None:
        """Release the bucket, if there is one; files are open only while they are read."""
        if self._bucket:
            self._bucket.close()

    def _walk(self, folder_key: str, start: str) -> Iterator[Entry]:
        # A stack of levels, not recursion: folders may nest deeper than Python's stack.
        levels = [self._level(folder_key, start)]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
            elif entry.is_folder:
                levels.append(self._level(entry.key.removesuffix("/"), ""))
            else:
                yield entry

    def _level(self, folder_key: str, start: str) -> Iterator[Entry]:
        base = f"{folder_key}/" if folder_key else ""
        with self._folder(folder_key) as fd, self._explained(folder_key):
            names = sorted(name for name in self._names(fd) if name.startswith(start))
            entries = [self._entry(fd, base, name) for name in names]
        return (entry for entry in entries if entry)

    def _names(self, fd: int) -> Iterator[str]:
        """Yield what a folder holds, folders with ``/``, links and special files left out."""
        with self._explained(""), os.scandir(fd) as rows:
            for row in rows:
                if row.is_dir(follow_symlinks=False):
                    yield self._readable(row.name) + "/"
                elif row.is_file(follow_symlinks=False):
                    yield self._readable(row.name)

    def _readable(self, name: str) -> str:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise StorageNotUnderstoodError(
                f"The source {self.name!r} holds a file whose name is not UTF-8: "
                f"{os.fsencode(name)!r}.",
                remedy="Rename the file; no package can name it.",
            ) from None
        return name

    def _entry(self, fd: int, base: str, name: str) -> Entry | None:
        """Return the row of one name, or None when it vanished or is a link."""
        if name.endswith("/"):
            return Entry(base + name, is_folder=True)
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(found.st_mode):
            return Entry(f"{base}{name}/", is_folder=True)
        if not stat.S_ISREG(found.st_mode):
            return None
        return Entry(
            base + name,
            size_bytes=found.st_size,
            modified_s=int(found.st_mtime),
            etag=f"{found.st_mtime_ns:x}-{found.st_size:x}",
        )

    @contextlib.contextmanager
    def _folder(self, key: str) -> Iterator[int]:
        """Yield a descriptor of the folder `key`, reached component by component."""
        try:
            fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unreachable(error) from None
        try:
            for part in key.split("/") if key else ():
                if not _is_name(part):
                    raise _not_found(self.name, key)
                with self._explained(key):
                    inner = os.open(part, _FOLDER_FLAGS, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
            raise _not_found(self.name, key) from None
        except PermissionError:
            raise StorageDeniedError(
                f"The source {self.name!r} may not be read at {key[:200]!r}.",
                remedy="Give the server's user the permission to read it.",
            ) from None
        except OSError as error:
            if error.errno in _LINK_ERRORS:
                raise _not_found(self.name, key) from None
            raise self._unreachable(error) from None

    def _unreachable(self, error: OSError) -> PackagerError:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return StorageBucketNotFoundError(
                f"The folder of source {self.name!r} is not there.",
                remedy="Check that it is mounted, or connect the source again with its new place.",
            )
        if isinstance(error, PermissionError):
            return StorageDeniedError(
                f"The folder of source {self.name!r} may not be read.",
                remedy="Give the server's user the permission to read it.",
            )
        return StorageUnreachableError(
            f"The folder of source {self.name!r} does not answer: {os.strerror(error.errno or 0)}.",
            remedy="Check the mount and try again.",
            retry_after_s=10,
        )

    def _chunks(self, file: FileIO, key: str, start: int, stop: int | None) -> Iterator[bytes]:
        at = start
        with file:
            while stop is None or at < stop:
                wanted = _CHUNK_BYTES if stop is None else min(_CHUNK_BYTES, stop - at)
                with self._explained(key):
                    chunk = os.pread(file.fileno(), wanted, at)
                if not chunk:
                    return
                at += len(chunk)
                yield chunk

    def _refuse_version(self, key: str, version_id: str | None) -> None:
        if version_id is not None:
            raise _not_found(self.name, key)


def _open_bucket(spec: SourceSpec, credential: Credential, *, local_key: bytes) -> Source:
    url = spec.options.presign_as or ""
    kind = kind_of(url)
    if kind == spec.kind:
        raise BadInputError(
            f"presign_as of source {spec.name!r} is a folder again.",
            remedy="Name the bucket that the folder is a mount of, as s3://bucket/prefix.",
        )
    options = replace(spec.options, presign_as=None)
    inner = replace(spec, kind=kind, url=url, options=options)
    return open_bucket(inner, credential, local_key=local_key)


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part


def _read_cursor(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadInputError(
            "The cursor is not one that a listing gave.", remedy="List from the start."
        ) from None


def _make_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode("ascii")


def _not_found(source: str, key: str) -> ObjectNotFoundError:
    return ObjectNotFoundError(
        f"The source {source!r} has no file {key[:200]!r}.",
        remedy="List its folder to see what is there now.",
    )
