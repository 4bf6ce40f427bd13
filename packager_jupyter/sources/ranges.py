"""Reading a range of an object over a connection that may break off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    ObjectChangedError,
    StorageNotUnderstoodError,
    StorageUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packager_jupyter.errors import PackagerError
    from packager_jupyter.sources.transport import Answer

_OK = 200
_PARTIAL = 206
_PRECONDITION_FAILED = 412
_NOT_SATISFIABLE = 416
_RESUMES = 4


def read_range(
    open_stream: Callable[[Mapping[str, str]], tuple[Answer, Iterator[bytes]]],
    *,
    start: int,
    stop: int | None,
    explain: Callable[[Answer], PackagerError],
) -> Iterator[bytes]:
    """Yield the bytes ``[start, stop)``, resuming where a connection broke off.

    Parameters
    ----------
    open_stream : callable
        Sends the GET with the given headers; see `transport.Transport.stream`.
    start, stop : int
        `stop` None: to the end. A range behind the end yields nothing.
    explain : callable
        Turns an answer that is no success into the error to raise.

    Raises
    ------
    ObjectChangedError
        When the object was replaced between two parts.
    StorageUnreachableError
        When the connection broke off five times in a row.
    """
    position = start
    etag: str | None = None
    resumes = 0
    while stop is None or position < stop:
        headers = {}
        if position or stop is not None:
            headers["Range"] = f"bytes={position}-{'' if stop is None else stop - 1}"
        if etag:
            headers["If-Match"] = etag
        answer, chunks = open_stream(headers)
        if answer.status == _NOT_SATISFIABLE:
            return
        _check(answer, headers, position, explain)
        etag = etag or answer.headers.get("etag")
        try:
            for chunk in chunks:
                position += len(chunk)
                resumes = 0
                yield chunk
        except StorageUnreachableError:
            resumes += 1
            if resumes > _RESUMES:
                raise
            continue
        return


def _check(
    answer: Answer,
    headers: Mapping[str, str],
    position: int,
    explain: Callable[[Answer], PackagerError],
) -> None:
    if answer.status == _PRECONDITION_FAILED:
        raise ObjectChangedError(
            "The object was replaced while it was being read.",
            remedy="Read it again from its start.",
        )
    if answer.status not in {_OK, _PARTIAL}:
        raise explain(answer)
    said = answer.headers.get("content-range", f"bytes {position}-")
    if ("Range" in headers and answer.status == _OK) or not said.startswith(f"bytes {position}-"):
        raise StorageNotUnderstoodError(
            "The storage does not serve ranges of objects.",
            remedy="Ranges are needed to resume and to preview. Check whether a proxy before the "
            "storage takes them away.",
        )
