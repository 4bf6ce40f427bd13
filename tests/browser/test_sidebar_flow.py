"""The main job through the sidebar, in a real browser on a real JupyterLab.

One person connects a folder, browses, picks, writes a README in JupyterLab's own editor, publishes
and shares; another one, without an account, fetches what was shared.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from browser.conftest import RunningLab, Sidebar

PASSWORD = "tide and time"
README = "Profiles of one cruise over a seamount."


def fetch(url: str, **headers: str) -> bytes:
    """Ask as a stranger does: no cookie, no token."""
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


@dataclass(frozen=True)
class Links:
    """What the person who shared sees, and a stranger gets."""

    link: str
    capability: str
    curl: str


@pytest.mark.browser
def test_the_main_job(sidebar: Sidebar, lab: RunningLab) -> None:
    sidebar.widen(440)
    expect(sidebar.sources.get_by_role("button", name="Add a source…")).to_be_visible()
    sidebar.shot("empty")
    shared = browse(sidebar, lab)
    curate(sidebar, len(shared))
    write_readme(sidebar)
    publish(sidebar, lab, len(shared))
    links = share(sidebar)
    fetch_as_a_stranger(links, lab, shared)
    narrow(sidebar, links)
    revoke(sidebar, another_link(sidebar, links))
    come_back(sidebar, lab)


def browse(sidebar: Sidebar, lab: RunningLab) -> set[str]:
    """Connect the folder, look around, tick a folder and a file; return their paths."""
    sources = sidebar.sources
    sidebar.add_folder("survey", lab.storage)
    size = (lab.storage / "stations.csv").stat().st_size
    row = sidebar.row(sources, "stations.csv")
    expect(row.get_by_title(f"{size:,} bytes")).to_be_visible()
    sidebar.row(sources, "gliders").click()
    expect(sidebar.row(sources, "gliders")).to_have_attribute("aria-expanded", "true")
    gliders = sorted(path.name for path in (lab.storage / "gliders").iterdir())
    expect(sidebar.row(sources, gliders[0])).to_be_visible()
    sidebar.tick("gliders")
    sidebar.tick("stations.csv")
    expect(sources.locator(".jp-packager-bar-text")).to_have_text(re.compile(r"1 folder, 1 file"))
    sidebar.shot("browse")
    return {"stations.csv", *(f"gliders/{name}" for name in gliders)}


def curate(sidebar: Sidebar, files: int) -> None:
    """Put what is ticked into a new package."""
    sidebar.sources.get_by_role("button", name="Add to package ▾").click()
    sidebar.choose("Add to New Package…")
    sidebar.fill(name="ocean-2024", title="Ocean survey 2024")
    sidebar.accept()
    expect(sidebar.jobs).to_contain_text("Added to ocean-2024")
    bar = sidebar.packages.locator(".jp-packager-bar-text")
    expect(bar).to_contain_text(f"ocean-2024 · {files} files")
    expect(sidebar.sources.locator(".jp-packager-bar")).to_have_count(0)


def write_readme(sidebar: Sidebar) -> None:
    """Write the README in JupyterLab's own editor, and do not save it."""
    sidebar.packages.get_by_role("button", name="Attach ▾").click()
    sidebar.choose("README")
    editor = sidebar.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text("# Ocean survey 2024")
    editor.click()
    sidebar.page.keyboard.press("Control+End")
    sidebar.page.keyboard.insert_text(f"\n{README}\n")
    sidebar.shot("readme")


def publish(sidebar: Sidebar, lab: RunningLab, files: int) -> None:
    """Read in the dialog what will be frozen (the editor's text was saved first), and freeze it."""
    sidebar.packages.get_by_role("button", name="Publish…").click()
    expect(sidebar.dialog).to_contain_text(f"{files} files")
    expect(sidebar.dialog).to_contain_text("README.md")
    digest = sidebar.dialog.get_by_label("Digest", exact=True).input_value()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert README in (lab.root / "packages" / "ocean-2024" / "README.md").read_text()
    sidebar.shot("publish")
    sidebar.page.keyboard.press("Control+Enter")
    expect(sidebar.jobs).to_contain_text("Published ocean-2024 v1")
    expect(sidebar.jobs).to_contain_text(digest[:15])


