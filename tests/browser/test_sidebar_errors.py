"""What the sidebar says when something is wrong: beside what it concerns, and nothing is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.conftest import SIDEBAR_ID

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.conftest import RunningLab, Sidebar

pytestmark = pytest.mark.browser


def test_a_refused_source_stays_in_its_dialog(sidebar: Sidebar, lab: RunningLab) -> None:
    sidebar.sources.get_by_role("button", name="Add a source…").click()
    sidebar.dialog.get_by_text("Folder of the server").click()
    sidebar.fill(url="/etc", name="secrets")
    sidebar.accept()
    expect(sidebar.dialog.get_by_role("alert")).to_contain_text("/etc is not below those")
    expect(sidebar.dialog.locator("[name=url]")).to_have_value("/etc")
    expect(sidebar.dialog.locator("[name=name]")).to_have_value("secrets")
    sidebar.page.keyboard.press("Escape")
    expect(sidebar.dialog).to_have_count(0)
    expect(sidebar.sources.get_by_role("button", name="Add a source…")).to_be_visible()
    assert not (lab.root / "packages").exists()


def test_secrets_are_typed_into_password_fields_and_forgotten(sidebar: Sidebar) -> None:
    sidebar.sources.get_by_role("button", name="Add a source…").click()
    secret = sidebar.dialog.locator("[name=AWS_SECRET_ACCESS_KEY]")
    expect(secret).to_have_attribute("type", "password")
    expect(secret).to_have_attribute("autocomplete", "new-password")
    sidebar.fill(
        url="s3://lake",
        name="lake",
        endpoint_url="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="AKCANARY",
        AWS_SECRET_ACCESS_KEY="canary-secret-71c2",
    )
    sidebar.accept()
    # Whether the endpoint is allowed is the server's matter; either way the secret is nowhere.
    sidebar.page.wait_for_load_state("networkidle")
    page = sidebar.page
    assert "canary-secret-71c2" not in page.content()
    kept = page.evaluate(
        "async () => JSON.stringify([localStorage, sessionStorage,"
        " await (await fetch('lab/api/workspaces')).text(),"
        " await (await fetch('lab/api/settings')).text()])"
    )
    assert "packager-jupyter" in kept
    assert "canary-secret-71c2" not in kept


def test_a_storage_that_goes_away_is_no_empty_folder(sidebar: Sidebar, lab: RunningLab) -> None:
    folder = lab.root / "mount"
    folder.mkdir()
    (folder / "one.txt").write_text("one")
    sidebar.add_folder("mount", folder)
    expect(sidebar.row(sidebar.sources, "one.txt")).to_be_visible()
    folder.rename(lab.root / "unmounted")
    sidebar.page.locator('[data-command="packager:refresh-sources"]').first.click()
    alert = sidebar.sources.get_by_role("alert")
    expect(alert).to_contain_text("The folder of source 'mount' is not there.")
    expect(sidebar.sources.locator("[data-mark=failed]")).to_be_visible()
    expect(sidebar.sources).not_to_contain_text("Nothing in here.")
    expect(alert.get_by_role("button", name="Fix…")).to_be_visible()
    sidebar.shot("error")
    (lab.root / "unmounted").rename(folder)
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)
    expect(sidebar.row(sidebar.sources, "one.txt")).to_be_visible()


def test_an_address_that_no_source_holds_offers_to_connect_it(sidebar: Sidebar) -> None:
    box = sidebar.sources.get_by_label("Jump to a prefix or an address")
    box.fill("s3://elsewhere/obs/")
    box.press("Enter")
    alert = sidebar.sources.get_by_role("alert")
    expect(alert).to_contain_text("No connected source holds s3://elsewhere/obs/.")
    alert.get_by_role("button", name="Add a source…").click()
    expect(sidebar.dialog.locator("[name=url]")).to_have_value("s3://elsewhere/obs/")


def test_without_its_server_half_it_says_the_command_that_mends_it(page: Page) -> None:
    page.route("**/packager/api/v1/status", lambda route: route.fulfill(status=404, body="?"))
    page.locator(f'.jp-SideBar [data-id="{SIDEBAR_ID}"]').click()
    server = page.locator(".jp-packager-server")
    expect(server).to_contain_text("The server half of Packager is not running")
    expect(server.locator("code")).to_have_text(re.compile("jupyter server extension enable"))
    expect(page.locator(".jp-packager-sources")).to_be_hidden()
    page.unroute("**/packager/api/v1/status")
    server.get_by_role("button", name="Try again").click()
    expect(page.locator(".jp-packager-sources")).to_be_visible()
