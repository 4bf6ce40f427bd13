"""The blobs of one layout repository: files named by their digest, written whole or not at all.

`BlobFolder` owns ``<repository>/blobs/<algorithm>/<hex>`` and ``<repository>/.packager/ingest``,
where bytes wait until they are complete. A blob gets its name only after its digest and size were
checked and its bytes are durable. The modification time of a blob says when somebody last pushed
it or asked for it in order to push; the collector (`oci.gc`) leaves young ones alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from packager_jupyter.errors import (
    BadInputError,
    BlobNotFoundError,
    DigestMismatchError,
    NameInvalidError,
    StorageDeniedError,
    StorageError,
    StoreCorruptError,
)
from packager_jupyter.io import (
    EarlyWriteback,
    explain_disk_full,
    fsync_dir,
    make_dirs,
    name_it,
    temp_file,
)
from packager_jupyter.oci.base import CHUNK_BYTES
from packager_jupyter.oci.names import DIGEST_HEX_LENGTH, check_digest, new_hash, split_digest
from packager_jupyter.oci.verified import is_same

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packager_jupyter.io import TempFile
    from packager_jupyter.oci.verified import Verified

PRIVATE_FOLDER = ".packager"
"""Our own folder in a repository; no repository component begins with a dot."""

GRACE_S = 3600
"""Seconds for which a blob that nothing names is safe from the collector."""

_READ_ONLY = frozenset({errno.EROFS, errno.EPERM, errno.EACCES})
_BROKEN = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EFBIG})
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})


@contextlib.contextmanager
def explain_disk() -> Iterator[None]:
    """Turn what the operating system says about the disk into an error with a remedy.

    Also a decorator. Errors of sockets are no business of it: data may come from one.
    """
    try:
        with explain_disk_full("the artifact store"):
            yield
    except OSError as error:
        if error.errno in _READ_ONLY:
            raise StorageDeniedError(
                "The artifact store may not be read or changed by the user that runs this.",
                remedy="Give that user the rights on the folder of the store, or set another one.",
                details=error.strerror,
            ) from error
        if error.errno in _BROKEN:
            raise StorageError(
                "The disk of the artifact store reported an error.",
                remedy="Look into the system's log, then try again.",
                details=error.strerror,
            ) from error
        raise


class BlobWriter:
    """Takes the bytes of one blob, hashing them on the way; made by `BlobFolder.ingest`."""

    def __init__(self, blobs: BlobFolder, temp: TempFile, digest: str | None) -> None:
        self._blobs = blobs
        self._temp = temp
        self._expected = digest
        self._hash = new_hash(digest)
        self._writeback = EarlyWriteback(temp.file)
        self.size_bytes = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes of any length."""
        self._hash.update(chunk)
        self._temp.file.write(chunk)
        self._writeback.wrote(len(chunk))
        self.size_bytes += len(chunk)

    @property
    def algorithm(self) -> str:
        """What the bytes are hashed with."""
        return self._hash.name

    def rehash(self, digest: str) -> None:
        """Go on with the algorithm of `digest`; reads what was written so far."""
        self._temp.file.flush()
        self._hash = new_hash(digest)
        with self._temp.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._hash.update(chunk)

    def commit(self, *, size_bytes: int | None = None, expected: str | None = None) -> str:
        """Check digest and size, make the blob durable and visible, and return its digest.

        `expected` is a digest that was not yet known when the writer was made; its algorithm is
        `algorithm`.

        Raises
        ------
        DigestMismatchError
            The bytes are not those announced; nothing is kept.
        """
        digest = f"{self._hash.name}:{self._hash.hexdigest()}"
        if size_bytes is not None and size_bytes != self.size_bytes:
            raise DigestMismatchError(
                f"{size_bytes:,} bytes were announced, but {self.size_bytes:,} arrived.",
                remedy="Send the blob again.",
            )
        for announced in (self._expected, expected):
            if announced not in (None, digest):
                raise mismatch(str(announced), digest)
        if not self._blobs.keep(digest, self.size_bytes):
            target = self._blobs.path(digest)
            make_dirs(target.parent)
            self._temp.publish(target)
        return digest


