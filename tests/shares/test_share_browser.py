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
from packager_jupyter.sources.catalog import CredentialRef, SourceOptions
from server.share.corpus import PAYLOADS, notebook, preview_files
from server.share.ocean import ATTACHMENTS, FILES, PASSWORD, PNG, fill, make_published

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
    segments = [
        (
            ocean.share().segment,
            ("", "?path=obs", "view/notebooks/look.ipynb", "files/", "preview/top.bin"),
        )
    ]
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


AUDIT = """() => {
  const found = [];
  const all = (query) => [...document.querySelectorAll(query)];
  const outside = (query) => all(query).filter((e) => !e.closest("article"));
  const text = (e) => e && (e.getAttribute("aria-label") || e.textContent).trim();
  const check = (is, what) => is || found.push(what);
  check(document.documentElement.lang === "en", "no language");
  check(document.title.trim(), "no title");
  check(all("main").length === 1, "not one main");
  check(outside("h1").length === 1, "not one h1");
  let level = 0;
  for (const e of outside("h1,h2,h3,h4")) {
    check(Number(e.tagName[1]) <= level + 1, "skips a level: " + text(e));
    level = Number(e.tagName[1]);
  }
  for (const e of outside("a,button,summary")) check(text(e), "no name: " + e.outerHTML);
  for (const e of outside("section,nav,[role=group]")) {
    const by = e.getAttribute("aria-labelledby");
    const name = by ? text(document.getElementById(by)) : e.getAttribute("aria-label");
    check(name, "no name: " + e.tagName + " " + e.id + e.className);
  }
  for (const e of outside("input:not([type=hidden]):not([hidden])"))
    check(e.labels.length && text(e.labels[0]), "no label: " + e.outerHTML);
  for (const e of all("img")) check(e.hasAttribute("alt"), "no alt: " + e.outerHTML);
  for (const e of outside("th")) check(e.scope, "no scope: " + text(e));
  const sorted = all("[aria-sort]").filter((e) => e.getAttribute("aria-sort") !== "none");
  check(all("[aria-sort]").length === 0 || sorted.length === 1, "not one sorted column");
  const ids = all("[id]").map((e) => e.id);
  check(new Set(ids).size === ids.length, "an id twice");
  for (const e of all("pre,.scroll"))
    if (e.scrollWidth > e.clientWidth && !e.closest("article"))
      check(e.tabIndex === 0, "scrolls but not by keyboard: " + e.className);
  const rgb = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  for (const e of all("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest("option")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    check(ratio >= 4.5, "contrast " + ratio.toFixed(2) + ": " + text(e).slice(0, 40));
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screen_readers_find_their_way(ocean, browser, scheme):
    """Landmarks, names, headings, sorting, contrast (WCAG 2.2: 1.3.1, 1.4.3, 2.4.6, 4.1.2)."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    segment, locked = ocean.share().segment, ocean.share(password=PASSWORD).segment
    asked = [
        *((segment, below) for below in ("", "?path=obs", "?match=*.txt&sort=size", "?match=no")),
        (segment, f"preview/{quote('obs/day 1/a.csv')}"),
        (segment, "preview/top.bin"),
        (segment, "preview/img/map.png"),
        (locked, ""),
        (segment, "?path=nothing"),
    ]
    for part, below in asked:
        page.goto(address(ocean, part, below))
        assert [fault for fault in page.evaluate(AUDIT) if below != "?path=nothing"] == [], below
    context.close()


def test_previews_are_read_by_the_keyboard_and_the_image_is_shown(ocean, page):
    page.goto(address(ocean, ocean.share().segment, "?path=obs%2Fday%201"))
    page.get_by_role("link", name="preview of a.csv").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.inner_text("h1") == "a.csv"
    assert page.locator(".preview td").all_inner_texts() == ["1", "2"]
    page.get_by_role("link", name="Download").focus()
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.path().read_bytes() == FILES["obs/day 1/a.csv"]
    page.get_by_role("link", name="day 1").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(address(ocean, ocean.share().segment, "preview/img/map.png"))
    page.wait_for_load_state("load")
    assert page.evaluate("document.querySelector('figure img').naturalWidth") == 10
    # The driver listens to keys on the page, which the sandbox forbids there as everywhere.
    assert [fault for fault in page.faults if "Blocked script" not in fault] == []


def test_an_image_comes_straight_from_the_storage(ocean, page, rgw):
    bucket = rgw.bucket()
    rgw.client().put_object(Bucket=bucket, Key="map.png", Body=PNG, ContentType="image/png")
    services = ocean.host.services
    services.sources.add(
        "remote-images",
        f"s3://{bucket}",
        credential=CredentialRef("stored"),
        options=SourceOptions(endpoint_url=rgw.endpoint_url, region=rgw.region),
        secret={"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key},
    )
    draft = services.packages.create("images")
    draft.add("remote-images", ["map.png"])
    draft.publish("1", now_s=1)
    page.goto(
        address(ocean, services.shares.create("images", owner="ann").segment, "preview/map.png")
    )
    page.wait_for_load_state("load")
    assert page.evaluate("document.querySelector('figure img').naturalWidth") == 10
    assert [asked for asked in page.asked if asked.startswith(rgw.endpoint_url)]
    assert page.faults == []


def test_hostile_previews_do_nothing(ocean, page):
    services = ocean.host.services
    files = {}
    for number, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "\u2215").replace("\t", " ")[:80]
        for path, data in preview_files(payload, [name]).items():
            if number % 12 == 0 or not path.endswith((".parquet", ".tif")):
                files[f"{number}/{path}"] = data
    folder = (ocean.folder / "../hostile-previews").resolve()
    fill(folder, files)
    services.sources.add("hostile-previews", f"file://{folder}")
    draft = services.packages.create("hostile-previews")
    draft.add("hostile-previews", [""], rename=".")
    draft.publish("1", now_s=1)
    segment = services.shares.create("hostile-previews", owner="ann").segment
    for path in files:
        page.goto(address(ocean, segment, f"preview/{quote(path)}"))
        assert page.evaluate("window.__xss") is None, path
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
