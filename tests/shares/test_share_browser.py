"""The share page in a real Chromium: opened by password, read, filtered, saved from; hostile texts
do nothing; no width makes it scroll sideways."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import quote

import pytest

from packager_jupyter.config import Settings
from packager_jupyter.serve import ServeOptions, StandaloneServer
from packager_jupyter.services import Services
from server.share.corpus import PAYLOADS, notebook
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD, fill, make_published

pytestmark = pytest.mark.browser


class Host:
    """A standalone server in a thread of its own: the browser's driver keeps this one busy."""

    def __init__(self, folder):
        self.services = Services.open(
            Settings(data_dir=str(folder / "data"), root_dir=str(folder / "root"))
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(self._start())
        self.root = self._server.url

    async def _start(self):
        server = StandaloneServer(self.services, ServeOptions(port=0))
        server.start()
        return server

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self):
        self._do(self._server.stop(drain_s=0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.services.close()


@pytest.fixture(scope="module")
def ocean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "root").mkdir()
    host = Host(folder)
    yield make_published(host, folder / "lake")
    host.close()


@pytest.fixture
def page(browser):
    """Return a page that collects what goes wrong on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.faults = []
    page.asked = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "requestfailed",
        # A navigation that becomes a download is aborted as a navigation.
        lambda request: (
            "ABORTED" in request.failure or page.faults.append(f"failed: {request.url}")
        ),
    )
    page.on("request", lambda request: page.asked.append(request.url))
    page.on(
        "console",
        # A locked page is a 401, which the browser writes there.
        lambda text: "401" in text.text or page.faults.append(text.text),
    )
    page.on("dialog", lambda dialog: page.faults.append(f"dialog: {dialog.message}"))
    yield page
    context.close()


def address(ocean, segment, below=""):
    return f"{ocean.host.root}s/{segment}/{below}"


def test_a_visitor_opens_reads_filters_and_saves(ocean, page):
    created = ocean.share(password=PASSWORD)
    page.goto(address(ocean, created.token))
    assert page.inner_text("main").split() == ["Password", "Open"]
    assert page.evaluate("document.activeElement.id") == "password"
    page.keyboard.type("not the password")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "not the password" in page.inner_text("[role=alert]")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == address(ocean, created.token)
    assert page.inner_text("h1") == "Ocean survey"
    page.wait_for_load_state("load")
    assert page.evaluate("document.querySelector('article img').naturalWidth") == 10
    page.fill("#match", "*.csv")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("#files tbody tr").count() == 2
    with page.expect_download() as saved:
        page.get_by_role("link", name="obs/day 1/a.csv").click()
    assert saved.value.suggested_filename == "a.csv"
    assert saved.value.path().read_bytes() == FILES["obs/day 1/a.csv"]
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download ZIP of pointers").click()
    assert saved.value.suggested_filename == "ocean-2024-2.zip"
    with page.expect_navigation():
        page.get_by_role("navigation", name="Folder").get_by_role("link").first.click()
    with page.expect_navigation():
        page.get_by_role("link", name="the notebook").click()
    assert "hello there" in page.inner_text("article")
    assert page.faults == []
    assert all(asked.startswith(ocean.host.root) for asked in page.asked)


def test_every_part_is_reached_by_the_keyboard_alone(ocean, page):
    page.goto(address(ocean, ocean.share().segment))
    reached, focused = [], "document.activeElement"
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(f"{focused}.innerText || {focused}.id"))
        assert page.evaluate(
            f"getComputedStyle({focused}).outlineStyle != 'none' || {focused} == document.body"
        )
    for wanted in ("Get the data", "Download ZIP of pointers", "match", "Filter", "top.bin"):
        assert wanted in reached
    assert any(text.startswith("rclone") for text in reached)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_scrolls_sideways(ocean, browser, width, scheme):
    services = ocean.host.services
    if not services.packages.has_draft("long"):
        long = "a-very-long-name-" * 14
        fill(ocean.folder / "../long", {f"{long}/{long}.csv": b"x", "日本語" * 20: b"y"})
        services.sources.add("long", f"file://{(ocean.folder / '../long').resolve()}")
        draft = services.packages.create("long", title="Wort" * 60, authors=["x" * 200])
        draft.add("long", [""], rename=".")
        draft.attach(f"# {'x' * 400}\n\n|a|b|\n|-|-|\n|{'y' * 300}|2|\n".encode(), "README.md")
        draft.publish("1", now_s=1)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    segments = [(ocean.share().segment, ("", "?path=obs", "view/notebooks/look.ipynb", "files/"))]
    created = services.shares.create("long", owner="ann")
    segments.append((created.segment, ("", "?match=*", "files/", "view/README.md")))
    locked = ocean.share(password=PASSWORD)
    segments += [(locked.segment, ("",)), ("x" * 32, ("",))]
    for segment, belows in segments:
        for below in belows:
            page.goto(address(ocean, segment, below))
            over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(over) <= 0, (below, width)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_hostile_texts_do_nothing(ocean, page):
    services = ocean.host.services
    names = [payload.replace("/", "\u2215").replace("\t", " ")[:80] for payload in PAYLOADS]
    fill(ocean.folder / "../hostile", {f"{name}/{name}": b"x" for name in names})
    services.sources.add("hostile", f"file://{(ocean.folder / '../hostile').resolve()}")
    draft = services.packages.create(
        "hostile", title=PAYLOADS[24], description=" ".join(PAYLOADS), authors=PAYLOADS
    )
    draft.add("hostile", [""], rename=".")
    draft.attach("\n\n".join(PAYLOADS).encode(), "README.md")
    for number, payload in enumerate(PAYLOADS):
        draft.attach(notebook(payload), f"n{number}.ipynb")
    draft.publish("1", now_s=1)
    segment = services.shares.create("hostile", owner="ann").segment
    belows = ["", "files/", *(f"view/n{n}.ipynb" for n in range(len(PAYLOADS)))]
    belows += [f"?match={quote(payload)}" for payload in PAYLOADS[::5]]
    for below in belows:
        page.goto(address(ocean, segment, below))
        assert page.evaluate("window.__xss") is None, below
    assert not [fault for fault in page.faults if "dialog" in fault]
    foreign = [asked for asked in page.asked if not asked.startswith((ocean.host.root, "data:"))]
    assert foreign == []


def test_attachments_are_saved_and_never_shown(ocean, page):
    segment = ocean.share().segment
    page.goto(address(ocean, segment))
    for path in ("page.html", "img/drawing.svg"):
        with page.expect_download() as saved:
            page.get_by_role("link", name=path, exact=True).click()
        assert saved.value.path().read_bytes() == ATTACHMENTS[path]