def mismatch(expected: str, found: str) -> DigestMismatchError:
    """Return the error for bytes that hash to something else than was announced."""
    return DigestMismatchError(
        "The bytes do not hash to the digest that was announced.",
        remedy="Send the blob again; if it happens again, the file or the connection is damaged.",
        details=f"announced {expected}, received {found}",
    )


class BlobFolder:
    """The blobs below one repository folder; making one costs nothing.

    Parameters
    ----------
    folder : Path
    verified : Verified
        Memory of the store.
    """

    def __init__(self, folder: Path, verified: Verified) -> None:
        self.folder = folder
        self._verified = verified

    @property
    def ingest_folder(self) -> Path:
        """Where temporary files lie; swept of what a killed writer left by `oci.gc`."""
        return self.folder / PRIVATE_FOLDER / "ingest"

    def path(self, digest: str) -> Path:
        """Return where a blob lies, whether or not it exists."""
        algorithm, encoded = split_digest(digest)
        return self.folder / "blobs" / algorithm / encoded

    def size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes, or None when there is none."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return self.path(digest).stat().st_size
        return None

    def touch(self, digest: str) -> bool:
        """Start the blob's grace anew; return whether it exists.

        On storage that we may only read there is no collector either: then the time stays.
        """
        try:
            os.utime(self.path(digest))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
        return True

    def wanted_size(self, digest: str) -> int | None:
        """Return what `size` does, for somebody who will skip a push when it exists.

        Restarts the grace when more than half of it is over, so that the blob is still there when
        the manifest comes.
        """
        path = self.path(digest)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            stat = path.stat()
            if time.time() - stat.st_mtime < GRACE_S / 2 or self.touch(digest):
                return stat.st_size
        return None

    def keep(self, digest: str, size_bytes: int) -> bool:
        """Return whether the blob is already here, whole and durable, and restart its grace.

        The bytes are read and hashed, so pushing a damaged blob again mends it.
        """
        if not self.touch(digest) or self.size(digest) != size_bytes:
            return False
        if not self.is_sound(digest):
            return False
        # Another writer may have renamed it without having reached its own fsync yet.
        fsync_dir(self.path(digest).parent)
        return True

    def is_sound(self, digest: str) -> bool:
        """Return whether the file exists and hashes to its name."""
        found = new_hash(digest)
        try:
            with self.path(digest).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    found.update(chunk)
        except FileNotFoundError:
            return False
        return found.hexdigest() == split_digest(digest)[1]

    def adopt(self, file: BinaryIO, digest: str) -> bool:
        """Give an unnamed file whose digest is known a place here; False: it must be copied."""
        make_dirs(self.ingest_folder)
        target = self.path(digest)
        make_dirs(target.parent)
        return name_it(file, self.ingest_folder, target)

    @contextlib.contextmanager
    def ingest(self, *, digest: str | None = None) -> Iterator[BlobWriter]:
        """Yield a `BlobWriter`; what was not committed is gone after the block."""
        with explain_disk():
            make_dirs(self.ingest_folder)
            with temp_file(self.ingest_folder, what="the blob") as temp:
                yield BlobWriter(self, temp, digest)

    def read(self, digest: str, *, start: int, stop: int | None) -> Iterator[bytes]:
        """Return the chunks of ``[start, stop)``; see `OciStore.read_blob`."""
        size = self.size(digest)
        if size is None:
            raise not_found(digest)
        end = size if stop is None else stop
        whole = (start, end) == (0, size)
        if not 0 <= start <= end <= size:
            raise BadInputError(
                f"The blob has {size:,} bytes; the range {start:,} to {end:,} is not in it.",
                remedy="Ask for bytes that exist.",
            )
        return BlobChunks(self.path(digest), digest, start, end, self._verified if whole else None)

    def read_all(self, digest: str) -> bytes:
        """Return a small blob, checked."""
        return b"".join(self.read(digest, start=0, stop=None))

    def link_from(self, other: BlobFolder, digest: str) -> bool:
        """Give a blob of another repository a name here too; False when that cannot be."""
        target = self.path(digest)
        make_dirs(target.parent)
        try:
            os.link(other.path(digest), target)
        except FileExistsError:
            pass
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        is_here = self.touch(digest)
        fsync_dir(target.parent)
        return is_here

    def digests(self) -> Iterator[str]:
        """Yield the digests of all blob files, in no order."""
        for digest, _name in self._files():
            if digest is not None:
                yield digest

    def strays(self) -> list[str]:
        """Return the names of files among the blobs that are none."""
        return [name for digest, name in self._files() if digest is None]

    def _files(self) -> Iterator[tuple[str | None, str]]:
        for algorithm in DIGEST_HEX_LENGTH:
            try:
                names = os.listdir(self.folder / "blobs" / algorithm)  # noqa: PTH208 - names only
            except FileNotFoundError:
                continue
            for name in names:
                try:
                    yield check_digest(f"{algorithm}:{name}"), name
                except NameInvalidError:
                    yield None, name


