"""Previews of a share's files: through the storage by range, behind the gate, never other bytes."""

from __future__ import annotations

import io
import re

import html5lib
import pyarrow as pa
import pytest
from pyarrow import parquet

from packager_jupyter.server.share import preview as preview_module
from packager_jupyter.server.share.turns import Turns
from server.share.ocean import BROWSER, PASSWORD, PNG, Published, fill
from server.share.test_share_storages import S3, STORED, Azure


def parquet_bytes():
    file = io.BytesIO()
    parquet.write_table(pa.table({"depth": range(100), "name": ["a"] * 100}), file)
    return file.getvalue()


FILES = {
    "t/casts.csv": b"station,depth\nS1,10\nS2,20\n",
    "t/profiles.parquet": parquet_bytes(),
    "img/map.png": PNG,
    "img/fake.png": b"<svg onload=alert(1)>",
    "doc/method.md": b"# Method\n\n[casts](../t/casts.csv) ![map](x.png)\n",
    "doc/data.json": b'{"a":1.10}',
    "raw/x.bin": bytes(100),
    "large.txt": b"line\n" * 2_000_000,
}


def publish(host, connect):
    services = host.services
    connect(services.sources)
    draft = services.packages.create("casts", title="Casts")
    draft.add("lake", [""], rename=".")
    draft.attach(b"a,b\n1,2\n", "attached.csv")
    draft.attach(PNG, "attached.png")
    draft.publish("1", now_s=1)
    return Published(host, None)


def segment_of(published, **options):
    return published.shares.create("casts", owner="ann", **options).segment


@pytest.fixture
def casts(standalone_host, tmp_path):
    """Return the package on a folder, and the folder."""
    fill(tmp_path / "lake", FILES)
    address = f"file://{tmp_path / 'lake'}"
    return publish(standalone_host, lambda s: s.add("lake", address)), tmp_path / "lake"


@pytest.fixture(params=["s3", "s3-versioned", "azure"])
def stored(request, standalone_host):
    """Return the package in a real storage, and that storage."""
    if request.param == "azure":
        storage = Azure(request.getfixturevalue("azurite"))
    else:
        storage = S3(request.getfixturevalue("rgw"), is_versioned=request.param != "s3")
    for path, data in FILES.items():
        storage.put(path, data)
    published = publish(
        standalone_host, lambda s: s.add("lake", credential=STORED, **storage.connection)
    )
    return published, storage


def parse(answer):
    return html5lib.parse(answer.body, namespaceHTMLElements=False)


def text_of(answer):
    return " ".join(" ".join(parse(answer).itertext()).split())


async def test_each_kind_is_shown_out_of_a_real_storage(stored):
    published, storage = stored
    segment = segment_of(published)
    shown = {
        "t/casts.csv": "station depth S1 10 S2 20",
        "t/profiles.parquet": "First rows depth name 0 a 1 a",
        "doc/data.json": '"a": 1.10',
        "large.txt": "Only the beginning is shown",
        "raw/x.bin": "There is no preview of this kind of file.",
        "img/fake.png": "not the image that its name promises",
        "attached.csv": "a b 1 2",
    }
    for path, text in shown.items():
        answer = await published.get(segment, f"preview/{path}", **BROWSER)
        assert answer.code == 200, (path, answer.body)
        assert text in text_of(answer), path
    image = await published.get(segment, "preview/img/map.png", **BROWSER)
    source = parse(image).find(".//figure/img").get("src")
    assert source.startswith(storage.endpoint)
    origin = re.match(r"https?://[^/]+", source)[0]
    assert f"img-src 'self' {origin} data:;" in image.headers["Content-Security-Policy"]
    assert not any(secret in image.body.decode() for secret in storage.secrets)


async def test_a_large_file_is_read_in_part(casts, monkeypatch):
    published, _ = casts
    read = []
    real = preview_module.RangedFile

    def counted(name, size_bytes, reader):
        read.append(real(name, size_bytes, reader))
        return read[-1]

    monkeypatch.setattr(preview_module, "RangedFile", counted)
    segment = segment_of(published)
    for _ in range(2):  # the second time it is remembered
        assert (await published.get(segment, "preview/large.txt", **BROWSER)).code == 200
    (file,) = read
    assert file.read_bytes < 300_000 < file.size_bytes


