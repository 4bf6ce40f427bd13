"""What a feed lets happen: how much it takes, and whether anything is ever deleted from it.

The bytes of a feed with a limit are counted in the database, in one row for the feed and one for
each project that somebody published to. A row is made from what the feed holds when it is first
needed. A publisher books its bytes before it stores them, in one conditional update, so that
publishers at the same time never exceed a limit together; it gives them back when it fails. A
publisher that was killed in between leaves the count too high, never too low: `recount` (and
``packager registry reindex``) starts from what is there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from packager_jupyter.errors import ForbiddenError, TooLargeError
from packager_jupyter.store.schema import feed_usage as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement

    from packager_jupyter.registries.spec import FeedSpec
    from packager_jupyter.store.database import Database

_WHOLE_FEED = ""


class QuotaExceededError(TooLargeError):
    """The feed, or a project of it, would hold more than its administrator allows."""

    code = "quota_exceeded"


class Guard:
    """The limits of one feed as they are now; safe to share between threads and processes.

    Parameters
    ----------
    db : Database
    spec : callable
        Returns what the administrator decided, at each call anew.
    feed_bytes : callable
        Returns what the whole feed holds; called when nothing is known of it yet.
    """

    def __init__(
        self, db: Database, spec: Callable[[], FeedSpec], *, feed_bytes: Callable[[], int]
    ) -> None:
        self._db = db
        self._spec = spec
        self._feed_bytes = feed_bytes

    def check_delete(self, what: str) -> None:
        """Refuse a deletion from a feed that keeps everything; raises `ForbiddenError`."""
        spec = self._spec()
        if spec.immutability == "append-only":
            raise ForbiddenError(
                f"{what[:120]!r} stays: nothing is deleted from the append-only feed {spec.path}.",
                remedy="Yank it instead; installers then leave it out.",
            )

    @contextlib.contextmanager
    def room(
        self, project: str, size_bytes: int, *, project_bytes: Callable[[], int]
    ) -> Iterator[None]:
        """Book `size_bytes` for what the block stores; given back when the block raises.

        Parameters
        ----------
        project_bytes : callable
            Returns what the project holds; called when nothing is known of it yet.

        Raises
        ------
        TooLargeError
            The file is larger than a file of this feed may be.
        QuotaExceededError
            It does not fit into what is left; nothing was booked.
        """
        spec = self._spec()
        if spec.max_file_bytes is not None and size_bytes > spec.max_file_bytes:
            raise TooLargeError(
                f"The file has {size_bytes:,} bytes; {spec.path} takes files of at most "
                f"{spec.max_file_bytes:,}.",
                remedy="Publish a smaller file, or ask the administrator to raise the limit.",
            )
        limits = {_WHOLE_FEED: spec.max_feed_bytes, project: spec.max_project_bytes}
        held = {_WHOLE_FEED: self._feed_bytes, project: project_bytes}
        for key, limit in limits.items():
            if limit is not None:
                self._open(spec, key, held[key])
        self._book(spec, limits, size_bytes)
        try:
            yield
        except BaseException:
            self.free(project, size_bytes)
            raise

    def free(self, project: str, size_bytes: int) -> None:
        """Give bytes back, after a deletion."""
        spec = self._spec()
        if spec.max_project_bytes is None and spec.max_feed_bytes is None:
            return
        with self._db.begin() as connection:
            for key in (_WHOLE_FEED, project):
                connection.execute(
                    update(table).where(_row(spec, key)).values(bytes=table.c.bytes - size_bytes)
                )

    def recount(self) -> None:
        """Forget what was counted; the next publisher counts what is there."""
        spec = self._spec()
        with self._db.begin() as connection:
            connection.execute(
                delete(table).where(table.c.ecosystem == spec.ecosystem, table.c.name == spec.name)
            )

    def _open(self, spec: FeedSpec, project: str, held: Callable[[], int]) -> None:
        with self._db.connect() as connection:
            if connection.execute(select(table).where(_row(spec, project))).first():
                return
        row = {"ecosystem": spec.ecosystem, "name": spec.name, "project": project, "bytes": held()}
        with contextlib.suppress(IntegrityError), self._db.begin() as connection:
            connection.execute(insert(table), row)  # another publisher may have counted meanwhile

    def _book(self, spec: FeedSpec, limits: dict[str, int | None], size_bytes: int) -> None:
        if not any(limits.values()):
            return
        with self._db.begin() as connection:
            for project, limit in limits.items():
                book = update(table).where(_row(spec, project))
                if limit is not None:
                    book = book.where(table.c.bytes + size_bytes <= limit)
                booked = connection.execute(book.values(bytes=table.c.bytes + size_bytes))
                if limit is not None and booked.rowcount == 0:
                    place = f"The project {project}" if project else f"The feed {spec.path}"
                    raise QuotaExceededError(
                        f"{place} may hold {limit:,} bytes; {size_bytes:,} more do not fit.",
                        remedy="Delete what nobody needs, or ask the administrator to raise the "
                        "limit.",
                    )


def _row(spec: FeedSpec, project: str) -> ColumnElement[bool]:
    return (
        (table.c.ecosystem == spec.ecosystem)
        & (table.c.name == spec.name)
        & (table.c.project == project)
    )
