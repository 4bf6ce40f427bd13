"""Previews of text: exact, cut with a note, and bounded whatever the file holds."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc

import pytest

from packager_jupyter.errors import NotPreviewableError
from packager_jupyter.previews.base import HEAD_BYTES, MAX_COLUMNS, MAX_ROWS, MAX_TEXT_CHARS
from packager_jupyter.previews.ranged import RangedFile
from packager_jupyter.previews.registry import PREVIEWERS, preview_kind
from packager_jupyter.previews.texts import indented


def preview(name, data):
    file = RangedFile(name, len(data), lambda start, stop: [data[start:stop]])
    made = preview_kind(name).make(file)
    assert file.read_bytes <= HEAD_BYTES + 64 * 1024 or name.endswith(".ipynb")
    return made


def only(made):
    (block,) = made.blocks
    return block


def test_the_table_of_kinds_is_sound():
    suffixes = [suffix for kind in PREVIEWERS for suffix in kind.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    assert len({kind.key for kind in PREVIEWERS}) == len(PREVIEWERS)


@pytest.mark.parametrize(
    ("path", "media_type", "key"),
    [
        ("a/B.CSV", None, "table"),
        ("a.csv.gz", None, "table"),
        ("x.tar.gz", None, None),
        ("noending", "text/csv; charset=utf-8", "table"),
        ("noending", "text/x-anything", "text"),
        ("a.geo.json", None, "json"),
        (".csv", None, "table"),
        ("a.bin", "application/octet-stream", None),
        ("csv", None, None),
        ("a.", None, None),
    ],
)
def test_a_kind_is_known_by_its_ending_then_by_its_type(path, media_type, key):
    found = preview_kind(path, media_type)
    assert (found.key if found else None) == key


def test_a_table_is_shown_as_it_is():
    made = preview("a.csv", b'a,"b\nc",d\n1,"x, ""y""",\n')
    assert only(made).columns == ("a", "b\nc", "d")
    assert only(made).rows == (("1", 'x, "y"', ""),)
    assert made.notes == ()
    for data in (b"a;b\n1;2\n", b"a\tb\n1\t2\n", b"\xef\xbb\xbfa|b\r\n1|2\r\n"):
        assert only(preview("a.csv", data)).rows == (("1", "2"),)
    assert only(preview("a.csv", "a,b\n1,2\n".encode("utf-16"))).rows == (("1", "2"),)


def test_a_part_is_never_passed_off_as_the_whole():
    long = "a,b\n" + "".join(f"{n},{n}\n" for n in range(100_000))
    made = preview("a.csv", long.encode())
    assert len(only(made).rows) == MAX_ROWS
    assert only(made).rows[-1] == ("99", "99")
    assert made.notes == ("Only the first 100 rows are shown.",)
    exact = "a\n" + "1\n" * MAX_ROWS
    assert preview("a.csv", exact.encode()).notes == ()
    text = preview("a.txt", b"x" * 10_000_000)
    assert len(only(text).text) == MAX_TEXT_CHARS
    assert f"{MAX_TEXT_CHARS:,}" in text.notes[0]


def test_a_row_that_was_cut_through_is_not_shown():
    rows = "".join(f"{'x' * 60_000},{n}\n" for n in range(20))
    made = preview("a.csv", f"a,b\n{rows}".encode())
    assert [row[1] for row in only(made).rows] == ["0", "1"]


def test_a_million_columns_and_a_line_without_an_end():
    started = time.process_time()
    wide = preview("a.csv", b"," * 3_000_000)
    assert len(only(wide).columns) == MAX_COLUMNS
    assert any("columns" in note for note in wide.notes)
    preview("a.csv", b'"' * 3_000_000)
    preview("a.csv", b'"' + b"x" * 3_000_000)
    preview("a.json", b"[" * 3_000_000)
    preview("a.json", b"[" * 100_000)
    preview("a.jsonl", b"[" * 100_000)
    preview("a.json", b"[" + b"9" * 200_000 + b"]")
    preview("a.txt", b"\n" * 3_000_000)
    # The bound is generous for a slow machine: without limits this takes minutes.
    assert time.process_time() - started < 30


def test_json_is_indented_without_touching_its_tokens():
    text = '{"a":1.10,"b":[1e400,-0,"x,]:{y\\"z"],"c":{},"d":[]}'
    shown = only(preview("a.json", text.encode())).text
    assert shown.count("\n") > 5
    assert "".join(part.strip() for part in shown.splitlines()).replace(": ", ":") == text
    assert json.loads(shown) == json.loads(text)
    pretty = '{\n "a": 1\n}\n'
    assert only(preview("a.json", pretty.encode())).text == pretty
    assert only(preview("a.json", b"{not json")).text == "{not json"
    assert indented("[" * 500 + "]" * 500) is None


def test_json_lines_make_a_table_of_the_numbers_as_they_stand():
    made = preview("a.jsonl", b'{"a":1.10,"b":null}\n\n{"c":[1,2],"a":"x"}\n')
    assert only(made).columns == ("a", "b", "c")
    assert only(made).rows == (("1.10", "null", ""), ("x", "", "[1, 2]"))
    assert only(preview("a.jsonl", b"[1]\n")).text == "[1]\n"


def test_what_is_packed_is_unpacked_as_far_as_a_plain_file_is_read():
    assert only(preview("a.csv.gz", gzip.compress(b"a,b\n1,2\n"))).rows == (("1", "2"),)
    bomb = gzip.compress(b"\n" * 300_000_000, 9)
    assert len(bomb) < 400_000
    tracemalloc.start()
    made = preview("a.txt.gz", bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000_000
    assert len(only(made).text) <= MAX_TEXT_CHARS
    assert made.notes
    with pytest.raises(NotPreviewableError):
        preview("a.txt.gz", b"not packed")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"x\0y"),
        ("a.csv", b"a,b\n" + b"\0" * 10),
        ("a.png", b"<svg onload=alert(1)>"),
        ("a.jpg", b"\xff\xd8\xff\xe0\x00\x00" * 10_000),
        ("a.ipynb", b" " * 5_000_000),
    ],
)
def test_what_is_not_what_its_name_says_is_a_sentence(name, data):
    with pytest.raises(NotPreviewableError) as caught:
        preview(name, data)
    assert caught.value.remedy == "Download it."