async def test_an_object_that_has_changed_is_refused_and_never_shown(stored):
    published, storage = stored
    segment = segment_of(published)
    before = await published.get(segment, "preview/doc/data.json", **BROWSER)
    storage.put("t/casts.csv", b"station,depth\nXX,99\nYY,88\n")
    answer = await published.get(segment, "preview/t/casts.csv", **BROWSER)
    if isinstance(storage, S3) and b"versions" not in answer.body and answer.code == 200:
        assert "S1 10" in text_of(answer)  # the storage keeps versions, and the old one is shown
    else:
        assert answer.code == 409
        assert "has changed in the storage" in text_of(answer)
    assert b"XX" not in answer.body
    assert before.code == 200


async def test_an_object_that_changes_while_it_is_read_is_not_shown(casts, monkeypatch):
    published, folder = casts
    segment = segment_of(published)
    real = preview_module.RangedFile

    def slow(name, size_bytes, reader):
        def read(start, stop):
            (folder / "t/casts.csv").write_bytes(b"station,depth\nXX,99\nYY,88\n")
            return reader(start, stop)

        return real(name, size_bytes, read)

    monkeypatch.setattr(preview_module, "RangedFile", slow)
    answer = await published.get(segment, "preview/t/casts.csv", **BROWSER)
    assert answer.code == 409
    assert b"XX" not in answer.body
    again = await published.get(segment, "preview/t/casts.csv", **BROWSER)
    assert again.code == 409


async def test_a_locked_share_shows_nothing_of_a_file(casts):
    published, _ = casts
    segment = segment_of(published, password=PASSWORD)
    for path in ("t/casts.csv", "nothing", "attached.csv"):
        answer = await published.get(segment, f"preview/{path}", **BROWSER)
        assert answer.code == 401
        assert b"casts.csv" not in answer.body
        assert b"station" not in answer.body
    opened = await published.get(segment, "preview/t/casts.csv", X_Share_Token=PASSWORD)
    assert b"station" in opened.body


async def test_a_preview_of_data_counts_as_a_use(casts):
    published, _ = casts
    segment = segment_of(published, max_downloads=2)
    assert (await published.get(segment, "preview/raw/x.bin", **BROWSER)).code == 200
    assert (await published.get(segment, "preview/attached.csv", **BROWSER)).code == 200
    for _ in range(2):
        assert (await published.get(segment, "preview/t/casts.csv", **BROWSER)).code == 200
    assert (await published.get(segment, "preview/t/casts.csv", **BROWSER)).code == 404


async def test_texts_of_the_data_link_into_the_share(casts):
    published, _ = casts
    answer = await published.get(segment_of(published), "preview/doc/method.md", **BROWSER)
    article = parse(answer).find(".//article")
    assert [a.get("href") for a in article.iter("a")] == ["../../files/t/casts.csv"]
    assert [i.get("src") for i in article.iter("img")] == [None]


async def test_images_of_a_folder_and_of_the_package_itself(casts):
    published, _ = casts
    segment = segment_of(published)
    local = await published.get(segment, "preview/img/map.png", **BROWSER)
    address = parse(local).find(".//figure/img").get("src")
    got = await published.host.fetch(
        "GET", address.removeprefix(published.host.root), is_anonymous=True
    )
    assert got.body == PNG
    attached = await published.get(segment, "preview/attached.png", **BROWSER)
    assert parse(attached).find(".//figure/img").get("src") == "../images/-/attached.png"


async def test_the_table_offers_previews_and_details(casts):
    published, _ = casts
    segment = segment_of(published)
    page = parse(await published.get(segment, "?path=t", **BROWSER))
    links = [a.get("href") for a in page.iter("a") if "preview" in (a.text or "")]
    assert links == ["preview/t/casts.csv", "preview/t/profiles.parquet"]
    raw = parse(await published.get(segment, "?path=raw", **BROWSER))
    assert [a.get("href") for a in raw.iter("a") if a.text == "details"] == ["preview/raw/x.bin"]


async def test_only_so_many_previews_wait(casts, standalone_server):
    published, _ = casts
    segment = segment_of(published)
    await published.get(segment, "", **BROWSER)
    state = standalone_server.app.settings["packager_shares_state"]
    state.previewing = Turns(0, waiting=0, what="previews")
    answer = await published.get(segment, "preview/t/casts.csv")
    assert answer.code == 503
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", ["", "..%2f..%2fetc/passwd", "%00", "t", "t/", "no/such.csv"])
async def test_a_path_that_is_no_file_is_not_found(casts, path):
    published, _ = casts
    answer = await published.get(segment_of(published), f"preview/{path}", **BROWSER)
    assert answer.code == 404
