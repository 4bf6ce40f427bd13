"""Adding what a file of keys names: CSV, JSONL, Parquet and S3 Inventory, whole and damaged."""

import csv
import gzip
import hashlib
import io
import json
import sys
import tracemalloc
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from pyarrow import parquet

from packager_jupyter.errors import BadInputError, CancelledError, ObjectNotFoundError
from packager_jupyter.packages.inventory import open_keys
from packager_jupyter.packages.key_rows import KeyColumns

HOSTILE = [
    "a/../b",
    "//x",
    "../../etc/passwd",
    "nul\x00",
    "new\nline.csv",
    "caf\u00e9",
    "cafe\u0301",
    "sp ace+plus#hash?q=%20&amp",
    "back\\slash",
    "q'uo\"te,comma",
    "a//b",
    "emoji\U0001f30a.nc",
]
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"


def pointers(draft):
    return {pointer.key: pointer for pointer in draft.iter_pointers()}


def csv_bytes(rows, heading=None):
    text = io.StringIO()
    table = csv.writer(text)
    table.writerows([heading, *rows] if heading else rows)
    return text.getvalue().encode()


def inventory(folder, kind, files):
    """Lay out an inventory as S3 does: the manifest in a folder of its time, the data beside."""
    listed = []
    for name, data in files.items():
        path = folder / "conf" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        listed.append(
            {
                "key": f"inventories/bucket/conf/data/{name}",
                "size": len(data),
                "MD5checksum": hashlib.md5(data).hexdigest(),
            }
        )
    manifest = folder / "conf" / "2025-08-01T00-00Z" / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    value = {
        "sourceBucket": "bucket",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "fileFormat": kind,
        "fileSchema": SCHEMA,
        "files": listed,
    }
    manifest.write_text(json.dumps(value))
    return manifest


def gz_inventory(folder, keys, *, per_file=5):
    date = "2025-08-01T10:00:00.000Z"
    rows = [
        ["bucket", quote_plus(f"raw/{key}"), "", "true", "false", size, date, f"{size:032x}"]
        for size, key in enumerate(keys)
    ]
    rows += [["bucket", "raw/old", "v1", "false", "false", "5", date, "e"]]
    rows += [["bucket", "raw/gone", "v2", "true", "true", "", date, ""]]
    rows += [["bucket", "elsewhere/x", "", "true", "false", "5", date, "e"]]
    return inventory(
        folder,
        "CSV",
        {
            f"{start}.csv.gz": gzip.compress(csv_bytes(rows[start : start + per_file]))
            for start in range(0, len(rows), per_file)
        },
    )


def test_a_csv_gives_everything_that_a_listing_would(draft, source, tmp_path):
    file = tmp_path / "keys.csv"
    rows = [
        ["obs/a.csv", "7", '"aa"', "2025-08-01T10:00:00Z", "v1", "sha256:" + "ab" * 32, "x"],
        ["obs/b.csv", "0", "", "1700000000", "null", "", "y"],
        ["obs/marker/", "0", "", "", "", "", ""],
    ]
    heading = ["Key", "Size", "ETag", "Last-Modified", "version_id", "checksum", "other"]
    file.write_bytes(b"\xef\xbb\xbf" + csv_bytes(rows, heading))
    report = draft.add_keys("demo", open_keys(file), to="in")
    assert (report.files_added, report.bytes_added) == (2, 7)
    assert source.stats == []
    first = draft.get("in/obs/a.csv")
    assert first.uri == "s3://bucket/raw/obs/a.csv"
    assert (first.key, first.size_bytes, first.etag) == ("obs/a.csv", 7, "aa")
    assert (first.version_id, first.checksums) == ("v1", {"sha256": "ab" * 32})
    assert first.modified_s == int(datetime(2025, 8, 1, 10, tzinfo=UTC).timestamp())
    second = draft.get("in/obs/b.csv")
    assert (second.etag, second.version_id, second.modified_s) == (None, None, 1_700_000_000)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_every_kind_adds_hostile_keys_as_a_listing_does(kind, packages, source, tmp_path):
    keys = [*HOSTILE, *(f"deep/{n % 7}/file-{n}" for n in range(50))]
    source.put(*keys, size=3)
    listed = packages.create("listed")
    listed.add("demo", [""])
    rows = [
        (key, source.entries[key].size_bytes, source.entries[key].etag, 1_700_000_000)
        for key in keys
    ]
    names = ["key", "size", "etag", "last_modified"]
    path = tmp_path / f"keys.{kind}"
    if kind == "parquet":
        table = dict(zip(names, zip(*rows, strict=True), strict=True))
        stamps = pa.array([1_700_000_000_999] * len(rows), pa.timestamp("ms", "UTC"))
        parquet.write_table(
            pa.table({**table, "last_modified": stamps, "more": [1] * len(rows)}), path
        )
    elif kind == "jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines))
    else:
        data = csv_bytes(rows, names)
        path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    draft = packages.create("from-file")
    report = draft.add_keys("demo", open_keys(path))
    assert report.files_added == len(keys)
    assert list(draft.iter_pointers()) == list(listed.iter_pointers())
    assert draft.totals() == listed.totals()


