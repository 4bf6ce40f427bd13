"""What is expected, taken in key order as far as a listing has come.

A package of one source whose paths sort as its keys do needs no table for that: `order_of` finds
out, and `InOrder` hands its rows to a `Merge` as they are read.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from os.path import commonprefix
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packager_jupyter.packages.expected import Row
    from packager_jupyter.packages.index_rows import Fact

_key = itemgetter(0)


class Order(NamedTuple):
    """A package of one source, sorted by key: how many rows, and the folder that holds all."""

    source: str
    prefix: str
    files: int


def order_of(facts: Iterator[list[Fact]]) -> Order | None:
    """Return the order of facts, None when they are of several sources or not sorted by key."""
    first = last = None
    source, count = "", 0
    for rows in facts:
        keys = [row[1] for row in rows]
        if last is None:
            first, last, source = keys[0], keys[0], rows[0][0]
        if (
            keys[0] < last
            or keys != sorted(keys)
            or [row[0] for row in rows].count(source) < len(rows)
        ):
            return None
        last = keys[-1]
        count += len(rows)
    if first is None or last is None:
        return None
    common = commonprefix([first, last])  # noqa: RUF071  # sorted, so it is that of all
    return Order(source, common[: common.rfind("/") + 1], count)


class InOrder:
    """Facts as rows, as long as they are what `order_of` has found.

    A draft may be edited between the two readings; what does not fit any more is `left`.
    """

    def __init__(self, facts: Iterator[list[Fact]], order: Order) -> None:
        self._facts = facts
        self._order = order
        self._odd: list[list[Fact]] = []

    def pages(self) -> Iterator[list[Row]]:
        """Yield rows, sorted by key, up to the first page that does not fit."""
        source, prefix, _ = self._order
        last = prefix
        for rows in self._facts:
            keys = [row[1] for row in rows]
            is_fit = keys == sorted(keys) and keys[0] >= last and keys[-1].startswith(prefix)
            if not is_fit or [row[0] for row in rows].count(source) < len(rows):
                self._odd.append(rows)
                return
            last = keys[-1]
            yield [row[1:] for row in rows]

    def left(self) -> Iterator[list[Fact]]:
        """Yield the facts that `pages` did not, once it has ended."""
        yield from self._odd
        yield from self._facts


class Merge:
    """Rows that are expected, sorted by key.

    Attributes
    ----------
    strayed : int
        Objects listed that nobody expected; the caller's count.
    """

    def __init__(self, pages: Iterator[list[Row]]) -> None:
        self._pages = pages
        self._page: list[Row] = next(pages, [])
        self._at = 0
        self.strayed = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing more is expected."""
        return not self._page

    def rows_up_to(self, key: str) -> list[Row]:
        """Take the rows whose key is at most `key`."""
        found: list[Row] = []
        while self._page and self._page[self._at][0] <= key:
            end = bisect_right(self._page, key, lo=self._at, key=_key)
            found += self._page[self._at : end]
            self._at = end
            if end == len(self._page):
                self._page, self._at = next(self._pages, []), 0
        return found

    def pages_left(self) -> Iterator[list[Row]]:
        """Take all that are left."""
        while self._page:
            page = self._page[self._at :]
            self._page, self._at = next(self._pages, []), 0
            yield page
