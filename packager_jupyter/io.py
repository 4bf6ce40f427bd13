"""Atomic file writes and locks: the only module that knows how bytes become durable.

The protocol of every write: a temporary file in the target's own folder (``O_EXCL``, mode 0600),
write, ``fsync``, ``rename`` over the target (or ``link`` when the target must not exist),
``fsync`` of the folder. A reader sees the old content or the new one, never a part, and what was
acknowledged survives ``kill -9`` and a power loss.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import tempfile
import time
from typing import IO, TYPE_CHECKING, cast

from packager_jupyter.errors import BusyError, DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMP_PREFIX = ".packager-tmp-"
WRITEBACK_BYTES = 8 * 1024 * 1024
KEPT_BYTES = 8 * WRITEBACK_BYTES
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
_NO_NAME = frozenset(
    {errno.EXDEV, errno.ENOENT, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL}
)


def fsync_dir(folder: Path) -> None:
    """Make the names in `folder` durable (POSIX ``fsync`` on a directory)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_dirs(folder: Path, *, mode: int = 0o700) -> None:
    """Create `folder` and its missing parents durably, each with `mode`."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for child in reversed(missing):
        with contextlib.suppress(FileExistsError):
            child.mkdir(mode=mode)
        fsync_dir(child.parent)


@contextlib.contextmanager
def explain_disk_full(what: str) -> Iterator[None]:
    """Turn ``ENOSPC`` and ``EDQUOT`` into `DiskFullError`; `what` completes "could not write …"."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(
                f"The disk is full: could not write {what}.",
                remedy="Nothing was changed. Free some space and try again.",
            ) from error
        raise


