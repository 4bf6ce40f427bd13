"""The attachments of a draft: the ordinary files of its folder, read without following a link.

Everything in the folder counts except ``package.yaml`` and names that begin with a dot (our own
``.packager``, ``.git``, ``.ipynb_checkpoints`` and the like), at any depth. A link, a pipe or a
device is never read: it could lead to what nobody meant to publish. `scan` tells of those apart, so
that publishing can refuse by name instead of leaving something out silently.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    PathNotFoundError,
    TooLargeError,
)
from packager_jupyter.io import make_dirs, write_atomic
from packager_jupyter.packages.base import Attachment
from packager_jupyter.packages.media import media_type_for
from packager_jupyter.packages.metadata import FILE_NAME
from packager_jupyter.packages.names import check_path, is_plain_path, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ATTACHMENTS = 2000
"""A manifest names each of them and holds at most 4 MiB."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_IS_LINK = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})


Mark = tuple[int, int, int, int, int]


@dataclass(slots=True)
class Scan:
    """What lies in a draft's folder.

    Attributes
    ----------
    attachments : list of Attachment
        Sorted by path.
    refused : dict of str to str
        Paths that cannot be attachments, and why.
    marks : dict of str to tuple
        By path, what changes when the file does: device, inode, size, times in nanoseconds.
    """

    attachments: list[Attachment] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)


