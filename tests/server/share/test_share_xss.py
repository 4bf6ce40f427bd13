"""Hostile texts in every place of a package: nothing that could act reaches a page."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from packager_jupyter.server.render import Links, render, render_markdown, render_notebook
from server.share.corpus import PAYLOADS, faults, notebook, preview_files
from server.share.ocean import BROWSER, Published, fill

LINKS = Links("", {"a.png", "b.ipynb"})


def page(body):
    return f"<!doctype html><html><head><title>t</title></head><body><article>{body}</article>"


def test_the_check_itself_finds_every_payload():
    harmless_as_html = {p for p in PAYLOADS if p.startswith(("[", "!"))}
    for payload in set(PAYLOADS) - harmless_as_html:
        assert faults(page(payload)), payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown(payload):
    for text in (payload, f"# {payload}", f"> {payload}", f"- {payload}", f"|a|\n|-|\n|{payload}|"):
        assert faults(page(render_markdown(text, LINKS))) == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_notebooks(payload):
    rendered = render_notebook(notebook(payload), LINKS)
    assert "cannot be read" not in rendered
    assert faults(page(rendered)) == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_broken_notebooks_and_other_texts(payload):
    broken = [
        payload.encode(),
        json.dumps({"cells": payload, "nbformat": 4, "nbformat_minor": 5}).encode(),
        json.dumps([payload]).encode(),
        json.dumps({"cells": [{"cell_type": payload}], "nbformat": 4}).encode(),
    ]
    for data in broken:
        for path in ("a.ipynb", "a.md", "a.txt"):
            assert faults(page(render(path, data, LINKS))) == []


def test_what_would_take_for_ever_is_shown_as_text_or_not_at_all():
    started = time.process_time()
    deep = "<div>" * 200_000
    cell = {"id": "a", "cell_type": "markdown", "metadata": {}, "source": deep}
    nested = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    render_notebook(nested.encode(), LINKS)
    for text in ("[" * 100_000, "![[" * 80_000, "*a_ " * 60_000, "x" * 2_000_000):
        assert "<pre>" in render_markdown(text, LINKS)
    render_notebook(b"[" * 200_000, LINKS)
    # Without the limits this takes minutes; the bound is generous for a slow machine.
    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    ("address", "page_link", "image_link"),
    [
        ("a.png", "files/a.png", "images/a.png"),
        ("./a.png", "files/a.png", "images/a.png"),
        ("/a.png", "files/a.png", "images/a.png"),
        ("x/../a.png", "files/a.png", "images/a.png"),
        ("b.ipynb#part", "view/b.ipynb", None),
        ("folder/", "?path=folder#files", None),
        ("day%201/a%23b.csv", "files/day%201/a%23b.csv", None),
        ("../a.png", None, None),
        ("..", None, None),
        ("x/../../a.png", None, None),
        ("%2e%2e/a.png", None, None),
        ("https://example.org/x", "https://example.org/x", None),
        ("mailto:ann@example.org", "mailto:ann@example.org", None),
        ("//example.org/x", None, None),
        ("/\\example.org", None, None),
        ("\\\\example.org", None, None),
        ("javascript:alert(1)", None, None),
        ("  javascript:alert(1)", None, None),
        ("x:y", None, None),
        ("file:///etc/passwd", None, None),
        ("data:image/svg+xml;base64,AAAA", None, None),
        ("data:image/png;base64,iVBORw0KGgo=", None, "data:image/png;base64,iVBORw0KGgo="),
        ("#part", None, None),
        ("?x=1", None, None),
        ("", None, None),
        ("%ff", None, None),
    ],
)
def test_addresses_in_texts(address, page_link, image_link):
    assert LINKS.page(address) == page_link
    assert LINKS.image(address) == image_link


def test_addresses_start_in_the_folder_of_the_text():
    links = Links("../../", {"doc/img/a.png"}, "doc")
    assert links.image("img/a.png") == "../../images/doc/img/a.png"
    assert links.page("../top.bin") == "../../files/top.bin"


async def test_every_page_of_a_hostile_package(standalone_host, tmp_path):
    """Title, description, licence, authors, texts, file names, folder names, query: all hostile."""
    services = standalone_host.services
    folder = tmp_path / "lake"
    names = [p.replace("/", "\u2215").replace("\t", " ")[:80] for p in PAYLOADS]
    fill(folder, {f"{name}/{name}": b"x" for name in names})
    services.sources.add("lake", f"file://{folder}")
    draft = services.packages.create(
        "hostile",
        title=" ".join(PAYLOADS)[:300],
        description=" ".join(PAYLOADS),
        license=PAYLOADS[24][:100],
        authors=[payload[:300].replace("\t", " ") for payload in PAYLOADS],
        keywords=[payload[:300].replace("\t", " ") for payload in PAYLOADS],
    )
    draft.add("lake", [""], rename=".")
    everything = "\n\n".join(PAYLOADS)
    draft.attach(everything.encode(), "README.md")
    for number, payload in enumerate(PAYLOADS):
        draft.attach(notebook(payload), f"n{number}.ipynb")
        draft.attach(payload.encode(), f"{names[number]}.md")
    draft.publish("1", now_s=1)
    created = services.shares.create("hostile", owner="ann", password="open sesame")
    published = Published(standalone_host, folder)
    segment = created.capability_segment
    asked = ["", "files/", *(f"?match={quote(p)}" for p in PAYLOADS)]
    asked += [f"?path={quote(name)}" for name in names]
    asked += [f"files/{quote(name)}/" for name in names]
    asked += [f"view/n{number}.ipynb" for number in range(len(PAYLOADS))]
    asked += [f"view/{quote(name)}.md" for name in names]
    for below in asked:
        answer = await published.get(segment, below, **BROWSER)
        assert answer.code == 200, (below, answer.body[:300])
        assert faults(answer.body) == [], below


async def test_every_preview_of_hostile_files(standalone_host, tmp_path):
    """Cells, keys, column names, tags, file names: whatever a preview shows is text."""
    services = standalone_host.services
    folder = tmp_path / "lake"
    files = {}
    for number, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "\u2215").replace("\t", " ")[:80]
        for path, data in preview_files(payload, [name]).items():
            # The slow readers have a process each: some of the payloads are enough for them.
            if number % 12 == 0 or not path.endswith((".parquet", ".tif")):
                files[f"{number}/{path}"] = data
    fill(folder, files)
    services.sources.add("lake", f"file://{folder}")
    draft = services.packages.create("hostile", title=PAYLOADS[24][:100])
    draft.add("lake", [""], rename=".")
    draft.publish("1", now_s=1)
    published = Published(standalone_host, folder)
    segment = services.shares.create("hostile", owner="ann").segment
    for path in files:
        answer = await published.get(segment, f"preview/{quote(path)}", **BROWSER)
        assert answer.code == 200, (path, answer.body[:300])
        assert faults(answer.body) == [], path
        if path.endswith((".csv", ".jsonl", ".parquet", ".tif")):
            assert b"cannot be" not in answer.body, path
    folders = {path.partition("/")[0] for path in files}
    for name in folders:
        answer = await published.get(segment, f"?path={quote(name)}", **BROWSER)
        assert faults(answer.body) == [], name


@pytest.mark.parametrize("payload", [*PAYLOADS, "<svg onload=alert(1)>"])
async def test_failures_do_not_repeat_what_was_asked(standalone_host, tmp_path, payload):
    services = standalone_host.services
    fill(tmp_path / "lake", {"a": b"x"})
    services.sources.add("lake", f"file://{tmp_path / 'lake'}")
    draft = services.packages.create("small")
    draft.add("lake", ["a"])
    draft.publish("1", now_s=1)
    published = Published(standalone_host, tmp_path / "lake")
    segment = services.shares.create("small", owner="ann").segment
    hostile = quote(payload, safe="")
    asked = [
        (segment, f"files/{hostile}"),
        (segment, f"view/{hostile}"),
        (segment, f"preview/{hostile}"),
        (segment, f"attachments/{hostile}"),
        (segment, f"images/{hostile}/{hostile}"),
        (segment, f"?path={hostile}"),
        (segment, f"?cursor={hostile}"),
        (segment, hostile),
        (hostile, ""),
        (hostile, f"files/{hostile}"),
    ]
    for share, below in asked:
        for accept in (BROWSER, {}):
            answer = await published.get(share, below, **accept, User_Agent="x")
            assert answer.code in {400, 404}, (below, answer.code)
            if accept:
                assert faults(answer.body) == [], below
            else:
                assert answer.headers["Content-Type"] == "application/json"
