"""The sidebar on a real S3 gateway: wrong credentials, and a folder of very many keys.

``PACKAGER_TEST_KEYS=100000`` measures what ``docs/reference/performance.md`` tells; the default is
enough to see that it reads on.
"""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from browser.conftest import Sidebar
    from peers.rgw import RgwConnection

pytestmark = pytest.mark.browser

PAGE_ROWS = 1000
KEYS = int(os.environ.get("PACKAGER_TEST_KEYS", "2500"))
MAX_ROWS_IN_PAGE = 80


@pytest.fixture(scope="module")
def bucket(rgw: RgwConnection) -> str:
    """Return a bucket with `KEYS` keys in one folder."""
    name = rgw.bucket()
    client = rgw.client()

    def put(number: int) -> None:
        client.put_object(Bucket=name, Key=f"big/{number:06d}.bin", Body=b"x")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(KEYS)))
    return name


def connect(sidebar: Sidebar, rgw: RgwConnection, bucket: str, **given: str) -> None:
    """Fill in and send the dialog for an S3 source."""
    sidebar.page.locator('[data-command="packager:add-source"]').first.click()
    sidebar.fill(
        **{
            "url": f"s3://{bucket}",
            "endpoint_url": rgw.endpoint_url,
            "AWS_ACCESS_KEY_ID": rgw.access_key,
            "AWS_SECRET_ACCESS_KEY": rgw.secret_key,
            **given,
        }
    )
    sidebar.accept()
    sidebar.dialog.wait_for(state="detached")


WRONG = {
    "wrong-key": ({"AWS_SECRET_ACCESS_KEY": "not-the-key"}, "403"),
    "wrong-bucket": ({"url": "s3://there-is-no-such-bucket"}, "there-is-no-such-bucket"),
    "wrong-endpoint": ({"endpoint_url": "http://127.0.0.1:9"}, "127.0.0.1:9"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_source_stands_beside_it(
    sidebar: Sidebar, rgw: RgwConnection, bucket: str, name: str
) -> None:
    given, says = WRONG[name]
    connect(sidebar, rgw, bucket, name=name, **given)
    alert = sidebar.sources.get_by_role("alert")
    expect(alert).to_contain_text(says, timeout=60_000)
    expect(alert.locator(".jp-packager-notice-remedy")).not_to_be_empty()
    expect(sidebar.row(sidebar.sources, name).locator("[data-mark=failed]")).to_be_visible()
    page = sidebar.page.content()
    assert rgw.secret_key not in page
    assert "not-the-key" not in page

    # The same dialog mends it; the name stays.
    alert.get_by_role("button", name="Fix…").click()
    expect(sidebar.dialog.locator("[name=name]")).to_have_value(name)
    sidebar.fill(
        url=f"s3://{bucket}",
        endpoint_url=rgw.endpoint_url,
        AWS_ACCESS_KEY_ID=rgw.access_key,
        AWS_SECRET_ACCESS_KEY=rgw.secret_key,
    )
    sidebar.accept()
    expect(sidebar.row(sidebar.sources, "big")).to_be_visible()
    expect(alert).to_have_count(0)


def test_a_folder_of_very_many_keys_opens_at_once(
    sidebar: Sidebar, rgw: RgwConnection, bucket: str
) -> None:
    connect(sidebar, rgw, bucket, name="lake")
    expect(sidebar.row(sidebar.sources, "big")).to_be_visible()
    requests: list[str] = []
    sidebar.page.on(
        "request", lambda request: requests.append(request.url) if "/entries?" in request.url else 0
    )
    rows = sidebar.sources.locator("[role=row]")
    start = time.perf_counter()
    sidebar.row(sidebar.sources, "big").click()
    sidebar.row(sidebar.sources, "000000.bin").wait_for()
    opened_s = time.perf_counter() - start
    sidebar.page.wait_for_timeout(500)
    assert len(requests) == 1

    tree = sidebar.sources.locator(".jp-packager-tree")
    start = time.perf_counter()
    while tree.get_attribute("aria-rowcount") == "-1":
        tree.evaluate("node => { node.scrollTop = node.scrollHeight; }")
        assert rows.count() < MAX_ROWS_IN_PAGE
    read_s = time.perf_counter() - start
    assert len(requests) == len(set(requests)) == math.ceil(KEYS / PAGE_ROWS)
    tree.evaluate("node => { node.scrollTop = node.scrollHeight; }")
    expect(sidebar.row(sidebar.sources, f"{KEYS - 1:06d}.bin")).to_be_visible()
    print(
        f"\n{KEYS} keys: first page after {opened_s:.2f} s and 1 request, all of them after "
        f"{read_s:.1f} s and {len(requests)} requests, {rows.count()} rows in the page"
    )
