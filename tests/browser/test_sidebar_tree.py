"""The tree of the sidebar with many keys, and with the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from browser.conftest import RunningLab, Sidebar

pytestmark = pytest.mark.browser

PAGE_ROWS = 1000
KEYS = 3 * PAGE_ROWS - 500
MAX_ROWS_IN_PAGE = 80
TREE = ".jp-packager-sources .jp-packager-tree"
STRANGE = "a#b 50%+&é\n日本.txt"


def test_a_long_folder_is_read_as_far_as_one_looks(sidebar: Sidebar, lab: RunningLab) -> None:
    folder = lab.root / "long"
    folder.mkdir()
    for number in range(KEYS):
        (folder / f"{number:06d}.bin").touch()
    requests: list[str] = []
    sidebar.page.on(
        "request", lambda request: requests.append(request.url) if "/entries?" in request.url else 0
    )
    sidebar.add_folder("long", folder)
    expect(sidebar.row(sidebar.sources, "000000.bin")).to_be_visible()
    sidebar.page.wait_for_load_state("networkidle")
    assert len(requests) == 1

    tree = sidebar.page.locator(TREE)
    expect(tree).to_have_attribute("aria-rowcount", "-1")
    assert tree.locator("[role=row]").count() < MAX_ROWS_IN_PAGE
    while tree.get_attribute("aria-rowcount") == "-1":
        before = len(requests)
        tree.evaluate("node => { node.scrollTop = node.scrollHeight; }")
        sidebar.page.wait_for_timeout(100)
        assert len(requests) <= before + 1
    assert len(requests) == len(set(requests)) == 3
    tree.evaluate("node => { node.scrollTop = node.scrollHeight; }")
    expect(sidebar.row(sidebar.sources, f"{KEYS - 1:06d}.bin")).to_be_visible()
    assert tree.locator("[role=row]").count() < MAX_ROWS_IN_PAGE


def test_everything_can_be_done_with_the_keyboard(sidebar: Sidebar, lab: RunningLab) -> None:
    page = sidebar.page
    folder = lab.root / "keys"
    (folder / "inner").mkdir(parents=True)
    for name in ("inner/one.txt", "inner/two.txt", "three.txt"):
        (folder / name).write_text(name)
    sidebar.add_folder("keys", folder)
    focused = page.locator(":focus")

    sidebar.sources.get_by_label("Jump to a prefix or an address").focus()
    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("data-name", "keys")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("data-name", "inner")
    page.keyboard.press("ArrowRight")
    expect(sidebar.row(sidebar.sources, "one.txt")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("data-name", "one.txt")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    bar = sidebar.sources.locator(".jp-packager-bar-text")
    expect(bar).to_contain_text("2 files")
    expect(focused).to_have_attribute("aria-selected", "true")
    expect(sidebar.row(sidebar.sources, "inner").locator("input")).to_have_js_property(
        "indeterminate", value=True
    )
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("data-name", "inner")
    page.keyboard.press("Space")
    expect(bar).to_have_text("1 folder")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("aria-selected", "true")  # comes along with its folder

    # From the ticks to a new package, without a mouse.
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Add to package ▾")
    page.keyboard.press("Enter")
    expect(page.locator(".lm-Menu")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(sidebar.dialog.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(sidebar.packages.locator(".jp-packager-bar-text")).to_contain_text("by-hand · 2 files")


def test_strange_names_are_shown_and_added_as_they_are(sidebar: Sidebar, lab: RunningLab) -> None:
    folder = lab.root / "strange"
    folder.mkdir()
    (folder / STRANGE).write_text("strange")
    sidebar.add_folder("strange", folder)
    row = sidebar.sources.locator('[data-kind~="file"]')
    expect(row).to_contain_text("a#b 50%+&é\u2039000a\u203a日本.txt")
    row.locator("input").click()
    sidebar.sources.get_by_role("button", name="Add to package ▾").click()
    sidebar.choose("Add to New Package…")
    sidebar.fill(name="strange")
    sidebar.accept()
    expect(sidebar.packages.locator(".jp-packager-bar-text")).to_contain_text("strange · 1 file")
