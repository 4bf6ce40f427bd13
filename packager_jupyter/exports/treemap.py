"""Squarified treemaps: rectangles whose areas are the values, as near to squares as can be.

The algorithm is the one of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its lower left corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def inset(self, left: float, top: float) -> Box:
        """Return what is left after a margin on all sides, `top` above."""
        width, height = self.width - 2 * left, self.height - left - top
        return Box(self.x + left, self.y + left, max(width, 0.0), max(height, 0.0))

    def mirrored(self, outer: Box) -> Box:
        """Return the box as far from the top of `outer` as it was from its bottom."""
        y = 2 * outer.y + outer.height - self.y - self.height
        return Box(self.x, y, self.width, self.height)


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """Return a box for each of the positive `values`, sorted from large to small, within `box`."""
    total = sum(values)
    if not values or total <= 0 or box.area <= 0:
        return []
    areas = [value * box.area / total for value in values]
    found: list[Box] = []
    while areas:
        side = min(box.width, box.height)
        count, used = 1, areas[0]
        while count < len(areas):
            more = used + areas[count]
            if _worst(areas[: count + 1], more, side) > _worst(areas[:count], used, side):
                break
            count, used = count + 1, more
        row, box = _lay(areas[:count], used, box)
        found += row
        areas = areas[count:]
    return found


def _worst(row: Sequence[float], used: float, side: float) -> float:
    """Return the worst ratio of sides in a row along a side of that length."""
    return max(side**2 * max(row) / used**2, used**2 / (side**2 * min(row)))


def _lay(row: Sequence[float], used: float, box: Box) -> tuple[list[Box], Box]:
    """Lay a row along the shorter side; return its boxes and what is left."""
    found = []
    if box.width >= box.height:
        width, y = used / box.height, box.y
        for area in row:
            found.append(Box(box.x, y, width, area / width))
            y += area / width
        return found, Box(box.x + width, box.y, max(box.width - width, 1e-12), box.height)
    height, x = used / box.width, box.x
    for area in row:
        found.append(Box(x, box.y, area / height, height))
        x += area / height
    return found, Box(box.x, box.y + height, box.width, max(box.height - height, 1e-12))