class BlobChunks:
    """The bytes ``[start, stop)`` of one blob, see `OciStore.read_blob`; for one thread at a time.

    Parameters
    ----------
    path : Path
        Opened by the first step.
    verified : Verified, optional
        Of a read of the whole, which is checked; None for a part.
    """

    def __init__(
        self, path: Path, digest: str, start: int, stop: int, verified: Verified | None
    ) -> None:
        self._path, self._digest = path, digest
        self._at, self._left = start, stop - start
        self._verified = verified
        self._file: IO[bytes] | None = None
        self._hash: Any = None
        self._is_over = False
        self._can_tell = True
        self._buffer: memoryview | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = b"" if self._is_over else self._step()
        if not chunk:
            raise StopIteration
        return chunk

    @explain_disk()
    def _step(self) -> bytes:
        try:
            if self._file is None:
                self._file = self._open()
            chunk = self._read(self._file)
        except BaseException:
            self.close()
            raise
        if not self._left:
            self.close()
        return chunk

    def _open(self) -> IO[bytes]:
        try:
            file = self._path.open("rb", buffering=0)
        except FileNotFoundError:
            raise not_found(self._digest) from None
        self._stat = os.fstat(file.fileno())
        if self._verified is not None and not self._verified.knows(self._stat):
            self._hash = new_hash(self._digest)
        return file

    def _read(self, file: IO[bytes]) -> bytes:
        chunk = os.pread(file.fileno(), min(CHUNK_BYTES, self._left), self._at)
        self._at += len(chunk)
        self._left -= len(chunk)
        if self._left and not chunk:
            raise corrupt(self._digest)
        if self._hash is not None:
            self._hash.update(chunk)
            # Also of no bytes at all: an emptied file must not pass for an empty blob.
            if not self._left:
                self._check_end(file, self._hash.hexdigest())
        return chunk

    def _check_end(self, file: IO[bytes], found: str) -> None:
        if found != split_digest(self._digest)[1]:
            raise corrupt(self._digest)
        if self._verified is not None and is_same(self._stat, os.fstat(file.fileno())):
            self._verified.add(self._stat)

    def at_hand(self) -> memoryview:
        """Return the next bytes if that makes nobody wait; they last until the next call.

        That is when the system has them in memory and nothing is to be hashed; else, as at the
        end, there are none.
        """
        if self._file is None or self._hash is not None or not self._can_tell:
            return memoryview(b"")
        if self._buffer is None:
            self._buffer = memoryview(bytearray(min(CHUNK_BYTES, self._left)))
        found = self._buffer[: self._left]
        try:
            count = os.preadv(self._file.fileno(), [found], self._at, os.RWF_NOWAIT)
        except BlockingIOError:
            count = 0
        except OSError:
            self._can_tell = False  # not on this file system; what else is wrong, a read will say
            count = 0
        self._at += count
        self._left -= count
        if not self._left:
            self.close()
        return found[:count]

    def close(self) -> None:
        """Let go of the file; nothing more is read."""
        self._is_over = True
        if self._file is not None:
            self._file.close()
            self._file = None

    __del__ = close


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the whole content of an open file."""
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def not_found(digest: str) -> BlobNotFoundError:
    """Return the error for a blob or manifest that is not there."""
    return BlobNotFoundError(
        f"There is no {digest} here.",
        remedy="Check the digest; it may have been deleted.",
    )


def corrupt(digest: str) -> StoreCorruptError:
    """Return the error for bytes that do not hash to their own name."""
    return StoreCorruptError(
        f"The stored bytes of {digest} are damaged.",
        remedy="Push the content again or restore a backup; 'packager registry fsck' finds what "
        "else is damaged.",
    )