@pytest.mark.parametrize("name", ["keys.txt", "raw.source"])
def test_a_text_of_one_key_a_line(draft, source, tmp_path, name):
    keys = ["b/plain.csv", "a/with, comma.csv", '"quoted"', "sp ace"]
    source.put(*keys, "unnamed", size=3)
    file = tmp_path / name
    file.write_text("# remark\n" + "\r\n".join(keys) + "\n\n")
    report = draft.add_keys("demo", open_keys(file))
    assert (report.files_added, report.bytes_added) == (4, 12)
    assert {pointer.key for pointer in draft.iter_pointers()} == set(keys)
    file.write_text("b/plain.csv\nnot there\n")
    with pytest.raises(ObjectNotFoundError):
        draft.add_keys("demo", open_keys(file))


def test_an_inventory_in_csv_is_decoded_and_cut_to_the_source(draft, tmp_path):
    report = draft.add_keys("demo", open_keys(gz_inventory(tmp_path, HOSTILE)))
    assert report.files_added == len(HOSTILE)
    found = pointers(draft)
    assert sorted(found) == sorted(HOSTILE)
    assert found["caf\u00e9"].size_bytes == HOSTILE.index("caf\u00e9")
    assert found["a/../b"].uri == "s3://bucket/raw/a/../b"


def test_an_inventory_in_parquet_is_taken_as_it_is(draft, tmp_path):
    buffer = io.BytesIO()
    keys = [f"raw/{key}" for key in ("a%20b+c", "d", "old")]
    table = {
        "bucket": ["bucket"] * 3,
        "key": keys,
        "version_id": ["v1", None, "v0"],
        "is_latest": [True, True, False],
        "is_delete_marker": [False] * 3,
        "size": pa.array([1, 2, 3], pa.int64()),
        "last_modified_date": pa.array([1_700_000_000_000] * 3, pa.timestamp("ms")),
        "e_tag": ["e1", "e2", "e3"],
    }
    parquet.write_table(pa.table(table), buffer)
    manifest = inventory(tmp_path, "Parquet", {"one.parquet": buffer.getvalue()})
    draft.add_keys("demo", open_keys(manifest))
    found = pointers(draft)
    assert sorted(found) == ["a%20b+c", "d"]
    assert found["a%20b+c"].version_id == "v1"
    assert (found["d"].etag, found["d"].modified_s) == ("e2", 1_700_000_000)


