"""A real JupyterLab with the sidebar of this checkout, and a page that shows it."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager_jupyter.demo.survey import survey_files
from peers.process import free_ports, is_listening, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

BUILT = Path(__file__).parents[2] / "packager_jupyter" / "labextension"
SIDEBAR_ID = "packager-jupyter-sidebar"
TOKEN = "browser-tests"
START_S = 120
TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class RunningLab:
    """JupyterLab, and its root folder with the files of the invented survey in ``storage``."""

    root: Path
    url: str

    @property
    def storage(self) -> Path:
        return self.root / "storage"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Yield a JupyterLab of this module alone, on a folder with some hundred files."""
    if not (BUILT / "static" / "style.js").is_file():
        pytest.skip("the sidebar is not built: install it with `jlpm build:prod` in labextension/")
    home = tmp_path_factory.mktemp("lab")
    root = home / "root"
    write_survey(root / "storage")
    extensions = home / "data" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "packager-jupyter").symlink_to(BUILT)
    notices = home / "settings" / "@jupyterlab" / "apputils-extension"
    notices.mkdir(parents=True)
    (notices / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    config = home / "config"
    config.mkdir()
    allowed = {"Settings": {"endpoint_hosts": ["127.0.0.1"]}}
    (config / "jupyter_packager_config.json").write_text(json.dumps(allowed))
    (port,) = free_ports(1)
    log = home / "jupyterlab.log"
    process = spawn(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={root}",
            "--ServerApp.jpserver_extensions=packager_jupyter=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        log=log,
        env={
            **os.environ,
            "JUPYTER_TOKEN": TOKEN,
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "PACKAGER_DATA_DIR": str(home / "packager"),
        },
    )
    try:
        deadline = time.monotonic() + START_S
        while not is_listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not come up:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield RunningLab(root=root, url=f"http://127.0.0.1:{port}/lab?reset&token={TOKEN}")
    finally:
        process.kill()
        process.wait()


def write_survey(folder: Path) -> None:
    """Write the invented survey as files."""
    for file in survey_files():
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        os.utime(target, (file.modified_s, file.modified_s))


class Sidebar:
    """What a person does in the sidebar; every method waits until the page has followed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sources = page.locator(".jp-packager-sources")
        self.packages = page.locator(".jp-packager-packages")
        self.shares = page.locator(".jp-packager-shares")
        self.jobs = page.locator(".jp-packager-jobs")
        self.dialog = page.locator(".jp-Dialog")

    def open(self) -> None:
        self.page.locator(f'.jp-SideBar [data-id="{SIDEBAR_ID}"]').click()
        self.sources.wait_for()

    def widen(self, to_px: int) -> None:
        handle = self.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first
        box = handle.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + 2, 300)
        self.page.mouse.down()
        self.page.mouse.move(to_px, 300, steps=4)
        self.page.mouse.up()

    def row(self, section: Locator, name: str) -> Locator:
        return section.locator(f'[role=row][data-name="{name}"]')

    def tick(self, name: str) -> None:
        self.row(self.sources, name).locator("input[type=checkbox]").click()

    def choose(self, entry: str) -> None:
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.dialog.locator(f"[name={name}]").fill(value)

    def accept(self) -> None:
        self.dialog.locator("button.jp-mod-accept").click()

    def add_folder(self, name: str, folder: Path) -> None:
        """Connect a folder; returns once its first level is shown."""
        self.page.locator('[data-command="packager:add-source"]').first.click()
        self.dialog.get_by_text("Folder of the server").click()
        self.fill(url=str(folder), name=name)
        self.accept()
        self.dialog.wait_for(state="detached")
        row = self.row(self.sources, name)
        row.wait_for()
        self.page.wait_for_function(
            "name => document.querySelector(`.jp-packager-sources [data-name='${name}'] "
            "[data-mark=ok]`) !== null",
            arg=name,
        )

    def shot(self, name: str) -> None:
        """Keep a picture of the page where PACKAGER_SCREENSHOTS says, for the documentation."""
        folder = os.environ.get("PACKAGER_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(400)
            self.page.screenshot(path=Path(folder) / f"sidebar-{name}.png")


@pytest.fixture
def page(lab: RunningLab, browser: Browser) -> Iterator[Page]:
    """Yield a page with JupyterLab in it; a script error in it fails the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 860},
        permissions=["clipboard-read", "clipboard-write"],
        locale="en-GB",
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(lab.url)
    page.locator(".jp-LauncherCard").first.wait_for()
    yield page
    ours = [error for error in errors if re.search(r"packager", error)]
    context.close()
    assert ours == []


@pytest.fixture
def sidebar(page: Page) -> Sidebar:
    """Return the opened sidebar."""
    found = Sidebar(page)
    found.open()
    return found
