"""Receiving an upload as it comes in: a form's fields in memory, files on disk, both bounded.

Source: ``multipart/form-data`` (RFC 7578). Files go to unnamed temporary files, which vanish with
the process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from packager_jupyter.errors import BadInputError
from packager_jupyter.io import EarlyWriteback, explain_disk_full, make_dirs, open_unnamed

if TYPE_CHECKING:
    from pathlib import Path

MAX_FIELD_BYTES = 4 * 1024 * 1024  # all fields of a form together; attestations are the largest
MAX_PARTS = 512
_MAX_BOUNDARY = 200


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A part with a file name: its field, the name as the client gave it, its bytes and digest."""

    field: str
    filename: str
    file: BinaryIO
    sha256: str


class _Arriving:
    """A file that is hashed while it is written, so that it need not be read again for that."""

    def __init__(self, folder: Path, field: str = "", filename: str = "") -> None:
        self.file = cast("BinaryIO", open_unnamed(folder))
        self._field, self._filename = field, filename
        self._hash = hashlib.sha256()
        self._writeback = EarlyWriteback(self.file)

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes."""
        self._hash.update(data)
        self.file.write(data)
        self._writeback.wrote(len(data))

    def arrived(self) -> ReceivedFile:
        """Return it, at its beginning."""
        self.file.seek(0)
        return ReceivedFile(self._field, self._filename, self.file, self._hash.hexdigest())


class FormReceiver:
    """Feeds chunks of a request body to a parser; used once.

    Parameters
    ----------
    content_type : str
        The request's ``Content-Type``.
    folder : Path
        Where the temporary files lie.
    """

    def __init__(self, content_type: str, folder: Path) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 0 < len(boundary) <= _MAX_BOUNDARY:
            raise BadInputError(
                "The body is no multipart form.",
                remedy="Send it as multipart/form-data, as upload tools do.",
            )
        make_dirs(folder)
        self._folder = folder
        self._fields: dict[str, bytearray] = {}
        self._files: list[_Arriving] = []
        self._header_name, self._header_value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._target: bytearray | _Arriving | None = None
        self._parts = self._field_bytes = 0
        self._is_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open_part,
                "on_part_data": self._add_data,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the body.

        Raises
        ------
        BadInputError
            The form is damaged, or has too many or too large fields.
        DiskFullError
            A file does not fit on the disk.
        """
        with explain_disk_full("the uploaded file"):
            try:
                self._parser.write(bytes(chunk))
            except FormParserError:
                raise _damaged() from None

    def finish(self) -> tuple[dict[str, str], list[ReceivedFile]]:
        """Return the fields and files of the complete form; raises `BadInputError`."""
        if not self._is_ended:
            raise _damaged()
        try:
            fields = {name: value.decode("utf-8") for name, value in self._fields.items()}
        except UnicodeDecodeError:
            raise _damaged() from None
        return fields, [each.arrived() for each in self._files]

    def close(self) -> None:
        """Let go of the temporary files."""
        for each in self._files:
            each.file.close()

    def _begin_part(self) -> None:
        self._parts += 1
        self._headers = {}
        self._target = None
        if self._parts > MAX_PARTS:
            raise BadInputError(
                f"The form has more than {MAX_PARTS} parts.", remedy="Upload less at a time."
            )

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise _damaged()
        filename = options.get(b"filename")
        if filename is None:
            self._target = self._fields.setdefault(name, bytearray())
            return
        # Closed by `close`, when the request ends.
        self._target = _Arriving(self._folder, name, filename.decode("utf-8", "replace"))
        self._files.append(self._target)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if isinstance(self._target, bytearray):
            self._field_bytes += end - start
            if self._field_bytes > MAX_FIELD_BYTES:
                raise BadInputError(
                    f"The fields of the form are larger than {MAX_FIELD_BYTES:,} bytes.",
                    remedy="Send files as files, not as fields.",
                )
            self._target += data[start:end]
        elif self._target is not None:
            self._target.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._is_ended = True


class BareReceiver:
    """Takes a body that is itself the file, as ``curl --upload-file`` sends it; used once.

    Parameters
    ----------
    folder : Path
        Where the temporary file lies.
    """

    def __init__(self, folder: Path) -> None:
        make_dirs(folder)
        self._arriving = _Arriving(folder)  # closed by `close`, when the request ends

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the body; raises `DiskFullError`."""
        with explain_disk_full("the uploaded file"):
            self._arriving.write(chunk)

    def finish(self) -> tuple[dict[str, str], list[ReceivedFile]]:
        """Return no fields and the one file."""
        return {}, [self._arriving.arrived()]

    def close(self) -> None:
        """Let go of the temporary file."""
        self._arriving.file.close()


def is_form(content_type: str) -> bool:
    """Whether a ``Content-Type`` is that of a form with files."""
    return bool(parse_options_header(content_type)[0] == b"multipart/form-data")


def _damaged() -> BadInputError:
    return BadInputError(
        "The uploaded form is damaged or was cut off.", remedy="Send it again; nothing was kept."
    )
