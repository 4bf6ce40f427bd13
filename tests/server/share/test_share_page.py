"""The share page: exact facts, every row reachable, complete without a script, safe headers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from pathlib import Path
from urllib.parse import urljoin

import html5lib
import pytest

from packager_jupyter.packages import index_filter
from packager_jupyter.packages.rebuild import build_index
from packager_jupyter.packages.version import Version
from packager_jupyter.server.share import page
from packager_jupyter.server.share.page import author_of
from packager_jupyter.server.share.pages import human_bytes, remaining, visible
from server.share.ocean import BROWSER, FILES, PASSWORD, fill

TOTAL = sum(map(len, FILES.values()))


def parse(answer):
    return html5lib.parse(answer.body, namespaceHTMLElements=False)


def elements(tree, *names):
    return [element for element in tree.iter() if element.tag in names]


def text_of(element):
    return " ".join(" ".join(element.itertext()).split())


def section(tree, name):
    return next(e for e in tree.iter("section") if e.get("id") == name)


def rows(tree):
    return [
        [text_of(cell) for cell in row] for row in section(tree, "files").findall(".//tbody/tr")
    ]


async def test_the_page_says_what_is_shared(ocean):
    created = ocean.share(expires_in_s=6 * 86_400 + 3600)
    answer = await ocean.get(created.segment, **BROWSER)
    tree = parse(answer)
    header = text_of(tree.find(".//header"))
    digest = ocean.host.services.packages.version("ocean-2024").digest
    for fact in ("Ocean survey", "version 2", "CC-BY-4.0", "11 files", "by Ann Author", digest):
        assert fact in header
    assert f"{TOTAL:,} bytes in 11 files" in header
    assert "expires in 6 days" in header
    assert time.strftime("%Y-%m-%d", time.gmtime()) in header
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"


def about(answer):
    found = elements(parse(answer), "script")
    return json.loads(found[0].text) if found else None


async def test_search_engines_are_told_of_open_shares_alone(ocean):
    locked = ocean.share(password=PASSWORD)
    found = about(await ocean.get(ocean.share().segment, **BROWSER))
    assert found["@type"] == "Dataset"
    assert found["name"] == "Ocean survey"
    assert found["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert found["creator"] == [{"@type": "Person", "name": "Ann Author"}]
    assert found["identifier"] == ocean.host.services.packages.version("ocean-2024").digest
    assert found["size"] == f"{TOTAL} bytes in 11 files"
    for item in found["distribution"]:
        below = item["contentUrl"].removeprefix(ocean.host.root)
        assert (await ocean.host.fetch("GET", below, is_anonymous=True)).code == 200
    assert about(await ocean.get(locked.capability_segment, **BROWSER)) is None
    opened = await ocean.get(locked.segment, **BROWSER, X_Share_Token=PASSWORD)
    assert opened.code == 200
    assert about(opened) is None


@pytest.mark.parametrize("packager_config", [{"index_open_shares": True}])
async def test_what_may_be_indexed_is_the_page_of_an_open_share(alone):
    locked = alone.share(password=PASSWORD)
    tags = {
        where: (await alone.get(segment, below, **BROWSER, **headers)).headers["X-Robots-Tag"]
        for where, segment, below, headers in (
            ("open", alone.share().segment, "", {}),
            ("view", alone.share().segment, "view/README.md", {}),
            ("capability", locked.capability_segment, "", {}),
            ("password", locked.segment, "", {"X_Share_Token": PASSWORD}),
            ("form", locked.segment, "", {}),
        )
    }
    assert tags.pop("open") == "nofollow"
    assert set(tags.values()) == {"noindex, nofollow"}


async def test_the_readme_is_rendered_with_links_into_the_share(ocean):
    tree = parse(await ocean.get(ocean.share().segment, **BROWSER))
    article = tree.find(".//article")
    assert text_of(article).startswith("Glider profiles : the notebook")
    assert "front matter" not in text_of(article)
    assert article.find(".//h1") is None  # the page's own title says it
    links = [a.get("href") for a in article.iter("a")]
    assert links == ["view/notebooks/look.ipynb", "files/top.bin", "?path=obs#files"]
    assert [i.get("src") for i in article.iter("img")] == ["images/-/img/map.png", None, None]


async def test_every_link_of_the_page_leads_somewhere(ocean):
    segment = ocean.share().segment
    todo, seen = [""], set()
    while todo:
        at = todo.pop()
        answer = await ocean.get(segment, at, **BROWSER)
        assert answer.code in {200, 307}, at
        if answer.code == 307 or "html" not in answer.headers["Content-Type"]:
            continue
        for element in elements(parse(answer), "a", "img", "link", "form"):
            target = element.get("href") or element.get("src") or element.get("action") or ""
            if not target or target.startswith(("https://", "#")):
                continue
            path = urljoin(f"/s/x/{at}", target).partition("#")[0]
            if path.startswith("/static/"):
                continue
            assert path.startswith("/s/x/"), (at, target)
            below = path.removeprefix("/s/x/")
            if below not in seen:
                seen.add(below)
                todo.append(below)
    assert {"view/notebooks/look.ipynb", "?path=obs", "?path=obs%2Fday+1", "package.zip"} <= seen


async def test_folders_sort_filter_and_page(alone):
    fill(alone.folder, {f"many/f{n:04}.dat": b"x" * (n % 7) for n in range(450)})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["many/"])
    draft.publish("3", now_s=int(time.time()))
    segment = alone.share().segment
    top = rows(parse(await alone.get(segment, **BROWSER)))
    assert [row[:2] for row in top] == [
        ["many / 450 files", "1.3 kB"],
        ["obs / 9 files", f"{TOTAL - 256_000} bytes"],
        ["empty.dat", "0 bytes"],
        ["top.bin", "256 kB"],
    ]
    names, at = [], "?path=many"
    for _ in range(3):
        tree = parse(await alone.get(segment, at, **BROWSER))
        names += [row[0] for row in rows(tree)]
        following = [a.get("href") for a in tree.iter("a") if a.get("rel") == "next"]
        at = urljoin("/", following[0]).removeprefix("/") if following else None
    assert at is None
    assert names == [f"f{n:04}.dat" for n in range(450)]
    big = parse(await alone.get(segment, "?path=many&sort=size&descending=1", **BROWSER))
    assert rows(big)[0][1] == "6 bytes"
    assert section(big, "files").find(".//th[@aria-sort='descending']") is not None
    found = parse(await alone.get(segment, "?match=f044*", **BROWSER))
    assert [row[0] for row in rows(found)] == [f"many/f{n:04}.dat" for n in range(440, 450)]
    none = parse(await alone.get(segment, "?match=nothing-like-it", **BROWSER))
    assert "Nothing here matches nothing-like-it" in text_of(section(none, "files"))


async def test_who_shares_leaves_no_work_to_the_first_visitor(ocean):
    services = ocean.host.services
    cache = Path(services.settings.data_dir) / "cache" / "pointers"
    for path in [*cache.glob("*.sqlite*"), *cache.glob("*.outline")]:
        path.unlink()
    answer = await ocean.host.fetch("POST", "api/v1/shares", {"package": "ocean-2024"})
    assert answer.code == 201
    for _ in range(200):
        if list(cache.glob("*.outline")):
            break
        await asyncio.sleep(0.05)
    assert list(cache.glob("*.sqlite"))
    assert list(cache.glob("*.outline"))


async def test_a_page_whose_index_is_missing_says_how_far_it_is(alone, monkeypatch):
    services = alone.host.services
    cache = Path(services.settings.data_dir) / "cache" / "pointers"
    for path in cache.glob("*.sqlite*"):
        path.unlink()
    segment, may_build, built = alone.share().segment, threading.Event(), []

    def slow(target, blocks, **options):
        built.append(target)
        found = list(blocks)
        may_build.wait(30)
        build_index(target, found, **options)

    monkeypatch.setattr("packager_jupyter.packages.version.build_index", slow)
    monkeypatch.setattr("packager_jupyter.server.share.base.PATIENCE_S", 0.3)
    waiting = asyncio.ensure_future(alone.get(segment, "files/top.bin"))
    # More than there are threads: who waits takes none from the others.
    pages = await asyncio.gather(*(alone.get(segment, **BROWSER) for _ in range(20)))
    for answer in pages:
        assert (answer.code, answer.headers["Retry-After"]) == (503, "3")
        assert answer.headers["Refresh"] == "3"
        assert "This share is being prepared, 100% done." in text_of(parse(answer))
    assert (await alone.host.fetch("GET", "healthz")).code == 200
    assert not waiting.done()
    may_build.set()
    assert (await waiting).code == 307
    assert (await alone.get(segment, **BROWSER)).code == 200
    assert len(built) == 1


async def test_examples_are_read_once_for_each_version(alone, monkeypatch):
    reads, iter_pointers = [], Version.iter_pointers

    def counted(self):
        reads.append(self.version)
        return iter_pointers(self)

    monkeypatch.setattr(Version, "iter_pointers", counted)
    segment = alone.share().segment
    for _ in range(3):
        assert (await alone.get(segment, **BROWSER)).code == 200
    assert len(reads) == 1
    fill(alone.folder, {"a-new/first.bin": b"x"})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["a-new/"])
    draft.publish("3", now_s=int(time.time()))
    newer = alone.host.services.shares.create("ocean-2024", version="3", owner="somebody")
    answer = await alone.get(newer.segment, **BROWSER)
    assert b"files/a-new/first.bin" in answer.body
    assert reads[1:] == ["3"]


async def test_a_filter_looks_on_until_it_finds_something(alone, monkeypatch):
    fill(alone.folder, {f"many/d{n:03}/f{n:04}.dat": b"x" for n in range(60)})
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.add("lake", ["many/"])
    draft.publish("3", now_s=int(time.time()))
    monkeypatch.setattr(index_filter, "WORK_PER_PAGE", 20)
    version = alone.host.services.packages.version("ocean-2024")
    first = version.page(match="f0059", limit=10)
    assert (first.rows, first.cursor is None) == ([], False)
    found = parse(await alone.get(alone.share().segment, "?match=f0059", **BROWSER))
    assert [row[0] for row in rows(found)] == ["many/d059/f0059.dat"]
    monkeypatch.setattr(page, "LOOK_ON_S", -1.0)
    answer = await alone.get(alone.share().segment, "?match=f0059", **BROWSER)
    assert b"there is more to look through" in answer.body


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?path=no/such/folder", 404),
        ("?cursor=nonsense", 400),
        ("?path=..%2f..", 404),
        ("?path=%00", 404),
        ("?match=%00%ff", 400),
        ("?match=" + "x" * 5000, 400),
        ("?path=a&path=b", 400),
        ("?sort=%27%3B+DROP+TABLE", 200),
    ],
)
async def test_a_bad_query_is_a_sentence(alone, query, code):
    answer = await alone.get(alone.share().segment, query, **BROWSER)
    assert answer.code == code
    assert b"Traceback" not in answer.body


async def test_a_live_share_follows_new_versions_and_a_pinned_one_does_not(alone):
    live, pinned = alone.share().segment, alone.share(version="2").segment
    draft = alone.host.services.packages.draft("ocean-2024")
    draft.set_metadata(title="Second title")
    draft.publish("3", now_s=int(time.time()))
    assert b"Second title" in (await alone.get(live, **BROWSER)).body
    assert b"Ocean survey" in (await alone.get(pinned, **BROWSER)).body


async def test_a_share_of_a_deleted_version_is_gone(alone):
    segment = alone.share(version="2").segment
    alone.host.services.oci.delete_tag("packages/ocean-2024", "2")
    assert (await alone.get(segment)).code == 404


async def test_notebooks_and_markdown_are_shown(ocean):
    segment = ocean.share().segment
    answer = await ocean.get(segment, "view/notebooks/look.ipynb", **BROWSER)
    tree = parse(answer)
    article = tree.find(".//article")
    assert "hello there" in text_of(article)
    assert [a.get("href") for a in article.iter("a")] == ["../../files/top.bin"]
    assert (await ocean.get(segment, "view/README.md", **BROWSER)).code == 200
    for path in ("page.html", "img/drawing.svg", "top.bin", "nothing.md"):
        assert (await ocean.get(segment, f"view/{path}", **BROWSER)).code == 404


async def test_only_true_raster_images_are_shown_inline(ocean):
    segment = ocean.share().segment
    image = await ocean.get(segment, "images/-/img/map.png")
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Content-Disposition"].startswith("inline; ")
    for path in ("img/fake.png", "img/drawing.svg", "page.html", "README.md", "top.bin"):
        assert (await ocean.get(segment, f"images/-/{path}")).code == 404


async def test_headers_on_every_answer(ocean):
    created = ocean.share(password=PASSWORD)
    open_share = ocean.share()
    asked = [
        (open_share.segment, below, headers)
        for headers in ({}, BROWSER)
        for below in (
            *("", "files/", "files/top.bin", "files/README.md", "files/nothing", "urls.txt"),
            *("manifest.jsonl", "package.zip", "attachments/page.html", "images/-/img/map.png"),
            *("view/notebooks/look.ipynb", "unlock", "?cursor=x"),
        )
    ] + [(created.token, "", BROWSER), ("x", "", BROWSER), ("x", "", {})]
    for segment, below, headers in asked:
        answer = await ocean.get(segment, below, **headers)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; "), below
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert re.fullmatch(r"no-store|private, no-cache", answer.headers["Cache-Control"])
        if b"<article" in answer.body or b'class="index"' in answer.body:
            assert "; sandbox" in policy
            assert "allow-scripts" not in policy
            assert "allow-same-origin" not in policy


async def test_pages_load_nothing_from_elsewhere(ocean):
    segment = ocean.share().segment
    for below in ("", "view/README.md", "view/notebooks/look.ipynb", "files/"):
        tree = parse(await ocean.get(segment, below, **BROWSER))
        assert all(e.get("type") == "application/ld+json" for e in elements(tree, "script"))
        assert not elements(tree, "iframe", "object", "embed", "style")
        for element in elements(tree, "img", "link"):
            assert "//" not in (element.get("src") or element.get("href") or "")


async def test_the_style_sheet_is_kept_for_long_and_nothing_else_is_there(ocean):
    page = parse(await ocean.get(ocean.share().segment, **BROWSER))
    href = page.find(".//link").get("href").removeprefix("../../")
    answer = await ocean.host.fetch("GET", href, is_anonymous=True)
    assert answer.headers["Content-Type"] == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    for name in ("nothing.css", "..%2fbase.py", "%2e%2e%2fshare%2fbase.py", "page.html"):
        answer = await ocean.host.fetch("GET", f"static/{name}", is_anonymous=True)
        assert answer.code == 404


@pytest.mark.parametrize("packager_config", [{"public_url": "https://data.example.org/lab/"}])
async def test_addresses_use_the_public_url(alone):
    created = alone.share(password=PASSWORD)
    urls = await alone.get(created.capability_segment, "urls.txt", Host="evil.example.org")
    assert all(line.startswith(b"https://data.example.org/lab/s/") for line in urls.body.split())
    page = await alone.get(created.token, **BROWSER, Host="data.example.org")
    assert f"Path=/lab/s/{created.token}/" in page.headers["Set-Cookie"]
    assert "Secure" in page.headers["Set-Cookie"]


@pytest.mark.parametrize("host_header", ["a b", 'x"y', "<svg onload=1>", "a/b", "x\\y"])
async def test_a_host_that_is_none_is_not_repeated(alone, host_header):
    answer = await alone.get(alone.share().segment, "urls.txt", Host=host_header)
    assert answer.code == 400
    assert host_header.encode() not in answer.body


def test_sizes_read_well_and_never_overflow_their_unit():
    shown = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1_200_000: "1.2 MB"}
    for count, text in shown.items():
        assert human_bytes(count) == text
    assert human_bytes(999_999) == "1.0 MB"
    assert human_bytes(10**18) == "1.0 EB"


def test_an_end_is_never_later_than_it_is():
    assert remaining(6 * 86_400 + 86_399) == "6 days"
    assert remaining(86_400) == "1 day"
    assert remaining(3599) == "59 minutes"
    assert remaining(1) == "less than a minute"


@pytest.mark.parametrize(
    ("text", "name", "orcid"),
    [
        ("Ann Author", "Ann Author", None),
        ("Ann Author <ann@example.org>", "Ann Author", None),
        ("A. Author (0000-0002-1825-0097)", "A. Author", "0000-0002-1825-0097"),
        ("A <https://orcid.org/0000-0002-1694-233X>", "A", "0000-0002-1694-233X"),
        ("<ann@example.org>", "<ann@example.org>", None),
    ],
)
def test_authors_as_people_write_them(text, name, orcid):
    assert author_of(text) == (name, orcid)


def test_direction_marks_in_names_are_spelled_out():
    assert visible("evil\u202etxt.exe") == "evil\u27e8U+202E\u27e9txt.exe"
    assert visible("\u05e9\u05dc\u05d5\u05dd.txt") == "\u05e9\u05dc\u05d5\u05dd.txt"