def share(sidebar: Sidebar) -> Links:
    """Share it with a password; the link is also copied from the list."""
    page, dialog = sidebar.page, sidebar.dialog
    sidebar.jobs.get_by_role("button", name="Share…").click()
    dialog.get_by_text("Anyone with the link and a password").click()
    sidebar.fill(password=PASSWORD)
    sidebar.accept()
    expect(dialog).to_contain_text("ocean-2024 is shared")
    links = Links(
        link=dialog.get_by_label("Link", exact=True).input_value(),
        capability=dialog.get_by_label("Link that needs no password").first.input_value(),
        curl=dialog.get_by_label("One file, in a terminal").first.input_value(),
    )
    sidebar.shot("shared")
    sidebar.accept()
    sidebar.shares.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link of ocean-2024 is in the clipboard.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == links.link
    assert PASSWORD not in page.content()
    return links


def fetch_as_a_stranger(links: Links, lab: RunningLab, shared: set[str]) -> None:
    """Locked without the password; with the capability, every byte."""
    with pytest.raises(urllib.error.HTTPError) as locked:
        fetch(f"{links.link}manifest.jsonl")
    assert locked.value.code == 401
    assert fetch(f"{links.link}manifest.jsonl", **{"X-Share-Token": PASSWORD})
    lines = fetch(f"{links.capability}manifest.jsonl").decode().splitlines()
    files = {file["path"]: file["url"] for file in map(json.loads, lines)}
    assert shared <= set(files)
    for path in sorted(shared):
        assert fetch(files[path]) == (lab.storage / path).read_bytes()
    assert README.encode() in fetch(f"{links.capability}attachments/README.md")
    assert links.curl.startswith("curl -fLO ")
    assert fetch(links.curl.split()[-1])


def narrow(sidebar: Sidebar, links: Links) -> None:
    """Share less by the same link; what the share is already stands in the dialog."""
    dialog = sidebar.dialog
    sidebar.shares.get_by_role("button", name="Change…").click()
    expect(dialog.locator("[name=paths]")).to_be_visible()
    expect(dialog.get_by_label("Anyone with the link and the password it has")).to_be_checked()
    # All who sign in to this server are one account, so it offers no names.
    assert dialog.locator("[name=audience] option").all_inner_texts() == [
        "Anyone who has the link",
        "People who have signed in to this server",
    ]
    sidebar.fill(paths="README.md\nno/such/folder", most="50")
    sidebar.shot("change-share")
    sidebar.accept()
    expect(dialog).to_contain_text("no/such/folder")
    sidebar.fill(paths="README.md")
    sidebar.accept()
    dialog.wait_for(state="detached")
    lines = fetch(f"{links.capability}manifest.jsonl").decode().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["README.md"]


def another_link(sidebar: Sidebar, links: Links) -> Links:
    """Give the share a new link; the old one and its capability are gone."""
    sidebar.row(sidebar.shares, "ocean-2024").click(button="right")
    sidebar.choose("New Link…")
    expect(sidebar.dialog).to_contain_text("The old link stops working")
    sidebar.accept()
    new = sidebar.dialog.get_by_label("Link that needs no password").first
    expect(new).not_to_have_value(links.capability)
    found = Links(link="", capability=new.input_value(), curl="")
    sidebar.accept()
    assert b"README.md" in fetch(f"{found.capability}manifest.jsonl")
    for old in (links.link, links.capability):
        with pytest.raises(urllib.error.HTTPError) as gone:
            fetch(f"{old}manifest.jsonl")
        assert gone.value.code == 404
    return found


def revoke(sidebar: Sidebar, links: Links) -> None:
    """Revoking says what it does, and does it."""
    sidebar.shares.get_by_role("button", name="Revoke…").click()
    expect(sidebar.dialog).to_contain_text("It was used")
    sidebar.accept()
    expect(sidebar.shares).to_contain_text("revoked")
    with pytest.raises(urllib.error.HTTPError) as gone:
        fetch(f"{links.capability}manifest.jsonl")
    assert gone.value.code == 404


def come_back(sidebar: Sidebar, lab: RunningLab) -> None:
    """After a reload the sidebar is open again, on the same package."""
    sidebar.page.wait_for_timeout(1500)  # JupyterLab saves its layout a second after it changed
    sidebar.page.goto(lab.url.replace("reset&", ""))
    sidebar.sources.wait_for()
    expect(sidebar.packages.locator(".jp-packager-bar-text")).to_contain_text("ocean-2024 · ")
    expect(sidebar.row(sidebar.sources, "survey")).to_be_visible()