def test_an_inventory_of_another_bucket_is_refused(draft, tmp_path):
    with pytest.raises(BadInputError, match="lists the bucket 'bucket'"):
        draft.add_keys("other", open_keys(gz_inventory(tmp_path, ["a"])))


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_inventory_adds_nothing(draft, tmp_path, damage):
    manifest = gz_inventory(tmp_path, [f"k{n}" for n in range(20)])
    last = max(tmp_path.rglob("*.csv.gz"), key=lambda path: int(path.name.partition(".")[0]))
    data = last.read_bytes()
    if damage == "missing":
        last.unlink()
    else:
        last.write_bytes(data[:-9] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BadInputError, match=r"bytes instead of|MD5|neither beside"):
        draft.add_keys("demo", open_keys(manifest))
    assert draft.totals().files == 0


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("keys.csv", b"", "is empty"),
        ("keys.csv", b"name,size\na,1\n", "no column 'key'"),
        ("keys.csv", b"key,Key\na,b\n", "two of its columns"),
        ("keys.csv", b"key,size\na,1\nb\n", "row 3 has 1 columns instead of 2"),
        ("keys.csv", b"key,size\na,1\nb,many\n", "row 3 has the size 'many'"),
        ("keys.csv", b"key,size\na,1\nb,-1\n", "row 3 has the size"),
        ("keys.csv", b"key,size\na,1\n,1\n", "row 3 has no key"),
        ("keys.csv", b"key,last_modified\na,yesterday\n", "has the date 'yesterday'"),
        ("keys.csv", b"key,checksum\na,123\n", "has the checksum"),
        ("keys.csv", b'key,size\na,1\n"b,2\n', "no proper CSV"),
        ("keys.csv", b"key,size\na,1\n\xff,2\n", "not UTF-8"),
        ("keys.csv", b"key,size\n" + b"a" * (2 << 20), "a line of more than"),
        ("keys.csv.gz", gzip.compress(b"key,size\n" + b"a,1\n" * 99999)[:-20], "damaged or cut"),
        ("keys.jsonl", b'{"key":"a","size":1}\n{"key":"b","si', "line 2 is not JSON"),
        ("keys.jsonl", b'{"key":"a","size":1}\n[1]\n', "line 2 is no JSON object"),
        ("keys.jsonl", b'{"key":"a","size":1}\n{"size":1}\n', "no column 'key'"),
        ("keys.jsonl", b'{"key":1,"size":1}\n', "row 1 has no key"),
        ("manifest.json", b'{"sourceBucket":"b","fileSch', "no complete JSON"),
        ("keys.parquet", b"PAR1" + b"\0" * 64, "Parquet data are damaged"),
        ("keys.orc", b"ORC" + b"\0" * 64, "ORC"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_and_adds_nothing(draft, tmp_path, name, data, message):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(BadInputError, match=message) as caught:
        draft.add_keys("demo", open_keys(file))
    assert "Nothing was added" in caught.value.message
    assert draft.totals().files == 0


@pytest.mark.parametrize("at", ["footer", "pages"])
def test_a_damaged_parquet_adds_nothing(draft, tmp_path, at):
    file = tmp_path / "keys.parquet"
    keys = [f"k{hashlib.md5(b'%d' % n).hexdigest()}" for n in range(20_000)]
    parquet.write_table(pa.table({"key": keys, "size": [1] * len(keys)}), file)
    data = bytearray(file.read_bytes())
    if at == "footer":
        data = data[: len(data) // 2]
    else:
        middle = len(data) // 3
        data[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(data)
    with pytest.raises(BadInputError, match=r"Parquet data|damaged|cannot be used"):
        draft.add_keys("demo", open_keys(file))
    assert draft.totals().files == 0


def test_manifest_cannot_name_files_outside(tmp_path):
    manifest = gz_inventory(tmp_path, ["a"])
    value = json.loads(manifest.read_text())
    value["files"][0]["key"] = "data/../../../secret"
    manifest.write_text(json.dumps(value))
    with pytest.raises(BadInputError, match="cannot be"):
        open_keys(manifest)


def test_sizes_that_are_missing_are_looked_up(draft, source, tmp_path):
    source.put("a", "b", size=9)
    file = tmp_path / "keys.csv"
    file.write_text(f"key,size,checksum\na,,{'cd' * 32}\nb,4,\n")
    draft.add_keys("demo", open_keys(file))
    assert source.stats == ["a"]
    assert (draft.get("a").size_bytes, draft.get("b").size_bytes) == (9, 4)
    assert draft.get("a").checksums == {"sha256": "cd" * 32}
    file.write_text("key\nb\nnot-there\n")
    with pytest.raises(ObjectNotFoundError):
        draft.add_keys("demo", open_keys(file), to="again")
    assert draft.totals().files == 2


def test_patterns_progress_and_cancel(draft, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text("key,size\n" + "".join(f"d{n % 9}/k{n}.nc,2\n" for n in range(12_000)))
    seen = []

    def stop(files, size_bytes):
        seen.append((files, size_bytes))
        if files >= 10_000:
            raise CancelledError("Stopped.", remedy="Start again.")

    with pytest.raises(CancelledError):
        draft.add_keys("demo", open_keys(file), progress=stop)
    assert seen == [(5000, 10_000), (10_000, 20_000)]
    assert draft.totals().files == 0
    report = draft.add_keys("demo", open_keys(file), include=["d1/**"])
    assert report.files_added == draft.totals().files
    assert report.files_filtered == 12_000 - report.files_added > 0


def test_reading_holds_a_batch_and_not_the_file(tmp_path):
    file = tmp_path / "keys.csv.gz"
    with gzip.open(file, "wt", compresslevel=1) as out:
        out.write("key,size\n")
        out.writelines(
            f"folder/with/a/rather/long/name/object-{n}.parquet,1\n" for n in range(60_000)
        )
    tracemalloc.start()
    rows = sum(len(batch) for batch in open_keys(file).read())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 60_000
    assert peak < 10 * 1024 * 1024


def test_parquet_without_the_extra_says_what_to_install(draft, tmp_path, monkeypatch):
    file = tmp_path / "keys.parquet"
    parquet.write_table(pa.table({"key": ["a"], "size": [1]}), file)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInputError, match="not installed") as caught:
        draft.add_keys("demo", open_keys(file))
    assert "packager_jupyter[parquet]" in caught.value.remedy


def test_unknown_columns_do_not_count_as_known():
    columns = KeyColumns.of("f", ["keys", "KEY", "size of it"])
    assert columns.places == {"key": 1}
