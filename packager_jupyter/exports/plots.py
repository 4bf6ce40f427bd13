"""Pictures of a package: bytes by folder, sizes, dates of modification. Needs the extra ``plot``.

The treemap reads folder totals alone, so it costs as much as what it shows. The two others count
while they stream over the pointers, in bounded memory. Names are drawn as plain text.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from packager_jupyter.errors import BadInputError
from packager_jupyter.exports.treemap import Box, squarify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from packager_jupyter.packages.base import Contents
    from packager_jupyter.packages.pointer import Pointer

FORMATS = {"png": "image/png", "svg": "image/svg+xml"}
_OUTER, _INNER = 24, 16
_INCHES = (9.0, 5.6)
_DPI = 130
_MAX_DAYS = 4000
_COLORS = ("#2f6c8f", "#3f8f7a", "#b07d2b", "#8a5a83", "#5b6fae", "#a65344", "#6b7f3a", "#4d8aa8")
_REST, _INK, _FAINT = "#9aa4ab", "#26323a", "#d9dfe3"
_FAMILIES = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def plot(contents: Contents, *, kind: str, shape: str, title: str) -> bytes:
    """Return a picture of a package.

    Parameters
    ----------
    contents : Contents
    kind : {"treemap", "sizes", "dates"}
    shape : {"png", "svg"}
    title : str

    Raises
    ------
    BadInputError
        The extra is not installed, or the package has nothing to draw.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInputError(
            "Drawing is not installed here.",
            remedy="Install the extra: pip install 'packager_jupyter[plot]'.",
        ) from error
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(
        _plain(title, 90),
        loc="left",
        fontsize=11,
        color=_INK,
        parse_math=False,
        family=_fonts()[0],
    )
    KINDS[kind](contents, axes)
    out = io.BytesIO()
    # Without a date the same package gives the same bytes.
    metadata = {"Date": None} if shape == "svg" else {"Software": None}
    figure.savefig(out, format=shape, metadata=metadata)
    return out.getvalue()


def _nothing(what: str) -> BadInputError:
    return BadInputError(
        f"There is nothing to draw: {what}.", remedy="Add files, or choose another kind."
    )


@cache
def _fonts() -> tuple[list[str], frozenset[int]]:
    """Return the fonts of this machine to draw with, and every character that they have."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    families = [name for name in _FAMILIES if name in there]
    known: set[int] = set()
    for name in families:
        known.update(font_manager.get_font(font_manager.findfont(name)).get_charmap())
    return families, frozenset(known)


def _plain(text: str, length: int) -> str:
    """Return `text` as it can be drawn: cut, and without what moves or has no glyph."""
    known = _fonts()[1]
    text = text[: 4 * length]
    shown = "".join(
        char if char.isprintable() and ord(char) in known else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
    return shown if len(shown) <= length else shown[: max(length - 1, 1)] + "…"


def human(size_bytes: float) -> str:
    """Return a size in decimal units: ``3.2 GB``."""
    value, number = float(size_bytes), 0
    while value >= 999.5 and number < len(_UNITS) - 1:  # noqa: PLR2004  # rounds to 1000
        value, number = value / 1000, number + 1
    digits = 0 if number == 0 or value >= 99.95 else 1  # noqa: PLR2004  # three digits are enough
    return f"{value:.{digits}f} {_UNITS[number]}"


# --- bytes by folder --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle: a folder, a file, or what is too small to be shown alone."""

    name: str
    size_bytes: int
    path: str | None = None
    is_rest: bool = False


def parts_of(contents: Contents, folder: str, *, limit: int) -> list[Part]:
    """Return the largest folders and files of a folder and the rest, large to small."""
    page = contents.page(folder, limit=limit, sort="size", descending=True)
    parts = [
        Part(
            row.path.rpartition("/")[2] + ("/" if row.is_folder else ""),
            row.size_bytes or 0,
            row.path if row.is_folder else None,
        )
        for row in page.rows
        if row.size_bytes
    ]
    parts.sort(key=lambda part: -part.size_bytes)
    rest = contents.totals(folder).bytes - sum(part.size_bytes for part in parts)
    return parts + ([Part("others", rest, is_rest=True)] if rest > 0 else [])


def _treemap(contents: Contents, axes: Any) -> None:
    parts = parts_of(contents, "", limit=_OUTER)
    if not parts:
        raise _nothing("its files have no bytes")
    width, height = 160.0, 100.0
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    parts.sort(key=lambda part: -part.size_bytes)
    whole = Box(0, 0, width, height)
    boxes = squarify([part.size_bytes for part in parts], whole)
    for number, (part, laid) in enumerate(zip(parts, boxes, strict=True)):
        box = laid.mirrored(whole)  # the largest at the top
        color = _REST if part.is_rest else _COLORS[number % len(_COLORS)]
        has_inside = part.path is not None and min(box.width, box.height) > 14  # noqa: PLR2004
        _rectangle(axes, box, color, line=1.6)
        _label(axes, box, part, is_head=has_inside)
        if has_inside and part.path is not None:
            _inside(contents, axes, part.path, box.inset(0.6, 4.6))


