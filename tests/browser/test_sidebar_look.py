"""How the sidebar looks: narrow and wide, light and dark, nothing cut off that must be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.conftest import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import RunningLab, Sidebar

pytestmark = pytest.mark.browser

NARROW_PX = 290  # with the activity bar, so the sidebar itself is about 250 wide
WIDE_PX = 520
MIN_CONTRAST = 4.5  # WCAG 2.2, 1.4.3

# Contrast of each text with what is painted behind it, as WCAG reckons it.
LOW_CONTRAST = """
(minimum) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map(v => v / 255).map(
      v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of document.querySelectorAll('.jp-packager-sidebar *')) {
    const text = [...node.childNodes].filter(
      child => child.nodeType === Node.TEXT_NODE && child.textContent.trim());
    const box = node.getBoundingClientRect();
    if (text.length === 0 || box.width < 2 || node.closest(':disabled')) { continue; }
    const behind = [];
    for (let at = node; at; at = at.parentElement) {
      behind.unshift(getComputedStyle(at).backgroundColor);
    }
    const back = light(paint(behind));
    const front = light(paint([...behind, getComputedStyle(node).color]));
    const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
    if (ratio < minimum) { found.push(`${ratio.toFixed(2)} ${node.className} ${text[0].data}`); }
  }
  return found;
}
"""
SIDEWAYS = """
() => [...document.querySelectorAll('.jp-packager-sidebar, .jp-packager-sidebar *')]
  .filter(node => node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0)
  .filter(node => ['auto', 'scroll', 'visible'].includes(getComputedStyle(node).overflowX))
  .filter(node => !['inline', 'contents'].includes(getComputedStyle(node).display))
  .map(node => `${node.className} ${node.scrollWidth} > ${node.clientWidth}`)
"""


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"])
def theme(request: pytest.FixtureRequest, lab: RunningLab, page: Page) -> str:
    """Show the page in a theme; returns its name."""
    address = lab.url.replace("/lab?reset&", "/lab/api/settings/{}?")
    answer = page.request.put(
        address.format("@jupyterlab/apputils-extension:themes"),
        data={"raw": f'{{"theme": "{request.param}"}}'},
        headers={"Authorization": f"token {TOKEN}"},
    )
    assert answer.ok
    page.reload()
    page.locator(".jp-LauncherCard").first.wait_for()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", request.param)
    return request.param


def test_it_can_be_read_in_every_width_and_theme(
    theme: str, sidebar: Sidebar, lab: RunningLab
) -> None:
    name = theme.rsplit(maxsplit=1)[-1].lower()
    sidebar.widen(NARROW_PX)
    check(sidebar, f"{name}-narrow-empty")
    sidebar.add_folder(f"survey-{name}", lab.storage)
    sidebar.tick("gliders")
    sidebar.tick("stations.csv")
    sidebar.sources.get_by_role("button", name="Add to package ▾").click()
    sidebar.choose("Add to New Package…")
    sidebar.fill(name=f"ocean-{name}")
    sidebar.accept()
    expect(sidebar.jobs).to_contain_text(f"Added to ocean-{name}")
    sidebar.tick("plankton")
    check(sidebar, f"{name}-narrow")
    sidebar.widen(WIDE_PX)
    check(sidebar, f"{name}-wide")


def check(sidebar: Sidebar, name: str) -> None:
    sidebar.page.mouse.move(900, 500)
    sidebar.page.wait_for_timeout(300)
    sidebar.shot(name)
    assert sidebar.page.evaluate(LOW_CONTRAST, MIN_CONTRAST) == []
    assert sidebar.page.evaluate(SIDEWAYS) == []
