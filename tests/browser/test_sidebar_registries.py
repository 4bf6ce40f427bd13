"""The Registries section: feeds, their install line, and tokens that are shown once."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import RunningLab, Sidebar

TOKEN = "browser-tests"


def api(lab: RunningLab, path: str, body: object = None) -> object:
    """Ask the REST API as the person whose JupyterLab this is."""
    request = urllib.request.Request(
        f"{lab.url.partition('/lab?')[0]}/packager/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def status_of(url: str, token: str) -> int:
    """Ask for a page of a feed as a client does."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.browser
def test_feeds_and_tokens(sidebar: Sidebar, lab: RunningLab) -> None:
    page, section = sidebar.page, sidebar.page.locator(".jp-packager-registries")
    sidebar.widen(440)
    expect(section.get_by_label("Command that makes a feed", exact=True)).to_have_value(
        "packager feed create pypi/main"
    )
    for ecosystem, is_open in (("pypi", True), ("terraform", False)):
        feed = {"ecosystem": ecosystem, "name": "main", "is_anonymous_read": is_open}
        api(lab, "feeds", feed)
    page.locator('[data-command="packager:refresh-registries"]').click()
    row = sidebar.row(section, "pypi/main")
    expect(row).to_contain_text("0 projects")
    row.hover()
    row.get_by_role("button", name="Copy install line").click()
    page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).startsWith('pip install --index-url')"
    )
    index = clipboard(page).split()[3]
    assert index.endswith("/packager/pypi/main/simple/")

    secret = make_token(sidebar)
    closed = index.replace("pypi/main/simple/", "terraform/main/v1/modules/a/b/c/versions")
    assert status_of(closed, secret) == 404  # let in: there is no such module
    assert status_of(closed, secret[:-1] + ("A" if secret[-1] != "A" else "B")) == 401
    assert secret not in page.content()
    page.reload()
    sidebar.sources.wait_for()
    token = sidebar.row(section, "Build server")
    expect(token).to_contain_text("terraform/main:publish")
    expect(token.get_by_title(re.compile("Last used"))).to_be_visible()
    assert secret not in page.content()

    token.hover()
    token.get_by_role("button", name="Revoke…").click()
    expect(sidebar.dialog).to_contain_text("It was last used")
    sidebar.accept()
    expect(token).to_have_count(0)
    assert status_of(closed, secret) == 401


def make_token(sidebar: Sidebar) -> str:
    """Make a token for the closed feed through the dialog; return what it showed."""
    page, dialog = sidebar.page, sidebar.dialog
    page.locator('[data-command="packager:new-token"]').click()
    dialog.locator("[name=feed]").select_option("terraform/main")
    dialog.get_by_text("Read and publish", exact=True).click()
    sidebar.fill(projects="bad:name", description="Build server")
    expect(dialog.locator("button.jp-mod-accept")).to_be_disabled()
    sidebar.fill(projects="*")
    sidebar.shot("token")
    sidebar.accept()
    shown = dialog.get_by_label("Token", exact=True)
    expect(shown).to_have_value(re.compile("^pkgr_api_"))
    secret = shown.input_value()
    dialog.get_by_role("button", name="Copy: Token").click()
    page.wait_for_function(
        "async text => (await navigator.clipboard.readText()) === text", arg=secret
    )
    sidebar.accept()
    dialog.wait_for(state="detached")
    sidebar.shot("registries")
    return secret
