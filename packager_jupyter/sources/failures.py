"""From a storage's error code to one sentence and its remedy: tables, and how they are read.

Each kind of storage owns a table of `Failure` rows by error code; this module fills in the names
and falls back on the HTTP status. Messages name the source, the bucket and the last four
characters of the key id, and nothing else of a credential.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from packager_jupyter.errors import (
    ObjectNotFoundError,
    StorageBucketNotFoundError,
    StorageBusyError,
    StorageDeniedError,
    StorageError,
    StorageNotUnderstoodError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packager_jupyter.errors import (
        PackagerError,
    )
    from packager_jupyter.sources.transport import Answer

_SKEW_S = 300  # S3 and Azure tolerate 15 minutes; a clock that is off by five is worth telling
_SHOWN_KEY_CHARACTERS = 120
_BUSY_RETRY_S = 10
_STATUS_FORBIDDEN = frozenset({401, 403})
_STATUS_NOT_FOUND = 404
_STATUS_REDIRECT = range(300, 400)
_STATUS_BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Failure:
    """One row: the error class and its two sentences, with the fields of `Scene`."""

    error: type[PackagerError]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What was going on: the words that messages are made of.

    Attributes
    ----------
    source : str
        Name of the source.
    place : str
        ``bucket 'data'`` or ``container 'data'``.
    endpoint : str
        Scheme and host.
    who : str
        ``the access key …3F3F``, ``anonymous access``, ….
    action : str
        ``list``, ``read``, ``look up``.
    key : str or None
        Full key of the object that was asked for.
    """

    source: str
    place: str
    endpoint: str
    who: str
    action: str
    key: str | None = None

    @property
    def what(self) -> str:
        """The object where there is one, else the place."""
        return self.place if self.key is None else f"{show_key(self.key)} in {self.place}"


def show_key(key: str) -> str:
    """Return `key` quoted, escaped and not longer than a line."""
    if len(key) > _SHOWN_KEY_CHARACTERS:
        key = f"{key[: _SHOWN_KEY_CHARACTERS - 1]}…"
    return repr(key)


def clock_skew_s(answer: Answer) -> int:
    """Return by how many seconds the storage's clock is ahead of ours; 0 when it does not say."""
    try:
        said = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return 0
    return round(said - time.time())


def explain(
    table: Mapping[str, Failure], code: str | None, answer: Answer, scene: Scene
) -> PackagerError:
    """Return the error for an answer that is no success.

    Parameters
    ----------
    table : mapping of str to Failure
        Rows by the storage's error code.
    code : str or None
        The storage's error code; None when the answer does not speak the protocol.
    answer : Answer
    scene : Scene
    """
    failure = table.get(code or "") or _by_status(code, answer, scene)
    skew_s = clock_skew_s(answer)
    if issubclass(failure.error, StorageDeniedError) and abs(skew_s) > _SKEW_S:
        failure = Failure(
            failure.error,
            f"The clock of this machine is {abs(skew_s) // 60} minutes "
            f"{'behind' if skew_s > 0 else 'ahead of'} that of the storage of source {{source!r}}, "
            "so it refuses our signatures.",
            "Set the clock of this machine (NTP), then try again.",
        )
    words = {name: getattr(scene, name) for name in (*Scene.__slots__, "what")}
    return failure.error(
        _sentence(failure.message.format_map(words)),
        remedy=failure.remedy.format_map(words),
        details=f"HTTP {answer.status}{f', {code}' if code else ''}",
        retry_after_s=_BUSY_RETRY_S if failure.error is StorageBusyError else None,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _by_status(code: str | None, answer: Answer, scene: Scene) -> Failure:
    if answer.status in _STATUS_BUSY:
        return Failure(
            StorageBusyError,
            "The storage of source {source!r} is overloaded or out of order "
            f"(HTTP {answer.status}), also after several tries.",
            "Try again in a while.",
        )
    if answer.status in _STATUS_REDIRECT or (code is None and answer.body):
        return Failure(
            StorageNotUnderstoodError,
            "what answers at {endpoint} does not speak the protocol of source {source!r} "
            f"(HTTP {answer.status}).",
            "Check the endpoint. A proxy, a login page or a web site may have answered.",
        )
    if answer.status in _STATUS_FORBIDDEN:
        return Failure(
            StorageDeniedError,
            "{who} of source {source!r} may not {action} {what}.",
            "Ask who owns the storage for this permission, or use another credential.",
        )
    if answer.status == _STATUS_NOT_FOUND and scene.key is not None:
        return Failure(
            ObjectNotFoundError,
            "There is no object {what} (any more).",
            "Look at the source's listing; it may have been moved or deleted.",
        )
    if answer.status == _STATUS_NOT_FOUND:
        return Failure(
            StorageBucketNotFoundError,
            "There is no {place} at {endpoint}.",
            "Check the spelling of the source's address and its endpoint.",
        )
    return Failure(
        StorageError,
        "The storage of source {source!r} refused to {action} {what} "
        f"({code or f'HTTP {answer.status}'}).",
        "See the details; if they say nothing to you, show them to who runs the storage.",
    )