def _inside(contents: Contents, axes: Any, folder: str, box: Box) -> None:
    parts = sorted(parts_of(contents, folder, limit=_INNER), key=lambda part: -part.size_bytes)
    boxes = squarify([part.size_bytes for part in parts], box)
    for part, laid in zip(parts, boxes, strict=False):
        inner = laid.mirrored(box)
        _rectangle(axes, inner, "#ffffff", line=0.5, alpha=0.10 if part.is_rest else 0.20)
        _label(axes, inner, part, is_head=False)


def _rectangle(axes: Any, box: Box, color: str, *, line: float, alpha: float = 1.0) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (box.x, box.y),
            box.width,
            box.height,
            facecolor=to_rgba(color, alpha),
            edgecolor="white",
            linewidth=line,
        )
    )


def _label(axes: Any, box: Box, part: Part, *, is_head: bool) -> None:
    """Write name and size where they fit; a character is about 1.3 wide and 3.2 high."""
    room = int((box.width - 1.4) / 1.3)
    if room < 4 or box.height < 4:  # noqa: PLR2004  # nothing readable fits
        return
    size = human(part.size_bytes)
    options = {"fontsize": 7.5, "color": "white", "parse_math": False, "clip_on": True,
               "family": _fonts()[0]}  # fmt: skip
    top = box.y + box.height - 0.9
    if is_head:
        name = _plain(part.name, max(room - len(size) - 2, 4))
        text = f"{name}  {size}" if len(name) + len(size) + 2 <= room else name
        axes.text(box.x + 0.9, top, text, va="top", weight="bold", **options)
        return
    lines = [_plain(part.name, room)]
    if box.height > 8 and len(size) <= room:  # noqa: PLR2004  # a second line
        lines.append(size)
    axes.text(box.x + 0.9, top, "\n".join(lines), va="top", **options)


# --- sizes and dates --------------------------------------------------------------------------


def count_sizes(pointers: Iterable[Pointer]) -> Counter[int]:
    """Count files by the bits of their size: 0 is empty, n is from 2**(n-1) to 2**n - 1 bytes."""
    return Counter(pointer.size_bytes.bit_length() for pointer in pointers)


def _sizes(contents: Contents, axes: Any) -> None:
    counts = count_sizes(contents.iter_pointers())
    if not counts:
        raise _nothing("it has no files of a source")
    low, high = min(counts), max(counts)
    bits = range(low, high + 1)
    axes.bar([bit + 0.5 for bit in bits], [counts[bit] for bit in bits], width=0.92,
             color=_COLORS[0])  # fmt: skip
    step = max(1, -(-len(bits) // 9))
    ticks = list(bits)[::step]
    names = ["empty" if bit == 0 else _power(bit - 1) for bit in ticks]
    axes.set_xticks([bit + (0.5 if bit == 0 else 0.0) for bit in ticks], names)
    _finish(axes, "size of a file, each bar to the double", max(counts.values()))


def _power(exponent: int) -> str:
    """Return 2**exponent bytes in the units in which it is a whole number: ``8 KiB``."""
    number, unit = exponent % 10, exponent // 10
    return f"{2**number} {_BINARY[min(unit, len(_BINARY) - 1)]}"


class DateCounts:
    """Counts files by day and by month; many days are forgotten for the months."""

    def __init__(self) -> None:
        self.days: Counter[date] | None = Counter()
        self.months: Counter[date] = Counter()
        self.undated = 0

    def add(self, modified_s: int | None) -> None:
        """Count one file."""
        if modified_s is None:
            self.undated += 1
            return
        day = datetime.fromtimestamp(modified_s, UTC).date()
        self.months[day.replace(day=1)] += 1
        if self.days is not None:
            self.days[day] += 1
            if len(self.days) > _MAX_DAYS:
                self.days = None


def _dates(contents: Contents, axes: Any) -> None:
    from matplotlib import dates

    counts = DateCounts()
    for pointer in contents.iter_pointers():
        counts.add(pointer.modified_s)
    if not counts.months:
        raise _nothing("none of its files has a date")
    span = (max(counts.months) - min(counts.months)).days
    by_day = counts.days is not None and span <= 92  # noqa: PLR2004  # three months
    shown = counts.days if by_day and counts.days is not None else counts.months
    width = 0.9 if by_day else 27.0
    axes.bar(list(shown), list(shown.values()), width=width, align="edge", color=_COLORS[1])
    typed: Any = dates
    locator = typed.AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(typed.ConciseDateFormatter(locator))
    if len(shown) == 1:
        only = next(iter(shown)).toordinal() - date(1970, 1, 1).toordinal()
        axes.set_xlim(only - 3 * width, only + 4 * width)
    label = f"modified (UTC, by {'day' if by_day else 'month'})"
    if counts.undated:
        label += f"; {counts.undated:,} without a date"
    _finish(axes, label, max(shown.values()))


def _finish(axes: Any, label: str, most: int) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.set_xlabel(label, color=_INK, fontsize=9)
    axes.set_ylabel("files", color=_INK, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylim(0, most * 1.06)
    axes.grid(axis="y", color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=_INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


KINDS: dict[str, Callable[[Contents, Any], None]] = {
    "treemap": _treemap,
    "sizes": _sizes,
    "dates": _dates,
}