class EarlyWriteback:
    """Has the system write a growing file to its disk while more of it comes.

    Otherwise a large file stays in memory until the ``fsync`` at its end, which then waits for all
    of it. Of a file on its disk only the last `KEPT_BYTES` stay in the system's memory: a page used
    again costs a fraction of a new one, and what others read stays. Only a hint: durable is what
    was synced.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = self._begun = 0

    def wrote(self, size_bytes: int) -> None:
        """Say that so much more was written; blocks while the disk has too much to do."""
        self._written += size_bytes
        # One step behind: the last bytes may still be in Python's buffer.
        while self._written - self._begun >= 2 * WRITEBACK_BYTES:
            # Linux begins to write what it is to forget and has not written yet; what it has, it
            # forgets.
            self._forget(self._begun)
            if self._begun >= KEPT_BYTES:
                self._forget(self._begun - KEPT_BYTES)
            self._begun += WRITEBACK_BYTES

    def _forget(self, start: int) -> None:
        with contextlib.suppress(OSError):
            os.posix_fadvise(self._file.fileno(), start, WRITEBACK_BYTES, os.POSIX_FADV_DONTNEED)


class TempFile:
    """A new file in `folder` under a name that nobody looks at; made by `temp_file`."""

    def __init__(self, folder: Path, *, mode: int) -> None:
        self.path = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        self.file: IO[bytes] = os.fdopen(fd, "wb")
        self._mode = mode

    def publish(self, target: Path, *, must_not_exist: bool = False) -> None:
        """Make the content durable, then give it the name `target`, durably.

        `target` lies on the same file system. With `must_not_exist` an existing target stays and
        `FileExistsError` is raised.
        """
        with self.file as file:
            os.fchmod(file.fileno(), self._mode)
            file.flush()
            os.fsync(file.fileno())
        if must_not_exist:
            os.link(self.path, target)
        else:
            self.path.replace(target)
        fsync_dir(target.parent)

    def discard(self) -> None:
        """Close it and remove the temporary name, if it is still there."""
        try:
            self.file.close()
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()


def open_unnamed(folder: Path) -> IO[bytes]:
    """Return a new file in `folder` that has no name and so goes with the process.

    On file systems with ``O_TMPFILE`` it can be given a name later, see `name_it`.
    """
    try:
        fd = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
        return cast("IO[bytes]", tempfile.TemporaryFile(dir=folder))
    return os.fdopen(fd, "w+b")


def name_it(file: IO[bytes], folder: Path, target: Path) -> bool:
    """Make the content of an unnamed file durable, then give it the name `target`, durably.

    Parameters
    ----------
    file : IO
        Of `open_unnamed`. Nobody may write to it any more.
    folder : Path
        For a temporary name; on the file system of `target`.

    Returns
    -------
    bool
        False when the file cannot get a name there: copy it then.
    """
    try:
        is_named = os.fstat(file.fileno()).st_nlink > 0
    except OSError:
        return False  # in memory
    if is_named:
        return False  # somebody else's, who may write to it
    file.flush()
    temporary = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        # With a folder given Python calls linkat(2), which can follow the link; link(2) does not.
        opened = file.fileno()
        os.link(f"/proc/self/fd/{opened}", temporary, src_dir_fd=opened, follow_symlinks=True)
    except OSError as error:
        if error.errno not in _NO_NAME:
            raise
        return False
    try:
        os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    fsync_dir(target.parent)
    return True


@contextlib.contextmanager
def temp_file(folder: Path, *, what: str, mode: int = 0o600) -> Iterator[TempFile]:
    """Yield a `TempFile` that is gone after the block unless it was published.

    For content whose final name is known only after it was written (a digest). `what` names it
    in `DiskFullError`.
    """
    with explain_disk_full(what):
        temp = TempFile(folder, mode=mode)
        try:
            yield temp
        finally:
            temp.discard()


@contextlib.contextmanager
def atomic_writer(
    target: Path, *, mode: int = 0o600, must_not_exist: bool = False
) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes `target` when the block ends well.

    Parameters
    ----------
    target : Path
        The final name. Its folder must exist and be on a file system with atomic rename.
    mode : int, default 0o600
        Permissions of the new file.
    must_not_exist : bool, default False
        Publish by ``link``: raises `FileExistsError` when `target` exists, leaving it untouched.

    Raises
    ------
    DiskFullError
        On ``ENOSPC`` or ``EDQUOT``; the target is as it was and no temporary file remains.
    FileExistsError
        With `must_not_exist`, when the target exists.
    """
    with temp_file(target.parent, what=target.name, mode=mode) as temp:
        yield temp.file
        temp.publish(target, must_not_exist=must_not_exist)


def write_atomic(
    target: Path, data: bytes, *, mode: int = 0o600, must_not_exist: bool = False
) -> None:
    """Write `data` as `target` in one durable step; see `atomic_writer`."""
    with atomic_writer(target, mode=mode, must_not_exist=must_not_exist) as file:
        file.write(data)


def sweep_temp(folder: Path, *, older_than_s: float = 3600.0) -> int:
    """Remove temporary files that a killed writer left in `folder`; return how many."""
    removed = 0
    limit = time.time() - older_than_s
    for temp in folder.glob(f"{TEMP_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if temp.lstat().st_mtime < limit:
                temp.unlink()
                removed += 1
    return removed


@contextlib.contextmanager
def file_lock(path: Path, *, timeout_s: float = 30.0, shared: bool = False) -> Iterator[None]:
    """Hold an advisory ``flock`` on `path`, creating the file when needed.

    The kernel frees the lock when the process dies, so no lock is held for ever. The lock works
    between processes of one host (and between threads, as each call opens the file anew); it is
    not re-entrant.

    Raises
    ------
    BusyError
        When the lock is not free within `timeout_s` seconds.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        deadline = time.monotonic() + timeout_s
        pause_s = 0.001
        while True:
            try:
                fcntl.flock(fd, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusyError(
                        f"{path.parent.name} is being changed by another process.",
                        remedy="Wait until the other work ends, then try again.",
                        retry_after_s=5,
                    ) from None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 0.05)
        yield
    finally:
        os.close(fd)
