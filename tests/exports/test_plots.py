"""Pictures of packages: what is counted, how it is laid out, and that names stay names."""

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from packager_jupyter.errors import BadInputError
from packager_jupyter.exports.plots import DateCounts, count_sizes, parts_of, plot
from packager_jupyter.exports.treemap import Box, squarify
from packager_jupyter.packages.index import PointerIndex
from packager_jupyter.packages.pointer import Pointer

AWKWARD = (
    "sea",
    "$x^2_$",
    "日本",
    "e\u0301te",
    "a<b>&c",
    "\u202egnp",
    "x" * 200,
    "emoji\U0001f30a",
)


@pytest.fixture
def draft(services):
    made = services.packages.create("ocean")
    index = PointerIndex(made.folder / ".packager" / "pointers.sqlite")
    index.add(
        Pointer(path, "lake", path, f"s3://b/{path}", n * n, 1_600_000_000 + n * 86_400)
        for n in range(400)
        for path in (f"{AWKWARD[n % 8]}/{n % 5}/f{n}",)
    )
    index.close()
    return made


@pytest.mark.parametrize("kind", ["treemap", "sizes", "dates"])
def test_every_kind_in_both_shapes(draft, kind):
    picture = Image.open(io.BytesIO(plot(draft, kind=kind, shape="png", title="ocean")))
    assert picture.size[0] > 1000
    assert len(picture.convert("RGB").getcolors(10**6)) > 50
    svg = plot(draft, kind=kind, shape="svg", title="<script>$x$ ocean")
    assert svg.startswith(b"<?xml")
    assert b"<script" not in svg


def test_the_rest_of_a_folder_is_shown_as_such(draft):
    parts = parts_of(draft, "", limit=3)
    assert len([part for part in parts if not part.is_rest]) == 3
    assert sum(part.size_bytes for part in parts) == draft.totals().bytes
    assert parts[-1].is_rest


def test_sizes_and_dates_are_counted(draft):
    sizes = count_sizes(draft.iter_pointers())
    assert sizes.total() == 400
    assert sizes[0] == sizes[1] == 1
    counts = DateCounts()
    for n in range(5000):
        counts.add(n * 86_400)
    counts.add(None)
    assert counts.days is None
    assert (counts.months.total(), counts.undated) == (5000, 1)


def test_an_empty_package_has_nothing_to_draw(services):
    empty = services.packages.create("empty")
    for kind in ("treemap", "sizes", "dates"):
        with pytest.raises(BadInputError, match="nothing to draw"):
            plot(empty, kind=kind, shape="png", title="empty")


@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=60))
def test_areas_are_the_values_and_nothing_overlaps(values):
    values.sort(reverse=True)
    outer = Box(0, 0, 160, 100)
    boxes = squarify(values, outer)
    total = sum(values)
    assert len(boxes) == len(values)
    for value, box in zip(values, boxes, strict=True):
        assert math.isclose(box.area, value * outer.area / total, rel_tol=1e-3, abs_tol=1e-6)
        assert box.x >= -1e-3
        assert box.x + box.width <= 160 + 1e-3
        assert box.y + box.height <= 100 + 1e-3