class AttachmentFolder:
    """Reads and writes the attachments below one draft's folder.

    Parameters
    ----------
    folder : Path
    max_bytes : int
        Largest attachment.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def scan(self) -> Scan:
        """Return all attachments and what cannot be one.

        Raises
        ------
        TooLargeError
            More than 2,000 files: the folder is not meant for data.
        """
        found = Scan()
        with self._open_folder(()) as root:
            self._scan(root, "", found)
        found.attachments.sort(key=lambda attachment: attachment.path.encode())
        return found

    def _scan(self, folder: int, prefix: str, found: Scan) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name.startswith("."):
                    continue
                path = prefix + entry.name
                if not is_plain_path(path):
                    found.refused[path] = "its name cannot stand in a package"
                elif entry.is_dir(follow_symlinks=False):
                    self._scan_child(folder, entry.name, path, found)
                elif path != FILE_NAME:
                    self._look_at(entry, path, found)

    def _scan_child(self, folder: int, name: str, path: str, found: Scan) -> None:
        try:
            child = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        except OSError as error:
            found.refused[path] = f"it cannot be opened ({os.strerror(error.errno or 0)})"
            return
        try:
            self._scan(child, f"{path}/", found)
        finally:
            os.close(child)

    def _look_at(self, entry: os.DirEntry[str], path: str, found: Scan) -> None:
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            found.refused[path] = "it is a link" if entry.is_symlink() else "it is no ordinary file"
            return
        found.marks[path] = (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        found.attachments.append(
            Attachment(path, status.st_size, media_type_for(path), int(status.st_mtime))
        )
        if len(found.attachments) > MAX_ATTACHMENTS:
            raise TooLargeError(
                f"The folder of the draft holds more than {MAX_ATTACHMENTS:,} files.",
                remedy="Attach only small texts and notebooks; keep data in a source and add it "
                "as pointers.",
            )

    def read(self, path: str) -> bytes:
        """Return the bytes of one attachment.

        Raises
        ------
        PathNotFoundError
            There is no such attachment.
        ForbiddenError
            It is a link, or lies behind one, or is no ordinary file.
        TooLargeError
        """
        segments = _segments(path)
        if segments is None:
            raise _not_found(path)
        return self._read(path, segments)

    def read_package_file(self) -> bytes:
        """Return the bytes of ``package.yaml``; raises as `read` does."""
        return self._read(FILE_NAME, [FILE_NAME])

    def _read(self, path: str, segments: list[str]) -> bytes:
        with _explain(path), self._open_folder(segments[:-1]) as parent:
            fd = os.open(segments[-1], _FILE_FLAGS, dir_fd=parent)
            with os.fdopen(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise _not_ordinary(path)
                data = file.read(self.max_bytes + 1)
        self._check_size(path, len(data))
        return data

    def has(self, path: str) -> bool:
        """Return whether an attachment of that path can be read."""
        segments = _segments(path)
        if segments is None:
            return False
        try:
            with self._open_folder(segments[:-1]) as parent:
                status = os.stat(segments[-1], dir_fd=parent, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode)

    def write(self, path: str, data: bytes) -> Attachment:
        """Write an attachment in one durable step, replacing an earlier one.

        Raises
        ------
        BadInputError
            The path breaks a rule, or names what is left out or is ours.
        ForbiddenError
            A link is in the way.
        ConflictError
            A folder is at the path, or a file where a folder is needed.
        TooLargeError
        """
        check_path(path)
        self._check_size(path, len(data))
        segments = _segments(path)
        if segments is None:
            raise BadInputError(
                f"{shown(path)} cannot be an attachment.",
                remedy=f"Choose a name that does not begin with a dot and is not {FILE_NAME}.",
            )
        target = self._check_way(path, segments)
        make_dirs(target.parent, mode=0o755)
        write_atomic(target, data, mode=0o644)
        status = target.lstat()
        return Attachment(path, status.st_size, media_type_for(path), int(status.st_mtime))

    def _check_way(self, path: str, segments: list[str]) -> Path:
        """Return where to write, after a look at everything on the way."""
        target = self.folder
        for number, segment in enumerate(segments):
            target /= segment
            is_last = number == len(segments) - 1
            try:
                mode = target.lstat().st_mode
            except FileNotFoundError:
                continue
            except NotADirectoryError as error:
                raise _in_the_way(path) from error
            if stat.S_ISLNK(mode):
                raise _not_ordinary(path)
            if stat.S_ISDIR(mode) == is_last:
                raise _in_the_way(path)
        return target

    def remove(self, path: str) -> None:
        """Remove one attachment and the folders that become empty.

        Raises
        ------
        PathNotFoundError
            There is no such attachment.
        """
        segments = _segments(path)
        if segments is None or not self.has(path):
            raise _not_found(path)
        with _explain(path), self._open_folder(segments[:-1]) as parent:
            os.unlink(segments[-1], dir_fd=parent)
            os.fsync(parent)
        folder = self.folder.joinpath(*segments[:-1])
        while folder != self.folder:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    @contextlib.contextmanager
    def _open_folder(self, segments: list[str] | tuple[str, ...]) -> Iterator[int]:
        """Open a folder below the draft's, one step at a time, following no link."""
        fd = os.open(self.folder, _FOLDER_FLAGS)
        try:
            for segment in segments:
                child = os.open(segment, _FOLDER_FLAGS, dir_fd=fd)
                os.close(fd)
                fd = child
            yield fd
        finally:
            os.close(fd)

    def _check_size(self, path: str, size_bytes: int) -> None:
        if size_bytes > self.max_bytes:
            raise TooLargeError(
                f"The attachment {shown(path)} has more than {self.max_bytes:,} bytes.",
                remedy="Put it into a source and add it as a pointer, or raise "
                "Settings.max_attachment_bytes.",
            )


def _segments(path: str) -> list[str] | None:
    """Return the segments of a path that may be an attachment's, else None."""
    segments = path.split("/")
    if path == FILE_NAME or not is_plain_path(path) or any(s.startswith(".") for s in segments):
        return None
    return segments


@contextlib.contextmanager
def _explain(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except OSError as error:
        if error.errno in _IS_LINK:
            raise _not_ordinary(path) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise ForbiddenError(
                f"The attachment {shown(path)} may not be opened.",
                remedy="Correct its permissions in the draft's folder.",
            ) from error
        raise


def _not_found(path: str) -> PathNotFoundError:
    return PathNotFoundError(
        f"The package has no attachment {shown(path)}.",
        remedy="Look at the package's attachments for the right path.",
    )


def _not_ordinary(path: str) -> ForbiddenError:
    return ForbiddenError(
        f"{shown(path)} is a link or no ordinary file, so it is not read.",
        remedy="Put a copy of the file itself into the draft's folder, or take the link away.",
    )


def _in_the_way(path: str) -> ConflictError:
    return ConflictError(
        f"The attachment {shown(path)} cannot be written: something else is in its way.",
        remedy="Choose another path, or move what is there.",
    )
